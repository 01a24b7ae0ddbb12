"""The keys that are believed about agents: rows of the table `agent_trust`. A key is trusted in one room, or in all."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from runtime.agents.keys import Connection
from runtime.columns import Columns
from runtime.errors import NotFoundError
from runtime.places import AT
from runtime.store import Store, Transaction

__all__ = ["EVERYWHERE", "TrustedKey", "TrustedKeys", "read_keys"]

EVERYWHERE: Final = ""
"""In the place of a room's id: all rooms."""

_T = TypeVar("_T")
_KEYS: Final = Columns("agent_trust", {"room": str, "key": str, "added_ms": int, "note": str}, key=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key that is believed about agents.

    Attributes:
        room: id of the room in which it is, or `EVERYWHERE`.
        key: 64 hexadecimal characters.
        added_ms: wall time.
        note: the operator's words about it.
    """

    room: str
    key: str
    added_ms: int
    note: str


class TrustedKeys:
    """Adds and removes them.

    Args:
        store: keeps them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, room: str | None = None) -> list[TrustedKey]:
        """As `read_keys`."""
        return await asyncio.wrap_future(self._store.read(lambda connection: read_keys(connection, room)))

    async def trust(self, room: str, key: str, note: str) -> TrustedKey:
        """Trusts a key; one that is trusted already gets the new note.

        Args:
            room: where; `EVERYWHERE` for all rooms.
            key: 64 hexadecimal characters.
            note: the operator's words.

        Returns:
            What is stored.
        """
        return await self._write(lambda tx: _add(tx, room, key, note))

    async def distrust(self, room: str | None, key: str) -> int:
        """Trusts a key no more. What it signed starts no more; what runs of it is the caller's to stop.

        Args:
            room: where; None for wherever it is trusted.
            key: 64 hexadecimal characters.

        Returns:
            In how many places it was trusted.

        Raises:
            NotFoundError: it is trusted in none.
        """
        return await self._write(lambda tx: _remove(tx, room, key))

    async def _write(self, work: Callable[[Transaction], _T]) -> _T:
        return await asyncio.wrap_future(self._store.write(work))


def read_keys(connection: Connection, room: str | None = None) -> list[TrustedKey]:
    """The keys that are trusted.

    Args:
        connection: of the store.
        room: only those that hold in this room, those of all rooms among them; None for all there are.

    Returns:
        By room and age.
    """
    where, params = ("", ()) if room is None else (" WHERE room IN (?, ?)", (EVERYWHERE, room))
    rows = connection.execute(f"SELECT {_KEYS.names} FROM agent_trust{where} ORDER BY room, added_ms, key", params)  # noqa: S608 - constants
    return [
        TrustedKey(room=place, key=key, added_ms=added, note=note)
        for place, key, added, note in map(_KEYS.checked, rows)
    ]


def _add(tx: Transaction, room: str, key: str, note: str) -> TrustedKey:
    sql = (
        "INSERT INTO {at}.agent_trust VALUES (?, ?, ?, ?) ON CONFLICT (room, key) DO UPDATE SET note = excluded.note"
        " RETURNING added_ms"
    )
    (added,) = tx.execute_in(room, sql, (room, key, tx.now_ms, note)).fetchone()
    return TrustedKey(room=room, key=key, added_ms=added, note=note)


def _remove(tx: Transaction, room: str | None, key: str) -> int:
    where, params = ("", ()) if room is None else (" AND room = ?", (room,))
    gone = tx.execute_everywhere(f"DELETE FROM {AT}.agent_trust WHERE key = ?{where}", (key, *params))  # noqa: S608 - constants
    if not gone:
        raise NotFoundError("is not trusted there", where=f"{key[:16]}…", hint="`orlop agents trusted` lists all keys")
    return gone
