"""Reading the descriptors that came with a command: off the loop, never more than was agreed, no longer than wanted.

A pipe or terminal may keep its reader waiting for ever. So each command that reads has a thread of its own, not one of
the few that everybody shares; and it lets go at once when its caller left, or the next line that is typed in that
terminal would go to us.
"""

import asyncio
import contextlib
import hashlib
import os
import select
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from console.verbs.apart import on_thread
from runtime.errors import FailedError, RefusedError, UnavailableError, UsageError
from runtime.quantities import format_size

__all__ = ["hash_all", "pour", "read_all", "read_sync", "readable_inputs", "reading"]

_PIECE = 1 << 20

T = TypeVar("T")


async def read_all(descriptor: int, *, limit: int, what: str, interrupted: "asyncio.Future[int]") -> bytes:
    """Everything that can be read from a descriptor.

    Args:
        descriptor: a file, a pipe or a terminal; a slow one delays its own command only.
        limit: bytes that are taken at most.
        what: its name, for errors.
        interrupted: ends it early.

    Raises:
        RefusedError: there is more.
        UnavailableError: it cannot be read.
        FailedError: it was interrupted.
    """
    return await reading(interrupted, lambda stop: read_sync(descriptor, limit=limit, what=what, stop=stop))


async def reading(interrupted: "asyncio.Future[int]", work: Callable[[int], T]) -> T:
    """Runs what reads descriptors on a thread of its own; the thread has ended when this returns.

    Args:
        interrupted: ends it early.
        work: gets the `stop` of `read_sync` and `hash_all`; does nothing else that takes long.

    Raises:
        FailedError: it was interrupted.
        OrlopError: what the work raises.
    """
    stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    thread, done = on_thread(lambda: work(stop), "orlop-reading")
    either: set[asyncio.Future[Any]] = {done, interrupted}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            os.eventfd_write(stop, 1)
        return await done
    finally:
        os.eventfd_write(stop, 1)
        thread.join()  # at once: it waits for nothing but descriptors and `stop`
        os.close(stop)


@contextlib.contextmanager
def readable_inputs() -> Iterator[None]:
    """For commands whose exit 1 says something else: an input that cannot be read is the caller's to put right.

    Raises:
        UsageError: what was read inside is too long or cannot be read.
    """
    try:
        yield
    except (RefusedError, UnavailableError) as error:
        raise UsageError(error.why, where=error.where, hint=error.hint) from error


def read_sync(descriptor: int, *, limit: int, what: str, stop: int = -1) -> bytes:
    """As `read_all`, blocking.

    Args:
        descriptor: it.
        limit: bytes that are taken at most.
        what: its name, for errors.
        stop: ends the reading when it becomes readable.
    """
    parts: list[bytes] = []
    size = 0
    for piece in _pieces(descriptor, what, stop):
        size += len(piece)
        if size > limit:
            raise RefusedError(f"larger than {format_size(limit)}", where=what)
        parts.append(piece)
    return b"".join(parts)


def pour(descriptor: int, sink: Callable[[bytes], None], *, what: str, stop: int = -1) -> None:
    """Passes on everything that can be read from a descriptor; blocking.

    Args:
        descriptor: it.
        sink: takes each piece; what it raises ends the reading.
        what: its name, for errors.
        stop: as for `read_sync`.

    Raises:
        UnavailableError: it cannot be read.
        FailedError: it was interrupted.
    """
    for piece in _pieces(descriptor, what, stop):
        sink(piece)


def hash_all(descriptor: int, *, what: str, stop: int = -1) -> str:
    """SHA-256 of everything that can be read from a descriptor, 64 hexadecimal characters; blocking.

    Args:
        descriptor: it.
        what: its name, for errors.
        stop: as for `read_sync`.

    Raises:
        UnavailableError: it cannot be read.
        FailedError: it was interrupted.
    """
    digest = hashlib.sha256()
    for piece in _pieces(descriptor, what, stop):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(descriptor: int, what: str, stop: int) -> Iterator[bytes]:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if stop >= 0:
        poll.register(stop, select.POLLIN)
    try:
        while True:
            ready = dict(poll.poll())
            if stop in ready:
                raise FailedError("interrupted", where=what)
            try:
                piece = os.read(descriptor, _PIECE)
            except BlockingIOError:
                continue  # somebody else took it
            if not piece:
                return
            yield piece
    except OSError as error:
        raise UnavailableError((error.strerror or "cannot be read").lower(), where=what) from error
