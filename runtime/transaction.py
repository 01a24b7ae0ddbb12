"""What a work of the store writes with, and where its events get their numbers."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from runtime.clock import Clock
from runtime.codec import to_body
from runtime.errors import UnavailableError
from runtime.events import Event, Record
from runtime.places import AT, Places

__all__ = ["Parameters", "Pending", "Queries", "Row", "SeqCounter", "Transaction"]

Row = tuple[Any, ...]
"""A row as SQLite gives it."""

Parameters = Sequence[str | int | float | bytes | None]

Pending = tuple[Record, str]
"""A record that waits for its commit, and its journal body."""

_RESERVE = 1000


class Queries(Protocol):
    """What readers ask: a connection of the store, or a transaction of it."""

    def execute(self, sql: str, params: Parameters = ..., /) -> sqlite3.Cursor:
        """Runs one statement."""
        ...


class SeqCounter:
    """Gives out seqs. An owner reserves them ahead; a one-shot command starts each transaction where others ended.

    Args:
        last: the greatest seq that may have been given.
        owner: whether this process alone gives them.
    """

    __slots__ = ("_limit", "durable", "last", "owner")

    def __init__(self, last: int, *, owner: bool) -> None:
        self.last = self._limit = self.durable = last
        """`durable`: the number in the database; no greater one may be seen by anybody."""
        self.owner = owner

    def take(self) -> int:
        """The next seq; it is never given again, even if its transaction fails."""
        self.last += 1
        return self.last

    @property
    def behind(self) -> bool:
        """Whether the database must hear of a greater number before anything is published."""
        return self.last > self.durable

    def begin(self, connection: sqlite3.Connection) -> None:
        """Continues where other processes ended; call inside a transaction that holds the write lock."""
        if not self.owner:
            row = connection.execute("SELECT value FROM meta WHERE key = 'seq'").fetchone()
            self.last = self.durable = max(self.last, int(row[0]))

    def store(self, connection: sqlite3.Connection) -> None:
        """Writes the number into the transaction; `stored` after the commit."""
        self._limit = self.last + _RESERVE if self.owner else self.last
        connection.execute("UPDATE meta SET value = ? WHERE key = 'seq'", (self._limit,))

    def stored(self) -> None:
        """The transaction with the number was committed."""
        self.durable = max(self.durable, self._limit)


class Transaction:
    """A transaction of the store. Valid only while its work runs, on the writer thread.

    Args:
        connection: the one that writes.
        counter: gives seqs.
        clock: gives the time.
        places: where rows of rooms are; of those in memory nothing is journalled.
    """

    __slots__ = ("_begun", "_clock", "_connection", "_counter", "_places", "hooks", "now_ms", "pending")

    def __init__(
        self,
        connection: sqlite3.Connection,
        counter: SeqCounter,
        clock: Clock,
        places: Places,
    ) -> None:
        self._places = places
        self._connection = connection
        self._counter = counter
        self._clock = clock
        self._begun = False
        self.now_ms = clock.wall_ms()
        """Wall time of the work, and of its events."""
        self.pending: list[Pending] = []
        """Events that are published after the commit."""
        self.hooks: list[Callable[[bool], None]] = []
        """Who wants to know how it ended."""

    def begin(self) -> bool:
        """Takes the write lock, unless this transaction holds it already; gives whether it did."""
        if self._begun:
            return False
        self._connection.execute("BEGIN IMMEDIATE")
        self._begun = True
        self._counter.begin(self._connection)
        return True

    def begin_anew(self) -> None:
        """Undoes all that was written since the lock was taken, and takes it again when it is needed."""
        self._connection.execute("ROLLBACK")
        self._begun = False

    def check(self) -> None:
        """Whether the transaction still stands; SQLite rolls it back by itself when the disk is full.

        Raises:
            UnavailableError: it does not; a statement now would commit on its own.
        """
        if not self._connection.in_transaction:
            raise UnavailableError("the database lost the transaction")

    def tell_time(self) -> None:
        """Another work begins: its time is now."""
        self.now_ms = self._clock.wall_ms()

    @property
    def places(self) -> tuple[str, ...]:
        """Where rows of rooms can be, by the names that SQLite knows: the file, and memory where there is one."""
        return self._places.all

    def execute(self, sql: str, params: Parameters = ()) -> sqlite3.Cursor:
        """Runs one statement.

        Raises:
            sqlite3.Error: as SQLite says; a work may let it pass.
            UnavailableError: the transaction was lost by an earlier error.
        """
        self.check()
        return self._connection.execute(sql, params)

    def execute_in(self, room: str, sql: str, params: Parameters = ()) -> sqlite3.Cursor:
        """Runs one statement where the rows of a room are.

        Args:
            room: its id.
            sql: says `{at}.` before each table that it changes.
            params: its parameters.

        Raises:
            sqlite3.Error: as `execute`.
            UnavailableError: as `execute`.
        """
        return self.execute(sql.replace(AT, self._places.of(room)), params)

    def execute_everywhere(self, sql: str, params: Parameters = ()) -> int:
        """Runs one statement wherever there are rows of rooms.

        Args:
            sql: as in `execute_in`.
            params: its parameters.

        Returns:
            How many rows it changed.

        Raises:
            sqlite3.Error: as `execute`.
            UnavailableError: as `execute`.
        """
        return sum(self.execute(sql.replace(AT, place), params).rowcount for place in self.places)

    def one(self, sql: str, params: Parameters = ()) -> Row | None:
        """The first row of a query."""
        row: Row | None = self.execute(sql, params).fetchone()
        return row

    def rows(self, sql: str, params: Parameters = ()) -> list[Row]:
        """All rows of a query."""
        return self.execute(sql, params).fetchall()

    def emit(self, event: Event, *, journal: bool = True) -> int:
        """Says that something happened; published when, and only when, the transaction has committed.

        Args:
            event: what happened. Its content is published but never stored.
            journal: false leaves no row, for what is live only this time. Live-only types never have one, nor has what
                names a room that is in memory only.

        Returns:
            The event's seq.
        """
        body = to_body(event)
        kept = journal and not event.LIVE_ONLY and not self._places.named_in(body)
        if kept or not self._counter.owner:
            self.begin()
        seq = self._counter.take()
        if kept:
            self.execute(
                "INSERT INTO journal (seq, ts_ms, type, body) VALUES (?, ?, ?, ?)",
                (seq, self.now_ms, event.TYPE, body),
            )
        self.pending.append((Record(seq, self.now_ms, event), body))
        return seq

    def on_end(self, hook: Callable[[bool], None]) -> None:
        """Has it said how this work ended, for what is kept in memory beside the database.

        Args:
            hook: called on the writer thread with true after the commit, before anything is published or answered, or
                with false when the work was undone; the latest first then. Must be quick, must not raise.
        """
        self.hooks.append(hook)

    def undo(self, mark: int = 0) -> None:
        """Says to the hooks behind the first `mark` that their works were undone."""
        undone = self.hooks[mark:]
        del self.hooks[mark:]
        for hook in reversed(undone):
            hook(False)

    def meta(self, key: str, room: str = "") -> str | int | None:
        """A small fact of the whole database, or of a room that its key names; None where there is none."""
        row: Row | None = self.execute_in(room, "SELECT value FROM {at}.meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def set_meta(self, key: str, value: str | int, room: str = "") -> None:
        """Keeps a small fact of the whole database, or of a room that its key names."""
        sql = "INSERT INTO {at}.meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        self.execute_in(room, sql, (key, value))
