"""Events through the store to their subscribers, and a commit that somebody waits for."""

import sqlite3
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.disk import Disk
from bench.measure import Figure, alternate, figure
from runtime.clock import SystemClock
from runtime.codec import to_body
from runtime.events import AgentLog, Record
from runtime.journal import Journal
from runtime.store import Store

__all__ = ["measure"]

_ROOM: Final = "ab" * 16
_URGENT: Final = 50


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds, many = (2, 2_000) if quick else (5, 10_000)
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        database = Path(folder) / "orlop.db"
        with Store.open(database, SystemClock(), owner=True) as store:
            journal = Journal(store)
            plain = sqlite3.connect(Path(folder) / "plain.db", isolation_level=None)
            plain.execute("PRAGMA journal_mode = WAL")
            plain.execute("PRAGMA synchronous = FULL")
            plain.execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, ts_ms INTEGER, type TEXT, body TEXT)")
            through, live, bare = alternate(
                rounds,
                lambda: _through(store, journal, many, kept=True),
                lambda: _through(store, journal, many, kept=False),
                lambda: _bare(plain, many),
            )
            with Disk(Path(folder) / "disk") as disk:
                commits, syncs = alternate(_URGENT, lambda: _urgent(store), disk.append_ms)
            plain.close()
    baseline = ("as many rows in one transaction of plain SQLite", bare)
    return [
        figure("event emitted, journalled and delivered", "µs", through, against=baseline, note=_rate(through)),
        figure("event that is only live, delivered", "µs", live, against=baseline, note=_rate(live)),
        figure("one urgent commit, waited for", "ms", commits, against=("append and fsync of 4 KiB", syncs)),
    ]


def _rate(samples: Sequence[float]) -> str:
    return f"{1e6 / min(samples):,.0f} events/s"


def _event(number: int) -> AgentLog:
    return AgentLog(room=_ROOM, agent="auto-balance", text=f"line {number} of some length, as agents write them")


def _through(store: Store, journal: Journal, many: int, *, kept: bool) -> float:
    """Microseconds per event, from the first `emit` until a subscriber has the last."""
    done, left = threading.Event(), [many]

    def sink(records: Sequence[Record]) -> None:
        left[0] -= len(records)
        if left[0] <= 0:
            done.set()

    subscription = journal.subscribe(journal.last_seq(), sink)
    events = [_event(number) for number in range(many)]
    began = time.perf_counter()
    for event in events:
        store.emit(event, journal=kept)
    done.wait()
    took = time.perf_counter() - began
    subscription.close()
    return took / many * 1e6


def _bare(plain: sqlite3.Connection, many: int) -> float:
    events = [_event(number) for number in range(many)]
    began = time.perf_counter()
    plain.execute("BEGIN IMMEDIATE")
    rows = ((0, event.TYPE, to_body(event)) for event in events)
    plain.executemany("INSERT INTO journal (ts_ms, type, body) VALUES (?, ?, ?)", rows)
    plain.execute("COMMIT")
    return (time.perf_counter() - began) / many * 1e6


def _urgent(store: Store) -> float:
    began = time.perf_counter()
    store.write(lambda transaction: transaction.emit(_event(0))).result()
    return (time.perf_counter() - began) * 1000
