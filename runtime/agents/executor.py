"""The executor: agents started, ticked, told of events, stopped, probed and brought back. Core loop only.

Ticks come from one schedule that does not drift; calls run in lanes of few threads; what calls lead to is one
transaction each. An agent's own events never come back to it, and answers to answers end after a few hops. In a room
with others an agent runs while its member holds the lease; else it stands by, loaded and quiet.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from runtime.agents.abi import AgentLinker
from runtime.agents.budget import Budget
from runtime.agents.figures import Figures, Phase
from runtime.agents.instance import Sandbox
from runtime.agents.keys import AgentKey
from runtime.agents.lanes import Lanes
from runtime.agents.lease import Lease
from runtime.agents.ledger import Ledger
from runtime.agents.limits import CALL_LIMIT_MS, TICK_INTERVAL_MS
from runtime.agents.manifest import Permission
from runtime.agents.modules import AgentModules, Upload, Uploaded
from runtime.agents.parts import Parts
from runtime.agents.quota import Quotas
from runtime.agents.records import AgentRecord
from runtime.agents.roster import Roster
from runtime.agents.running import Running
from runtime.agents.sight import AgentRooms
from runtime.agents.startup import Startup
from runtime.agents.state import AgentStates
from runtime.agents.statistics import Span, Statistics
from runtime.clock import Clock
from runtime.errors import UsageError
from runtime.events import AgentDeactivated
from runtime.rooms.members import agent_actor
from runtime.rooms.tasks import TaskEvent
from runtime.sandbox.engine import EpochTicker, agent_engine
from runtime.vault import Vault

__all__ = ["Executor"]

_GRACE_S = 0.25
"""How long running calls may still end by themselves at the end of the program."""
_LOOK_S = 0.02


class Executor:
    """Runs agents.

    Args:
        modules: what is stored of them.
        rooms: what they see and change.
        vault: seals their states.
        clock: ticks go by its monotonic time.
        runner: identity key of this node's member, in whose name they act.
        quotas: what each may use.
        interval_ms: between two ticks of an agent.
        limit_ms: deadline of each entry into a guest.
        honest: threads of the honest lane; the default leaves one core to the rest of the program.
        suspects: threads of the suspects' lane.
    """

    def __init__(
        self,
        modules: AgentModules,
        rooms: AgentRooms,
        vault: Vault,
        clock: Clock,
        *,
        runner: str,
        quotas: Quotas | None = None,
        interval_ms: int = TICK_INTERVAL_MS,
        limit_ms: int = CALL_LIMIT_MS,
        honest: int | None = None,
        suspects: int = 2,
    ) -> None:
        engine = agent_engine()
        self.modules = modules
        self._clock = clock
        self._limit_ms = limit_ms
        self._ticker = EpochTicker(engine)
        self._engine = engine
        self._lanes = Lanes(honest=honest, suspects=suspects)
        self.quotas = quotas or Quotas()
        self._live = Roster(interval_ms / 1000)
        self._statistics = Statistics(modules.store, lambda: len(self._live))
        parts = Parts(
            modules=modules,
            states=AgentStates(vault),
            ledger=Ledger(rooms, modules.diagnostics),
            sandbox=Sandbox(engine, AgentLinker(engine), self._ticker, limit_ms),
            lanes=self._lanes,
            clock=clock,
            actor=lambda key: agent_actor(key.room, key.agent, runner),
            budget=Budget(self.quotas, self._statistics, clock),
        )
        self._running = Running(parts, rooms, self._live, runner)
        self._runner = self._running.runner
        self._startup = Startup(modules, self._running, self._live)

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def figures(self) -> Mapping[AgentKey, Figures]:
        """Of every agent that this executor has seen; for `rows.read_rows`."""
        return self._running.figures

    def unwritten(self, key: AgentKey) -> list[Span]:
        """The minutes of an agent that `statistics.read_history` does not see yet, oldest first.

        Args:
            key: whose.
        """
        figures = self.figures.get(key)
        return self._statistics.unwritten(key, None if figures is None else figures.minute)

    # --- commands ---------------------------------------------------------------------------------------------------

    async def upload(self, upload: Upload) -> Uploaded:
        """Checks and keeps a module; the agent is off afterwards, also when it ran before.

        Args:
            upload: the candidate.

        Returns:
            What was stored.

        Raises:
            OrlopError: as `AgentModules.check` and `save`; nothing is half written.
        """
        async with self._running.door(upload.key):
            warnings = await self.modules.check(upload)
            self._running.detach(upload.key)
            uploaded = await self.modules.save(upload, warnings)
            self._running.renew(upload.key)
            return uploaded

    async def roll_back(
        self, key: AgentKey, reference: str | None = None, *, by: str = "operator", keep_state: bool = False
    ) -> Uploaded:
        """Puts an older version of an agent in the place of the present one; it is off afterwards.

        Args:
            key: whose.
            reference: the text of its version, or the number of its upload; None for the one before the present.
            by: who does it.
            keep_state: the older module goes on with the present state.

        Returns:
            What is stored now.

        Raises:
            OrlopError: as `AgentModules.check_roll_back` and `roll_back`; nothing is half written.
        """
        async with self._running.door(key):
            await self.modules.check_roll_back(key, reference)
            self._running.detach(key)
            done = await self.modules.roll_back(key, reference, by=by, keep_state=keep_state)
            self._running.renew(key)
            return done

    async def activate(self, key: AgentKey) -> None:
        """Starts an agent, now and at every start of the program; closes its breaker.

        Args:
            key: nothing happens when it is active already; one that waits for the host is tried at once.

        Raises:
            NotFoundError: there is none.
            FailedError: it could not be started; nothing of it is left.
            UnavailableError: the host failed.
        """
        async with self._running.door(key):
            live = self._live.get(key)
            if live is None:
                await self._startup.start(await self.modules.get(key), restored=False)
            elif live.held is not None:
                live.tick_due = True
                self._runner.wake(live)

    async def deactivate(self, key: AgentKey, *, reason: str = "operator") -> bool:
        """Stops an agent, or its automatic probes; module and state are kept. A call that runs is thrown away.

        Args:
            key: whose.
            reason: for the event that says so.

        Returns:
            Whether it was on.

        Raises:
            NotFoundError: there is none.
            UnavailableError: the host could not store it.
        """
        async with self._running.door(key):
            record = await self.modules.get(key)
            ran = self._running.detach(key)
            event = AgentDeactivated(room=key.room, agent=key.agent, reason=reason)
            figures = self._running.figures.get(key)
            breaker = await self._running.breaker(key)
            if breaker.next_probe_ms is not None and not record.active:
                breaker = await self._running.prober.give_up(key, breaker, event)
                if figures is not None:
                    figures.breaker = breaker
                return False
            if not ran and not record.active:
                return False
            await self.modules.set_active(key, active=False, event=event)
            if figures is not None and figures.phase is not Phase.TRIPPED:
                figures.phase, figures.problem = Phase.OFF, ""
            return True

    async def delete(self, key: AgentKey) -> None:
        """Deletes an agent with its module, state and log.

        Args:
            key: whose.

        Raises:
            NotFoundError: there is none.
            RefusedError: it is built in.
            UnavailableError: the host could not store it.
        """
        async with self._running.door(key):
            await self.modules.check_deletable(key)
            self._running.detach(key)
            self._running.renew(key)
            self._statistics.flush()  # nothing of it may be written after it is deleted
            await self.modules.delete(key)
            self._running.figures.pop(key, None)

    async def forget(self, room: str) -> None:
        """Ends every agent of a room that is burned; nothing of them is stored from now on.

        Args:
            room: its id.
        """
        for key in [key for key in self._running.figures if key.room == room]:
            async with self._running.door(key):
                self._running.detach(key)
                self._running.renew(key)
                self._statistics.flush()
                self._running.figures.pop(key, None)
                self.modules.diagnostics.forget(key)

    async def grant(self, key: AgentKey, granted: tuple[Permission, ...], *, by: str = "operator") -> AgentRecord:
        """Sets what an agent may do; holds from its next call on.

        Args:
            key: whose.
            granted: exactly these.
            by: who grants.

        Returns:
            The record afterwards.

        Raises:
            OrlopError: as `AgentModules.grant`.
        """
        async with self._running.door(key):
            record = await self.modules.grant(key, granted, by=by)
            live = self._live.get(key)
            if live is not None:
                live.record, live.granted = record, frozenset(record.granted)
            return record

    async def probe(self, key: AgentKey) -> bool:
        """Lets a tripped agent make one call; it stays on when the call is good.

        Args:
            key: whose.

        Returns:
            Whether the breaker is closed now.

        Raises:
            NotFoundError: there is none.
            UsageError: its breaker is closed.
            UnavailableError: the host failed.
        """
        async with self._running.door(key):
            record = await self.modules.get(key)
            if not (await self._running.breaker(key)).open:
                raise UsageError("its breaker is closed", where=key.agent, hint="`agents activate` starts it")
            self._running.check_member(key)
            return await self._running.prober.probe(record, automatic=False)

    async def restore(self) -> int:
        """Starts every agent that was active when the program ended, all at once.

        Returns:
            How many are active. Those that failed say so themselves.
        """
        return await self._startup.restore()

    async def shutdown(self) -> None:
        """Ends all calls, says that every agent is off, and frees everything; flags are kept for the next start."""
        if self._running.closed:
            return
        self._running.closed = True
        self._running.timetable.close()
        if self._runner.tasks:
            await asyncio.wait(self._runner.tasks, timeout=_GRACE_S)
        self._runner.stopping = True
        while self._runner.tasks or self._runner.inside:
            for _ in range(self._ticker.deadline_ticks(self._limit_ms)):
                self._engine.increment_epoch()  # every deadline is over
            await asyncio.sleep(_LOOK_S)
        self._runner.telling.summarise(ended=True)
        for key in self._live:
            self._running.detach(key)
            event = AgentDeactivated(room=key.room, agent=key.agent, reason="shutdown")
            self.modules.store.emit(event)
        for key, figures in self._running.figures.items():
            self._statistics.add(key, figures.minute)
        self._statistics.flush()
        await asyncio.to_thread(self._lanes.close)
        await asyncio.to_thread(self._ticker.close)

    async def rest(self) -> None:
        """Begins no call from now on, and returns when those that run have ended; ticks and events wait."""
        self._runner.resting = True
        while self._runner.tasks:
            await asyncio.wait(self._runner.tasks)

    def go_on(self) -> None:
        """Ends a rest: what waited is done now, of ticks that were missed one."""
        self._runner.resting = False
        for key in self._live:
            live = self._live.get(key)
            if live is not None:
                self._runner.wake(live)

    # --- who runs it, time and events -------------------------------------------------------------------------------

    @property
    def leases(self) -> Callable[[Sequence[Lease]], None] | None:
        """Takes what the members of a room are to be told; None while they cannot be told anything."""
        return self._running.shifts.send

    @leases.setter
    def leases(self, send: Callable[[Sequence[Lease]], None] | None) -> None:
        self._running.shifts.send = send

    def may_run(self, key: AgentKey) -> bool:
        """Whether this member runs an agent now: always, where no others are.

        Args:
            key: whose.
        """
        return self._running.may_run(key)

    def heard(self, lease: Lease) -> None:
        """Takes what another member says about one of its agents.

        Args:
            lease: proven to be from the member that it names as `runner`.
        """
        self._running.heard(lease)

    def presence(self, room: str, keys: Iterable[str]) -> None:
        """Takes note of who is in a room; without this, nobody else is.

        Args:
            room: its id.
            keys: identity keys of the members that are there; this node's own is passed over.
        """
        self._running.presence(room, keys)

    def poke(self) -> None:
        """Looks at the clock and starts what is due; a timer of its own calls it."""
        self._running.poke()

    def dispatch(self, room: str, events: Sequence[TaskEvent]) -> None:
        """Tells the agents of a room what its members changed.

        Args:
            room: its id.
            events: in their order.
        """
        self._running.dispatch(room, events)
