"""Rows of rooms of which nothing is kept: in memory beside the file, read and written with it, and never in it."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.clock import ManualClock
from runtime.errors import UnavailableError
from runtime.places import MemoryDatabase
from runtime.store import Store, Transaction

KEPT, PASSING = "kept-room", "passing-room"
WORD = "quiet-harbor-secret"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "orlop.db", ManualClock(), owner=True) as found:
        found.keep_in_memory(PASSING)
        yield found


def put(tx: Transaction, room: str, agent: str, body: str = WORD) -> None:
    tx.execute_in(room, "INSERT INTO {at}.agent_breakers VALUES (?, ?, ?)", (room, agent, body))


def names(store: Store) -> list[tuple[str, str]]:
    sql = "SELECT room, agent FROM agent_breakers ORDER BY room, agent"
    return store.read_now(lambda connection: connection.execute(sql).fetchall())


def come_and_go(store: Store, agent: str) -> None:
    """Rows of both kinds that are written and deleted, and one that is undone."""
    gone = "DELETE FROM {at}.agent_breakers WHERE agent = ?"
    for room in (KEPT, PASSING):
        store.write(lambda tx, room=room: put(tx, room, agent)).result()  # type: ignore[misc]
        failed = store.write(lambda tx, room=room: put(tx, room, agent))  # type: ignore[misc]
        assert isinstance(failed.exception(), sqlite3.IntegrityError)
        store.write(lambda tx, room=room: tx.execute_in(room, gone, (agent,)).rowcount).result()  # type: ignore[misc]


def traces(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if WORD.encode() in file.read_bytes()]


def test_rows_go_where_their_room_is_and_are_read_together(store: Store, tmp_path: Path) -> None:
    store.write(lambda tx: put(tx, PASSING, "here")).result()
    assert traces(tmp_path) == []
    store.write(lambda tx: put(tx, KEPT, "there")).result()
    assert traces(tmp_path)
    assert names(store) == [(KEPT, "there"), (PASSING, "here")]
    assert store.write(lambda tx: tx.rows("SELECT agent FROM agent_breakers WHERE room = ?", (PASSING,))).result() == [
        ("here",)
    ]


def test_a_change_says_how_many_rows_it_was_and_one_everywhere_counts_both(store: Store) -> None:
    for room in (KEPT, PASSING):
        for agent in ("a", "b"):
            store.write(lambda tx, room=room, agent=agent: put(tx, room, agent)).result()  # type: ignore[misc]
    gone = "DELETE FROM {at}.agent_breakers WHERE agent = 'a'"
    assert store.write(lambda tx: tx.execute_in(PASSING, gone).rowcount).result() == 1
    assert names(store) == [(KEPT, "a"), (KEPT, "b"), (PASSING, "b")]
    assert store.write(lambda tx: tx.execute_everywhere(gone.replace("'a'", "'b'"))).result() == 2
    assert names(store) == [(KEPT, "a")]


def test_a_work_that_fails_leaves_no_row_in_either(store: Store) -> None:
    def broken(tx: Transaction) -> None:
        put(tx, KEPT, "undone")
        put(tx, PASSING, "undone")
        raise UnavailableError("no more")

    before = store.write(lambda tx: put(tx, PASSING, "before"), urgent=False)
    failed = store.write(broken, urgent=False)
    after = store.write(lambda tx: put(tx, PASSING, "after"))
    with pytest.raises(UnavailableError):
        failed.result()
    before.result()
    after.result()
    assert names(store) == [(PASSING, "after"), (PASSING, "before")]


def test_a_change_that_does_not_say_where_is_refused(store: Store) -> None:
    sql = "DELETE FROM agent_breakers"
    with pytest.raises(sqlite3.OperationalError, match="because it is a view"):
        store.write(lambda tx: tx.execute(sql)).result()


def test_wiping_the_file_leaves_the_rows_in_memory(store: Store) -> None:
    store.write(lambda tx: put(tx, PASSING, "here")).result()
    for _ in range(2):
        store.scrub().result()
        assert names(store) == [(PASSING, "here")]


def test_readers_never_fail_nor_wait_because_somebody_writes(store: Store) -> None:
    """With as many turns of both as fit beside one another; what they see is some of what was written."""
    begun, failed = threading.Barrier(4), list[BaseException]()

    def read() -> None:
        begun.wait()
        try:
            for _ in range(300):
                assert set(names(store)) <= {(room, str(number)) for room in (KEPT, PASSING) for number in range(20)}
        except BaseException as error:  # noqa: BLE001 - told to the test
            failed.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    begun.wait()
    for turn in range(60):
        come_and_go(store, str(turn % 20))
    for reader in readers:
        reader.join()
    assert failed == []


def test_two_stores_of_one_program_share_nothing_and_the_next_one_finds_nothing(tmp_path: Path, store: Store) -> None:
    store.write(lambda tx: put(tx, PASSING, "here")).result()
    with Store.open(tmp_path / "other.db", ManualClock(), owner=True) as other:
        assert names(other) == []
    store.close()
    with Store.open(tmp_path / "orlop.db", ManualClock(), owner=True) as again:
        assert names(again) == []


def test_a_store_that_is_no_owners_has_the_file_alone(tmp_path: Path) -> None:
    with Store.open(tmp_path / "orlop.db", ManualClock(), owner=False) as store:
        assert store.write(lambda tx: tx.places).result() == ("main",)
        store.write(lambda tx: put(tx, KEPT, "there")).result()
        assert names(store) == [(KEPT, "there")]


def test_an_sqlite_that_shares_no_memory_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = MemoryDatabase()
    monkeypatch.setattr(memory, "_uri", ":memory:")
    connection = sqlite3.connect(":memory:", uri=True, isolation_level=None)
    with pytest.raises(UnavailableError, match="built without shared databases in memory"):
        memory.join(connection)
    connection.close()
    memory.close()
