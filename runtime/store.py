"""The store: one SQLite file, one writer, group commits, and events that are published after their commit.

A change and its events commit in one transaction. `seq` is given inside the transaction and becomes visible after it,
so one that anybody saw is never given again, not even after a crash: an owner reserves numbers ahead, a one-shot
command takes them from the database under SQLite's write lock.
"""

import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Self, TypeVar

from runtime.clock import Clock
from runtime.database import DatabaseDamagedError, damaged, open_reader, open_writer, scrub, told
from runtime.events import Event
from runtime.places import MemoryDatabase, Places
from runtime.readers import Readers, read_with
from runtime.transaction import Parameters, Pending, Row, SeqCounter, Transaction
from runtime.writer import Apart, Publisher, Work, Writer

__all__ = [
    "DatabaseDamagedError",
    "Parameters",
    "Pending",
    "Publisher",
    "Row",
    "Store",
    "Transaction",
    "peek",
]

T = TypeVar("T")


class Store:
    """The open database. Made by `Store.open`; its methods may be called from any thread.

    Only a result must not be waited for on the writer thread itself: inside a work or a sink.

    Args:
        database: the file.
        clock: gives events their time.
        connection: the one that writes; the store closes it.
        owner: whether this process holds the directory alone. Then there is a second database, in memory, for rooms
            of which nothing is kept.
    """

    def __init__(self, database: Path, clock: Clock, connection: sqlite3.Connection, *, owner: bool) -> None:
        rows = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('seq', 'instance')"))
        if not isinstance(rows.get("seq"), int) or "instance" not in rows:
            raise damaged(database, "its table `meta`")
        newest = connection.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()[0]
        self.database = database
        self.clock = clock
        self.owner = owner
        self.instance = str(rows["instance"])
        """Random, made with the database: seqs of different instances have nothing to do with one another."""
        self.first_seq = max(int(rows["seq"]), int(newest))
        """Every event of this process has a greater seq; every event before it has none greater."""
        self.watched: Callable[[], bool] = lambda: False
        """Whether anybody wants the content of events now: what costs much need not be made else."""
        self._memory = MemoryDatabase() if owner else None
        self._places = Places(None if self._memory is None else self._memory.join)
        if self._memory is not None:
            self._memory.join(connection)
        self._readers = Readers(database, self._places)
        self._writer = Writer(connection, database, clock, SeqCounter(self.first_seq, owner=owner), self._places)

    @classmethod
    def open(cls, database: Path, clock: Clock, *, owner: bool) -> "Store":
        """Opens the database, makes it when there is none, brings an older one up to date.

        Args:
            database: the file; its directory exists.
            clock: gives events their time.
            owner: whether this process holds the directory alone (`owner.lock`) and may reserve seqs.

        Raises:
            UsageError: the database is of a later version; both are named.
            DatabaseDamagedError: no database of ours, or a damaged one.
            UnavailableError: it cannot be opened or written, or is kept locked for 10 s.
        """
        connection = open_writer(database)
        try:
            return cls(database, clock, connection, owner=owner)
        except (sqlite3.Error, DatabaseDamagedError) as error:
            connection.close()
            raise told(error, database) from error

    def publish_to(self, publisher: Publisher, *, watched: Callable[[], bool] = lambda: True) -> None:
        """Names the one who hears of events after their commit.

        Args:
            publisher: called on the writer thread; must be quick, must not raise.
            watched: whether anybody wants the content of events now; called on any thread, must be quick.
        """
        self._writer.publisher = publisher
        self.watched = watched

    def write(self, work: Callable[[Transaction], T], *, urgent: bool = True) -> "Future[T]":
        """Runs a work in a transaction on the writer thread, in the order of the calls.

        Args:
            work: reads and writes through the transaction; quick, since all writers wait for it. Run once at most.
            urgent: whether an answer waits for it; its commit then starts at once.

        Returns:
            The work's result, after the commit and after its events were published. Or what the work raised; or
            `UnavailableError` when the database could not commit. Then nothing of the work happened.
        """
        future: Future[T] = Future()
        self._writer.put(Work(work, future, urgent))
        return future

    def keep_in_memory(self, room: str) -> None:
        """Keeps nothing of a room from now on: its rows are in memory only, and no event that names it is journalled.

        Faces hear of it all the same.

        Args:
            room: its id.
        """
        self._places.add(room)

    def in_memory(self, room: str) -> bool:
        """Whether a room is one of those of which nothing is kept.

        Args:
            room: its id.
        """
        return room in self._places.in_memory

    def scrub(self) -> "Future[None]":
        """Leaves no byte in the files of what was deleted: writes the database anew and empties the log beside it.

        Everybody who writes waits meanwhile. The future fails with `UnavailableError` when another process or a long
        query kept the log from being emptied, or room is short; it can be called again.
        """
        future: Future[None] = Future()
        self._writer.put(Apart(self._scrub, future))
        return future

    def _scrub(self, connection: sqlite3.Connection) -> None:
        hidden = contextlib.nullcontext() if self._memory is None else self._memory.hidden(connection)
        with hidden:
            scrub(connection, self.database)

    def emit(self, event: Event, *, journal: bool = True) -> None:
        """Says that something happened, without waiting for it to be written.

        What cannot be written is counted, and a `core.error` tells the count when writing works again.

        Args:
            event: what happened.
            journal: as in `Transaction.emit`.
        """
        self._writer.put(Work(lambda transaction: transaction.emit(event, journal=journal), None, urgent=False))

    def read(self, query: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Runs a query on the reading thread, in one read transaction, with a connection that cannot write."""
        return self._readers.later(query)

    def read_now(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """As `read`, on this thread.

        Raises:
            DatabaseDamagedError: the database is damaged.
            UnavailableError: it cannot be read.
        """
        return self._readers.now(query)

    def close(self) -> None:
        """Commits what is queued, answers it, and closes the database; does nothing the second time."""
        self._writer.close()
        self._readers.close()
        if self._memory is not None:
            self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def peek(database: Path, query: Callable[[sqlite3.Connection], T]) -> T | None:
    """Runs a query on a database that nobody here has opened; makes none and changes nothing.

    Args:
        database: the file.
        query: as for `Store.read_now`.

    Returns:
        The query's result, None when there is no database.

    Raises:
        UsageError: the database is of another version.
        DatabaseDamagedError: no database of ours, or a damaged one.
        UnavailableError: it cannot be read.
    """
    if not database.exists():
        return None
    with contextlib.closing(open_reader(database)) as connection:
        return read_with(connection, database, query)
