"""The simulator: up to ten members over a hostile transport in virtual time, everything from one seed.

The transport drops, repeats, reorders, delays, corrupts, replays, truncates and injects, cuts connections and lies
about who is there; members write, crash at writes and start again. Then the network heals, and the room must be the
same at all of them.
"""

import base64
import contextlib
import heapq
import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any

from vodozemac import Account

from runtime.clock import ManualClock
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.entries import SignedEntry
from runtime.rooms.invite import Invite
from runtime.rooms.session_state import Now
from runtime.rooms.transport import (
    Connected,
    Disconnected,
    Encrypted,
    Join,
    KeyShare,
    MemberLeft,
    MemberList,
    NewMember,
    OlmMessage,
    Outgoing,
    Received,
    Seen,
)
from tests.runtime.rooms.sim_member import CrashedError, SimMember

__all__ = ["Harm", "World"]

_HEAL_S = 60.0
_PATIENCE_S = 1_200.0


@dataclass(frozen=True)
class Harm:
    """How likely each thing is to happen to a message."""

    drop: float
    repeat: float
    delay: float
    corrupt: float
    truncate: float
    replay: float
    inject: float

    @classmethod
    def of(cls, random: Random) -> "Harm":
        """Some of it, from a little to a lot."""
        return cls(*(random.choice([0.0, 0.02, 0.1, 0.25]) for _ in fields(cls)))


