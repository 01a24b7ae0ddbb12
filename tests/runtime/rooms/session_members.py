"""Members of a room for tests: real accounts, cards, sessions and replicas, with a log in memory and time by hand."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vodozemac import Account

from runtime.account import MemberAccount
from runtime.canonical import Json
from runtime.identity import Identity
from runtime.rooms.cards import Card, make_card
from runtime.rooms.entries import NO_ENTRY, SignedEntry, number_of, sign_entry
from runtime.rooms.invite import Invite
from runtime.rooms.missing import missing, summary
from runtime.rooms.replica import Replica
from runtime.rooms.roster import EMPTY_ROSTER, Roster
from runtime.rooms.session import RoomSession
from runtime.rooms.session_driver import SessionDriver
from runtime.rooms.session_effects import Said
from runtime.rooms.session_pace import Pace
from runtime.rooms.session_state import Me, Now
from runtime.rooms.settings import RoomSettings
from runtime.rooms.summary import Summary
from runtime.rooms.transport import (
    Connected,
    Disconnected,
    Encrypted,
    Join,
    KeyShare,
    MemberLeft,
    MemberList,
    NewMember,
    Outgoing,
    Received,
    Seen,
)

T = TypeVar("T")

ROOM = "ab" * 16
SECRET = "cd" * 16
START_MS = 1_750_000_000_000


def done(value: T) -> "Future[T]":
    """A future that has its result."""
    future: Future[T] = Future()
    future.set_result(value)
    return future


def new_account() -> MemberAccount:
    """An account that is kept nowhere."""
    return MemberAccount(Account(), lambda one: one.pickle(bytes(32)), lambda _: done(None))


@dataclass
class Clock:
    """Virtual time."""

    s: float = 0.0

    def now(self) -> Now:
        return Now(START_MS + round(self.s * 1000), self.s)


class MemoryLog:
    """A room's log in memory: what a session reads (`Book`) and what its driver does (`Log`)."""

    def __init__(self, account: MemberAccount, clock: Clock, owner: str = "") -> None:
        self.account = account
        self.clock = clock
        self.replica: Replica | None = Replica(ROOM, owner) if owner else None
        self.refused: list[str] = []
        self.taken: list[SignedEntry] = []
        self.written: list[SignedEntry] = []
        self.last_ms = 0

    # --- the book ---------------------------------------------------------------------------------------------------

    def roster(self) -> Roster:
        return EMPTY_ROSTER if self.replica is None else self.replica.roster

    def settings(self) -> RoomSettings:
        return RoomSettings() if self.replica is None else self.replica.settings

    def summary(self) -> Summary:
        return {} if self.replica is None else summary(self.replica)

    def missing(self, theirs: Summary, to: str) -> Sequence[SignedEntry]:
        return [] if self.replica is None else missing(self.replica, theirs, to=to)

    # --- the log ----------------------------------------------------------------------------------------------------

    def changed(self) -> None: ...

    def offer(self, entries: Sequence[SignedEntry]) -> "Future[bool]":
        assert self.replica is not None
        offered = self.replica.offer(entries, self.clock.now().ms)
        self.taken.extend(offered.taken)
        self.refused.extend(one.why for one in offered.refused)
        return done(bool(offered.held))

    def add_members(self, cards: Sequence[Card]) -> "Future[None]":
        for card in cards:
            after = 0
            if self.replica is not None and (chain := self.replica.chain(card.identity_key)) is not None:
                after = max((entry.seq for entry in chain.entries()), default=0)
            self.written.append(self.write("member", {"card": card.to_json(), "after": after}))
        return done(None)

    def adopt(self, creator: Card) -> "Future[None]":
        if self.replica is None:
            self.replica = Replica(ROOM, creator.fingerprint)
        return done(None)

    def write(self, kind: str, content: Mapping[str, Json]) -> SignedEntry:
        """An entry of this member's own, taken into its own replica."""
        assert self.replica is not None
        chain = self.replica.chain(self.account.identity_key)
        own = list(chain.entries()) if chain is not None else []
        newest = max(own, key=lambda one: one.seq, default=None)
        waiting = [entry for entry, _ in self.replica.waiting().values() if entry.author == self.account.identity_key]
        newest = max([*waiting, *([newest] if newest else [])], key=lambda one: one.seq, default=None)
        self.last_ms = max(self.clock.now().ms, self.last_ms + 1)
        entry = sign_entry(
            self.account,
            room=ROOM,
            seq=1 if newest is None else newest.seq + 1,
            prev=NO_ENTRY if newest is None else newest.id,
            ts_ms=self.last_ms,
            actor=self.account.identity_key,
            kind=kind,
            content=content,
        )
        assert number_of(entry.seq)
        self.replica.offer([entry], self.last_ms)
        return entry


