"""A room's log in memory, as an ephemeral room has it: a replica and nothing else."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

from runtime.account import MemberAccount
from runtime.canonical import Json
from runtime.rooms.cards import Card
from runtime.rooms.entries import NO_ENTRY, SignedEntry, sign_entry
from runtime.rooms.missing import missing, summary
from runtime.rooms.replica import Replica
from runtime.rooms.roster import EMPTY_ROSTER, Roster
from runtime.rooms.settings import RoomSettings
from runtime.rooms.summary import Summary

__all__ = ["MemoryLog"]

T = TypeVar("T")


class MemoryLog:
    """One member's log.

    Args:
        account: signs.
        room: its id.
        owner: fingerprint of the creator's card; empty as long as it is not known.
    """

    def __init__(self, account: MemberAccount, room: str, owner: str = "") -> None:
        self._account = account
        self._room = room
        self._replica: Replica | None = Replica(room, owner) if owner else None
        self.on_entries: Callable[[tuple[SignedEntry, ...]], None] | None = None
        """Hears of what this member has written."""

    def roster(self) -> Roster:
        """Who is in the room."""
        return EMPTY_ROSTER if self._replica is None else self._replica.roster

    def settings(self) -> RoomSettings:
        """What it is like."""
        return RoomSettings() if self._replica is None else self._replica.settings

    def summary(self) -> Summary:
        """What there is."""
        return {} if self._replica is None else summary(self._replica)

    def missing(self, theirs: Summary, to: str) -> Sequence[SignedEntry]:
        """What a member lacks."""
        return [] if self._replica is None else missing(self._replica, theirs, to=to)

    def changed(self) -> None:
        """Nothing is kept that could be old."""

    def offer(self, entries: Sequence[SignedEntry]) -> "Future[bool]":
        """Takes entries of others."""
        held = self._replica is not None and bool(self._replica.offer(entries, _now_ms()).held)
        return _done(held)

    def adopt(self, creator: Card) -> "Future[None]":
        """Keeps the room from now on."""
        if self._replica is None:
            self._replica = Replica(self._room, creator.fingerprint)
        return _done(None)

    def add_members(self, cards: Sequence[Card]) -> "Future[None]":
        """Vouches for newcomers."""
        entries = tuple(self.write("member", {"card": card.to_json(), "after": 0}) for card in cards)
        if self.on_entries is not None:
            self.on_entries(entries)
        return _done(None)

    def write(self, kind: str, content: Mapping[str, Json]) -> SignedEntry:
        """Writes an entry of this member's own.

        Raises:
            RuntimeError: there is no room yet.
        """
        if self._replica is None:
            raise RuntimeError("there is no room")
        chain = self._replica.chain(self._account.identity_key)
        before = chain.taken_at(chain.last_seq) if chain is not None and chain.last_seq else None
        entry = sign_entry(
            self._account,
            room=self._room,
            seq=1 if before is None else before.seq + 1,
            prev=NO_ENTRY if before is None else before.id,
            ts_ms=max(_now_ms(), 0 if before is None else before.ts_ms + 1),
            actor=self._account.identity_key,
            kind=kind,
            content=content,
        )
        self._replica.offer([entry], entry.ts_ms, trusted=True)
        return entry


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _done(value: T) -> "Future[T]":
    future: Future[T] = Future()
    future.set_result(value)
    return future
