"""One room's way to its other members in a running core: transport, session and log put together. Core loop only."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from console.room_log import Log
from runtime.agents.lease import Lease
from runtime.canonical import Json
from runtime.errors import LockedError, NotFoundError, OrlopError
from runtime.events import (
    Event,
    RoomConnected,
    RoomDisconnected,
    RoomPresence,
    RoomReestablishing,
    RoomRotated,
    RoomUndecryptable,
    RoomWarning,
)
from runtime.rooms.cards import make_card
from runtime.rooms.entries import SignedEntry
from runtime.rooms.invite import Invite
from runtime.rooms.roster import Roster
from runtime.rooms.session import RoomSession
from runtime.rooms.session_driver import SessionDriver
from runtime.rooms.session_effects import (
    Gone,
    Impostor,
    LeaseHeard,
    LegacyMessage,
    Present,
    Proven,
    Reestablishing,
    Refused,
    Rotated,
    Said,
    Undecryptable,
)
from runtime.rooms.session_state import Me, Now
from runtime.rooms.transport import (
    Disconnected,
    MemberList,
    Outgoing,
    Received,
    RoomTransport,
    Turned,
)
from runtime.sanitise import clean
from runtime.shapes import ShapeError, from_wire

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["LinkStatus", "RoomLink"]

T = TypeVar("T")

_TICK_S: Final = 1.0
_SOON_S: Final = 0.1
_AGAIN_S: Final = 60.0
_REMEMBERED: Final = 64
_FLUSH_S: Final = 5.0
_TOLD_S: Final = 10.0
_REMOVED: Final = "this member is in the room no more"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """How it stands with the way to the others; the fields of `console.rows.RoomRow`."""

    link: str = "connecting"
    problem: str = ""
    present: frozenset[str] = frozenset()
    reestablishing: frozenset[str] = frozenset()


class RoomLink:
    """The way of one room.

    Args:
        core: an owner.
        room: the room's id.
        name: what this member is called in it.
        transport: to the others.
        invite: by which this member joins; None for its creator.
        leaving: this member has left, and is here only until somebody knows.
        ended: called once, when there is nothing more to be had: `left`, `removed` or `turned`.
    """

    def __init__(
        self,
        core: "Core",
        room: str,
        name: str,
        transport: RoomTransport,
        *,
        invite: Invite | None = None,
        leaving: bool = False,
        ended: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.room = room
        self.status = LinkStatus()
        self.member: asyncio.Event = asyncio.Event()
        """Set once this member is in the room, as the room's log says."""
        self.over: asyncio.Event = asyncio.Event()
        """Set when there is nothing more to be had here: the room was purged, or this member is out of it."""
        self._core = core
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._log = Log(core, room)
        me = Me(make_card(core.account, core.identity, name), core.account)
        self._session = RoomSession(room, me, self._log, invite=invite)
        self._driver = SessionDriver(
            self._session,
            core.account,
            self._log,
            send=self._send,
            say=self._said,
            wait=self._wait,
            clock=self._now,
            failed=lambda error: core.report(f"room {room}", error),
        )
        self._may_enter = invite is not None
        self._leaving = leaving
        self._leaving_s = 0.0
        self._ended = ended
        self._online_s: float | None = None
        self._there: frozenset[str] = frozenset()
        self._told: dict[tuple[str, str], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._sent = asyncio.Event()
        self._closed = False

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to connect, and goes on until it is closed; not at all for who is in the room no more."""
        self._settle()
        if not self.over.is_set():
            self._transport.start(self._receive)

    async def close(self, *, bye: bool = False) -> None:
        """Ends the way.

        Args:
            bye: whether the others are told first, after what still waits to be sent, if that takes no longer than
                a moment.
        """
        if bye and self.status.link == "online":
            self._act(self._driver.bye)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    while self._session.waiting:
                        self._sent.clear()
                        await self._sent.wait()
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self._transport.close()
        self._absent()

    # --- what comes from this side ----------------------------------------------------------------------------------

    def entries(self, entries: Sequence[SignedEntry]) -> None:
        """This member has written into the log, and it is committed."""
        self._act(lambda: self._driver.entries(entries))

    def leave(self) -> None:
        """This member is about to leave: being out of the room is then no reason to close the way."""
        self._leaving, self._leaving_s = True, self._core.clock.monotonic()

    def rotate(self) -> None:
        """Speaks under a new key from now on."""
        self._act(self._driver.rotate)

    def leases(self, leases: Sequence[Lease]) -> None:
        """Says something about the leases of agents."""
        said: dict[str, Mapping[str, Json]] = {
            one.agent: {"agent": one.agent, "hash": one.hash, "term": one.term} for one in leases
        }
        self._act(lambda: self._driver.leases(said))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _act(self, work: Callable[[], None]) -> None:
        """Nothing that a member or a relay says may end the way; what is wrong is told."""
        if self._closed:
            return
        try:
            work()
        except (LockedError, NotFoundError):
            pass  # the room is shut, or was burned a moment ago: this way is about to be closed
        except OrlopError as error:
            self._core.report(f"room {self.room}", error)
        except Exception as error:  # noqa: BLE001 - a mistake of ours; the other rooms go on
            self._core.report(f"room {self.room}", error)
        self._settle()

    def _settle(self) -> None:
        """After anything that happened: the next look at the clock, who is there, whether this member is in."""
        if self._closed:
            return
        self._sent.set()
        wait_s = _SOON_S if self._session.waiting else _TICK_S
        due = self._loop.time() + wait_s
        if self._timer is None or due < self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._due = due
            self._timer = self._loop.call_later(wait_s, self._tick)
        with contextlib.suppress(OrlopError):
            self._look(self._log.roster())

    def _tick(self) -> None:
        self._timer = None
        self._act(self._driver.tick)
        self._act(self._take_due)
        if self._leaving and self._is_told:
            self._end("this member has left the room", "left")

    @property
    def _is_told(self) -> bool:
        """Whether others have been there for long enough to have asked what they lack."""
        if self._online_s is None or not self.status.present:
            return False
        return self._core.clock.monotonic() - max(self._online_s, self._leaving_s) > _TOLD_S

    def _take_due(self) -> None:
        """Entries of a clock that goes ahead of ours wait for their time."""
        due_ms = self._core.rooms.next_due_ms(self.room)
        if due_ms is not None and due_ms <= self._core.clock.wall_ms():
            self._wait(self._core.rooms.tick(self.room), lambda: self._driver.entries(()))

    def _look(self, roster: Roster) -> None:
        self._show_present(self._there & roster.members.keys())
        me = self._core.account.identity_key
        if roster.member(me) is not None:
            self.member.set()
        elif me in roster.everybody and not (self._leaving or self.over.is_set() or self._may_come_back):
            self._end(_REMOVED, "removed")

    @property
    def _may_come_back(self) -> bool:
        """Whether this member has an invitation that it did not use yet: somebody may vouch for it anew."""
        return self._may_enter and not self.member.is_set()

    def _show_present(self, keys: frozenset[str]) -> None:
        if keys == self.status.present:
            return
        self.status = replace(self.status, present=keys)
        self._tell(RoomPresence(room=self.room, present=tuple(sorted(keys))))
        self._core.agents.presence(self.room, keys)
        self._core.rooms.note_present(self.room, keys)

    def _absent(self) -> None:
        self._there = frozenset()
        self._show_present(frozenset())

    def _receive(self, message: Received) -> None:
        match message:
            case MemberList() if self.status.link != "online":
                self.status = replace(self.status, link="online", problem="")
                self._online_s = self._core.clock.monotonic()
                self._tell(RoomConnected(room=self.room))
            case Disconnected():
                self._cut("offline", message.reason)
            case Turned():
                self._end(message.reason, "turned")
            case _:
                pass
        self._act(lambda: self._driver.receive(message))

    def _cut(self, link: str, reason: str) -> None:
        self._online_s = None
        self._absent()
        if (self.status.link, self.status.problem) != (link, reason):
            self.status = LinkStatus(link=link, problem=reason)
            self._tell(RoomDisconnected(room=self.room, reason=reason, retries=link == "offline"))

    def _end(self, reason: str, kind: str) -> None:
        self._cut("closed", reason)
        if not self.over.is_set():
            self.over.set()
            self._ended(kind)

    def _send(self, message: Outgoing) -> None:
        self._transport.send(message)

    def _wait(self, future: "Future[T]", then: Callable[[], None]) -> None:
        def done(_: "Future[T]") -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the way with it
                self._loop.call_soon_threadsafe(self._act, then)

        future.add_done_callback(done)

    def _now(self) -> Now:
        return Now(self._core.clock.wall_ms(), self._core.clock.monotonic())

    def _tell(self, event: Event) -> None:
        self._core.note(event)

    def _said(self, said: Said) -> None:
        match said:
            case Present(keys):
                self._there = keys
            case Gone(key):
                self._there -= {key}
            case Reestablishing(missing):
                self.status = replace(self.status, reestablishing=missing)
                self._tell(RoomReestablishing(room=self.room, missing=tuple(sorted(missing))))
            case Rotated(why):
                self._tell(RoomRotated(room=self.room, reason=why))
            case LeaseHeard(lease):
                self._lease_heard(lease)
            case Proven():
                pass  # told by the log, once somebody has vouched
            case _:
                self._trouble(said)

    def _trouble(self, said: Undecryptable | Impostor | Refused | LegacyMessage) -> None:
        match said:
            case Undecryptable(sender, why):
                self._rarely(RoomUndecryptable(room=self.room, key=clean(sender, 64), reason=clean(why, 200)))
            case Impostor(key, why):
                self._warn(key, "impostor", why)
            case Refused(by, why):
                self._warn(by, "refused", clean(why, 200))
            case LegacyMessage(sender):
                self._warn(sender, "legacy", "a client without signatures has said something; it is in no log")

    def _lease_heard(self, lease: Mapping[str, object]) -> None:
        with contextlib.suppress(ShapeError):  # of a later version
            self._core.agents.heard(from_wire(Lease, dict(lease)))

    def _warn(self, key: str, about: str, reason: str) -> None:
        name = self._name_of(key)
        self._rarely(RoomWarning(room=self.room, key=clean(key, 64), about=about, reason=reason, name=name))

    def _name_of(self, key: str) -> str | None:
        """What a member is or was called; None for a stranger, and while the log cannot be read."""
        with contextlib.suppress(OrlopError):
            known = self._log.roster().everybody.get(key)
            return None if known is None else known.card.name
        return None

    def _rarely(self, event: RoomUndecryptable | RoomWarning) -> None:
        """The same about the same member is told once a minute: others decide how often it happens."""
        now, which = self._core.clock.monotonic(), (event.key, event.reason)
        if now - self._told.get(which, now - _AGAIN_S) < _AGAIN_S:
            return
        self._told.pop(which, None)
        self._told[which] = now
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        self._tell(event)
