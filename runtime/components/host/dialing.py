"""Connecting sockets: begun without waiting, waited for with a limit, and tried again on a new socket."""

import errno
import math
import os
import select
import time
from typing import Final

from runtime.components.host.context import Context
from runtime.components.host.endpoints import Endpoint
from runtime.components.host.network_answers import NetworkRefusedError
from runtime.components.host.reach import Way
from runtime.components.host.sockets import OpenSocket

__all__ = ["TRIES_MAX", "dial", "dial_again"]

TRIES_MAX: Final = 10
_WORTH_ANOTHER: Final = frozenset(
    {errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNRESET, errno.ECONNABORTED}
)


def dial(own: OpenSocket, to: Endpoint, way: Way, until: float) -> None:
    """Connects a socket; when it fails, a new one has taken its place inside the handle.

    Args:
        own: neither connected nor listening.
        to: of its family.
        way: by what it is allowed.
        until: monotonic seconds.

    Raises:
        OSError: why it failed.
        NetworkRefusedError: `connection-timeout`; `would-block` when the socket does not wait, and goes on connecting.
    """
    link = own.link
    code = link.sock.connect_ex(to.for_system())
    if code == errno.EINPROGRESS:
        own.state, own.peer, own.way = "connecting", to, way
        if link.manner.non_blocking:
            raise NetworkRefusedError("would-block", "connecting; poll until it is writable")
        answered = link.wait(select.POLLOUT, until)
        own.after_wait()
        if not answered:
            own.begin_anew()
            raise NetworkRefusedError("connection-timeout", f"{to} did not answer in time")
        own.settle()
    elif code:
        own.begin_anew()
        if code == errno.EACCES and not link.stream:
            raise NetworkRefusedError("unsupported", f"{to.ip}: broadcast is not supported")
        raise OSError(code, os.strerror(code))
    else:
        own.connected(to, way)


def dial_again(
    context: Context, own: OpenSocket, to: Endpoint, way: Way, *, tries: int, delay: int, until: float
) -> None:
    """Connects a socket in several tries; each delay is twice the one before.

    Args:
        context: whose it is.
        own: as for `dial`.
        to: likewise.
        way: likewise.
        tries: in all.
        delay: milliseconds after the first.
        until: for all of them together.

    Raises:
        OSError: why the last try failed.
        NetworkRefusedError: as for `dial`.
    """
    for left in range(tries - 1, -1, -1):
        try:
            dial(own, to, way, until)
        except OSError as error:
            if not left or error.errno not in _WORTH_ANOTHER or not _sleep(context, delay, until):
                raise
        else:
            return
        own.here()
        delay *= 2


def _sleep(context: Context, delay: int, until: float) -> bool:
    """Whether there is time left afterwards."""
    left = max(0, math.ceil((until - time.monotonic()) * 1000))
    context.wait_any([], min(delay, left))
    return delay < left and not context.stopping()
