"""What was deleted leaves no byte in the database's files once it was scrubbed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runtime.clock import ManualClock
from runtime.errors import UnavailableError
from runtime.events import CoreError, RoomCreated
from runtime.journal import Journal
from runtime.store import Store, Transaction

WORD = "quiet-harbor-secret"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "orlop.db", ManualClock(), owner=True) as found:
        yield found


def keep(tx: Transaction) -> None:
    for number in range(200):
        tx.set_meta(f"secret-{number}", WORD * 20)


def forget(tx: Transaction) -> None:
    tx.execute("DELETE FROM meta WHERE key GLOB 'secret-*'")


def traces(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if WORD.encode() in file.read_bytes()]


def test_deleted_rows_are_gone_from_every_file(store: Store, tmp_path: Path) -> None:
    store.write(keep).result()
    store.write(forget).result()
    assert traces(tmp_path), "else the test would find nothing in any case"
    store.scrub().result()
    assert traces(tmp_path) == []


def test_works_before_and_after_it_are_done_in_their_order(store: Store) -> None:
    first = store.write(lambda tx: tx.set_meta("a", 1))
    scrubbed = store.scrub()
    second = store.write(lambda tx: tx.meta("a"))
    scrubbed.result()
    assert (first.result(), second.result()) == (None, 1)


def test_a_reader_in_the_way_is_told_and_it_can_be_done_again(store: Store, tmp_path: Path) -> None:
    store.write(keep).result()
    with closing(sqlite3.connect(tmp_path / "orlop.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM meta").fetchall()
        store.write(forget).result()
        store.write(lambda _: None).result()
        store._writer._connection.execute("PRAGMA busy_timeout=0")
        with pytest.raises(UnavailableError, match="because somebody reads the database; it is wiped"):
            store.scrub().result()
    store.scrub().result()
    assert traces(tmp_path) == []


def test_events_that_name_a_room_in_memory_are_told_and_never_journalled(store: Store, tmp_path: Path) -> None:
    heard: list[str] = []
    journal = Journal(store)
    journal.subscribe(store.first_seq, lambda records: heard.extend(record.event.TYPE for record in records))
    store.keep_in_memory(WORD)
    store.write(lambda tx: tx.emit(RoomCreated(room=WORD, name="memory"))).result()
    store.emit(CoreError(where=f"agent {WORD}:quiet", error="it failed"))
    store.write(lambda tx: tx.emit(RoomCreated(room="other", name="disk"))).result()
    assert heard == ["room.created", "core.error", "room.created"]
    assert [record.event for record in journal.read(0, limit=10)] == [RoomCreated(room="other", name="disk")]
    assert traces(tmp_path) == []
