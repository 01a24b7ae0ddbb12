"""Calls of running agents: prepared, entered in a lane, folded, stored. Core loop only.

A good tick that changed nothing is told live and summed up for the journal. Everything else is one transaction; when
the host cannot make it, the agent waits with it, and nothing is counted against the agent.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Final

from runtime.agents import breaker as breakers
from runtime.agents.breaker import Breaker
from runtime.agents.calls import Performed, perform
from runtime.agents.figures import Phase, Run
from runtime.agents.host import HostCall
from runtime.agents.interface import Trigger
from runtime.agents.keys import AgentKey
from runtime.agents.ledger import Ended, Stored, tripped_events
from runtime.agents.limits import SUSPECT_MS
from runtime.agents.live import LiveAgent, Order, PendingEvent
from runtime.agents.loader import ModuleLoader
from runtime.agents.parts import Made, Parts, Watcher, failure_of, news
from runtime.agents.records import save_breaker
from runtime.agents.state import StateBrokenError, StateTooLargeError, set_aside
from runtime.agents.telling import Telling
from runtime.agents.view import event_json
from runtime.errors import OrlopError, UnavailableError
from runtime.events import AgentPaused, CoreError, Event
from runtime.sandbox.outcome import Outcome
from runtime.sanitise import clean
from runtime.store import Transaction

__all__ = ["Runner"]

_ENDING: Final = "the program is ending"


class Runner:
    """Makes calls.

    Args:
        parts: what agents run on.
        watcher: hears what they lead to.
    """

    def __init__(self, parts: Parts, watcher: Watcher) -> None:
        self._parts = parts
        self._watcher = watcher
        self.loader = ModuleLoader(parts.modules)
        self.telling = Telling(parts.modules, parts.clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self.inside = 0
        """Calls that are queued or run in a lane."""
        self.stopping = False
        """From here on, what calls end with is thrown away."""
        self.resting = False
        """While true no call begins; what waits for one goes on waiting."""

    @property
    def tasks(self) -> frozenset[asyncio.Task[None]]:
        """Those that serve agents now."""
        return frozenset(self._tasks)

    # --- serving ----------------------------------------------------------------------------------------------------

    def wake(self, live: LiveAgent) -> None:
        """Makes the calls of an agent that wait, one after another.

        Args:
            live: nothing happens when it is served already, or has nothing to do.
        """
        if live.busy or live.gone or self.stopping or self.resting or not live.waiting:
            return
        live.busy = True
        self.spawn(self._serve(live))

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Runs something for an agent; the end of the program waits for it.

        Args:
            work: tells its errors by itself.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, live: LiveAgent) -> None:
        woken = True
        try:
            while not (live.gone or self.stopping or self.resting):
                # What the host could not store is tried again once each time the agent is woken, never at once.
                if live.held is not None and not (woken and await live.held()):
                    live.tick_due = False
                    break
                woken = False
                if not live.waiting or self._spent(live):
                    break
                order = live.next_order()
                if order is None:
                    break
                await self._call(live, order)
        except Exception as error:  # noqa: BLE001 - nobody waits for this task; the watcher tells the operator
            if not self.stopping:
                self._watcher.faulted(f"agent {live.key.module_id}", error)
        finally:
            live.busy = False
            if live.gone:
                live.discard()

    def _spent(self, live: LiveAgent) -> bool:
        """Whether an agent has to wait for its next minute; it pauses then, and is woken by the watcher."""
        reason = self._parts.budget.spent(live)
        if reason:
            if live.figures.phase is Phase.ACTIVE:
                live.figures.phase, live.figures.problem = Phase.PAUSED, reason
                live.note(reason)
                self.telling.emit(AgentPaused(room=live.key.room, agent=live.key.agent, reason=reason))
            self._watcher.waits(live)
        elif live.figures.phase is Phase.PAUSED:
            live.figures.phase, live.figures.problem = Phase.ACTIVE, ""
        return bool(reason)

    async def _call(self, live: LiveAgent, order: Order) -> None:
        if live.instance is None:
            try:
                live.module = await self.loader.module(live.record)
            except OrlopError as error:
                self._watcher.unusable(live, error)
                return
            if live.gone:
                return
        made = await self.enter(live, order.trigger, order.pending)
        if live.gone:
            return
        ended = self._settle(live, order.trigger, made)
        if ended.uneventful:
            self.telling.completed(live, ended)
            return
        await self.keep(live, ended, made, 0 if order.pending is None else order.pending.hops)

    # --- one call ---------------------------------------------------------------------------------------------------

    async def load_state(self, live: LiveAgent) -> str:
        """Reads the stored state of an agent that starts.

        Args:
            live: gets it.

        Returns:
            Why it counts as none although there is one; empty in the usual case.

        Raises:
            RowDamagedError: its row is not one that was stored here.
            UnavailableError: the store cannot be read, or what does not open cannot be kept.
        """
        try:
            states, digest = self._parts.states, live.record.hash
            found = await asyncio.wrap_future(
                self._parts.modules.store.read(lambda connection: states.load(connection, live.key, digest))
            )
        except StateBrokenError as error:
            aside = self._parts.modules.store.write(lambda tx: set_aside(tx, live.key))
            live.state = None
            live.state_version, name = await asyncio.wrap_future(aside)
            return f"{error.why}; its bytes are kept as {name} in the table agent_state"
        if found is not None:
            live.state, live.state_version = found
            live.figures.state_bytes = len(found[0])
        return ""

    async def enter(self, live: LiveAgent, trigger: Trigger, pending: PendingEvent | None = None) -> Made:
        """Enters the guest in the lane that it belongs to; what it asked for has no effect yet.

        Args:
            live: its module is set, its instance may be None.
            trigger: what for.
            pending: the event, for `event`.

        Returns:
            What came of it.

        Raises:
            UnavailableError: the program is ending.
        """
        view = self._watcher.view(live.key.room)
        event = None if pending is None else event_json(pending.event)
        budget = self._parts.budget
        host = HostCall(
            view,
            live.granted,
            live.state,
            self._parts.clock.wall_ms,
            event,
            state_limit=budget.quotas.state_bytes,
            log_left=budget.log_left(live),
            log_full=budget.quotas.log_full,
        )
        module, instance, version = live.module, live.instance, live.state_version + 1
        if module is None:
            raise RuntimeError("an agent without code was entered")
        if self.stopping:
            raise UnavailableError(_ENDING, where=live.key.agent)

        def work() -> Made:
            if live.gone or self.stopping:  # since it was queued; whoever waits for it throws it away
                return Made(host, Performed(Outcome("returned"), trigger, instance))
            done = perform(self._parts.sandbox, module, instance, host, trigger, tasks=view.tasks)
            if not done.ok or host.state is None or host.state == live.state:
                return Made(host, done)
            try:
                sealed = self._parts.states.seal(live.key, live.record.hash, version, host.state)
            except StateTooLargeError as error:
                if done.instance is not None:
                    done.instance.close()
                return Made(host, replace(done, instance=None), refused=error.why)
            return Made(host, done, sealed)

        self.inside += 1
        try:
            made = await asyncio.wrap_future(self._parts.lanes.submit(work, suspect=live.suspect))
        finally:
            self.inside -= 1
        live.instance = made.done.instance
        if self.stopping:
            raise UnavailableError(_ENDING, where=live.key.agent)
        live.suspect = made.done.outcome.duration_us >= SUSPECT_MS * 1000
        return made

    def ended(self, live: LiveAgent, trigger: Trigger, made: Made) -> Ended:
        """A call that was made, as the ledger takes it; a good one's emissions are held to the agent's pace.

        Args:
            live: whose.
            trigger: what it was made for.
            made: the call.

        Returns:
            The call, without breaker, flag and failure.
        """
        live.figures.calls += 1
        host, done = made.host, made.done
        emissions = done.emissions
        self._parts.budget.bound(live, emissions, its_turn=self._watcher.may_run(live.key))
        self._parts.budget.minute(live.key, live.figures).used(
            duration_us=done.outcome.duration_us,
            cpu_us=done.cpu_us,
            emissions=len(emissions.drafts),
            log_bytes=host.log_bytes,
        )
        state = host.state if done.ok else live.state
        return Ended(
            key=live.key,
            actor=self._parts.actor(live.key),
            n=live.figures.calls,
            trigger=trigger,
            duration_us=done.outcome.duration_us,
            cpu_us=done.cpu_us,
            log_bytes=host.log_bytes,
            emissions=emissions,
            log=host.log,
            notes=news(live, host),
            sealed=made.sealed,
            state_bytes=len(state or b""),
        )

    def _settle(self, live: LiveAgent, trigger: Trigger, made: Made) -> Ended:
        """Folds the breaker."""
        ended = self.ended(live, trigger, made)
        kind: breakers.Counted = "event" if trigger == "event" else "tick"
        before = live.figures.breaker
        if made.done.ok and not made.refused:
            after = breakers.succeeded(before, kind)
            return ended if after == before else replace(ended, breaker=after)
        failure = failure_of(made, trigger)
        if failure.kind == "host":
            return replace(ended, failure=replace(failure, failures=len(before.row(kind))))
        after = breakers.failed(before, kind, failure.reason, self._parts.clock.wall_ms())
        ended = replace(ended, failure=replace(failure, failures=len(after.row(kind))), breaker=after)
        return replace(ended, active=False, last=tripped_events(live.key, after)) if after.open else ended

    # --- effects ----------------------------------------------------------------------------------------------------

    async def commit(self, ended: Ended, *, urgent: bool = False) -> Stored:
        """Stores an ended call.

        Args:
            ended: the call.
            urgent: whether somebody waits for the answer.

        Returns:
            What the room admitted.

        Raises:
            OrlopError: the host could not store it; nothing of it happened.
        """
        future = self._parts.modules.store.write(lambda tx: self._parts.ledger.store(tx, ended), urgent=urgent)
        return await asyncio.wrap_future(future)

    def fold(self, live: LiveAgent, ended: Ended, made: Made, stored: Stored, hops: int) -> None:
        """Takes note of a call that is stored.

        Args:
            live: whose.
            ended: the call.
            made: the same call, with its state.
            stored: what the room admitted.
            hops: the agents that led to it.
        """
        failure = ended.failure
        reason = "" if failure is None else failure.reason
        run = Run(stored.now_ms, ended.trigger, ended.duration_us, failure is None, reason)
        live.figures.ran(run, emitted=len(stored.admitted), dropped=len(stored.dropped))
        if ended.breaker is not None:
            live.figures.breaker = ended.breaker
        if ended.sealed is not None:
            live.state, live.state_version = made.host.state, ended.sealed.version
            live.figures.state_bytes = ended.sealed.size
        if stored.admitted:
            self._watcher.admitted(live.key, stored.admitted, hops + 1)

    async def keep(self, live: LiveAgent, ended: Ended, made: Made, hops: int) -> None:
        """Stores a call, or makes its agent wait until the host can.

        Args:
            live: whose.
            ended: the call.
            made: the same call, with its state.
            hops: the agents that led to it.
        """

        async def attempt() -> bool:
            try:
                # Whoever has more to do does not wait for others to share its commit.
                stored = await self.commit(ended, urgent=bool(live.pending))
            except Exception as error:  # noqa: BLE001 - whatever the host failed at, the agent is not to blame
                self._pause(live, error)
                return False
            live.held = None
            if live.figures.phase is Phase.PAUSED:
                live.figures.phase, live.figures.problem = Phase.ACTIVE, ""
            self.fold(live, ended, made, stored, hops)
            if live.figures.breaker.open and not live.gone:
                self._watcher.tripped(live)
            if ended.failure is not None and ended.failure.kind == "host":
                self._watcher.faulted(f"agent {live.key.module_id}", OrlopError(ended.failure.reason))
            return True

        live.held = attempt
        await attempt()

    def _pause(self, live: LiveAgent, error: Exception) -> None:
        if live.gone or live.figures.phase is Phase.PAUSED:
            return
        reason = clean(str(error), 200)
        live.figures.phase, live.figures.problem = Phase.PAUSED, reason
        self.telling.emit(AgentPaused(room=live.key.room, agent=live.key.agent, reason=reason))
        self.telling.emit(
            CoreError(where=f"agent {live.key.module_id}", error=reason, hint="the agent waits with what it did")
        )

    def probed(self, breaker: Breaker) -> Breaker:
        """A breaker after an automatic probe that failed now.

        Args:
            breaker: open.
        """
        return breakers.probed(breaker, self._parts.clock.wall_ms())

    async def keep_breaker(self, key: AgentKey, breaker: Breaker, event: Event) -> None:
        """Stores a breaker that no call changed.

        Args:
            key: whose.
            breaker: as it is from here on.
            event: what is said about it.

        Raises:
            UnavailableError: the host could not store it; then all is as it was.
        """

        def work(tx: Transaction) -> None:
            save_breaker(tx, key, breaker)
            tx.emit(event)

        await asyncio.wrap_future(self._parts.modules.store.write(work))