class World:
    """One run."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.random = Random(seed)
        self.clock = ManualClock(now_ms=1_750_000_000_000)
        self.room = ""
        self.room_name = f"MARKER-room-{seed}"
        self.markers: list[str] = [self.room_name]
        self.harm = Harm.of(self.random)
        self.sent: list[Outgoing] = []
        self.seen: dict[str, Seen] = {}
        self.online: dict[str, SimMember] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._ticking: set[str] = set()
        self._past: list[Received] = []
        self.members: list[SimMember] = [SimMember(self, "m0", None)]

    # --- time -------------------------------------------------------------------------------------------------------

    def now(self) -> Now:
        return Now(self.clock.now_ms, self.clock.seconds)

    @property
    def healed(self) -> bool:
        return self.clock.seconds >= _HEAL_S

    def at(self, delay_s: float, action: Callable[[], None]) -> None:
        """Something happens later."""
        heapq.heappush(self._events, (self.clock.seconds + delay_s, next(self._order), action))

    def run_until(self, end_s: float) -> None:
        """Everything that happens until then."""
        while self._events and self._events[0][0] <= end_s:
            when, _, action = heapq.heappop(self._events)
            self.clock.advance(max(0.0, when - self.clock.seconds))
            action()
        self.clock.advance(max(0.0, end_s - self.clock.seconds))

    # --- members ----------------------------------------------------------------------------------------------------

    def act(self, member: SimMember, action: Callable[[], None]) -> None:
        """A member does something, and tells what it wrote; or it crashes, and starts again later."""
        try:
            action()
            member.tell_own()
        except CrashedError:
            self._cut(member)
            member.open()
            self.at(self.random.uniform(0.1, 5), lambda: self.connect(member))

    def after_write(self, member: SimMember, future: "Future[Any]", then: Callable[[], None]) -> None:
        """A write takes a moment, in which other things happen."""
        life = member.life
        future.exception()
        self.at(self.random.choice([0.0, 0.001, 0.05]), lambda: self._resume(member, life, then))

    def _resume(self, member: SimMember, life: int, then: Callable[[], None]) -> None:
        if member.life == life:
            self.act(member, then)

    def begin(self, member: SimMember) -> None:
        """A member connects, and time passes for it."""
        self.connect(member)
        if member.name not in self._ticking:
            self._ticking.add(member.name)
            self._tick(member)

    def connect(self, member: SimMember) -> None:
        self.online[member.name] = member
        self.act(member, lambda: member.driver.receive(Connected()))

    def _cut(self, member: SimMember) -> None:
        """The relay loses a connection, and tells the others."""
        self.online.pop(member.name, None)
        if self.seen.pop(member.key, None) is not None:
            self._tell_all(MemberLeft(member.key))

    def disconnect(self, member: SimMember) -> None:
        """A connection is cut."""
        self._cut(member)
        self.act(member, lambda: member.driver.receive(Disconnected("cut")))

    def pass_time(self, seconds: float) -> None:
        """Everything happens that happens meanwhile."""
        self.run_until(self.clock.seconds + seconds)

    def _drop_connection(self, member: SimMember) -> None:
        if member.name in self.online:
            self.disconnect(member)
            self.at(self.random.uniform(0.5, 10), lambda: self.connect(member))

    # --- the transport ----------------------------------------------------------------------------------------------

    def send(self, member: SimMember, message: Outgoing) -> None:
        """What a member sends reaches the relay."""
        self.sent.append(message)
        if self.online.get(member.name) is not member:
            return
        match message:
            case Join(me=me):
                others = [one for key, one in self.seen.items() if key != me.identity_key]
                self.seen[me.identity_key] = me
                self._tell_all(NewMember(me), but=me.identity_key)
                self._deliver(member, MemberList([replace(one, one_time_keys={}, fallback_key="") for one in others]))
            case KeyShare():
                target = self._by_key(message.target)
                if target is not None:
                    self._deliver(target, message)
            case Encrypted():
                self._tell_all(message, but=message.sender)
            case _:
                pass

    def _by_key(self, key: str) -> SimMember | None:
        return next((one for one in self.online.values() if one.key == key and key in self.seen), None)

    def _tell_all(self, message: Received, but: str = "") -> None:
        for key in list(self.seen):
            member = self._by_key(key)
            if key != but and member is not None:
                self._deliver(member, message)

    def _deliver(self, member: SimMember, message: Received) -> None:
        for late, one in self._harmed(message):
            self.at(late, lambda one=one: self._arrive(member, one))

    def _arrive(self, member: SimMember, message: Received) -> None:
        if self.online.get(member.name) is member:
            self.act(member, lambda: member.driver.receive(message))

    def _harmed(self, message: Received) -> Iterable[tuple[float, Received]]:
        """What becomes of a message: nothing, itself, itself later, more than one, something else."""
        if self.healed:
            return [(0.01, message)]
        self._past.append(message)
        random, harm = self.random, self.harm
        found: list[tuple[float, Received]] = []
        if random.random() >= harm.drop:
            found.append((0.01, message))
        if random.random() < harm.repeat:
            found.append((random.uniform(0, 2), message))
        if found and random.random() < harm.delay:
            found[0] = (random.uniform(0.02, 8), found[0][1])
        if found and random.random() < harm.corrupt:
            found[0] = (found[0][0], _changed(found[0][1], lambda text: _flipped(text, random)))
        if found and random.random() < harm.truncate:
            found[0] = (found[0][0], _changed(found[0][1], lambda text: text[: random.randrange(len(text) + 1)]))
        if random.random() < harm.replay:
            found.append((random.uniform(0, 20), random.choice(self._past)))
        if random.random() < harm.inject:
            found.append((random.uniform(0, 2), self._invented()))
        return found

    def _invented(self) -> Received:
        """Something that nobody has said."""
        random = self.random
        stranger = Account().curve25519_key.to_base64()
        known = random.choice([one.key for one in self.members])
        key = random.choice([stranger, known])
        noise = base64.b64encode(random.randbytes(random.randrange(200))).decode()
        return random.choice(
            [
                MemberLeft(known),
                MemberList([]),
                NewMember(
                    Seen(identity_key=key, ed25519_key=stranger, display_name="x", one_time_keys={"A": stranger})
                ),
                KeyShare(target=known, sender=key, message=OlmMessage(random.randrange(2), noise)),
                Encrypted(sender=key, session_id=stranger, ciphertext=noise, timestamp_ms=0),
            ]
        )

    # --- the run ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Trouble, then healing, then patience until all agree."""
        random = self.random
        invite = self.invitation()
        for number in range(1, random.choice([2, 3, 3, 4, 5, 10])):
            self.members.append(SimMember(self, f"m{number}", invite))
        self.markers.append(invite.secret)
        for member in self.members:
            self.at(random.uniform(0, 10), lambda member=member: self.begin(member))
            if random.random() < 0.6:
                member.crash_at = random.randrange(1, 40)
        for number in range(random.randrange(10, 60)):
            self.at(random.uniform(0, _HEAL_S), lambda number=number: self._user(number))
        for _ in range(random.randrange(4)):
            self.at(random.uniform(5, _HEAL_S), lambda: self._drop_connection(random.choice(self.members)))
        self.run_until(_HEAL_S + 5)
        for member in self.members:
            member.crash_at = None
        self._until_agreed()

    def invitation(self) -> Invite:
        """To the room, by its creator."""
        creator = self.members[0]
        settings = creator.rooms.settings(self.room)
        creator_card = creator.rooms.card()
        return Invite(
            room=self.room, relay="", secret=settings.invite, creator=creator_card.fingerprint, name=self.room_name
        )

    def _tick(self, member: SimMember) -> None:
        self.act(member, member.driver.tick)
        self.at(0.1 if member.session.waiting else 1.0, lambda: self._tick(member))

    def _user(self, number: int) -> None:
        """Somebody does something."""
        random, member = self.random, self.random.choice(self.members)
        marker = f"MARKER-{self.seed}-{number}-text"
        self.markers.append(marker)
        choice = random.randrange(6)
        if choice <= 1:
            self.act(member, lambda: member.say(marker))
        elif choice <= 3:
            task = f"task-{number}"
            self.act(member, lambda: member.submit([TaskDraft("task_created", task, {"title": marker})]))
        elif choice == 4 and member.joined and (tasks := list(member.rooms.state(self.room).tasks)):
            draft = TaskDraft("task_status_changed", random.choice(tasks), {"title": marker})
            self.act(member, lambda: member.submit([draft]))
        else:
            self.act(member, member.driver.rotate)

    def _until_agreed(self) -> None:
        while self.clock.seconds < _HEAL_S + _PATIENCE_S:
            self.run_until(self.clock.seconds + 5)
            if self.agreed():
                return

    # --- what must hold ---------------------------------------------------------------------------------------------

    def agreed(self) -> bool:
        """Whether the room is the same at all, and all are members of it."""
        if not all(member.joined for member in self.members):
            return False
        states = [member.rooms.log_state(self.room) for member in self.members]
        ids = [{one.id for one in member.rooms.entries(self.room)} for member in self.members]
        return all(state == states[0] for state in states) and all(one == ids[0] for one in ids)

    def faults(self) -> list[str]:
        """What went wrong; empty for nothing."""
        found = [] if self.agreed() else [f"no agreement: {self._standing()}"]
        found += self._in_clear()
        for member in self.members:
            found += self._foreign(member)
            found += [f"{member.name}: {why}" for why in member.failures if "not a member" not in why]
        return found

    def _standing(self) -> str:
        return ", ".join(
            f"{one.name}: {len(one.rooms.entries(self.room)) if one.rooms.list() else '-'} entries,"
            f" {'in' if one.joined else 'out'}, {one.crashes} crashes"
            for one in self.members
        )

    def _in_clear(self) -> list[str]:
        """Known words in anything that was ever sent, as it is or under base64."""
        found = []
        for message in self.sent:
            raw = b"\n".join(_texts(message))
            found += [f"{marker} was sent in the clear" for marker in self.markers if marker.encode() in raw]
        return found

    def _foreign(self, member: SimMember) -> list[str]:
        """Entries that were taken twice, or that their author has not written."""
        entries = member.rooms.entries(self.room) if member.rooms.list() else []
        found = []
        if len({one.id for one in entries}) != len(entries):
            found.append(f"{member.name} took an entry twice")
        authors = {one.key: one for one in self.members}
        for entry in entries:
            author = authors.get(entry.author)
            if author is None or not entry.fits(author.account.ed25519_key):
                found.append(f"{member.name} took {entry.kind} that is not its author's")
            elif not _has(author, self.room, entry):
                found.append(f"{member.name} has {entry.kind} that {author.name} does not know")
        texts = [message.text for message in member.rooms.state(self.room).messages] if entries else []
        if len(texts) != len(set(texts)):
            found.append(f"{member.name} shows a message twice")
        return found

    def close(self) -> None:
        for member in self.members:
            member.close()


def _has(author: SimMember, room: str, entry: SignedEntry) -> bool:
    return any(one.id == entry.id for one in author.rooms.entries(room))


def _changed(message: Received, change: Callable[[str], str]) -> Received:
    """A message with other bytes."""
    match message:
        case Encrypted():
            return replace(message, ciphertext=change(message.ciphertext))
        case KeyShare():
            olm = message.message
            return replace(message, message=OlmMessage(olm.message_type, change(olm.ciphertext)))
        case NewMember():
            member = message.member
            return NewMember(replace(member, one_time_keys={k: change(v) for k, v in member.one_time_keys.items()}))
        case _:
            return message


def _flipped(text: str, random: Random) -> str:
    if not text:
        return text
    at = random.randrange(len(text))
    return text[:at] + random.choice("ABCxyz019+/ \x00é") + text[at + 1 :]


def _texts(value: object) -> Iterable[bytes]:
    """Every text in a message, as it is and decoded."""
    if isinstance(value, str):
        yield value.encode()
        with contextlib.suppress(ValueError):
            yield base64.b64decode(value + "=" * (-len(value) % 4))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif hasattr(value, "__dataclass_fields__"):
        for field in value.__dataclass_fields__:
            yield from _texts(getattr(value, field))
