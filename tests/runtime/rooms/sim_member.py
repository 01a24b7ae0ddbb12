"""A member in the simulator: a real store on disk, real rooms, account and session; it can crash at a write."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from vodozemac import Account

from runtime.account import MemberAccount
from runtime.errors import OrlopError
from runtime.identity import Identity
from runtime.rooms.cards import Card
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.entries import SignedEntry
from runtime.rooms.invite import Invite
from runtime.rooms.room import Rooms
from runtime.rooms.session import RoomSession
from runtime.rooms.session_driver import SessionDriver
from runtime.rooms.session_effects import Said
from runtime.rooms.session_log import RoomLog
from runtime.rooms.session_state import Me
from runtime.store import Store
from runtime.vault import Vault

if TYPE_CHECKING:
    from tests.runtime.rooms.sim_world import World

__all__ = ["CrashedError", "SimMember"]

T = TypeVar("T")

_ACCOUNTS = Path(__file__).with_name("sim_accounts.txt").read_text().split()
"""Pickles under a key of zeros, made for this and for nothing else."""


class CrashedError(Exception):
    """The member's program ended at a write."""


class SimMember:
    """One member. Its folder is all that outlives a crash."""

    def __init__(self, world: "World", name: str, invite: Invite | None) -> None:
        self.world = world
        self.name = name
        self.invite = invite
        self.random = Random(f"{world.seed}:{name}")
        self.vault = Vault(name.encode().ljust(32, b"."))
        self.identity = Identity(name.encode().ljust(32, b"."))
        self.folder = world.folder / name / "0"
        self.folder.mkdir(parents=True)
        self._be_born(_ACCOUNTS[int(name.removeprefix("m"))])
        self.crash_at: int | None = None
        self.crashes = 0
        self.life = 0
        self.failures: list[str] = []
        self.said: list[Said] = []
        self.open()

    # --- its life ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """The program starts on what is in its folder."""
        self.life += 1
        self.writes = 0
        self.own: list[SignedEntry] = []
        self.store = Store.open(self.folder / "orlop.db", self.world.clock, owner=True)
        self.account = MemberAccount.load_or_create(self.store, self.vault)
        self.rooms = Rooms(self.store, self.vault, self.account, self.identity, display_name=self.name)
        self.rooms.on_entries = lambda _, entries: self.own.extend(entries)
        if self.invite is None and not self.rooms.list():
            self.world.room = self.rooms.create(self.world.room_name, history="all").result().room
            self.own.clear()
        log = RoomLog(self.rooms, self.world.room, name=self.world.room_name)
        card = self.rooms.card()
        self.session = RoomSession(self.world.room, Me(card, self.account), log, invite=self.invite)
        life = self.life
        self.driver = SessionDriver(
            self.session,
            _Account(self),
            _Log(self, log),
            send=lambda message: self.world.send(self, message) if self.life == life else None,
            say=self.said.append,
            wait=lambda future, then: self.world.after_write(self, future, then),
            clock=self.world.now,
            failed=lambda error: self.failures.append(str(error)),
        )

    def _be_born(self, pickle: str) -> None:
        """Gives it an account that is the same in every run, since the order of keys decides who does what."""
        account = Account.from_pickle(pickle, bytes(32)).pickle(self.vault.subkey("member-account-pickle"))
        sealed = self.vault.seal(account.encode(), b"orlop-secret:member-account")
        with Store.open(self.folder / "orlop.db", self.world.clock, owner=True) as store:
            store.write(lambda tx: tx.execute("INSERT INTO secrets VALUES ('member-account', ?)", (sealed,))).result()

    @property
    def key(self) -> str:
        return self.account.identity_key

    @property
    def joined(self) -> bool:
        """Whether the room is in its store and it is a member of it."""
        return bool(self.rooms.list()) and self.rooms.roster(self.world.room).member(self.key) is not None

    def close(self) -> None:
        self.store.close()

    # --- writing ----------------------------------------------------------------------------------------------------

    def write(self, begin: "Callable[[], Future[T]]") -> "Future[T]":
        """A write to the store; at the one that was chosen, the program ends and only bytes are left.

        What is left is what was there before the write, what was there and a torn piece of the write, or all of it.
        """
        self.writes += 1
        if self.crash_at is None or self.writes < self.crash_at:
            return begin()
        before = self._bytes()
        future = begin()
        future.exception()
        after = self._bytes()
        self.store.close()
        self._leave(self._torn(before, after))
        self.crash_at = None
        self.crashes += 1
        raise CrashedError

    def _torn(self, before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, bytes]:
        choice = self.random.randrange(3)
        if choice == 0:
            return before
        old, new = before.get("orlop.db-wal", b""), after.get("orlop.db-wal", b"")
        if choice == 1 and len(new) > len(old) and new.startswith(old):
            return before | {"orlop.db-wal": new[: self.random.randrange(len(old), len(new))]}
        return after

    def _bytes(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if not path.name.endswith("-shm")}

    def _leave(self, files: dict[str, bytes]) -> None:
        shutil.rmtree(self.folder)
        self.folder = self.folder.parent / str(self.life)
        self.folder.mkdir()
        for name, content in files.items():
            (self.folder / name).write_bytes(content)

    # --- what its user does -----------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Writes a message, if it is a member already."""
        self._do(lambda: self.rooms.say(self.world.room, text))

    def submit(self, drafts: Sequence[TaskDraft]) -> None:
        """Changes tasks, if it is a member already."""
        self._do(lambda: self.rooms.submit(self.world.room, drafts))

    def _do(self, begin: "Callable[[], Future[Any]]") -> None:
        if self.joined:
            error = self.write(begin).exception()
            if isinstance(error, OrlopError):
                self.failures.append(str(error))
            elif error is not None:
                raise error

    def tell_own(self) -> None:
        """What it has written goes to the others."""
        own, self.own = tuple(self.own), []
        if own:
            self.driver.entries(own)


class _Account:
    """The member's account, whose saves are writes."""

    def __init__(self, member: SimMember) -> None:
        self._member = member

    @property
    def changed(self) -> bool:
        return self._member.account.changed

    def save(self) -> "Future[None]":
        return self._member.write(self._member.account.save)


class _Log:
    """The member's log, whose changes are writes."""

    def __init__(self, member: SimMember, log: RoomLog) -> None:
        self._member = member
        self._log = log

    def changed(self) -> None:
        self._log.changed()

    def offer(self, entries: Sequence[SignedEntry]) -> "Future[bool]":
        return self._member.write(lambda: self._log.offer(entries))

    def add_members(self, cards: Sequence[Card]) -> "Future[None]":
        return self._member.write(lambda: self._log.add_members(cards))

    def adopt(self, creator: Card) -> "Future[None]":
        return self._member.write(lambda: self._log.adopt(creator))
