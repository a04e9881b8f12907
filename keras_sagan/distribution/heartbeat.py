"""Noticing that another process has died.

An engine's own signs come late, or never, and do not say whose: a process
that waits in an exchange waits. Here every process holds a connection to the
first one. The system closes it when a process ends, however it does; a host
that vanishes is silent for too long.
"""

import atexit
import os
import secrets
import socket
import sys
import threading
import time

import numpy as np

PERIOD = 5.0  # Seconds between signs of life.
SILENCE = 30.0  # Seconds without one, after which a process counts as dead.
GRACE = 3.0  # Seconds to end with an error of one's own.
_ALIVE, _DONE, _DEAD = b"a", b"d", b"x"
_ADDRESS_BYTES = 512


def watch(process, processes, gather):
    """Ends this process, with a message, when another one has died.

    Args:
        process: Index of this process.
        processes: How many there are.
        gather: Function of an array that returns those of all processes.

    Raises:
        ConnectionError: If the first process cannot be reached.
    """
    token = secrets.token_bytes(16)
    server = _listen() if process == 0 else None
    # How to reach the first process, which every process is told.
    mine = _addresses(server) + b" " + token.hex().encode() if server else b""
    line = np.frombuffer(mine.ljust(_ADDRESS_BYTES), "uint8")
    told = bytes(gather(line)[0]).decode().split()
    if server:
        links = _accept(server, token, processes)
    else:
        links = {0: _reach(told[:-1], bytes.fromhex(told[-1]), process)}
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


def _listen():
    server = socket.create_server(("", 0), backlog=1024)
    server.settimeout(SILENCE)
    return server


def _addresses(server):
    """All names under which other machines may know this one."""
    port = server.getsockname()[1]
    hosts = {os.environ.get("MASTER_ADDR"), socket.gethostname()}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:  # Sends nothing: asks which address would be used.
            probe.connect(("192.0.2.1", 9))
            hosts.add(probe.getsockname()[0])
        except OSError:
            pass
    hosts = [*sorted(hosts - {None}), "127.0.0.1"]
    return " ".join(f"{host}:{port}" for host in hosts).encode()


def _accept(server, token, processes):
    links = {}
    while len(links) < processes - 1:
        try:
            link, _ = server.accept()
        except TimeoutError:
            missing = sorted({*range(1, processes)} - {*links})
            raise ConnectionError(
                f"Process 0 was not reached by processes {missing} within "
                f"{SILENCE:.0f} s. It listens on {server.getsockname()}"
            ) from None
        link.settimeout(SILENCE)
        hello = link.recv(20, socket.MSG_WAITALL)
        if hello[:16] != token:
            link.close()  # Somebody else's.
            continue
        link.sendall(token)
        links[int.from_bytes(hello[16:], "big")] = link
    return links


def _reach(addresses, token, process):
    for address in addresses:
        host, port = address.rsplit(":", 1)
        try:
            link = socket.create_connection((host, int(port)), timeout=5)
            link.sendall(token + process.to_bytes(4, "big"))
            link.settimeout(SILENCE)
            if link.recv(16, socket.MSG_WAITALL) == token:
                return link
        except OSError:
            continue
    raise ConnectionError(
        f"Process {process} does not reach process 0 at any of {addresses}"
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
