"""Detects that another process has died.

An engine reports this late or never, and does not say which process it is:
the others just wait in an exchange. Here every process has a connection to the
first one. The system closes it when a process ends, for whatever reason. A
host that disappears sends nothing for too long.
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
SILENCE = 30.0  # Seconds without a sign after which a process counts as dead.
GRACE = 3.0  # Seconds in which a process may end with its own error.
_ALIVE, _DONE, _DEAD = b"a", b"d", b"x"
_LINE_BYTES = 512  # Length of the text that each process sends.


def watch(process, processes, gather):
    """Ends this process, with a message, when another one has died.

    If all processes run on one machine, the first process listens at an
    address that only this machine can reach.

    Args:
        process: Index of this process.
        processes: Number of processes.
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
    # The address of the first process, which every process gets.
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
    """Tells the others when this process ends without an error."""

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
    """Returns the short texts that all processes give."""
    line = text.encode()[:_LINE_BYTES].ljust(_LINE_BYTES)
    every = gather(np.frombuffer(line, "uint8"))
    return [bytes(one).decode(errors="replace").strip() for one in every]


def _machine():
    """Returns a text that only processes on the same machine have."""
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
        "Process 0 found no address of its own at which other machines can "
        f"reach it. It tried {hosts}"
    )


def _own_addresses():
    """Returns addresses by which other machines may reach this one.

    The best one comes first.
    """
    names = [os.environ.get("MASTER_ADDR")]
    jobs = os.environ.get("KERAS_DISTRIBUTION_JOB_ADDRESSES", "")
    names.append(jobs.split(",")[0].rsplit(":", 1)[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:  # This sends nothing: it asks which address would be used.
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
        server.shutdown(socket.SHUT_RDWR)  # Wakes up the accepting thread.
    server.close()
    return links


def _answer(server, token, found):
    """Puts the connections that know the token into a queue."""

    def greet(link):
        link.settimeout(SILENCE)
        try:
            hello = link.recv(20, socket.MSG_WAITALL)
            if hello[:16] != token or len(hello) < 20:
                link.close()  # It is from another program.
                return
            link.sendall(token)
        except OSError:  # It sent nothing, or was closed.
            link.close()
            return
        found.put((int.from_bytes(hello[16:], "big"), link))

    while True:
        try:
            link, _ = server.accept()
        except OSError:  # It was closed, because all are connected.
            return
        # Each gets its own thread, because another program may send nothing.
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
        f"Process {process} cannot reach process 0 at {host}:{port}: {error}"
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
        if sign == _DEAD:  # The first process says which one died.
            other = int.from_bytes(link.recv(4, socket.MSG_WAITALL), "big")
        if sign in (_DEAD, b""):
            _stop(other, processes, "its connection was closed", links)


def _stop(dead, processes, how, links):
    for link in links.values():
        _send(link, _DEAD + dead.to_bytes(4, "big"))
    sys.stderr.write(
        f"\nProcess {dead} of {processes} has died ({how}): this process stops "
        "too. If you start the run again, it goes on from its last "
        "checkpoint.\n"
    )
    sys.stderr.flush()
    time.sleep(GRACE)
    os._exit(1)  # The main thread may wait in an exchange forever.


def _send(link, content):
    try:
        link.sendall(content)
        return True
    except OSError:
        return False
