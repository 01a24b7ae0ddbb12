"""Instances for one call each: a component without state is asked in one that nobody used before."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from runtime.canonical import Json
from runtime.components.permissions import Policy
from runtime.components.running import Called, Running
from runtime.components.workers import Start, Workers

__all__ = ["STOPPED", "Fresh"]

STOPPED: Final = Called("lost", "the component stopped")


class Fresh:
    """The instances that are in a call of their own now.

    Args:
        workers: make them.
        start: what the next one is made of; None while the component does not run.
        initialise: calls `init`; raises where that fails.
    """

    def __init__(
        self, workers: Workers, start: Callable[[], Start | None], initialise: Callable[[Running], Awaitable[None]]
    ) -> None:
        self._workers = workers
        self._start = start
        self._initialise = initialise
        self._there: set[Running] = set()
        self._ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def execute(self, arguments: Mapping[str, Json], timeout_ms: int) -> Called:
        """Runs an operation in an instance that nobody used before and nobody will after, once there is processor time.

        Args:
            arguments: of `execute`.
            timeout_ms: for the operation.

        Raises:
            OrlopError: there is no such instance to be had.
        """
        ending = self._ending
        start = await self._in_time(ending)
        if start is None:
            return STOPPED
        running = await self._workers.start(start)
        self._there.add(running)
        try:
            now = self._start()
            if ending.done() or now is None:
                return STOPPED
            if now.policy is not start.policy:  # it was changed while the instance was made
                running.replace_policy(now.policy)
            await self._initialise(running)
            return await running.call("execute", arguments, timeout_ms)
        finally:
            await running.unload()
            self._there.discard(running)

    def replace_policy(self, policy: Policy) -> None:
        """From now on this holds for all of them.

        Args:
            policy: the new one.
        """
        for running in self._there:
            running.replace_policy(policy)

    async def end(self) -> None:
        """Asks all to come to an end, and lets go of them; who waits for one waits no more."""
        self._ending.set_result(None)
        self._ending = asyncio.get_running_loop().create_future()
        for running in list(self._there):
            await running.unload()

    async def _in_time(self, ending: "asyncio.Future[None]") -> Start | None:
        """What an instance is made of, as soon as its component has processor time; None when it ends before."""
        while (start := self._start()) is not None and not ending.done():
            wait = start.quota.wait_s(time.monotonic())
            if wait <= 0:
                return start
            await asyncio.wait([ending], timeout=wait)
        return None
