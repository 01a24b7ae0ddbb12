"""The executor: agents started, ticked, told of events, stopped, probed and brought back. Core loop only.

Ticks come from one schedule that does not drift; calls run in lanes of few threads; what calls lead to is one
transaction each. An agent's own events never come back to it, and answers to answers end after a few hops. In a room
with others an agent runs while its member holds the lease; else it stands by, loaded and quiet.
"""

import asyncio
import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from weakref import WeakValueDictionary

from runtime.agents.abi import AgentLinker
from runtime.agents.breaker import CLOSED, Breaker
from runtime.agents.budget import Budget
from runtime.agents.figures import Figures, Phase
from runtime.agents.instance import Sandbox
from runtime.agents.keys import AgentKey
from runtime.agents.lanes import Lanes
from runtime.agents.lease import Lease
from runtime.agents.ledger import Ledger
from runtime.agents.limits import CALL_LIMIT_MS, MAX_HOPS, TICK_INTERVAL_MS
from runtime.agents.live import LiveAgent, PendingEvent
from runtime.agents.manifest import Permission
from runtime.agents.modules import AgentModules, Upload, Uploaded
from runtime.agents.pace import Pace
from runtime.agents.parts import Parts
from runtime.agents.prober import Prober
from runtime.agents.quota import MINUTE_MS, Quotas
from runtime.agents.records import AgentRecord
from runtime.agents.roster import Roster
from runtime.agents.runner import Runner
from runtime.agents.shifts import Shifts
from runtime.agents.sight import AgentRooms, RoomViews
from runtime.agents.starts import ACTIVATION, Starts
from runtime.agents.state import AgentStates
from runtime.agents.statistics import Statistics
from runtime.agents.timetable import Timetable
from runtime.agents.view import AgentView
from runtime.clock import Clock
from runtime.errors import NotFoundError, OrlopError, UnavailableError, UsageError
from runtime.events import AgentDeactivated, AgentFailed, AgentLeased, CoreError
from runtime.rooms.members import agent_actor
from runtime.rooms.tasks import TaskEvent
from runtime.sandbox.engine import EpochTicker, agent_engine
from runtime.sanitise import clean
from runtime.vault import Vault

__all__ = ["Executor"]

