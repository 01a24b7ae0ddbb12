"""The log of a room at rest: one sealed row for each admitted entry, appended and never changed.

Order, times and actors lie open, content is sealed under the room's key; what seals an entry also binds everything
that lies open about it, so that no row can be moved, re-dated or given to another author.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from runtime.canonical import Json, encode
from runtime.columns import Columns
from runtime.errors import RefusedError
from runtime.vault import SealBrokenError, Vault

__all__ = ["Connection", "Entry", "Head", "Kind", "head_of", "insert", "read_entries"]

Kind = Literal["task", "message"]

_FORM: Final = "orlop-room-log:1"
_INSERT: Final = (
    "INSERT INTO room_log (room, event_id, author, author_seq, timestamp_ms, actor, kind, sealed)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_COLUMNS: Final = Columns(
    "room_log",
    {
        "pos": int,
        "event_id": str,
        "author": str,
        "author_seq": int,
        "timestamp_ms": int,
        "actor": str,
        "kind": str,
        "sealed": bytes,
    },
)
_SELECT: Final = f"SELECT {_COLUMNS.names} FROM room_log WHERE room = ? AND pos > ? ORDER BY pos"  # noqa: S608 - constants


class Connection(Protocol):
    """A transaction of the store, or a connection of its readers."""

    def execute(self, sql: str, params: Sequence[str | int | float | bytes | None] = ..., /) -> sqlite3.Cursor:
        """Runs one statement."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: what lies open, and its content."""

    room: str
    id: str
    author: str
    """Identity key of the member in whose sequence it stands."""
    author_seq: int
    timestamp_ms: int
    actor: str
    kind: Kind
    content: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of an author's sequence; zeros before the first entry."""

    author_seq: int = 0
    timestamp_ms: int = 0


def head_of(connection: Connection, room: str, author: str) -> Head:
    """Where an author's next entry follows."""
    sql = "SELECT author_seq, timestamp_ms FROM room_log WHERE room = ? AND author = ? ORDER BY author_seq DESC LIMIT 1"
    row = connection.execute(sql, (room, author)).fetchone()
    return Head() if row is None else Head(*row)


def insert(connection: Connection, vault: Vault, key: bytes, entry: Entry) -> int:
    """Appends an entry.

    Args:
        connection: a transaction.
        vault: seals.
        key: the room's.
        entry: follows its author's head.

    Returns:
        Its place in the database.
    """
    lies_open = (entry.id, entry.author, entry.author_seq, entry.timestamp_ms, entry.actor, entry.kind)
    sealed = vault.seal(encode(entry.content), _binding(entry.room, lies_open), key)
    return int(connection.execute(_INSERT, (entry.room, *lies_open, sealed)).lastrowid or 0)


def read_entries(
    connection: Connection, vault: Vault, key: bytes, room: str, after: int = 0
) -> list[tuple[int, Entry]]:
    """Entries with a place behind `after`, in the order in which they were stored.

    Raises:
        RefusedError: an entry was changed, or sealed under another key.
    """
    found = []
    for row in connection.execute(_SELECT, (room, after)).fetchall():
        pos, *lies_open, sealed = _COLUMNS.checked(row)
        try:
            plain = vault.open(sealed, _binding(room, lies_open), key)
        except SealBrokenError as error:
            hint = "put the database back from a backup"
            raise RefusedError(f"entry {pos} of its log: {error.why}", where=f"room {room}", hint=hint) from error
        found.append((pos, _entry(room, lies_open, json.loads(plain))))
    return found


def _entry(room: str, lies_open: Sequence[Any], content: Mapping[str, Json]) -> Entry:
    entry_id, author, author_seq, timestamp_ms, actor, kind = lies_open
    return Entry(
        room=room,
        id=entry_id,
        author=author,
        author_seq=author_seq,
        timestamp_ms=timestamp_ms,
        actor=actor,
        kind=kind,
        content=content,
    )


def _binding(room: str, lies_open: Sequence[str | int]) -> bytes:
    """What the seal covers besides the content."""
    return json.dumps([_FORM, room, *lies_open]).encode()
