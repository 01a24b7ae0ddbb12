"""Waiting on a loop for what a thread answers."""

import asyncio
import contextlib
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["answer"]

T = TypeVar("T")


async def answer(future: "Future[T]") -> T:
    """The result of a future of another thread.

    As `asyncio.wrap_future` at half its price, for what is waited for at every job. Whoever stops waiting withdraws
    nothing: what was asked for is done all the same.

    Args:
        future: from the store, for example.

    Raises:
        BaseException: what the future holds.
    """
    loop = asyncio.get_running_loop()
    there: asyncio.Future[None] = loop.create_future()

    def wake(_: "Future[T]") -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits any more
            loop.call_soon_threadsafe(_settle, there)

    future.add_done_callback(wake)
    await there
    return future.result()


def _settle(there: "asyncio.Future[None]") -> None:
    if not there.done():
        there.set_result(None)
