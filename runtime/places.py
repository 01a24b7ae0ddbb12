"""Where rows that belong to a room are: in the database's file, or in memory, for a room of which nothing is kept.

An owner's connections see a second database beside the file, with the same tables, which lives as long as its store.
Whoever reads the tables of agents reads both, by views that stand before them; whoever changes them says of which room,
and so where (`Transaction.execute_in`). One transaction holds for both.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import Final

from runtime.errors import UnavailableError
from runtime.schema import MIGRATIONS

__all__ = ["AT", "DISK", "MEMORY", "MemoryDatabase", "Places"]

DISK: Final = "main"
"""SQLite's name for the database in the file."""

MEMORY: Final = "memory"
"""The one for that in memory."""

AT: Final = "{at}"
"""Stands in a statement for one of the two."""

_VIEWED: Final = (
    "agents",
    "agent_versions",
    "agent_state",
    "agent_breakers",
    "agent_diagnostics",
    "agent_trust",
    "agent_minutes",
    "agent_hours",
)
_MODULES: Final = (
    "CREATE TABLE agent_modules (room TEXT NOT NULL, hash TEXT NOT NULL, wasm BLOB NOT NULL, PRIMARY KEY (room, hash))"
)
"""In memory only: the modules of rooms of which nothing is kept; all others are files."""


class MemoryDatabase:
    """A database in memory that several connections of this process share; gone when it and all of them are closed.

    What one of them writes the others see at once, also before its commit: a reader of it never waits, and never fails
    because somebody writes.
    """

    def __init__(self) -> None:
        self._uri = f"file:orlop-{os.urandom(8).hex()}?mode=memory&cache=shared"
        self._keeper = sqlite3.connect(self._uri, uri=True, isolation_level=None, check_same_thread=False)
        for script in (*MIGRATIONS, _MODULES):
            self._keeper.executescript(script)

    def join(self, connection: sqlite3.Connection) -> None:
        """Puts it beside the file of a connection, and the views before the tables of both.

        Args:
            connection: made with `uri`; outside of a transaction.

        Raises:
            UnavailableError: this SQLite does not let connections share it.
        """
        connection.execute("PRAGMA temp_store=MEMORY")  # nothing of it may go to the disk by the way of a sort
        connection.execute("PRAGMA read_uncommitted=ON")
        connection.execute(f"ATTACH ? AS {MEMORY}", (self._uri,))
        found = connection.execute(f"SELECT 1 FROM {MEMORY}.sqlite_master WHERE name = 'agent_modules'").fetchone()  # noqa: S608 - a constant
        if found is None:
            why = "this SQLite was built without shared databases in memory"
            raise UnavailableError(why, where=f"SQLite {sqlite3.sqlite_version}", hint="use one with its shared cache")
        _show_both(connection)

    @staticmethod
    @contextlib.contextmanager
    def hidden(connection: sqlite3.Connection) -> Iterator[None]:
        """Takes the views away for a while: `VACUUM` makes indexes anew by the names of their tables.

        Args:
            connection: one that was joined; outside of a transaction.
        """
        for table in _VIEWED:
            connection.execute(f"DROP VIEW temp.{table}")
        try:
            yield
        finally:
            _show_both(connection)

    def close(self) -> None:
        """Lets go of it."""
        self._keeper.close()


def _show_both(connection: sqlite3.Connection) -> None:
    for table in _VIEWED:
        both = f"SELECT * FROM {DISK}.{table} UNION ALL SELECT * FROM {MEMORY}.{table}"  # noqa: S608 - constants
        connection.execute(f"CREATE TEMP VIEW {table} AS {both}")


class Places:
    """Which rooms are in memory only. Rooms may be added from any thread; the next statement counts.

    Args:
        join: puts the database in memory beside that of a connection; None where there is no such database.
    """

    def __init__(self, join: Callable[[sqlite3.Connection], None] | None = None) -> None:
        self.join = join
        self.in_memory: frozenset[str] = frozenset()
        """Ids of the rooms of which nothing is kept, once and for all."""

    def add(self, room: str) -> None:
        """Keeps nothing of a room from now on.

        Args:
            room: its id; there are no rows of it yet.
        """
        self.in_memory |= {room}

    @property
    def all(self) -> tuple[str, ...]:
        """Where rows can be."""
        return (DISK,) if self.join is None else (DISK, MEMORY)

    def of(self, room: str) -> str:
        """Where the rows of a room are.

        Args:
            room: its id.
        """
        return MEMORY if room in self.in_memory else DISK

    def named_in(self, text: str) -> bool:
        """Whether a text names a room of which nothing is kept.

        Args:
            text: such as the body of an event.
        """
        return any(room in text for room in self.in_memory)