@dataclass
class Member:
    """One member: its log, its session, and what it was told."""

    name: str
    clock: Clock
    way: "Way"
    invite: Invite | None = None
    secret: str = SECRET
    admission: str = "invite"
    per_second: float = float("inf")
    account: MemberAccount = field(default_factory=new_account)
    told: list[Said] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.identity = Identity(self.name.encode().ljust(32, b"."))
        self.card = make_card(self.account, self.identity, self.name)
        self.log = MemoryLog(self.account, self.clock, "" if self.invite else self.card.fingerprint)
        self.session: RoomSession
        if self.invite is None:
            self.log.write(
                "room",
                {
                    "name": "harbor",
                    "history": "all",
                    "ephemeral": False,
                    "admission": self.admission,
                    "invite": self.secret,
                    "card": self.card.to_json(),
                },
            )
        self.start()

    def start(self) -> None:
        """A program begins: nothing of an earlier one's session is left."""
        self.session = RoomSession(
            ROOM, Me(self.card, self.account), self.log, invite=self.invite, pace=Pace(self.per_second)
        )
        self.driver = SessionDriver(
            self.session,
            self.account,
            self.log,
            send=lambda message: self.way.send(self, message),
            say=self.told.append,
            wait=lambda future, then: self.way.later(lambda: (future.result(), then())),
            clock=self.clock.now,
            failed=fail,
        )

    @property
    def key(self) -> str:
        return self.account.identity_key

    def invitation(self, secret: str | None = None) -> Invite:
        return Invite(
            room=ROOM, relay="", secret=self.secret if secret is None else secret, creator=self.card.fingerprint,
            name="harbor",
        )  # fmt: skip

    def say(self, text: str) -> SignedEntry:
        """Writes a message and says it to the others."""
        entry = self.log.write("message", {"text": text})
        self.driver.entries([entry])
        return entry

    def write(self, kind: str, content: Mapping[str, Json]) -> SignedEntry:
        """Writes any entry and says it to the others."""
        entry = self.log.write(kind, content)
        self.driver.entries([entry])
        return entry

    def flush(self) -> None:
        """What the log wrote by itself goes out too."""
        written, self.log.written = self.log.written, []
        if written:
            self.driver.entries(written)

    @property
    def texts(self) -> set[str]:
        replica = self.log.replica
        return set() if replica is None else {str(row[3]) for row in replica.state()["messages"]}  # type: ignore[union-attr,index]

    def state(self) -> Any:
        return None if self.log.replica is None else self.log.replica.state()

    def told_of(self, kind: type[T]) -> list[T]:
        return [one for one in self.told if isinstance(one, kind)]


def fail(error: Exception) -> None:
    raise AssertionError(str(error)) from error


class Way:
    """An honest relay in virtual time: everything arrives, in order, when `run` is called.

    Tests bend `pass_on`: what arrives at a member instead of a message.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.members: dict[str, Member] = {}
        self.seen: dict[str, Seen] = {}
        self.queue: list[Any] = []
        self.sent: list[Outgoing] = []
        self.pass_on: Callable[[Member, Received], list[Received]] = lambda _, message: [message]

    def later(self, what: Any) -> None:
        self.queue.insert(0, what)

    def connect(self, member: Member) -> None:
        self.members[member.key] = member
        self.put(member, Connected())
        self.run()

    def disconnect(self, member: Member) -> None:
        self.members.pop(member.key, None)
        if self.seen.pop(member.key, None):
            for other in list(self.members.values()):
                self.put(other, MemberLeft(member.key))
        member.driver.receive(Disconnected("gone"))
        self.run()

    def put(self, target: Member, message: Received) -> None:
        for one in self.pass_on(target, message):
            self.queue.append(lambda one=one: target.driver.receive(one))

    def send(self, member: Member, message: Outgoing) -> None:
        self.sent.append(message)
        if member.key not in self.members:
            return
        match message:
            case Join():
                others = [seen for key, seen in self.seen.items() if key != member.key]
                self.seen[member.key] = message.me
                for key in [one.identity_key for one in others]:
                    self.put(self.members[key], NewMember(message.me))
                listed = [
                    Seen(identity_key=one.identity_key, ed25519_key=one.ed25519_key, display_name=one.display_name)
                    for one in others
                ]
                self.put(member, MemberList(listed))
            case KeyShare() if message.target in self.seen:
                self.put(self.members[message.target], message)
            case Encrypted():
                for key in list(self.seen):
                    if key != member.key:
                        self.put(self.members[key], message)
            case _:
                pass

    def run(self) -> None:
        """Everything that is on its way arrives."""
        while self.queue:
            self.queue.pop(0)()
            for member in list(self.members.values()):
                member.flush()

    def wait(self, seconds: float) -> None:
        """Time passes, second by second."""
        for _ in range(round(seconds)):
            self.clock.s += 1.0
            for member in list(self.members.values()):
                member.driver.tick()
            self.run()
