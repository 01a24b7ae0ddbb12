"""Reading beside the writer: connections that cannot write, a few kept open, and one thread for who must not block."""

import contextlib
import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from runtime.database import open_reader, told
from runtime.errors import UnavailableError
from runtime.places import Places

__all__ = ["Readers", "read_with"]

T = TypeVar("T")

_IDLE_MAX = 4


def read_with(connection: sqlite3.Connection, database: Path, query: Callable[[sqlite3.Connection], T]) -> T:
    """Runs a query in one read transaction, so that all its statements see the same moment.

    Raises:
        DatabaseDamagedError: the database is damaged.
        UnavailableError: it cannot be read.
    """
    try:
        connection.execute("BEGIN")
        try:
            return query(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    except (sqlite3.Error, json.JSONDecodeError) as error:
        raise told(error, database) from error


class Readers:
    """Read-only connections to one database.

    Args:
        database: the file; it exists.
        places: where rows of rooms are.
    """

    def __init__(self, database: Path, places: Places) -> None:
        self._database = database
        self._places = places
        self._door = threading.Lock()
        self._closed = False
        self._idle: list[sqlite3.Connection] = []
        self._queries: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def now(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a query on this thread."""
        with self._connection() as connection:
            return read_with(connection, self._database, query)

    def later(self, query: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Runs a query on the reading thread."""
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    value = self.now(query)
                except BaseException as error:  # noqa: BLE001 - it belongs to the one who waits
                    future.set_exception(error)
                else:
                    future.set_result(value)

        with self._door:
            if not self._closed:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="orlop-reader", daemon=True)
                    self._thread.start()
                self._queries.put(run)
                return future
        future.set_exception(self._over())
        return future

    def close(self) -> None:
        """Ends the thread after the queries that are queued, and closes every connection that is not in use."""
        with self._door:
            already, self._closed = self._closed, True
        if self._thread is not None:
            if not already:
                self._queries.put(None)
            self._thread.join()
        with self._door:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _run(self) -> None:
        while (run := self._queries.get()) is not None:
            run()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._door:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = open_reader(self._database, self._places.join)
        try:
            yield connection
        finally:
            with self._door:
                if not self._closed and len(self._idle) < _IDLE_MAX:
                    self._idle.append(connection)
                    connection = None
            if connection is not None:
                connection.close()

    def _over(self) -> UnavailableError:
        return UnavailableError("the database is closed", where=str(self._database))
