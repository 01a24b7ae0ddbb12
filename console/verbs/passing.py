"""Passing on what a job wrote, to descriptors that somebody else reads, slowly or not at all."""

import errno
import os
import select
from typing import Final

__all__ = ["pass_on"]

_LEFT: Final = frozenset({errno.EPIPE, errno.ECONNRESET})


def pass_on(target: int, data: bytes, *, stop: int) -> bool:
    """Writes bytes as they are taken. Blocks.

    Args:
        target: a file, a pipe or a terminal.
        data: to be written.
        stop: ends it when it becomes readable.

    Returns:
        Whether all was taken; if not, the reader left, or it was stopped.

    Raises:
        OSError: it cannot be written.
    """
    poll = select.poll()
    poll.register(target, select.POLLOUT)
    poll.register(stop, select.POLLIN)
    view = memoryview(data)
    while view:
        if stop in dict(poll.poll()):
            return False
        try:
            view = view[os.write(target, view[: select.PIPE_BUF]) :]
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno in _LEFT:
                return False
            raise
    return True
