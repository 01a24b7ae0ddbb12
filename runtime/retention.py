"""How long the journal remembers: old events are removed a few at a time, so that no writer waits long."""

import sqlite3
from concurrent.futures import Future

from runtime.store import Store, Transaction

__all__ = ["prune"]

_STEP = 250
_ROW = "length(body) + 64"
"""About how many bytes a row takes; bodies are ASCII."""

_LASTING = (
    "(type GLOB 'breaker.*' OR type GLOB 'receipt.*' OR type GLOB 'chain.*'"
    " OR type IN ('command.done', 'core.restored'))"
)
_BY_AGE = (
    f"SELECT ts_ms, seq, {_ROW} FROM journal WHERE (ts_ms, seq) > (?, ?) AND ts_ms < ? AND seq < ? AND NOT {_LASTING} "  # noqa: S608 - constants
    f"ORDER BY ts_ms, seq LIMIT {_STEP}"
)
_BY_SIZE = f"SELECT 0, seq, {_ROW} FROM journal WHERE seq > ? AND seq < ? AND NOT {_LASTING} ORDER BY seq LIMIT {_STEP}"  # noqa: S608 - constants
_LASTING_BY_SIZE = f"SELECT 0, seq, {_ROW} FROM journal WHERE seq > ? AND seq < ? ORDER BY seq LIMIT {_STEP}"  # noqa: S608 - constants


def prune(store: Store, before_ms: int, max_bytes: int) -> "Future[int]":
    """Removes events that happened before a time, then the oldest until the journal is small enough.

    Trips, receipts, restores and operators' commands are removed only for size, after everything else. The newest event
    stays.

    Args:
        store: whose journal it is.
        before_ms: wall time.
        max_bytes: about how large the journal may be.

    Returns:
        How many events were removed; what the store raised, if it did.
    """
    return _Pruning(store, before_ms, max_bytes).start()


class _Pruning:
    """One run: a chain of small works, each of which queues the next when it has committed."""

    def __init__(self, store: Store, before_ms: int, max_bytes: int) -> None:
        self._store = store
        self._before_ms = before_ms
        self._max_bytes = max_bytes
        self._result: Future[int] = Future()
        self._phase = 0
        self._after = (-1, -1)
        self._newest = 0
        self._excess = 0
        self._removed = 0

    def start(self) -> "Future[int]":
        self._store.read(self._measure).add_done_callback(self._next)
        return self._result

    def _measure(self, connection: sqlite3.Connection) -> bool:
        sql = f"SELECT coalesce(sum({_ROW}), 0), coalesce(max(seq), 0) FROM journal"  # noqa: S608 - a constant
        size, self._newest = connection.execute(sql).fetchone()
        self._excess = size - self._max_bytes
        return True

    def _next(self, done: "Future[bool]") -> None:
        if (error := done.exception()) is not None:
            self._result.set_exception(error)
        elif done.result():
            self._store.write(self._step, urgent=False).add_done_callback(self._next)
        else:
            self._result.set_result(self._removed)

    def _step(self, transaction: Transaction) -> bool:
        """Removes some rows; whether there may be more."""
        rows = self._candidates(transaction)
        for ts_ms, seq, size in rows:
            if self._phase > 0 and self._excess <= 0:
                return False
            transaction.execute("DELETE FROM journal WHERE seq = ?", (seq,))
            self._removed += 1
            self._excess -= size
            self._after = (ts_ms, seq)
        if len(rows) < _STEP:
            self._phase += 1
            self._after = (-1, -1)
        return self._phase == 0 or (self._excess > 0 and self._phase <= 2)  # noqa: PLR2004 - age, size, size of what lasts

    def _candidates(self, transaction: Transaction) -> list[tuple[int, int, int]]:
        ts_ms, seq = self._after
        if self._phase == 0:
            return transaction.rows(_BY_AGE, (ts_ms, seq, self._before_ms, self._newest))
        return transaction.rows(_BY_SIZE if self._phase == 1 else _LASTING_BY_SIZE, (seq, self._newest))
