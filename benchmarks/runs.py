"""Runs `bench.py` from another script."""

import json
import pathlib
import subprocess
import sys
import tempfile

_BENCH = pathlib.Path(__file__).resolve().parent / "bench.py"


def run_bench(out=None, **flags):
    """Runs `bench.py` with these flags and returns its results.

    Args:
        out: JSON file to append the run to, or None.
        **flags: Flags of `bench.py`; those that are None are left out.

    Returns:
        A list of dicts, one for each contender.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "run.jsonl"
        command = [sys.executable, str(_BENCH), f"--out={path}"]
        command += [f"--{k}={v}" for k, v in flags.items() if v is not None]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        line = path.read_text()
    if out:
        pathlib.Path(out).parent.mkdir(parents=True, exist_ok=True)
        with open(out, "a") as file:
            file.write(line)
    return json.loads(line)["results"]
