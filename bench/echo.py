"""A byte to another process and back: what the machine takes for waking one process and then the other."""

import os
import socket
import time
from collections.abc import Callable

__all__ = ["echo_ms"]


def echo_ms() -> Callable[[], float]:
    """Starts a process that sends back what it gets; it ends with its socket.

    Returns:
        Sends a byte there and back, and says how many milliseconds it took.
    """
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        mine.close()
        while said := theirs.recv(1):
            theirs.send(said)
        os._exit(0)
    theirs.close()

    def once() -> float:
        began = time.perf_counter()
        mine.send(b"x")
        mine.recv(1)
        return (time.perf_counter() - began) * 1000

    return once
