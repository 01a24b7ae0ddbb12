"""Work in the background: kept while it runs, ended together, and never failing unheard."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from runtime.sanitise import clean

__all__ = ["Chores", "to_the_end"]

_T = TypeVar("_T")
_REASON_MAX = 300


class Chores:
    """Tasks of one owner.

    Args:
        failed: is told in one line why one of them ended that should not have.
    """

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """Does something in the background.

        Args:
            work: what.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """Ends all of them, but the one that asks."""
        ours = asyncio.current_task()
        for task in self._tasks:
            if task is not ours:
                task.cancel()

    async def close(self) -> None:
        """Ends all of them, and waits until they have ended."""
        self.cancel()
        rest = self._tasks - {asyncio.current_task()}
        if rest:
            await asyncio.wait(rest)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(clean(f"{type(error).__name__}: {error}", _REASON_MAX))


async def to_the_end(work: Awaitable[_T]) -> _T:
    """Does what must not be left half done: whoever is cancelled waits for its end, and goes then.

    Args:
        work: what; a short one.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
