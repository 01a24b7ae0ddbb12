import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from runtime import database as database_module
from runtime.clock import ManualClock, SystemClock
from runtime.codec import event_types, nested_types
from runtime.errors import RefusedError, UnavailableError, UsageError
from runtime.events import AgentLog, CoreError, CoreReady, MessagePosted, Record, RoomCreated, TickCompleted
from runtime.schema import VERSION
from runtime.store import DatabaseDamagedError, Pending, Store, Transaction, peek
from tests import tmpfs

ROOT = Path(__file__).parents[2]


class Watched:
    """A store with everything that it published."""

    def __init__(self, path: Path, *, owner: bool = True) -> None:
        self.store = Store.open(path, ManualClock(), owner=owner)
        self.records: list[Record] = []
        self.store.publish_to(self._publish)

    def _publish(self, batch: Any) -> None:
        self.records += [record for record, _ in batch]

    def settle(self) -> None:
        self.store.write(lambda _: None).result()

    @property
    def seqs(self) -> list[int]:
        return [record.seq for record in self.records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orlop.db"


@pytest.fixture(params=["owner", "one-shot"])
def watched(path: Path, request: pytest.FixtureRequest) -> Iterator[Watched]:
    found = Watched(path, owner=request.param == "owner")
    yield found
    found.store.close()


@pytest.fixture
def owned(path: Path) -> Iterator[Watched]:
    found = Watched(path)
    yield found
    found.store.close()


def add_room(name: str) -> Callable[[Transaction], int]:
    def work(transaction: Transaction) -> int:
        seq = transaction.emit(RoomCreated(room=name, name=name))
        transaction.execute(
            "INSERT INTO rooms (room, name, created_ms, sealed_key) VALUES (?, ?, ?, x'')",
            (name, name, transaction.now_ms),
        )
        return seq

    return work


def count(store: Store, table: str) -> int:
    return int(store.read_now(lambda c: c.execute(f"SELECT count(*) FROM {table}").fetchone()[0]))


# --- writing --------------------------------------------------------------------------------------------------------


def test_a_change_and_its_event_commit_together(watched: Watched) -> None:
    seq = watched.store.write(add_room("a")).result()
    assert watched.seqs == [seq]  # published before the answer
    rows = watched.store.read_now(lambda c: c.execute("SELECT seq, ts_ms, type, body FROM journal").fetchall())
    assert rows == [(seq, ManualClock().now_ms, "room.created", '{"room":"a","name":"a"}')]
    assert count(watched.store, "rooms") == 1


def test_a_failing_work_is_undone_alone(watched: Watched) -> None:
    def bad(transaction: Transaction) -> None:
        add_room("bad")(transaction)
        raise KeyError("mine")

    def clash(transaction: Transaction) -> None:
        transaction.emit(CoreReady(ms=0))
        add_room("a")(transaction)

    futures = [watched.store.write(work, urgent=False) for work in (add_room("a"), bad, clash, add_room("b"))]
    assert isinstance(futures[1].exception(), KeyError)
    assert isinstance(futures[2].exception(), sqlite3.IntegrityError)
    assert futures[3].result() > futures[0].result()
    assert watched.seqs == [futures[0].result(), futures[3].result()]
    assert count(watched.store, "rooms") == count(watched.store, "journal") == 2


def test_a_work_that_fails_before_all_others_of_its_commit_is_undone_alone(watched: Watched) -> None:
    def bad(transaction: Transaction) -> None:
        add_room("bad")(transaction)
        raise KeyError("mine")

    futures = [watched.store.write(work, urgent=False) for work in (bad, bad, add_room("a"), bad, add_room("b"))]
    assert all(isinstance(futures[number].exception(), KeyError) for number in (0, 1, 3))
    assert watched.seqs == [futures[2].result(), futures[4].result()]
    assert count(watched.store, "rooms") == count(watched.store, "journal") == 2
    assert watched.store.write(add_room("c")).result() > futures[4].result()


def test_seqs_rise_in_the_order_of_the_calls(watched: Watched) -> None:
    for number in range(600):
        watched.store.emit(CoreReady(ms=number))
        watched.store.emit(AgentLog(room="r", agent="a", text="x"))
    watched.settle()
    assert [r.event.ms for r in watched.records if isinstance(r.event, CoreReady)] == list(range(600))
    assert watched.seqs == sorted(set(watched.seqs))
    assert count(watched.store, "journal") == 600


def test_many_threads_write_at_once(watched: Watched) -> None:
    def run(number: int) -> None:
        for turn in range(20):
            watched.store.emit(CoreReady(ms=turn))
            watched.store.write(add_room(f"{number} {turn}"), urgent=turn % 2 == 0).result()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    watched.settle()
    assert watched.seqs == sorted(set(watched.seqs))
    assert len(watched.seqs) == count(watched.store, "journal") == 240


def test_what_is_live_only_leaves_no_row(watched: Watched) -> None:
    watched.store.emit(AgentLog(room="r", agent="a", text="secret words"))
    tick = TickCompleted(room="r", agent="a", n=1, trigger="tick", duration_us=1, emitted=0)
    watched.store.emit(tick, journal=False)
    seq = watched.store.write(lambda transaction: transaction.emit(tick)).result()
    assert [record.event for record in watched.records][1:] == [tick, tick]
    assert getattr(watched.records[0].event, "text", "") == "secret words"
    assert watched.seqs == sorted(set(watched.seqs))
    assert watched.store.read_now(lambda c: c.execute("SELECT seq FROM journal").fetchall()) == [(seq,)]


def test_an_owner_commits_nothing_for_live_events(owned: Watched, path: Path) -> None:
    owned.settle()
    owned.store.write(lambda transaction: transaction.emit(CoreReady(ms=1))).result()
    wal = path.with_name("orlop.db-wal")
    before = wal.read_bytes()
    for _ in range(300):
        owned.store.emit(AgentLog(room="r", agent="a", text="x"))
    owned.store.close()
    assert len(owned.records) == 301
    assert len(before) > 0


def test_content_never_reaches_the_disk(watched: Watched, path: Path) -> None:
    watched.store.emit(MessagePosted(room="r", id="m", author="a", text="the secret words"))
    watched.settle()
    assert getattr(watched.records[0].event, "text", "") == "the secret words"
    for file in path.parent.iterdir():
        assert b"secret words" not in file.read_bytes()
    watched.store.close()
    assert b"secret words" not in path.read_bytes()


MARK = "the words that must not be written"


def with_marks(cls: Any) -> Any:
    """An event of a type, its content and that of its parts marked."""
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.metadata.get("content"):
            fields[field.name] = MARK
        elif inner := nested_types(cls).get(field.name):
            fields[field.name] = (with_marks(inner), with_marks(inner))
        elif field.default is dataclasses.MISSING:
            fields[field.name] = {str: "x", int: 1, bool: True}.get(field.type, ())  # type: ignore[call-overload]
    return cls(**fields)


def test_no_type_of_event_writes_its_content(watched: Watched, path: Path) -> None:
    events = [with_marks(cls) for cls in event_types().values()]
    assert sum(MARK in repr(event) for event in events) >= 6
    for event in events:
        watched.store.emit(event)
    watched.store.close()
    assert [record.event for record in watched.records] == events
    assert MARK.encode() not in path.read_bytes()
    rows = peek(path, lambda c: c.execute("SELECT count(*) FROM journal").fetchone()[0])
    assert rows == sum(not event.LIVE_ONLY for event in events)


def test_a_cancelled_work_does_not_run(watched: Watched) -> None:
    gate = threading.Event()
    first = watched.store.write(lambda _: gate.wait())
    second = watched.store.write(add_room("never"))
    assert second.cancel()
    gate.set()
    assert first.result()
    watched.settle()
    with pytest.raises(CancelledError):
        second.result()
    assert count(watched.store, "rooms") == 0


def test_meta(watched: Watched) -> None:
    def work(transaction: Transaction) -> list[Any]:
        transaction.set_meta("peer_id", "12D3")
        transaction.set_meta("number", 1)
        transaction.set_meta("number", 2)
        return [transaction.meta("peer_id"), transaction.meta("number"), transaction.meta("none")]

    assert watched.store.write(work).result() == ["12D3", 2, None]
    assert watched.store.write(lambda t: t.rows("SELECT key FROM meta ORDER BY key")).result() == [
        ("instance",),
        ("number",),
        ("peer_id",),
        ("seq",),
    ]


def test_closing_commits_what_is_queued(path: Path) -> None:
    with Store.open(path, ManualClock(), owner=True) as store:
        future = store.write(add_room("a"), urgent=False)
        for number in range(1000):
            store.emit(CoreReady(ms=number))
    assert future.done()
    store.close()
    store.emit(CoreReady(ms=1))
    for late in (store.write(add_room("b")), store.read(lambda _: None)):
        with pytest.raises(UnavailableError, match="the database is closed"):
            late.result()
    assert peek(path, lambda c: c.execute("SELECT count(*) FROM journal").fetchone()[0]) == 1001
    assert [file.name for file in path.parent.iterdir()] == ["orlop.db"]
    assert path.stat().st_mode & 0o777 == 0o600


# --- numbers across restarts and processes --------------------------------------------------------------------------


def test_numbers_go_on_after_a_restart(path: Path) -> None:
    seen: list[int] = []
    for owner in (True, True, False, True):
        watched = Watched(path, owner=owner)
        assert watched.store.first_seq == (seen[-1] if seen else 0)  # a clean end gives the reservation back
        watched.store.emit(CoreReady(ms=1))
        watched.store.emit(AgentLog(room="r", agent="a", text="x"))
        watched.store.close()
        seen += watched.seqs
    assert seen == list(range(1, 9))


def test_numbers_go_on_when_only_the_journal_knows_them(path: Path) -> None:
    with Store.open(path, ManualClock(), owner=True) as store:
        store.write(lambda t: t.execute("INSERT INTO journal VALUES (70, 0, 'core.ready', '{\"ms\":1}')").rowcount)
    with Store.open(path, ManualClock(), owner=True) as store:
        assert store.write(lambda t: t.emit(CoreReady(ms=1))).result() == 71


def test_an_instance_is_made_once(path: Path) -> None:
    with Store.open(path, ManualClock(), owner=True) as store:
        made = store.instance
        assert len(made) == 32
    with Store.open(path, ManualClock(), owner=False) as store:
        assert store.instance == made


CHAIN = """
import sys
from pathlib import Path
from runtime.clock import SystemClock
from runtime.events import CoreReady
from runtime.store import Store
sys.stdin.read()
with Store.open(Path(sys.argv[1]), SystemClock(), owner=False) as store:
    def link(t):
        number = int(t.meta("number") or 0)
        t.set_meta("number", number + 1)
        return number, t.emit(CoreReady(ms=number))
    for _ in range(40):
        print(*store.write(link).result())
"""


def test_processes_without_an_owner_share_one_chain(path: Path) -> None:
    command = [sys.executable, "-c", CHAIN, str(path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(4)]
    for process in processes:  # all open the new database at once
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    lines = [line for process in processes for line in process.communicate()[0].decode().splitlines()]
    pairs = sorted(tuple(map(int, line.split())) for line in lines)
    assert [number for number, _ in pairs] == list(range(160))
    assert [seq for _, seq in pairs] == list(range(1, 161))


@pytest.mark.parametrize("mode", ["owner", "one-shot"])
def test_a_kill_loses_nothing_that_was_seen(path: Path, mode: str) -> None:
    seen: dict[int, tuple[str, str]] = {}
    for turn in range(5):
        command = [sys.executable, "-m", "tests.runtime.crash_writer", str(path), mode]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(40 + 97 * turn)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.communicate()
        newest = max(seen, default=0)
        for line in lines:
            if line.endswith(b"\n"):
                seq, kind, name = line.decode().rstrip("\n").split(" ", 2)
                assert int(seq) > newest  # never given again, in order
                newest = int(seq)
                seen[newest] = (kind, name)
        with Store.open(path, SystemClock(), owner=True) as store:
            assert store.first_seq >= newest
            rows = store.read_now(lambda c: dict(c.execute("SELECT seq, type FROM journal")))
            rooms = store.read_now(lambda c: dict(c.execute("SELECT CAST(room AS INTEGER), name FROM rooms")))
            assert store.read_now(lambda c: c.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
        assert {seq for seq, kind in rows.items() if kind == "room.created"} == set(rooms)  # none half written
        for number, (kind, name) in seen.items():
            assert kind == "agent.log" or rows[number] == kind
            assert kind != "room.created" or rooms[number] == name


# --- a host that fails ----------------------------------------------------------------------------------------------


def fill(transaction: Transaction) -> None:
    transaction.execute("INSERT INTO secrets VALUES (?, zeroblob(400000))", (os.urandom(8).hex(),))


def limit_pages(store: Store, pages: int) -> None:
    store.write(lambda t: t.execute(f"PRAGMA max_page_count={pages}").fetchone()).result()


def test_a_full_database_is_unavailable_and_then_says_what_was_lost(owned: Watched) -> None:
    store = owned.store
    store.write(add_room("before")).result()
    limit_pages(store, 60)
    started, gate = threading.Event(), threading.Event()
    blocked = store.write(lambda _: (started.set(), gate.wait()))
    started.wait()  # its commit is closed: what follows shares the next
    good = store.write(add_room("innocent"), urgent=False)
    store.emit(CoreReady(ms=1))
    big = store.write(fill, urgent=False)
    gate.set()
    blocked.result()
    with pytest.raises(UnavailableError, match=r"orlop.db: the database: the disk is full"):
        big.result()
    with pytest.raises(UnavailableError):
        good.result()
    limit_pages(store, 100_000)
    assert store.write(add_room("after")).result() > 0
    kinds = [record.event.TYPE for record in owned.records]
    assert sorted(kinds) == ["core.error", "core.error", "room.created", "room.created"]
    errors = [record.event.error for record in owned.records if isinstance(record.event, CoreError)]
    assert "disk is full" in errors[0]
    assert errors[1].startswith("1 events could not be written: ")
    assert owned.seqs == sorted(set(owned.seqs))
    assert store.read_now(lambda c: c.execute("SELECT name FROM rooms ORDER BY name").fetchall()) == [
        ("after",),
        ("before",),
    ]


def test_a_work_cannot_go_on_after_its_transaction_was_lost(watched: Watched) -> None:
    limit_pages(watched.store, 60)

    def stubborn(transaction: Transaction) -> None:
        with pytest.raises(sqlite3.OperationalError):
            fill(transaction)
        with pytest.raises(UnavailableError, match="lost the transaction"):
            add_room("alone")(transaction)

    with pytest.raises(UnavailableError):
        watched.store.write(stubborn).result()
    assert count(watched.store, "rooms") == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB where we may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = tmpfs.mount(place, "size=1m")
    yield place
    if mounted:
        tmpfs.unmount(place)


def test_a_full_disk(small_disk: Path) -> None:
    store = Store.open(small_disk / "orlop.db", ManualClock(), owner=True)
    if not os.path.ismount(small_disk):
        limit_pages(store, 256)
    written = 0
    while (error := store.write(fill).exception()) is None:
        written += 1
    assert isinstance(error, UnavailableError)
    assert "the disk" in str(error)
    assert written
    assert count(store, "secrets") == written
    store.close()
    with Store.open(small_disk / "orlop.db", ManualClock(), owner=True) as again:
        assert count(again, "secrets") == written


def test_no_room_for_a_new_database(small_disk: Path) -> None:
    if os.path.ismount(small_disk):
        (small_disk / "ballast").write_bytes(bytes(2**20 - 8192))
        with pytest.raises(UnavailableError):
            Store.open(small_disk / "orlop.db", ManualClock(), owner=True)
    else:
        with pytest.raises(UnavailableError):
            Store.open(small_disk / "none" / "orlop.db", ManualClock(), owner=True)


def test_a_database_locked_for_long_is_unavailable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_S", 0.05)
    with Store.open(path, ManualClock(), owner=False) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="another process kept it locked"):
            store.write(add_room("a")).result()
        other.execute("ROLLBACK")
        other.close()
        assert store.write(add_room("a")).result() == 1


@pytest.mark.parametrize(("owner", "patience_ms"), [(True, 50), (False, 0)], ids=["owner", "one-shot"])
def test_a_one_shot_command_that_waited_in_vain_waits_no_second_time(
    path: Path, monkeypatch: pytest.MonkeyPatch, owner: bool, patience_ms: int
) -> None:
    monkeypatch.setattr(database_module, "BUSY_S", 0.05)
    with Store.open(path, ManualClock(), owner=owner) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            with pytest.raises(UnavailableError, match="another process kept it locked"):
                store.write(add_room("a")).result()
        other.execute("ROLLBACK")
        other.close()
        seen = [store.write(lambda tx: tx.one("PRAGMA busy_timeout")).result() for _ in range(2)]
    assert seen == [(patience_ms,), (50,)]


def test_a_locked_database_is_waited_for(path: Path) -> None:
    with Store.open(path, ManualClock(), owner=False) as store:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        future = store.write(add_room("a"))
        other.execute("ROLLBACK")
        other.close()
        assert future.result() == 1


# --- files that are none of ours ------------------------------------------------------------------------------------


def test_a_later_schema_is_named(path: Path) -> None:
    Store.open(path, ManualClock(), owner=True).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={VERSION + 3}")
    connection.close()
    before = path.read_bytes()
    for attempt in (lambda: Store.open(path, ManualClock(), owner=True), lambda: peek(path, lambda _: 0)):
        with pytest.raises(UsageError, match=rf"schema {VERSION + 3}, this one knows {VERSION}\); update orlop"):
            attempt()
    assert path.read_bytes() == before


def test_files_that_are_no_database(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    for attempt in (lambda: Store.open(path, ManualClock(), owner=True), lambda: peek(path, lambda _: 0)):
        with pytest.raises(DatabaseDamagedError, match="the database is damaged; move it away"):
            attempt()
    assert path.read_bytes().startswith(b"not a database")


def test_a_database_of_somebody_else(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE letters (text)")
    connection.close()
    with pytest.raises(RefusedError, match="is not a database of orlop"):
        Store.open(path, ManualClock(), owner=True)


def test_a_damaged_database(path: Path) -> None:
    with Store.open(path, ManualClock(), owner=True) as store:
        for number in range(2000):
            store.emit(CoreReady(ms=number))
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = os.urandom(len(content) - 4096 * 3)
    path.write_bytes(content)
    with pytest.raises(DatabaseDamagedError), Store.open(path, ManualClock(), owner=True) as store:
        store.read_now(lambda c: c.execute("SELECT count(*), max(body) FROM journal").fetchone())


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM meta",
        "UPDATE meta SET value = 'x' WHERE key = 'seq'",
        "DELETE FROM meta WHERE key = 'instance'",
        "DROP TABLE journal",
    ],
)
def test_a_database_that_lacks_what_was_made_with_it(path: Path, change: str) -> None:
    Store.open(path, ManualClock(), owner=True).close()
    connection = sqlite3.connect(path)
    connection.execute(change)
    connection.commit()
    connection.close()
    with pytest.raises(DatabaseDamagedError, match=r"the database is damaged: .*; move it away"):
        Store.open(path, ManualClock(), owner=True)


def test_a_row_that_is_not_as_it_was_written(path: Path) -> None:
    with Store.open(path, ManualClock(), owner=True) as store:
        for attempt in (
            lambda: store.read_now(lambda _: json.loads("{")),
            lambda: store.write(lambda _: json.loads("{")).result(),
            lambda: store.read_now(lambda c: c.execute("SELECT json_extract('{', '$.a')").fetchone()),
        ):
            with pytest.raises(DatabaseDamagedError, match="the database is damaged: "):
                attempt()


def test_a_directory_in_its_place(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UnavailableError, match="is a directory"):
        Store.open(path, ManualClock(), owner=True)


@pytest.mark.parametrize("name", ["a b?c#d%41.db", "ünï.db", "x;y&mode=ro.db"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    with Store.open(tmp_path / name, ManualClock(), owner=True) as store:
        store.write(add_room("a")).result()
        assert count(store, "rooms") == 1
    assert [file.name for file in tmp_path.iterdir()] == [name]


# --- migrations -----------------------------------------------------------------------------------------------------


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def install(script: str) -> None:
        monkeypatch.setattr(database_module, "MIGRATIONS", (*database_module.MIGRATIONS, script))
        monkeypatch.setattr(database_module, "VERSION", VERSION + 1)

    return install


def test_a_migration_keeps_a_copy(path: Path, second: Callable[[str], None]) -> None:
    with Store.open(path, ManualClock(), owner=True) as store:
        store.write(add_room("kept")).result()
    second("CREATE TABLE later (x TEXT DEFAULT ';'); INSERT INTO later VALUES ('a;b'); -- and; a remark\n")
    with pytest.raises(UsageError, match="older"):
        peek(path, lambda _: 0)
    with Store.open(path, ManualClock(), owner=True) as store:
        assert count(store, "later") == count(store, "rooms") == 1
    copy = path.with_name(f"orlop.db.before-{VERSION + 1}")
    assert sorted(file.name for file in path.parent.iterdir()) == ["orlop.db", copy.name]
    assert copy.stat().st_mode & 0o777 == 0o600
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT name FROM rooms").fetchall() == [("kept",)]
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()
    Store.open(path, ManualClock(), owner=True).close()  # nothing to do the second time


def test_a_migration_that_fails_changes_nothing(path: Path, second: Callable[[str], None]) -> None:
    with Store.open(path, ManualClock(), owner=True) as store:
        store.write(add_room("kept")).result()
    second("CREATE TABLE later (x); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(UnavailableError, match="nowhere"):
        Store.open(path, ManualClock(), owner=True)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'later'").fetchall() == []
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


# --- reading --------------------------------------------------------------------------------------------------------


def test_readers_see_one_moment_and_write_nothing(watched: Watched) -> None:
    watched.store.write(add_room("a")).result()

    def query(connection: sqlite3.Connection) -> list[int]:
        first = connection.execute("SELECT count(*) FROM rooms").fetchone()[0]
        watched.store.write(add_room("b")).result()
        return [first, connection.execute("SELECT count(*) FROM rooms").fetchone()[0]]

    assert watched.store.read_now(query) == [1, 1]
    assert watched.store.read(lambda c: c.execute("SELECT count(*) FROM rooms").fetchone()[0]).result() == 2
    with pytest.raises(UnavailableError, match="cannot be written"):
        watched.store.read_now(lambda c: c.execute("DELETE FROM rooms"))
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        watched.store.read(lambda c: c.execute("SELECT nowhere")).result()
    assert count(watched.store, "rooms") == 2


def test_peeking_makes_nothing(tmp_path: Path) -> None:
    assert peek(tmp_path / "orlop.db", lambda _: 0) is None
    assert list(tmp_path.iterdir()) == []


def test_peeking_beside_an_owner(owned: Watched, path: Path) -> None:
    owned.store.write(add_room("a")).result()
    assert peek(path, lambda c: c.execute("SELECT name FROM rooms").fetchall()) == [("a",)]


def test_a_publisher_hears_bodies_without_content(path: Path) -> None:
    heard: list[Pending] = []
    with Store.open(path, ManualClock(), owner=True) as store:
        store.publish_to(heard.extend)
        store.emit(MessagePosted(room="r", id="m", author="a", text="words"))
    assert heard[0][1] == '{"room":"r","id":"m","author":"a","text_bytes":5}'


def test_loading_the_store_loads_no_cryptography() -> None:
    code = (
        "import sys, runtime.store, runtime.statedir; "
        "heavy = {'cryptography', 'nacl', 'vodozemac', 'wasmtime', 'asyncio'}; "
        "print([name for name in sys.modules if name.split('.')[0] in heavy])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
