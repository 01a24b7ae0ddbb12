"""The journal: the history of all events, live and from the store, without a hole and without a double.

Events come from the store after their commit. A subscriber first gets the rows after its seq, in pieces, on the
store's reading thread; when it has caught up with the ring of recent records it gets these and from then on every
event as it happens, on the writer thread. What has passed and was live only is not replayed; events of other processes
come with the replay alone, and there are none beside an owner.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from runtime.codec import from_body, size_of
from runtime.errors import OrlopError, RefusedError
from runtime.events import CoreError, Event, Record, RoomBurned
from runtime.retention import prune
from runtime.store import Pending, Store

__all__ = ["DAYS", "MAX_BYTES", "RING_BYTES", "Journal", "Sink", "Subscription"]

Sink = Callable[[Sequence[Record]], None]
"""Called with records in order, never by two threads at once; must only append and return."""

RING_BYTES = 8 * 2**20
DAYS = 14
MAX_BYTES = 256 * 2**20

_PIECE = 500
_TIME_MAX_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, the last that a line can say."""
_DAY_MS = 86_400_000


class Subscription:
    """A running subscription. Made by `Journal.subscribe`."""

    __slots__ = ("_closed", "_lock", "_sink", "content", "position")

    def __init__(self, sink: Sink, since: int, *, content: bool) -> None:
        self.content = content
        """Whether content of events is of use to it."""
        self._sink = sink
        self._closed = False
        self._lock = threading.RLock()  # a sink may close its own subscription
        self.position = since
        """Seq of the last record that was delivered."""

    @property
    def closed(self) -> bool:
        """Whether no more is delivered."""
        return self._closed

    def close(self) -> None:
        """No call of the sink begins after this returns."""
        with self._lock:
            self._closed = True

    def deliver(self, records: Sequence[Record]) -> None:
        """Passes on what is new of these; a sink that raises has ended its subscription."""
        with self._lock:
            fresh = [record for record in records if record.seq > self.position]
            if fresh and not self._closed:
                self.position = fresh[-1].seq
                try:
                    self._sink(fresh)
                except Exception:
                    self._closed = True
                    raise


