"""The first call of an agent: activation with `init`, or a probe with one tick. Core loop only.

Either everything of it is stored and the agent is ready, or nothing of it is left but the reason.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from runtime.agents.breaker import CLOSED, Breaker
from runtime.agents.emission import Emissions
from runtime.agents.ledger import Ended, due_time
from runtime.agents.live import LiveAgent
from runtime.agents.parts import Made, failure_of
from runtime.agents.runner import Runner
from runtime.errors import FailedError, OrlopError, UnavailableError
from runtime.events import AgentActivated, AgentFailed, BreakerClosed, BreakerProbed, CoreError, Event
from runtime.rooms.drafts import ClockBehindError

__all__ = ["ACTIVATION", "Starts"]

ACTIVATION: Final = "Failed to activate agent: "
"""Begins the reason of every failed activation."""


class Starts:
    """Starts agents.

    Args:
        runner: makes the calls.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def activate(self, live: LiveAgent, *, restored: bool) -> None:
        """Instantiates an agent and calls `init`.

        Args:
            live: nothing of it runs yet; its breaker may be open.
            restored: it was active before the program ended, nobody asked for it now.

        Raises:
            FailedError: the agent failed, or was refused; the reason is stored, and the flag cleared.
            UnavailableError: the host failed; the flag is as it was.
        """
        key = live.key
        closed = [BreakerClosed(room=key.room, agent=key.agent, by="operator")] if live.figures.breaker.open else []
        notes: Sequence[str] = ()
        try:
            live.module = await self._runner.loader.module(live.record)
            notes = await self._load(live)
            made = await self._runner.enter(live, "init")
            if not made.done.ok or made.refused:
                await self._refuse(live, made, notes)
            ended = self._runner.ended(live, "init", made)
            activated = AgentActivated(room=key.room, agent=key.agent, hash=live.record.hash)
            ended = replace(
                ended, breaker=CLOSED, active=True, first=(*closed, activated), notes=(*notes, *ended.notes)
            )
            await self._begin(live, ended, made, urgent=not restored)
        except OrlopError as error:
            live.discard()
            if isinstance(error, _StoredError):
                raise FailedError(error.why, where=key.agent) from None
            reason = _plain(error)
            host = isinstance(error, UnavailableError)
            await self._runner.telling.say(
                AgentFailed(room=key.room, agent=key.agent, reason=reason), off=None if host else key
            )
            if host:
                raise
            raise FailedError(f"{ACTIVATION}{reason}", where=key.agent, hint=error.hint) from error

    async def probe(self, live: LiveAgent, *, automatic: bool = False) -> str:
        """Lets a tripped agent make one tick on a fresh instance.

        Args:
            live: nothing of it runs; its breaker is open.
            automatic: nobody asked for it; one that fails is counted, and the next one is later.

        Returns:
            Empty when the tick was good: the breaker is closed and the agent active. Else why it was not.

        Raises:
            UnavailableError: the host failed; nothing is said about the agent.
        """
        try:
            live.module = await self._runner.loader.module(live.record)
            notes = await self._load(live)
            made = await self._runner.enter(live, "tick")
        except UnavailableError:
            live.discard()
            raise
        except OrlopError as error:
            live.discard()
            await self._unfit(live, _plain(error), automatic=automatic)
            return _plain(error)
        ended = self._runner.ended(live, "tick", made)
        ended = replace(ended, notes=(*notes, *ended.notes))
        if made.done.ok and not made.refused:
            first = _recovered(live, "timer" if automatic else "operator")
            await self._store(live, replace(ended, breaker=CLOSED, active=True, first=first), made, urgent=True)
            return ""
        before = live.figures.breaker
        failure = replace(failure_of(made, "tick"), failures=before.failures)
        after = self._runner.probed(before) if automatic else before
        probed = _failed_probe(live, failure.reason, after, automatic=automatic)
        ended = replace(ended, failure=failure, breaker=after if automatic else None, last=(probed,))
        await self._store(live, ended, made, urgent=True)
        live.discard()
        return failure.reason

    async def _unfit(self, live: LiveAgent, reason: str, *, automatic: bool) -> None:
        """Stores a probe of an agent that cannot even be instantiated."""
        before = live.figures.breaker
        after = self._runner.probed(before) if automatic else before
        await self._runner.keep_breaker(live.key, after, _failed_probe(live, reason, after, automatic=automatic))
        live.figures.breaker = after

    async def _load(self, live: LiveAgent) -> tuple[str, ...]:
        """Loads the state; one that does not open counts as none, and that is said."""
        broken = await self._runner.load_state(live)
        if not broken:
            return ()
        event = CoreError(where=f"agent {live.key.module_id}", error=broken, hint="the agent starts without a state")
        await self._runner.telling.say(event)
        return (f"{broken}; it counts as none",)

    async def _begin(self, live: LiveAgent, ended: Ended, made: Made, *, urgent: bool) -> None:
        """Stores a good `init`. While the clock is behind, what it wants to change waits, and the agent with it."""
        try:
            stored = await self._runner.commit(ended, urgent=urgent)
        except ClockBehindError:
            wanted, rest = ended.emissions, Emissions(dropped=ended.emissions.dropped)
            await self._store(live, replace(ended, emissions=rest), made, urgent=urgent)
            waiting = Ended(
                key=ended.key,
                actor=ended.actor,
                n=ended.n,
                trigger=ended.trigger,
                duration_us=ended.duration_us,
                emissions=replace(wanted, dropped=[]),
                told=False,
            )
            await self._runner.keep(live, waiting, made, 0)
        else:
            self._runner.fold(live, ended, made, stored, 0)

    async def _refuse(self, live: LiveAgent, made: Made, notes: Sequence[str]) -> None:
        """Stores what a failed `init` left behind."""
        failure = failure_of(made, "init")
        ended = self._runner.ended(live, "init", made)
        reason = f"{ACTIVATION}{failure.reason}"
        event = AgentFailed(room=live.key.room, agent=live.key.agent, reason=failure.reason)
        ended = replace(ended, failure=failure, active=False, told=False, last=(event,), notes=(*notes, *ended.notes))
        await self._store(live, ended, made, urgent=True)
        raise _StoredError(reason)

    async def _store(self, live: LiveAgent, ended: Ended, made: Made, *, urgent: bool) -> None:
        try:
            stored = await self._runner.commit(ended, urgent=urgent)
        except OrlopError:
            live.discard()
            raise
        self._runner.fold(live, ended, made, stored, 0)


def _recovered(live: LiveAgent, by: str) -> tuple[Event, ...]:
    key = live.key
    return (
        BreakerProbed(room=key.room, agent=key.agent, ok=True, by=by),
        BreakerClosed(room=key.room, agent=key.agent, by="probe" if by == "operator" else by),
        AgentActivated(room=key.room, agent=key.agent, hash=live.record.hash),
    )


def _failed_probe(live: LiveAgent, reason: str, after: Breaker, *, automatic: bool) -> Event:
    return BreakerProbed(
        room=live.key.room,
        agent=live.key.agent,
        ok=False,
        reason=reason,
        by="timer" if automatic else "operator",
        next_probe=due_time(after),
    )


class _StoredError(FailedError):
    """The agent failed, and what there is to say about it is stored."""


def _plain(error: OrlopError) -> str:
    """The reason without the hint."""
    return getattr(error, "text", None) or error.why
