"""The log of a room at rest: one sealed row for each entry that was taken, appended and never changed.

Order, times and actors lie open, content is sealed under the room's key; what seals an entry also binds everything
that lies open about it, so that no row can be moved, re-dated or given to another author. What waits beside the log
lies in a table of its own, sealed whole.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from runtime.canonical import Json, decode, encode
from runtime.columns import Columns
from runtime.errors import RefusedError
from runtime.rooms.entries import EntryError, SignedEntry, entry_from_json
from runtime.vault import SealBrokenError, Vault

__all__ = ["Connection", "drop_waiting", "insert", "insert_waiting", "is_unsigned", "read_entries", "read_waiting"]

_FORM: Final = "orlop-room-log:2"
_WAITING_FORM: Final = "orlop-room-held:1"
_WAITING_BYTES: Final = 1 << 20
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
        "prev": str,
        "signature": bytes,
        "sealed": bytes,
    },
)
_SELECT: Final = (
    f"SELECT {_COLUMNS.names} FROM room_log"  # noqa: S608 - constants
    " WHERE room = ? AND pos > ? AND signature IS NOT NULL ORDER BY pos"
)
_INSERT: Final = (
    # Another entry in the same place was signed with a key that turned out not to be its author's.
    "INSERT OR REPLACE INTO room_log (room, event_id, author, author_seq, timestamp_ms, actor, kind, prev, signature,"
    " sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_WAITING: Final = Columns("room_held", {"event_id": str, "sealed": bytes})
_SELECT_WAITING: Final = f"SELECT {_WAITING.names} FROM room_held WHERE room = ? ORDER BY author, author_seq"  # noqa: S608 - constants


class Connection(Protocol):
    """A transaction of the store, or a connection of its readers."""

    def execute(self, sql: str, params: Sequence[str | int | float | bytes | None] = ..., /) -> sqlite3.Cursor:
        """Runs one statement."""
        ...


def insert(connection: Connection, vault: Vault, key: bytes, entry: SignedEntry) -> int:
    """Appends an entry.

    Args:
        connection: a transaction.
        vault: seals.
        key: the room's.
        entry: was taken.

    Returns:
        Its place in the database.
    """
    lies_open = (
        entry.id,
        entry.author,
        entry.seq,
        entry.ts_ms,
        entry.actor,
        entry.kind,
        entry.prev,
        entry.signature,
    )
    sealed = vault.seal(encode(entry.content), _binding(entry.room, lies_open), key)
    return int(connection.execute(_INSERT, (entry.room, *lies_open, sealed)).lastrowid or 0)


def read_entries(
    connection: Connection, vault: Vault, key: bytes, room: str, after: int = 0
) -> list[tuple[int, SignedEntry]]:
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


def insert_waiting(
    connection: Connection, vault: Vault, key: bytes, waiting: Iterable[tuple[SignedEntry, str]]
) -> None:
    """Keeps entries that wait, each with what for."""
    columns = "room, event_id, author, author_seq, reason, sealed"
    sql = f"INSERT OR REPLACE INTO room_held ({columns}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
    for entry, reason in waiting:
        sealed = vault.seal(encode(entry.to_json()), _waiting_binding(entry.room, entry.id), key)
        connection.execute(sql, (entry.room, entry.id, entry.author, entry.seq, reason, sealed))


def drop_waiting(connection: Connection, room: str, ids: Iterable[str]) -> None:
    """Forgets entries that do not wait any more."""
    for one in ids:
        connection.execute("DELETE FROM room_held WHERE room = ? AND event_id = ?", (room, one))


def read_waiting(connection: Connection, vault: Vault, key: bytes, room: str) -> list[SignedEntry]:
    """Entries that wait.

    Raises:
        RefusedError: one was changed, or sealed under another key.
    """
    found = []
    for row in connection.execute(_SELECT_WAITING, (room,)).fetchall():
        event_id, sealed = _WAITING.checked(row)
        try:
            plain = vault.open(sealed, _waiting_binding(room, event_id), key)
            found.append(entry_from_json(decode(plain, limit=_WAITING_BYTES), room))
        except (SealBrokenError, EntryError) as error:
            hint = "put the database back from a backup"
            raise RefusedError(f"a held entry of its log: {error.why}", where=f"room {room}", hint=hint) from error
    return found


def is_unsigned(connection: Connection, room: str) -> bool:
    """Whether a room is from before entries were signed."""
    row = connection.execute("SELECT 1 FROM rooms WHERE room = ? AND owner = ''", (room,)).fetchone()
    return row is not None


def _entry(room: str, lies_open: Sequence[Any], content: Mapping[str, Json]) -> SignedEntry:
    entry_id, author, author_seq, timestamp_ms, actor, kind, prev, signature = lies_open
    return SignedEntry(
        id=entry_id,
        room=room,
        author=author,
        seq=author_seq,
        prev=prev,
        ts_ms=timestamp_ms,
        actor=actor,
        kind=kind,
        content=content,
        signature=signature,
    )


def _binding(room: str, lies_open: Sequence[Any]) -> bytes:
    """What the seal covers besides the content."""
    *plain, signature = lies_open
    return json.dumps([_FORM, room, *plain, signature.hex()]).encode()


def _waiting_binding(room: str, event_id: str) -> bytes:
    return f"{_WAITING_FORM}:{room}:{event_id}".encode()
