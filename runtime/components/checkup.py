"""Asks an instance again and again how it is, between its calls; and notices that nobody needs it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from runtime.clock import Clock
from runtime.components import health as feeling
from runtime.components.deliveries import Deliveries
from runtime.components.health import UNASKED, Health
from runtime.components.manifest.model import Lifecycle
from runtime.components.running import Called, Running

__all__ = ["IDLE", "Checkup"]

IDLE: Final = "idle"
"""How `watch` ends where nobody called for too long; otherwise with what is wrong."""


class Checkup:
    """The health of one instance.

    Args:
        running: the instance.
        deliveries: its mailbox; while that is paused nothing is asked.
        asked: how often, and what is too often or too long.
        clock: tells the time.
        felt: is told the health before and after it changed.

    Attributes:
        health: what it said last.
        busy_since: monotonic seconds since when it is in a call; None: it is in none.
        last_call: monotonic seconds of the end of its last call.
    """

    def __init__(
        self,
        running: Running,
        deliveries: Deliveries,
        asked: Lifecycle,
        clock: Clock,
        felt: Callable[[Health, Health], None],
    ) -> None:
        self.health: Health = UNASKED
        self.busy_since: float | None = None
        self.last_call = clock.monotonic()
        self._running = running
        self._deliveries = deliveries
        self._asked = asked
        self._clock = clock
        self._felt = felt

    def entered(self) -> None:
        """A call begins."""
        self.busy_since = self._clock.monotonic()

    def left(self) -> None:
        """A call ended."""
        self.busy_since, self.last_call = None, self._clock.monotonic()

    async def ask(self) -> Called:
        """Asks once."""
        ended = await self._running.call("health", {}, self._asked.health_timeout)
        if ended.returned and isinstance(ended.value, Mapping):
            status, detail = str(ended.value.get("status")), str(ended.value.get("detail"))
            self._feel(feeling.answered(self.health, feeling.status_of(status), detail))
        else:
            self._feel(feeling.silent(self.health, ended.detail or ended.kind))
        return ended

    async def watch(self, broken: Callable[[Called], bool]) -> str:
        """Asks until it is too ill, or idle for too long.

        Args:
            broken: takes each answer; whether that was the instance's end.

        Returns:
            `IDLE`, what is wrong in one line, or nothing where an answer was its end.
        """
        while True:
            await asyncio.sleep(self._asked.health_interval / 1000)
            await self._deliveries.unpaused()
            now = self._clock.monotonic()
            if self.busy_since is not None:
                self._feel(feeling.busy(self.health, now - self.busy_since))
                continue
            if self._asked.idle_timeout is not None and now - self.last_call > self._asked.idle_timeout / 1000:
                return IDLE
            if broken(await self.ask()):
                return ""
            if self.health.bad >= self._asked.health_failures:
                return f"unhealthy {self.health.bad} times: {self.health.detail}"

    def _feel(self, after: Health) -> None:
        before, self.health = self.health, after
        self._felt(before, after)