class Journal:
    """The events of a store.

    Args:
        store: whose events these are, before its first write; the journal becomes its publisher.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._ring: deque[tuple[Record, int]] = deque()
        self._ring_bytes = 0
        self._horizon = self._last = store.first_seq
        """`_horizon`: every record with a greater seq that was published is in the ring."""
        self._live: list[Subscription] = []
        store.publish_to(self._publish, watched=self._watched)

    def last_seq(self) -> int:
        """The seq of the newest event that was published here, or that stood in the store at its opening."""
        return self._last

    def subscribe(self, since: int, sink: Sink, *, content: bool = True) -> Subscription:
        """Delivers every record after `since`, in order: from the store, then live. Returns at once.

        Args:
            since: a seq; 0 for all that is kept.
            sink: called on this thread or on the store's, one call at a time.
            content: whether content of events is of use to it; what costs much is not made where nobody wants it.
        """
        subscription = Subscription(sink, since, content=content)
        if not self._join(subscription):
            self._replay(subscription)
        return subscription

    def read(
        self, since: int, *, limit: int, until: int | None = None, types: Sequence[str] | None = None
    ) -> list[Record]:
        """Journalled records with a seq greater than `since`, oldest first.

        Args:
            since: a seq.
            limit: how many at most.
            until: the greatest seq, none when absent.
            types: globs of type names, such as `tick.*`; all when absent.

        Raises:
            DatabaseDamagedError: the database is damaged.
            UnavailableError: it cannot be read.
        """
        return self._store.read_now(lambda connection: _select(connection, since, until, limit, types).records)

    def seq_at(self, ms: int) -> int:
        """The seq to read from in order to see what happened from a time on.

        Args:
            ms: milliseconds since the Unix epoch.
        """

        def query(connection: sqlite3.Connection) -> int | None:
            sql = "SELECT seq FROM journal WHERE ts_ms >= ? ORDER BY ts_ms, seq LIMIT 1"
            row = connection.execute(sql, (ms,)).fetchone()
            return None if row is None else int(row[0]) - 1

        found = self._store.read_now(query)
        return self._last if found is None else found

    def prune(self, now_ms: int, *, days: int = DAYS, max_bytes: int = MAX_BYTES) -> "Future[int]":
        """Removes old events a few at a time, between other works: those older than `days`, then the oldest.

        Trips, receipts and operators' commands stay longest: no age removes them, and the size bound comes to them
        when nothing else is left. The newest event always stays.

        Args:
            now_ms: the wall time that ages are counted from.
            days: how long events stay.
            max_bytes: about how large the journal may be.

        Returns:
            How many were removed, when all are.
        """
        return prune(self._store, now_ms - days * _DAY_MS, max_bytes)

    def forget(self, room: str) -> None:
        """Lets go of the events about a room that are kept in memory; whoever burns it has removed the journalled ones.

        Args:
            room: its id.
        """
        with self._lock:
            kept = [(record, size) for record, size in self._ring if not _is_about(record.event, room)]
            self._ring = deque(kept)
            self._ring_bytes = sum(size for _, size in kept)

    # --- live -------------------------------------------------------------------------------------------------------

    def _publish(self, pending: Sequence[Pending]) -> None:
        """The store's publisher, on its writer thread."""
        records = [record for record, _ in pending]
        failed: list[CoreError] = []
        with self._lock:
            for record, body in pending:
                size = size_of(record.event, body)
                self._ring.append((record, size))
                self._ring_bytes += size
            while self._ring_bytes > RING_BYTES:
                record, size = self._ring.popleft()
                self._ring_bytes -= size
                self._horizon = record.seq
            self._last = records[-1].seq
            for subscription in self._live:
                try:
                    subscription.deliver(records)
                except Exception as error:  # noqa: BLE001 - a reader's mistake must not stop the writer
                    failed.append(_complaint(error))
            self._live = [subscription for subscription in self._live if not subscription.closed]
        for complaint in failed:
            self._store.emit(complaint)

    def _watched(self) -> bool:
        return any(one.content and not one.closed for one in self._live)

    def _join(self, subscription: Subscription) -> bool:
        """Makes a subscription live if the ring holds all that it lacks."""
        with self._lock:
            if subscription.position < self._horizon:
                return False
            subscription.deliver([record for record, _ in self._ring if record.seq > subscription.position])
            self._live.append(subscription)
            return True

    def _replay(self, subscription: Subscription) -> None:
        """Queues the next piece of history on the reading thread."""
        since, until = subscription.position, self._horizon  # what is younger comes from the ring, with its content

        def query(connection: sqlite3.Connection) -> _Piece:
            return _Piece([], since) if subscription.closed else _select(connection, since, until, _PIECE, None)

        piece = self._store.read(query)
        piece.add_done_callback(lambda done: self._replayed(subscription, done))

    def _replayed(self, subscription: Subscription, done: "Future[_Piece]") -> None:
        if subscription.closed:
            return
        try:
            piece = done.result()
            subscription.deliver(piece.records)
            subscription.position = max(subscription.position, piece.through)
            if not self._join(subscription):
                self._replay(subscription)
        except Exception as error:  # noqa: BLE001 - a reader's mistake must not stop the reading thread
            subscription.close()
            self._store.emit(_complaint(error))


@dataclass(frozen=True, slots=True)
class _Piece:
    records: list[Record]
    through: int
    """The seq up to which nothing is missing."""


def _is_about(event: Event, room: str) -> bool:
    return getattr(event, "room", "") == room and not isinstance(event, RoomBurned)


def _select(
    connection: sqlite3.Connection, since: int, until: int | None, limit: int, types: Sequence[str] | None
) -> _Piece:
    end = 2**63 - 1 if until is None else until
    wanted = f" AND ({' OR '.join(['type GLOB ?'] * len(types))})" if types else ""
    sql = f"SELECT seq, ts_ms, type, body FROM journal WHERE seq > ? AND seq <= ?{wanted} ORDER BY seq LIMIT ?"  # noqa: S608 - only placeholders
    rows = connection.execute(sql, (since, end, *(types or ()), limit)).fetchall()
    records = [record for row in rows if (record := _record(*row)) is not None]
    return _Piece(records, rows[-1][0] if len(rows) == limit else end)


def _record(seq: int, ts_ms: int, name: str, body: str) -> Record | None:
    """A row as a record; one that was damaged says so in its place, one of an unknown type is passed over."""
    if type(ts_ms) is not int or not 0 <= ts_ms <= _TIME_MAX_MS:
        return Record(seq, 0, CoreError(where="journal", error=f"entry {seq} cannot be read: its time is none"))
    try:
        event = from_body(name, body)
    except RefusedError as error:
        event = CoreError(where="journal", error=f"entry {seq} cannot be read: {error}")
    return None if event is None else Record(seq, ts_ms, event)


def _complaint(error: Exception) -> CoreError:
    text = str(error) if isinstance(error, OrlopError) else f"a subscriber failed: {type(error).__name__}: {error}"
    return CoreError(where="journal", error=text)
