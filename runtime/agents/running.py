"""The agents that run: taken in and out, ticked, told of events, handed from member to member. Core loop only."""

import asyncio
import gc
from collections.abc import Iterable, Sequence
from typing import Final
from weakref import WeakValueDictionary

from runtime.agents.breaker import CLOSED, Breaker
from runtime.agents.figures import Figures, Phase
from runtime.agents.keys import AgentKey
from runtime.agents.lease import Lease
from runtime.agents.limits import MAX_HOPS
from runtime.agents.live import LiveAgent, PendingEvent
from runtime.agents.pace import Pace
from runtime.agents.parts import Parts
from runtime.agents.prober import Prober
from runtime.agents.quota import MINUTE_MS
from runtime.agents.records import AgentRecord
from runtime.agents.roster import Roster
from runtime.agents.runner import Runner
from runtime.agents.shifts import Shifts
from runtime.agents.sight import AgentRooms, RoomViews
from runtime.agents.starts import Starts
from runtime.agents.timetable import Timetable
from runtime.agents.view import AgentView
from runtime.errors import NotFoundError, OrlopError, RefusedError, UnavailableError
from runtime.events import AgentFailed, AgentLeased, CoreError
from runtime.rooms.tasks import TaskEvent
from runtime.sanitise import clean

__all__ = ["Running"]

_CROWD: Final = 200
"""After so many agents each, the collector is told that they stay."""


