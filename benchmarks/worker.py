"""Runs one contender in its own process, with one command per line."""

import json
import os
import sys
import time


def build(name, size, checkouts):
    """Returns the contender of a name such as `ours/jax`."""
    kind, *options = name.split("/")
    if "cudnn_benchmark" in options:
        import torch

        torch.backends.cudnn.benchmark = True
    if kind == "ours":
        from contenders import Ours

        return Ours(size, graph="graph" in options)
    if kind == "limit":
        from limit import Limit

        return Limit(size)
    from peers import PEERS

    threads = [int(x.removeprefix("threads=")) for x in options if "=" in x]
    return PEERS[kind](
        size,
        checkouts[kind],
        channels_last="channels_last" in options,
        compiled="compile" in options,
        threads=threads[0] if threads else None,
    )


def timed(function, n):
    """Returns the seconds of a call, or the seconds that the call returns."""
    begin = time.perf_counter()
    seconds = function(n)
    if isinstance(seconds, float):
        return seconds
    return time.perf_counter() - begin


def count_operations(step):
    """Counts the launches of a step on PyTorch, and its waits for values.

    Views launch nothing. A graph, or a program that `torch.compile` made,
    counts as the operations that it consists of, or not at all.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    count = {"launches": 0, "waits": 0}

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            count["launches"] += not function.is_view
            count["waits"] += "_local_scalar_dense" in str(function)
            return function(*args, **(kwargs or {}))

    with Counting():
        step()
    return count


def main():
    # Frameworks print to stdout, so answers go to a copy of it.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from contenders import Size
    from contenders import peak_memory

    order = json.loads(sys.stdin.readline())
    contender = build(order["name"], Size(**order["size"]), order["checkouts"])
    answer = {
        "parameters": contender.parameters(),
        "import_seconds": contender.import_seconds,
    }
    answer["first_step_seconds"] = timed(contender.train, 1)
    while True:
        answer["peak_memory"] = peak_memory()
        print(json.dumps(answer), file=answers, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        order = json.loads(line)
        if order["do"] == "count":
            answer = count_operations(contender.one_step)
            continue
        answer = {"seconds": timed(getattr(contender, order["do"]), order["n"])}


if __name__ == "__main__":
    main()
