"""What a relay does with messages, without a socket: who is in which room, and who is told what.

Everything is in memory, and nothing is looked into: ciphertext goes from one line to the others. A room begins with a
join that may create it and ends when its last line ends, or when the member who created it purges it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Protocol

from net.rooms.wire import Answer, Refusal, encode_answer
from runtime.rooms.transport import Encrypted, Join, KeyShare, MemberLeft, MemberList, NewMember, Outgoing, Purge, Seen

__all__ = ["CloseCode", "Exchange", "Limits", "Line", "Rate", "Seat"]

_SECOND: Final = 1.0


class CloseCode(IntEnum):
    """Why a relay closes a connection: section 10 of the protocol, and two codes of RFC 6455."""

    GOING_AWAY = 1001
    """The relay ends."""
    NOT_JOINED = 1008
    """Nobody joined for too long."""
    PURGED = 4000
    TOO_LARGE = 4001
    ROOM_NOT_FOUND = 4004
    REPLACED = 4005
    ROOM_FULL = 4008
    SERVER_FULL = 4009
    RATE = 4029


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a relay takes at most."""

    per_second: int = 30
    """Messages of one connection."""
    per_room: int = 50
    """Members of one room at a time."""
    per_address: int = 10
    """Connections of one address; of one /64 network with IPv6."""
    rooms: int = 10_000
    waiting: int = 1 << 20
    """Characters that wait for one slow reader, beside what the kernel holds."""
    join_s: float = 30.0
    """Until a connection must have joined."""
    ping_s: float = 30.0
    """Between two pings; a connection that leaves one unanswered for half as long is gone."""


class Line(Protocol):
    """A connection, as the exchange sees it. Neither call blocks."""

    def tell(self, text: str) -> None:
        """Sends a message after those before it."""
        ...

    def end(self, code: int, reason: str) -> None:
        """Closes the connection after what was told."""
        ...


@dataclass(eq=False, slots=True)
class Seat:
    """One connection in one room: empty until it joins."""

    room: str
    line: Line
    seen: Seen | None = None


@dataclass(slots=True)
class _Room:
    creator: str
    seats: dict[str, Seat] = field(default_factory=dict)


class Exchange:
    """All rooms of a relay. For one thread.

    Args:
        limits: what it takes at most.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rooms: dict[str, _Room] = {}

    @property
    def rooms(self) -> int:
        """How many rooms there are."""
        return len(self._rooms)

    def take(self, seat: Seat, message: Outgoing) -> None:
        """Does what a connection asks for; what it may not ask for is passed over, as the original does.

        Args:
            seat: the connection's.
            message: of it.
        """
        match message:
            case Join():
                self._join(seat, message)
            case KeyShare() if self._sits(seat, message.sender):
                target = self._rooms[seat.room].seats.get(message.target)
                if target is not None:
                    target.line.tell(encode_answer(message))
            case Encrypted() if self._sits(seat, message.sender):
                self._tell_others(seat, message)
            case Purge():
                self._purge(seat)
            case _:
                pass

    def leave(self, seat: Seat) -> None:
        """The connection has ended.

        Args:
            seat: its seat.
        """
        if seat.seen is None or not self._sits(seat, seat.seen.identity_key):
            return
        room = self._rooms[seat.room]
        del room.seats[seat.seen.identity_key]
        if room.seats:
            self._tell_others(seat, MemberLeft(seat.seen.identity_key))
        else:
            del self._rooms[seat.room]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _join(self, seat: Seat, message: Join) -> None:
        key = message.me.identity_key
        room = self._rooms.get(seat.room)
        refused = self._refused(seat, message, room)
        if refused is not None:
            answer, code = refused
            seat.line.tell(encode_answer(answer))
            seat.line.end(code, answer.kind.replace("_", " "))
            return
        if seat.seen is not None and seat.seen.identity_key != key:
            self.leave(seat)  # one connection, one member
            room = self._rooms.get(seat.room)
        if room is None:
            room = self._rooms[seat.room] = _Room(creator=key)
        before = room.seats.pop(key, None)
        if before is not None and before is not seat:
            before.line.end(CloseCode.REPLACED, "replaced by another connection")
        others = [other.seen for other in room.seats.values() if other.seen is not None]
        seat.seen = message.me
        room.seats[key] = seat
        self._tell_others(seat, NewMember(message.me))
        seat.line.tell(encode_answer(MemberList(others)))

    def _refused(self, seat: Seat, message: Join, room: _Room | None) -> tuple[Refusal, CloseCode] | None:
        if room is None and not message.create:
            return Refusal("room_not_found"), CloseCode.ROOM_NOT_FOUND
        if room is None and len(self._rooms) >= self._limits.rooms:
            return Refusal("server_full"), CloseCode.SERVER_FULL
        if room is not None and message.me.identity_key not in room.seats:
            staying = len(room.seats) - (seat in room.seats.values())
            if staying >= self._limits.per_room:
                return Refusal("room_full"), CloseCode.ROOM_FULL
        return None

    def _purge(self, seat: Seat) -> None:
        """By whom it comes decides, not what it says."""
        room = self._rooms.get(seat.room)
        if room is None:
            seat.line.end(CloseCode.ROOM_NOT_FOUND, "room not found")
            return
        if seat.seen is None or room.creator != seat.seen.identity_key or not self._sits(seat, room.creator):
            seat.line.tell(encode_answer(Refusal("purge_unauthorized")))
            return
        del self._rooms[seat.room]
        for other in room.seats.values():
            other.line.tell(encode_answer(Refusal("room_destroyed", "manual")))
            other.line.end(CloseCode.PURGED, "room purged")

    def _sits(self, seat: Seat, key: str) -> bool:
        """Whether this connection is, now, that member of its room."""
        room = self._rooms.get(seat.room)
        return room is not None and room.seats.get(key) is seat

    def _tell_others(self, seat: Seat, answer: Answer) -> None:
        text = encode_answer(answer)
        for other in tuple(self._rooms[seat.room].seats.values()):
            if other is not seat:
                other.line.tell(text)


class Rate:
    """A limit of messages per second: at most so many in any second.

    Args:
        most: messages.
        now: seconds that never go back.
    """

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._now = now
        self._most = most
        self._came: deque[float] = deque(maxlen=most)

    def allows(self) -> bool:
        """Whether a message that comes now is within the limit; it counts if so."""
        now = self._now()
        if len(self._came) == self._most and now - self._came[0] <= _SECOND:
            return False
        self._came.append(now)
        return True
