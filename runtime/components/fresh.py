"""Instances for one call each: a component without state is asked in one that nobody used before."""

from collections.abc import Awaitable, Callable, Mapping

from runtime.canonical import Json
from runtime.components.permissions import Policy
from runtime.components.running import Called, Running
from runtime.components.workers import Start, Workers

__all__ = ["Fresh"]


class Fresh:
    """The instances that are in a call of their own now.

    Args:
        workers: make them.
        initialise: calls `init`; raises where that fails.
    """

    def __init__(self, workers: Workers, initialise: Callable[[Running], Awaitable[None]]) -> None:
        self._workers = workers
        self._initialise = initialise
        self._there: set[Running] = set()

    async def execute(self, start: Start, arguments: Mapping[str, Json], timeout_ms: int) -> Called:
        """Runs an operation in an instance that nobody used before and nobody will after.

        Args:
            start: what it is made of.
            arguments: of `execute`.
            timeout_ms: for the operation.

        Raises:
            OrlopError: there is no such instance to be had.
        """
        running = await self._workers.start(start)
        self._there.add(running)
        try:
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
        """Asks all to come to an end, and lets go of them."""
        for running in list(self._there):
            await running.unload()