class Running:
    """Agents that run, and what is known of those that did; hears what their calls lead to.

    Args:
        parts: what they run on.
        rooms: what they see.
        live: the running ones.
        me: identity key of this node's member.
    """

    def __init__(self, parts: Parts, rooms: AgentRooms, live: Roster, me: str) -> None:
        self.figures: dict[AgentKey, Figures] = {}
        self.live = live
        self.closed = False
        """From here on nobody is taken in."""
        self._modules, self._clock, self._budget = parts.modules, parts.clock, parts.budget
        self._rooms = rooms
        self._views = RoomViews(rooms)
        self._doors: WeakValueDictionary[AgentKey, asyncio.Lock] = WeakValueDictionary()
        self._waits: set[AgentKey] = set()
        self._minute = 0
        self.runner = Runner(parts, self)
        self.starts = Starts(self.runner)
        self.shifts = Shifts(me, self._shifted)
        self.prober = Prober(self.runner, self.starts, self._clock, begin=self._begin, enlist=self.enlist)
        self.timetable = Timetable(
            self._clock,
            self.poke,
            self.live.next_due,
            self.shifts.next_due,
            self.prober.schedule.next_due,
            self._next_minute,
        )

    def check_member(self, key: AgentKey) -> None:
        """Whether this node is in the room of an agent: what is not heard there is not to be worked out.

        Args:
            key: whose.

        Raises:
            RefusedError: it left, or was removed.
            OrlopError: the room cannot be read.
        """
        if not any(one.is_self for one in self._rooms.state(key.room).members):
            hint = "join the room again first"
            raise RefusedError("this node is in its room no more", where=clean(key.agent, 60), hint=hint)

    # --- in and out -------------------------------------------------------------------------------------------------

    def door(self, key: AgentKey) -> asyncio.Lock:
        """Lets what is done to one agent pass one by one.

        Args:
            key: whose.
        """
        return self._doors.setdefault(key, asyncio.Lock())

    async def fresh(self, key: AgentKey) -> Figures:
        """Figures that begin anew, but for the breaker and the minute.

        Args:
            key: whose.
        """
        breaker = await self.breaker(key)
        return self.renew(key, breaker)

    def renew(self, key: AgentKey, breaker: Breaker = CLOSED) -> Figures:
        """Figures that begin anew, but for the minute.

        Args:
            key: whose.
            breaker: as it is from here on; a closed one needs no probes.
        """
        before = self.figures.get(key)
        figures = self.figures[key] = Figures(breaker=breaker)
        if before is not None:
            figures.minute = before.minute
        if not breaker.open:
            self.prober.schedule.cancel(key)
        return figures

    async def breaker(self, key: AgentKey) -> Breaker:
        """The breaker of an agent, seen or only stored.

        Args:
            key: whose.
        """
        known = self.figures.get(key)
        return await self._modules.breaker(key) if known is None else known.breaker

    async def _begin(self, record: AgentRecord) -> LiveAgent:
        return self.new(record, await self.fresh(record.key))

    def new(self, record: AgentRecord, figures: Figures) -> LiveAgent:
        """An agent of which nothing runs yet.

        Args:
            record: as stored.
            figures: what is shown of it.
        """
        return LiveAgent(record.key, record, figures, frozenset(record.granted), Pace(self._clock.monotonic()))

    def enlist(self, live: LiveAgent) -> None:
        """Takes an agent in whose first call was good: it ticks from now on, when it is its turn.

        Args:
            live: ready.

        Raises:
            UnavailableError: the program is ending; nothing is left of the agent.
        """
        if self.closed:
            live.discard()
            raise UnavailableError("the program is ending", where=live.key.agent)
        if live.held is None:
            live.figures.phase = Phase.ACTIVE
        now = self._clock.monotonic()
        self.prober.schedule.cancel(live.key)
        self.live.add(live, now)
        self.shifts.stand(live.key, live.record.hash, now)
        if len(self.live) % _CROWD == 0:
            # What agents are made of lives as long as they do: full collections must not look at it all again and
            # again, since the whole program stands still meanwhile (0.3 s for 10,000 agents).
            gc.freeze()
        self.timetable.arm()

    def detach(self, key: AgentKey) -> bool:
        """Takes an agent out of everything that could call it; whatever still runs of it is thrown away.

        Args:
            key: whose.

        Returns:
            Whether it ran.
        """
        live = self.live.remove(key)
        if live is None:
            return False
        self.runner.telling.summarise(key)
        self.shifts.leave(key)
        self._waits.discard(key)
        live.figures.runner = ""
        live.discard()
        return True

    # --- time and events --------------------------------------------------------------------------------------------

    def poke(self) -> None:
        """Looks at the clock and starts the ticks that are due; its own timer calls it."""
        now = self._clock.monotonic()
        self.shifts.tick(now)
        for live in self.live.due(now):
            if self.shifts.may_run(live.key):
                live.tick_due = True
                self.runner.wake(live)
        for key in self.prober.schedule.take(now):
            self.runner.spawn(self._probe_unasked(key))
        minute = self._clock.wall_ms() // MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._begin_minute()
        self.timetable.arm()

    def dispatch(self, room: str, events: Sequence[TaskEvent], origin: AgentKey | None = None, hops: int = 0) -> None:
        """Tells the agents of a room what was admitted to it.

        Args:
            room: its id.
            events: in their order.
            origin: the agent that emitted them, which is not told.
            hops: how many agents led to them, one after another.
        """
        for live in self.live.room(room):
            if live.key != origin and self.shifts.may_run(live.key):
                for event in events:
                    live.offer(PendingEvent(event, hops))
                self.runner.wake(live)

    def heard(self, lease: Lease) -> None:
        """Takes what another member says about one of its agents.

        Args:
            lease: proven to be from the member that it names as `runner`.
        """
        self.shifts.heard(lease, self._clock.monotonic())
        self.timetable.arm()

    def presence(self, room: str, keys: Iterable[str]) -> None:
        """Takes note of who is in a room; without this, nobody else is.

        Args:
            room: its id.
            keys: identity keys of the members that are there; this node's own is passed over.
        """
        live = [(one.key, one.record.hash) for one in self.live.room(room)]
        self.shifts.attend(room, keys, live, self._clock.monotonic())
        self.timetable.arm()

    # --- what calls lead to (Watcher) -------------------------------------------------------------------------------

    def view(self, room: str) -> AgentView:
        """The room as its agents see it now."""
        return self._views.view(room)

    def admitted(self, origin: AgentKey, events: Sequence[TaskEvent], hops: int) -> None:
        """An agent's emissions are in the room."""
        live = self.live.get(origin)
        if hops <= MAX_HOPS:
            self.dispatch(origin.room, events, origin, hops)
        elif live is not None:
            live.note(f"its events were not passed on to other agents: they answer {hops} agents in a row")

    def may_run(self, key: AgentKey) -> bool:
        """Whether this member runs an agent now: always, where no others are."""
        return self.shifts.may_run(key)

    def waits(self, live: LiveAgent) -> None:
        """An agent has used up its minute."""
        self._waits.add(live.key)
        self.timetable.arm()

    def tripped(self, live: LiveAgent) -> None:
        """An agent's breaker opened; it is stored already."""
        self.detach(live.key)
        live.figures.phase = Phase.TRIPPED
        self.prober.plan(live.key, live.figures.breaker)
        self.timetable.arm()

    def unusable(self, live: LiveAgent, error: OrlopError) -> None:
        """An agent cannot be instantiated any more."""
        self.detach(live.key)
        reason = clean(error.why, 200)
        live.figures.phase, live.figures.problem = Phase.FAILED, reason
        self._modules.store.emit(AgentFailed(room=live.key.room, agent=live.key.agent, reason=reason))

    def faulted(self, where: str, error: BaseException) -> None:
        """The host failed at something that nobody waits for."""
        text = str(error) if isinstance(error, OrlopError) else f"unexpected {type(error).__name__}: {error}"
        self._modules.store.emit(CoreError(where=where, error=clean(text)))

    # --- turns, minutes, probes -------------------------------------------------------------------------------------

    def _shifted(self, key: AgentKey) -> None:
        """Another member runs an agent of ours, or nobody, or we do."""
        live, standing = self.live.get(key), self.shifts.standing(key)
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
        self._modules.store.emit(
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
            live = self.live.get(key)
            if live is not None:
                self.runner.wake(live)
        self.runner.telling.summarise()
        self._budget.statistics.flush()

    async def _probe_unasked(self, key: AgentKey) -> None:
        async with self.door(key):
            if self.closed or not (await self.breaker(key)).open:
                return  # somebody was faster
            if self.runner.resting:
                self.prober.postpone(key)
                return
            try:
                self.check_member(key)
                await self.prober.probe(await self._modules.get(key), automatic=True)
            except NotFoundError:
                return
            except OrlopError as error:
                self.faulted(f"agent {key.module_id}", error)
            finally:
                self.timetable.arm()
