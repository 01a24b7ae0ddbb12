"""Members of one room in this program: with stores of their own, or with logs in memory."""

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from vodozemac import Account

from bench.memory_log import MemoryLog
from runtime.account import MemberAccount
from runtime.canonical import Json
from runtime.clock import SystemClock
from runtime.errors import OrlopError
from runtime.identity import Identity, new_seed
from runtime.rooms.cards import Card, make_card
from runtime.rooms.entries import SignedEntry
from runtime.rooms.in_process import InProcessHub
from runtime.rooms.invite import Invite
from runtime.rooms.room import Rooms
from runtime.rooms.session import RoomSession
from runtime.rooms.session_driver import SessionDriver
from runtime.rooms.session_log import RoomLog
from runtime.rooms.session_pace import Pace
from runtime.rooms.session_state import Me, Now
from runtime.store import Store
from runtime.vault import Vault

__all__ = ["MemoryMate", "StoreMate", "until"]

_PATIENCE_S: Final = 60.0


async def until(holds: Callable[[], bool]) -> None:
    """Waits for it.

    Raises:
        RuntimeError: it does not come true.
    """
    end = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError("the members do not agree")
        await asyncio.sleep(0.0005)


class _Mate:
    """What both kinds do: one session, driven on this loop."""

    def __init__(
        self, hub: InProcessHub, me: Me, log: RoomLog | MemoryLog, invite: Invite | None, *, account: MemberAccount,
        room: str,
    ) -> None:  # fmt: skip
        self.card = me.card
        self._loop = asyncio.get_running_loop()
        self._session = RoomSession(room, me, log, invite=invite, pace=Pace(float("inf")))
        self._transport = hub.transport()
        self._driver = SessionDriver(
            self._session,
            account,
            log,
            send=self._transport.send,
            say=lambda _: None,
            wait=lambda future, then: future.add_done_callback(lambda _: self._loop.call_soon_threadsafe(then)),
            clock=lambda: Now(time.time_ns() // 1_000_000, time.monotonic()),
            failed=_raise,
        )
        self._log = log
        self._ticking = self._loop.create_task(self._tick())

    def connect(self) -> None:
        """Joins the others."""
        self._transport.start(self._driver.receive)

    @property
    def members(self) -> int:
        """How many members of the room it knows and has the cards of, itself included."""
        return len(self._log.roster().members.keys() & {*self._session.cards, self.card.identity_key})

    async def close(self) -> None:
        """Ends it."""
        self._ticking.cancel()
        await self._transport.close()

    def tell_later(self, entries: tuple[SignedEntry, ...]) -> None:
        """Says to the others what was written; from any thread."""
        self._loop.call_soon_threadsafe(self._driver.entries, entries)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._driver.tick()


class MemoryMate(_Mate):
    """A member without a disk.

    Args:
        hub: where they meet.
        invite: by which it comes; None for the one who makes the room.
    """

    def __init__(self, hub: InProcessHub, invite: Invite | None) -> None:
        account = MemberAccount(Account(), lambda one: one.pickle(bytes(32)), _kept_nowhere)
        card = make_card(account, Identity(new_seed()), "mate")
        self.invite = invite or Invite(
            room=secrets.token_hex(16), relay="", secret=secrets.token_hex(16), creator=card.fingerprint, name="bench"
        )
        log = MemoryLog(account, self.invite.room, "" if invite else card.fingerprint)
        if invite is None:
            opening: dict[str, Json] = {"name": "bench", "history": "all", "ephemeral": True, "admission": "invite"}
            log.write("room", opening | {"invite": self.invite.secret, "card": card.to_json()})
        super().__init__(hub, Me(card, account), log, invite, account=account, room=self.invite.room)
        log.on_entries = self.tell_later


class StoreMate(_Mate):
    """A member with a store, rooms and an account of its own.

    Args:
        hub: where they meet.
        folder: for its store.
        invite: by which it comes; None for the one who makes the room.
    """

    def __init__(self, hub: InProcessHub, folder: Path, invite: Invite | None) -> None:
        folder.mkdir()
        vault = Vault(Vault.new_key())
        self._store = Store.open(folder / "orlop.db", SystemClock(), owner=True)
        account = MemberAccount.load_or_create(self._store, vault)
        self._rooms = Rooms(self._store, vault, account, Identity(new_seed()), display_name="mate")
        card = self._rooms.card()
        self.invite = invite or self._made(card)
        log = RoomLog(self._rooms, self.invite.room, name="bench")
        super().__init__(hub, Me(card, account), log, invite, account=account, room=self.invite.room)
        self._rooms.on_entries = lambda _, entries: self.tell_later(entries)

    def _made(self, card: Card) -> Invite:
        room = self._rooms.create("bench", history="all").result().room
        secret = self._rooms.settings(room).invite
        return Invite(room=room, relay="", secret=secret, creator=card.fingerprint, name="bench")

    @property
    def messages(self) -> int:
        """How many messages it shows."""
        return len(self._rooms.state(self.invite.room).messages)

    def say(self, text: str) -> None:
        """Writes a message; it goes to the others when it is committed."""
        self._rooms.say(self.invite.room, text)

    async def close(self) -> None:
        """Ends it."""
        await super().close()
        self._store.close()


def _kept_nowhere(_: str) -> "Future[None]":
    future: Future[None] = Future()
    future.set_result(None)
    return future


def _raise(error: OrlopError) -> None:
    raise error
