"""A thread of its own for what a command does that takes long.

The threads of the loop's pool are few and shared by all commands: what may hold one for minutes, because a client is
silent or its agent slow, would stop everybody.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from runtime.errors import FailedError

__all__ = ["apart", "on_thread"]

T = TypeVar("T")


def on_thread(work: Callable[[], T], name: str) -> tuple[threading.Thread, "asyncio.Future[T]"]:
    """Starts a thread that does one thing.

    Args:
        work: it.
        name: the thread's.

    Returns:
        The thread, which does not keep the program from ending, and what comes of its work.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(value)  # type: ignore[arg-type]  # without an error it is the work's own

    def run() -> None:
        value, error = None, None
        try:
            value = work()
        except BaseException as caught:  # noqa: BLE001 - it belongs to the one who waits
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, value, error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread, done


async def apart(interrupted: "asyncio.Future[int]", work: Callable[[Callable[[], bool]], T]) -> T:
    """Runs what computes for long; nobody else waits for it, and it is left behind when its caller leaves.

    Args:
        interrupted: ends it early.
        work: asks what it is given, between its steps, whether to stop; what it then returns is not looked at.

    Raises:
        FailedError: it was interrupted.
        OrlopError: what the work raises.
    """
    stop = threading.Event()
    _, done = on_thread(lambda: work(stop.is_set), "orlop-apart")
    either: set[asyncio.Future[Any]] = {done, interrupted}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            raise FailedError("interrupted")
        return done.result()
    finally:
        stop.set()
        done.cancel()
