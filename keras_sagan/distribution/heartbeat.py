"""Noticing that another process has died.

An engine's own signs come late, or never, and do not say whose: a process
that waits in an exchange waits. Here every process holds a connection to the
first one. The system closes it when a process ends, however it does; a host
that vanishes is silent for too long.
"""

import atexit
import contextlib
import os
import queue
import secrets
import socket
import sys
import threading
import time
import uuid

import numpy as np

PERIOD = 5.0  # Seconds between signs of life.
SILENCE = 30.0  # Seconds without one, after which a process counts as dead.
GRACE = 3.0  # Seconds to end with an error of one's own.
_ALIVE, _DONE, _DEAD = b"a", b"d", b"x"
_LINE_BYTES = 512  # Of what each process says about itself.


def watch(process, processes, gather):
    """Ends this process, with a message, when another one has died.

    The first process listens where only processes of this machine reach it,
    if all of them run on it.

    Args:
        process: Index of this process.
        processes: How many there are.
        gather: Function of an array that returns those of all processes.

    Raises:
        ConnectionError: If the first process cannot be reached.
    """
    token = secrets.token_bytes(16)
    machines = _exchange(_machine(), gather)
    server, mine = None, ""
    if process == 0:
        server = _listen(one_machine=len(set(machines)) == 1)
        host, port = server.getsockname()[:2]
        mine = f"{host} {port} {token.hex()}"
    # How to reach the first process, which every process is told.
    told = _exchange(mine, gather)[0].split()
    if server:
        links = _accept(server, token, processes)
    else:
        links = {0: _reach(*told, process)}
    ending = _Ending(links)
    for other, link in links.items():
        for target in (_send_signs, _read_signs):
            threading.Thread(
                target=target,
                args=(link, other, processes, links, ending),
                daemon=True,
            ).start()


class _Ending:
    """Says to the others, at the end of this process, that all is well."""

    def __init__(self, links):
        self.begun = self.failed = False
        self.links = links
        self._hook, sys.excepthook = sys.excepthook, self._note
        atexit.register(self._tell)

    def _note(self, kind, error, trace):
        self.failed = True
        self._hook(kind, error, trace)

    def _tell(self):
        self.begun = True
        if not self.failed:
            for link in self.links.values():
                _send(link, _DONE)


def _exchange(text, gather):
    """Returns what each process says, a short text."""
    line = text.encode()[:_LINE_BYTES].ljust(_LINE_BYTES)
    every = gather(np.frombuffer(line, "uint8"))
    return [bytes(one).decode(errors="replace").strip() for one in every]


def _machine():
    """What only processes of one machine have in common."""
    return f"{socket.gethostname()} {uuid.getnode()}"


def _listen(one_machine):
    """Returns a socket that listens at one address, not at all of them."""
    hosts = ["127.0.0.1"] if one_machine else _own_addresses()
    for host in hosts:
        try:
            return socket.create_server((host, 0), backlog=1024)
        except OSError:  # Not an address of this machine.
            continue
    raise ConnectionError(
        "Process 0 found no address of its own at which other machines may "
        f"reach it. It tried {hosts}"
    )


def _own_addresses():
    """Addresses under which other machines may know this one, best first."""
    names = [os.environ.get("MASTER_ADDR")]
    jobs = os.environ.get("KERAS_DISTRIBUTION_JOB_ADDRESSES", "")
    names.append(jobs.split(",")[0].rsplit(":", 1)[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:  # Sends nothing: asks which address would be used.
            probe.connect(("192.0.2.1", 9))
            names.append(probe.getsockname()[0])
        except OSError:
            pass
    names.append(socket.gethostname())
    addresses = []
    for name in filter(None, names):
        try:
            addresses.append(socket.gethostbyname(name))
        except OSError:
            continue
    return [x for x in dict.fromkeys(addresses) if not x.startswith("127.")]


def _accept(server, token, processes):
    """Returns a connection to each of the other processes, by its index."""
    links, found = {}, queue.Queue()
    threading.Thread(
        target=_answer, args=(server, token, found), daemon=True
    ).start()
    end = time.monotonic() + SILENCE
    while len(links) < processes - 1:
        try:
            other, link = found.get(timeout=max(end - time.monotonic(), 0))
        except queue.Empty:
            missing = sorted({*range(1, processes)} - {*links})
            raise ConnectionError(
                f"Process 0 was not reached by processes {missing} within "
                f"{SILENCE:.0f} s. It listens on {server.getsockname()}"
            ) from None
        if 0 < other < processes:
            links[other] = link
    with contextlib.suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)  # Wakes the thread that accepts.
    server.close()
    return links


def _answer(server, token, found):
    """Puts into a queue whoever connects and knows the token."""

    def greet(link):
        link.settimeout(SILENCE)
        try:
            hello = link.recv(20, socket.MSG_WAITALL)
            if hello[:16] != token or len(hello) < 20:
                link.close()  # Somebody else's.
                return
            link.sendall(token)
        except OSError:  # It says nothing, or went away.
            link.close()
            return
        found.put((int.from_bytes(hello[16:], "big"), link))

    while True:
        try:
            link, _ = server.accept()
        except OSError:  # Closed: all have come.
            return
        # Each in a thread of its own, because a stranger may stay silent.
        threading.Thread(target=greet, args=(link,), daemon=True).start()


def _reach(host, port, token, process):
    """Returns a connection to the first process."""
    token, error = bytes.fromhex(token), "another program answers there"
    try:
        link = socket.create_connection((host, int(port)), timeout=SILENCE)
        link.sendall(token + process.to_bytes(4, "big"))
        if link.recv(16, socket.MSG_WAITALL) == token:
            return link
    except OSError as problem:
        error = problem
    raise ConnectionError(
        f"Process {process} does not reach process 0 at {host}:{port}: {error}"
    )


def _send_signs(link, other, processes, links, ending):
    while _send(link, _ALIVE):
        time.sleep(PERIOD)


def _read_signs(link, other, processes, links, ending):
    """Waits for the end of the process at the other side of a link."""
    while True:
        try:
            sign = link.recv(1)
        except TimeoutError:
            _stop(other, processes, f"silent for {SILENCE:.0f} s", links)
        except OSError:
            sign = b""
        if sign == _DONE or ending.begun:
            return
        if sign == _DEAD:  # The first process says who.
            other = int.from_bytes(link.recv(4, socket.MSG_WAITALL), "big")
        if sign in (_DEAD, b""):
            _stop(other, processes, "its connection was closed", links)


def _stop(dead, processes, how, links):
    for link in links.values():
        _send(link, _DEAD + dead.to_bytes(4, "big"))
    sys.stderr.write(
        f"\nProcess {dead} of {processes} has died ({how}): this one stops "
        "too. Started again, the run goes on from its last checkpoint.\n"
    )
    sys.stderr.flush()
    time.sleep(GRACE)
    os._exit(1)  # The main thread may wait, in an exchange, for ever.


def _send(link, content):
    try:
        link.sendall(content)
        return True
    except OSError:
        return False