_GRACE_S = 0.25
"""How long running calls may still end by themselves at the end of the program."""
_LOOK_S = 0.02
_CROWD = 200
"""After so many agents each, the collector is told that they stay."""


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
        self._runner = Runner(parts, self)
        self._starts = Starts(self._runner)
        self._shifts = Shifts(runner, self._shifted)
        self._prober = Prober(self._runner, self._starts, clock, begin=self._begin, enlist=self._enlist)
        self._waits: set[AgentKey] = set()
        self._timetable = Timetable(
            clock,
            self.poke,
            self._live.next_due,
            self._shifts.next_due,
            self._prober.schedule.next_due,
            self._next_minute,
        )
        self._figures: dict[AgentKey, Figures] = {}
        self._rooms = rooms
        self._views = RoomViews(rooms)
        self._doors: WeakValueDictionary[AgentKey, asyncio.Lock] = WeakValueDictionary()
        self._minute = 0
        self._closed = False

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def figures(self) -> Mapping[AgentKey, Figures]:
        """Of every agent that this executor has seen; for `rows.read_rows`."""
        return self._figures

    # --- who runs it ------------------------------------------------------------------------------------------------

    @property
    def leases(self) -> Callable[[Lease], None] | None:
        """Takes what the members of a room are to be told; None while they cannot be told anything."""
        return self._shifts.send

    @leases.setter
    def leases(self, send: Callable[[Lease], None] | None) -> None:
        self._shifts.send = send

    def heard(self, lease: Lease) -> None:
        """Takes what another member says about one of its agents.

        Args:
            lease: proven to be from the member that it names as `runner`.
        """
        self._shifts.heard(lease, self._clock.monotonic())
        self._timetable.arm()

    def presence(self, room: str, keys: Iterable[str]) -> None:
        """Takes note of who is in a room; without this, nobody else is.

        Args:
            room: its id.
            keys: identity keys of the members that are there; this node's own is passed over.
        """
        live = [(one.key, one.record.hash) for one in self._live.room(room)]
        self._shifts.attend(room, keys, live, self._clock.monotonic())
        self._timetable.arm()

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
        async with self._door(upload.key):
            warnings = await self.modules.check(upload)
            self._detach(upload.key)
            uploaded = await self.modules.save(upload, warnings)
            self._renew(upload.key)
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
        async with self._door(key):
            await self.modules.check_roll_back(key, reference)
            self._detach(key)
            done = await self.modules.roll_back(key, reference, by=by, keep_state=keep_state)
            self._renew(key)
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
        async with self._door(key):
            live = self._live.get(key)
            if live is None:
                await self._start(await self.modules.get(key), restored=False)
            elif live.held is not None:
                live.tick_due = True
                self._runner.wake(live)

    async def deactivate(self, key: AgentKey) -> None:
        """Stops an agent, or its automatic probes; module and state are kept. A call that runs is thrown away.

        Args:
            key: whose.

        Raises:
            NotFoundError: there is none.
            UnavailableError: the host could not store it.
        """
        async with self._door(key):
            record = await self.modules.get(key)
            ran = self._detach(key)
            event = AgentDeactivated(room=key.room, agent=key.agent, reason="operator")
            figures = self._figures.get(key)
            breaker = await self._breaker(key)
            if breaker.next_probe_ms is not None and not record.active:
                breaker = await self._prober.give_up(key, breaker, event)
                if figures is not None:
                    figures.breaker = breaker
                return
            if not ran and not record.active:
                return
            await self.modules.set_active(key, active=False, event=event)
            if figures is not None and figures.phase is not Phase.TRIPPED:
                figures.phase, figures.problem = Phase.OFF, ""

    async def delete(self, key: AgentKey) -> None:
        """Deletes an agent with its module, state and log.

        Args:
            key: whose.

        Raises:
            NotFoundError: there is none.
            RefusedError: it is built in.
            UnavailableError: the host could not store it.
        """
        async with self._door(key):
            await self.modules.check_deletable(key)
            self._detach(key)
            self._renew(key)
            self._statistics.flush()  # nothing of it may be written after it is deleted
            await self.modules.delete(key)
            self._figures.pop(key, None)

    async def forget(self, room: str) -> None:
        """Ends every agent of a room that is about to be burned; nothing of them is stored from now on.

        Args:
            room: its id.
        """
        for key in [key for key in self._figures if key.room == room]:
            async with self._door(key):
                self._detach(key)
                self._figures.pop(key, None)
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
        async with self._door(key):
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
        async with self._door(key):
            record = await self.modules.get(key)
            if not (await self._breaker(key)).open:
                raise UsageError("its breaker is closed", where=key.agent, hint="`agents activate` starts it")
            return await self._prober.probe(record, automatic=False)

    async def restore(self) -> int:
        """Starts every agent that was active when the program ended, all at once.

        Returns:
            How many are active. Those that failed say so themselves.
        """
        for one in await self.modules.damaged():
            self.faulted(f"agent {clean(one.key.module_id, 80)}", one.error)
        breakers = await self.modules.breakers()
        records = await self.modules.list()
        for record in records:
            if record.key in self._live:
                continue
            breaker = breakers.get(record.key, CLOSED)
            phase = Phase.TRIPPED if breaker.open else Phase.STARTING if record.active else Phase.OFF
            self._figures[record.key] = Figures(phase=phase, breaker=breaker)
            self._prober.plan(record.key, breaker)
        wanted = [record for record in records if record.active and not breakers.get(record.key, CLOSED).open]
        self._timetable.arm()
        return sum(await asyncio.gather(*(self._restore(record) for record in wanted)))

    async def shutdown(self) -> None:
        """Ends all calls, says that every agent is off, and frees everything; flags are kept for the next start."""
        if self._closed:
            return
        self._closed = True
        self._timetable.close()
        if self._runner.tasks:
            await asyncio.wait(self._runner.tasks, timeout=_GRACE_S)
        self._runner.stopping = True
        while self._runner.tasks or self._runner.inside:
            for _ in range(self._ticker.deadline_ticks(self._limit_ms)):
                self._engine.increment_epoch()  # every deadline is over
            await asyncio.sleep(_LOOK_S)
        self._runner.summarise(ended=True)
        for key in self._live:
            self._detach(key)
            event = AgentDeactivated(room=key.room, agent=key.agent, reason="shutdown")
            self.modules.store.emit(event)
        for key, figures in self._figures.items():
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

    # --- time and events --------------------------------------------------------------------------------------------

    def poke(self) -> None:
        """Looks at the clock and starts the ticks that are due; its own timer calls it."""
        now = self._clock.monotonic()
        self._shifts.tick(now)
        for live in self._live.due(now):
            if self._shifts.may_run(live.key):
                live.tick_due = True
                self._runner.wake(live)
        for key in self._prober.schedule.take(now):
            self._runner.spawn(self._probe_unasked(key))
        minute = self._clock.wall_ms() // MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._begin_minute()
        self._timetable.arm()

    def dispatch(self, room: str, events: Sequence[TaskEvent], origin: AgentKey | None = None, hops: int = 0) -> None:
        """Tells the agents of a room what was admitted to it.

        Args:
            room: its id.
            events: in their order.
            origin: the agent that emitted them, which is not told.
            hops: how many agents led to them, one after another.
        """
        for live in self._live.room(room):
            if live.key != origin and self._shifts.may_run(live.key):
                for event in events:
                    live.offer(PendingEvent(event, hops))
                self._runner.wake(live)

    # --- what calls lead to (Watcher) -------------------------------------------------------------------------------

    def view(self, room: str) -> AgentView:
        """The room as its agents see it now."""
        return self._views.view(room)

    def admitted(self, origin: AgentKey, events: Sequence[TaskEvent], hops: int) -> None:
        """An agent's emissions are in the room."""
        live = self._live.get(origin)
        if hops <= MAX_HOPS:
            self.dispatch(origin.room, events, origin, hops)
        elif live is not None:
            live.note(f"its events were not passed on to other agents: they answer {hops} agents in a row")

    def may_run(self, key: AgentKey) -> bool:
        """Whether this member runs an agent now: always, where no others are."""
        return self._shifts.may_run(key)

    def waits(self, live: LiveAgent) -> None:
        """An agent has used up its minute."""
        self._waits.add(live.key)
        self._timetable.arm()

    def tripped(self, live: LiveAgent) -> None:
        """An agent's breaker opened; it is stored already."""
        self._detach(live.key)
        live.figures.phase = Phase.TRIPPED
        self._prober.plan(live.key, live.figures.breaker)
        self._timetable.arm()

    def unusable(self, live: LiveAgent, error: OrlopError) -> None:
        """An agent cannot be instantiated any more."""
        self._detach(live.key)
        reason = clean(error.why, 200)
        live.figures.phase, live.figures.problem = Phase.FAILED, reason
        self.modules.store.emit(AgentFailed(room=live.key.room, agent=live.key.agent, reason=reason))

    def faulted(self, where: str, error: BaseException) -> None:
        """The host failed at something that nobody waits for."""
        text = str(error) if isinstance(error, OrlopError) else f"unexpected {type(error).__name__}: {error}"
        self.modules.store.emit(CoreError(where=where, error=clean(text)))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _door(self, key: AgentKey) -> asyncio.Lock:
        """Lets commands about one agent pass one by one."""
        return self._doors.setdefault(key, asyncio.Lock())

    async def _fresh(self, key: AgentKey) -> Figures:
        """Figures that begin anew, but for the breaker and the minute."""
        breaker = await self._breaker(key)
        return self._renew(key, breaker)

    def _renew(self, key: AgentKey, breaker: Breaker = CLOSED) -> Figures:
        before = self._figures.get(key)
        figures = self._figures[key] = Figures(breaker=breaker)
        if before is not None:
            figures.minute = before.minute
        if not breaker.open:
            self._prober.schedule.cancel(key)
        return figures

    async def _breaker(self, key: AgentKey) -> Breaker:
        known = self._figures.get(key)
        return await self.modules.breaker(key) if known is None else known.breaker

    async def _begin(self, record: AgentRecord) -> LiveAgent:
        return self._new(record, await self._fresh(record.key))

    def _new(self, record: AgentRecord, figures: Figures) -> LiveAgent:
        return LiveAgent(record.key, record, figures, frozenset(record.granted), Pace(self._clock.monotonic()))

    async def _restore(self, record: AgentRecord) -> bool:
        async with self._door(record.key):
            try:
                if record.key not in self._live:  # somebody was faster
                    record = await self.modules.get(record.key)
                    if not record.active:
                        return False
                    await self._start(record, restored=True)
            except OrlopError:
                return False  # told by the agent's own events
            return True

    async def _start(self, record: AgentRecord, *, restored: bool) -> None:
        figures = await self._fresh(record.key)
        figures.phase = Phase.STARTING
        live = self._new(record, figures)
        try:
            await self._starts.activate(live, restored=restored)
        except OrlopError as error:
            figures.phase, figures.problem = Phase.FAILED, clean(error.why.removeprefix(ACTIVATION), 200)
            raise
        self._enlist(live)

    def _enlist(self, live: LiveAgent) -> None:
        if self._closed:
            live.discard()
            raise UnavailableError("the program is ending", where=live.key.agent)
        if live.held is None:
            live.figures.phase = Phase.ACTIVE
        now = self._clock.monotonic()
        self._prober.schedule.cancel(live.key)
        self._live.add(live, now)
        self._shifts.stand(live.key, live.record.hash, now)
        if len(self._live) % _CROWD == 0:
            # What agents are made of lives as long as they do: full collections must not look at it all again and
            # again, since the whole program stands still meanwhile (0.3 s for 10,000 agents).
            gc.freeze()
        self._timetable.arm()

    def _detach(self, key: AgentKey) -> bool:
        """Takes an agent out of everything that could call it; whatever still runs of it is thrown away."""
        live = self._live.remove(key)
        if live is None:
            return False
        self._runner.summarise(key)
        self._shifts.leave(key)
        self._waits.discard(key)
        live.figures.runner = ""
        live.discard()
        return True

    # --- turns, minutes, probes -------------------------------------------------------------------------------------

    def _shifted(self, key: AgentKey) -> None:
        """Another member runs an agent of ours, or nobody, or we do."""
        live, standing = self._live.get(key), self._shifts.standing(key)
        if live is None or standing is None:
            return
        figures = live.figures
        figures.runner = self._name(key.room, standing.holder)
        if standing.mine:
            if figures.phase is Phase.STANDBY:
                figures.phase = Phase.ACTIVE
        else:
            live.stand_by()
            figures.phase, figures.problem = Phase.STANDBY, ""
        self.modules.store.emit(
            AgentLeased(
                room=key.room,
                agent=key.agent,
                runner=standing.holder,
                term=standing.term,
                own=standing.mine,
                name=figures.runner,
            )
        )

    def _name(self, room: str, member: str) -> str:
        names = {one.identity_key: one.display_name for one in self._rooms.state(room).members}
        return clean(names.get(member) or member[:8], 32)

    def _next_minute(self) -> float | None:
        """When those that have used up their minute go on, in monotonic seconds."""
        if not self._waits:
            return None
        left_ms = MINUTE_MS - self._clock.wall_ms() % MINUTE_MS
        return self._clock.monotonic() + left_ms / 1000

    def _begin_minute(self) -> None:
        waits, self._waits = self._waits, set()
        for key in waits:
            live = self._live.get(key)
            if live is not None:
                self._runner.wake(live)
        self._runner.summarise()
        self._statistics.flush()

    async def _probe_unasked(self, key: AgentKey) -> None:
        async with self._door(key):
            if self._closed or not (await self._breaker(key)).open:
                return  # somebody was faster
            try:
                await self._prober.probe(await self.modules.get(key), automatic=True)
            except NotFoundError:
                return
            except OrlopError as error:
                self.faulted(f"agent {key.module_id}", error)
            finally:
                self._timetable.arm()
