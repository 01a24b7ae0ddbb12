"""How long a requester still waits for its worker once its job is cancelled."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from net.jobs.terms import RequesterTerms

__all__ = ["Grace"]

T = TypeVar("T")


class Grace:
    """Bounds all that is done for one job from the moment at which it is cancelled, wherever it stands then.

    A worker that cannot be reached gets little time, one that has answered gets more: it has a receipt to write.

    Args:
        cancelled: done once the job is to end early.
        terms: how long.

    Attributes:
        heard: whether the worker has answered the cancellation.
    """

    def __init__(self, cancelled: "asyncio.Future[str]", terms: RequesterTerms) -> None:
        self.heard = False
        self._cancelled = cancelled
        self._terms = terms
        self._bound: asyncio.Timeout | None = None
        self._owed = False
        self._settled = False

    async def within(self, work: Awaitable[T]) -> T:
        """Does the work, and gives it up when the grace is over.

        Raises:
            TimeoutError: it was given up.
        """
        watcher = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(None) as self._bound:
                return await work
        finally:
            watcher.cancel()
            await asyncio.wait({watcher})

    def owe(self) -> None:
        """From now on the worker keeps something for the job: it must hear of its end."""
        self._owed = True

    def hear(self) -> None:
        """The worker has answered; its result is on the way."""
        self.heard = True
        self._bound_in(self._terms.cancel_s)

    def settle(self) -> None:
        """The result is here: what is still to be done with it is done here, and takes the time that it takes."""
        self._settled = True
        if self._bound is not None and not self._bound.expired():
            self._bound.reschedule(None)

    async def _watch(self) -> None:
        await asyncio.wait({self._cancelled})
        if not self.heard:
            self._bound_in(self._terms.cancel_heard_s if self._owed else 0)

    def _bound_in(self, seconds: float) -> None:
        if self._bound is not None and not self._settled and not self._bound.expired():
            self._bound.reschedule(asyncio.get_running_loop().time() + seconds)
