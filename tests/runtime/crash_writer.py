"""Writes to a store until it is killed, and says on stdout what it saw published: run by the kill tests."""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.clock import SystemClock
from runtime.events import AgentLog, CoreReady, Record, RoomCreated
from runtime.journal import Journal
from runtime.store import Store, Transaction


def show(batch: Sequence[Record]) -> None:
    lines = [f"{record.seq} {record.event.TYPE} {getattr(record.event, 'name', '')}\n" for record in batch]
    sys.stdout.write("".join(lines))
    sys.stdout.flush()


def main(database: Path, owner: bool) -> None:
    store = Store.open(database, SystemClock(), owner=owner)
    Journal(store).subscribe(store.first_seq, show)
    for number in itertools.count():
        name = f"room {number}"

        def work(transaction: Transaction, name: str = name) -> None:
            seq = transaction.emit(RoomCreated(room="r", name=name))
            sql = "INSERT INTO rooms (room, name, created_ms, sealed_key) VALUES (?, ?, 0, x'')"
            transaction.execute(sql, (str(seq), name))

        store.emit(AgentLog(room="r", agent="a", text="live only"))
        store.emit(CoreReady(ms=number))
        future = store.write(work, urgent=number % 3 == 0)
        if number % 3 == 0:
            future.result()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "owner")
