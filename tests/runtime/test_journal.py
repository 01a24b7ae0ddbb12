import random
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import journal as module
from runtime.clock import ManualClock
from runtime.errors import UnavailableError
from runtime.events import (
    AgentLog,
    BreakerTripped,
    CommandDone,
    CoreError,
    CoreReady,
    JobOutput,
    ReceiptIssued,
    Record,
    TickCompleted,
)
from runtime.journal import Journal, Subscription
from runtime.store import Store

TICK = TickCompleted(room="r", agent="a", n=1, trigger="tick", duration_us=1, emitted=0)
LOG = AgentLog(room="r", agent="a", text="words")


class Collected:
    """A sink that keeps everything and waits for what should come."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._changed = threading.Condition()
        self._inside = False

    def __call__(self, records: Sequence[Record]) -> None:
        assert not self._inside  # never by two threads at once
        self._inside = True
        with self._changed:
            self.records += records
            self._changed.notify_all()
        self._inside = False

    def wait(self, ready: Callable[[list[Record]], bool]) -> list[Record]:
        with self._changed:
            assert self._changed.wait_for(lambda: ready(self.records), timeout=20)
        return self.records

    def through(self, seq: int) -> list[Record]:
        return self.wait(lambda records: bool(records) and records[-1].seq >= seq)

    @property
    def seqs(self) -> list[int]:
        return [record.seq for record in self.records]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "orlop.db", ManualClock(), owner=True) as opened:
        yield opened


@pytest.fixture
def journal(store: Store) -> Journal:
    return Journal(store)


def settle(store: Store) -> int:
    """Everything before is committed and published; the seq of the event that says so."""
    return store.write(lambda transaction: transaction.emit(CoreReady(ms=0))).result()


# --- subscribing ----------------------------------------------------------------------------------------------------


def test_live_events_come_with_their_content(store: Store, journal: Journal) -> None:
    sink = Collected()
    journal.subscribe(journal.last_seq(), sink)
    store.emit(LOG)
    store.emit(TICK, journal=False)
    last = settle(store)
    assert [record.event for record in sink.through(last)] == [LOG, TICK, CoreReady(ms=0)]
    assert sink.seqs == [1, 2, 3]
    assert journal.last_seq() == 3


def test_history_of_an_earlier_run_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "orlop.db"
    with Store.open(path, ManualClock(), owner=True) as store:
        for number in range(1300):
            store.emit(CoreReady(ms=number))
    with Store.open(path, ManualClock(), owner=True) as store:
        journal = Journal(store)
        for since in (0, 700, 1299, 1300):
            sink = Collected()
            journal.subscribe(since, sink)
            last = settle(store)
            sink.through(last)
            assert sink.seqs == list(range(since + 1, last + 1))


def test_a_subscription_from_the_future_waits_for_it(store: Store, journal: Journal) -> None:
    sink = Collected()
    journal.subscribe(5, sink)
    for _ in range(7):
        last = settle(store)
    sink.through(last)
    assert sink.seqs == [6, 7]


def test_a_small_ring_sends_readers_to_the_store(
    store: Store, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RING_BYTES", 4000)
    first = Collected()
    journal.subscribe(0, first)
    for _ in range(3000):
        store.emit(CoreReady(ms=1))
        store.emit(LOG)
    last = settle(store)
    second = Collected()
    journal.subscribe(0, second)
    first.through(last)
    second.through(last)
    assert first.seqs == list(range(1, last + 1))
    rows = [record.seq for record in journal.read(0, limit=10_000)]
    assert len(rows) == 3001
    assert [seq for seq in second.seqs if seq in set(rows)] == rows
    assert second.seqs == sorted(set(second.seqs))


def test_the_ring_counts_content(store: Store, journal: Journal) -> None:
    for _ in range(20):
        store.emit(JobOutput(job="j", stream="stdout", offset=0, length=750_000, data_b64="x" * 1_000_000))
    settle(store)
    assert journal._ring_bytes <= module.RING_BYTES
    assert 7 <= len(journal._ring) <= 10
    sink = Collected()
    journal.subscribe(0, sink)
    sink.through(21)
    assert sink.seqs == list(range(1, 22))
    assert getattr(sink.records[0].event, "data_b64", "") is None  # from the store
    assert len(getattr(sink.records[-2].event, "data_b64", "")) == 1_000_000  # from the ring


def write_much(store: Store, number: int) -> None:
    for turn in range(400):
        store.emit(CoreReady(ms=number))
        store.emit(LOG)
        if turn % 7 == 0:
            store.write(lambda t: [t.emit(CoreReady(ms=1)) for _ in range(5)], urgent=turn % 2 == 0)


def join_and_leave(journal: Journal) -> None:
    dice = random.Random(7)
    for _ in range(200):
        seen: list[Record] = []
        journal.subscribe(dice.randrange(journal.last_seq() + 1), seen.extend).close()


def test_no_hole_and_no_double_under_concurrent_writes(
    store: Store, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RING_BYTES", 30_000)
    everything = Collected()
    journal.subscribe(0, everything)
    writers = [threading.Thread(target=write_much, args=(store, number)) for number in range(3)]
    visitors = [threading.Thread(target=join_and_leave, args=(journal,)) for _ in range(2)]
    for thread in writers + visitors:
        thread.start()
    dice = random.Random(11)
    sinks: list[tuple[int, Collected]] = []
    for _ in range(40):
        settle(store)
        since = dice.choice([0, journal.last_seq(), dice.randrange(journal.last_seq() + 1)])
        sinks.append((since, Collected()))
        journal.subscribe(*sinks[-1])
    for thread in writers + visitors:
        thread.join()
    last = settle(store)
    everything.through(last)
    assert everything.seqs == list(range(1, last + 1))
    kept = {record.seq for record in journal.read(0, limit=1_000_000)}
    for since, sink in sinks:
        sink.through(last)
        assert sink.seqs == sorted(set(sink.seqs))
        assert kept & set(sink.seqs) == {seq for seq in kept if seq > since}


STEPS = st.lists(
    st.sampled_from(["row", "live", "both", "settle"]) | st.tuples(st.just("subscribe"), st.integers(0, 40)),
    max_size=40,
)


@settings(max_examples=30)
@given(steps=STEPS, ring=st.sampled_from([0, 1500, 10**6]))
def test_any_order_of_writing_and_subscribing(steps: list[Any], ring: int, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("journal") / "orlop.db"
    with pytest.MonkeyPatch.context() as patch, Store.open(path, ManualClock(), owner=True) as store:
        patch.setattr(module, "RING_BYTES", ring)
        journal = Journal(store)
        everything = Collected()
        journal.subscribe(0, everything)
        sinks: list[tuple[int, Collected]] = []
        for step in steps:
            if isinstance(step, tuple):
                sinks.append((step[1], Collected()))
                journal.subscribe(*sinks[-1])
            elif step == "settle":
                settle(store)
            else:
                for event in [CoreReady(ms=1)] * (step != "live") + [LOG] * (step != "row"):
                    store.emit(event)
        while (last := settle(store)) < 41:  # every subscription gets at least one event
            pass
        kept = {record.seq for record in journal.read(0, limit=1000)}
        assert everything.through(last)
        assert everything.seqs == list(range(1, last + 1))
        for since, sink in sinks:
            sink.through(last)
            assert sink.seqs == sorted(set(sink.seqs))
            assert kept & set(sink.seqs) == {seq for seq in kept if seq > since}
            if ring == 10**6:  # it holds all, also what was live only
                assert sink.seqs == list(range(since + 1, last + 1))


def test_no_call_begins_after_close(store: Store, journal: Journal) -> None:
    sink = Collected()
    subscription = journal.subscribe(0, sink)
    first = settle(store)
    sink.through(first)
    subscription.close()
    subscription.close()
    settle(store)
    assert sink.seqs == [first]


def test_a_sink_may_close_itself(store: Store, journal: Journal) -> None:
    seen: list[int] = []
    subscriptions: list[Subscription] = []

    def sink(records: Sequence[Record]) -> None:
        seen.extend(record.seq for record in records)
        subscriptions[0].close()

    subscriptions.append(journal.subscribe(0, sink))
    settle(store)
    settle(store)
    assert seen == [1]


def test_a_sink_that_raises_is_cut_and_told(store: Store, journal: Journal) -> None:
    sink = Collected()

    def bad(_: Sequence[Record]) -> None:
        raise KeyError("mine")

    journal.subscribe(0, bad)
    journal.subscribe(0, sink)
    settle(store)
    settle(store)
    errors = sink.wait(lambda records: any(isinstance(record.event, CoreError) for record in records))
    assert [r.event for r in errors if isinstance(r.event, CoreError)] == [
        CoreError(where="journal", error="a subscriber failed: KeyError: 'mine'")
    ]


def test_a_sink_that_raises_during_the_replay_is_told_too(
    store: Store, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RING_BYTES", 0)
    settle(store)
    sink = Collected()
    journal.subscribe(1, sink)

    def bad(_: Sequence[Record]) -> None:
        raise KeyError("mine")

    assert journal.subscribe(0, bad)
    sink.wait(lambda records: any(isinstance(record.event, CoreError) for record in records))


# --- reading --------------------------------------------------------------------------------------------------------


def test_reading_by_type_place_and_number(store: Store, journal: Journal) -> None:
    for number in range(6):
        store.emit(CoreReady(ms=number))
        store.emit(TICK)
        store.emit(LOG)
    settle(store)
    assert [r.seq for r in journal.read(0, limit=4)] == [1, 2, 4, 5]
    assert [r.seq for r in journal.read(2, limit=99, until=7)] == [4, 5, 7]
    assert [r.seq for r in journal.read(0, limit=2, types=["tick.*"])] == [2, 5]
    assert [r.seq for r in journal.read(4, limit=3, types=["tick.*", "core.ready"])] == [5, 7, 8]
    assert journal.read(99, limit=3) == []


def test_places_by_time(tmp_path: Path) -> None:
    clock = ManualClock()
    with Store.open(tmp_path / "orlop.db", clock, owner=True) as store:
        journal = Journal(store)
        start = clock.wall_ms()
        for _ in range(5):
            settle(store)
            clock.advance(10)
        assert journal.seq_at(0) == 0
        assert journal.seq_at(start + 10_000) == 1
        assert journal.seq_at(start + 10_001) == 2
        assert journal.seq_at(start + 99_000) == journal.last_seq() == 5


def test_what_cannot_be_read_says_so_in_its_place(store: Store, journal: Journal) -> None:
    def damage(transaction: Any) -> None:
        for seq, kind, body in ((101, "core.ready", '{"ms":"x"}'), (102, "core.ready", "{"), (103, "sun.rose", "{}")):
            transaction.execute("INSERT INTO journal VALUES (?, 0, ?, ?)", (seq, kind, body))
        for seq, ts_ms in ((104, "x"), (105, 1.5), (106, -1), (107, 10**15)):
            transaction.execute("INSERT INTO journal VALUES (?, ?, 'core.ready', ?)", (seq, ts_ms, '{"ms":1}'))

    store.write(damage).result()
    events = [record.event for record in journal.read(0, limit=9)]
    assert events == [
        CoreError(
            where="journal",
            error="entry 101 cannot be read: core.ready.ms: an integer is wanted, not text",
        ),
        CoreError(where="journal", error="entry 102 cannot be read: event: not JSON"),
        *(CoreError(where="journal", error=f"entry {seq} cannot be read: its time is none") for seq in range(104, 108)),
    ]


def test_pieces_of_unknown_types_do_not_end_a_replay(tmp_path: Path) -> None:
    path = tmp_path / "orlop.db"
    with Store.open(path, ManualClock(), owner=True) as store:
        numbers = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000)"
        insert = f"INSERT INTO journal {numbers} SELECT x, 0, 'sun.rose', '{{}}' FROM n"
        assert store.write(lambda t: t.execute(insert).rowcount).result() == 1000
    with Store.open(path, ManualClock(), owner=True) as store:
        journal = Journal(store)
        sink = Collected()
        journal.subscribe(0, sink)
        last = settle(store)
        sink.through(last)
        assert sink.seqs == [last] == [1001]


# --- retention ------------------------------------------------------------------------------------------------------

TRIP = BreakerTripped(room="r", agent="a", trigger="tick", failures=3, reasons=("trap",))
RECEIPT = ReceiptIssued(receipt="r", job="j", worker="w", number=0, exit_code=0, outcome="exit", previous="0")
COMMAND = CommandDone(command="c", args="secret", uid=0, face="cli", ok=True, duration_ms=1)
DAY = 86_400


def kinds(journal: Journal) -> list[str]:
    return [record.event.TYPE for record in journal.read(0, limit=100_000)]


@pytest.fixture
def clock(store: Store) -> ManualClock:
    assert isinstance(store.clock, ManualClock)
    return store.clock


def test_age_removes_all_but_what_lasts(store: Store, journal: Journal, clock: ManualClock) -> None:
    for event in (TICK, TRIP, TICK, RECEIPT, COMMAND):
        for _ in range(300):
            store.emit(event)
    settle(store)
    clock.advance(13 * DAY)
    store.emit(TICK)
    settle(store)
    assert journal.prune(clock.wall_ms()).result() == 0
    clock.advance(2 * DAY)
    assert journal.prune(clock.wall_ms()).result() == 601
    left = kinds(journal)
    assert left[:900] == ["breaker.tripped"] * 300 + ["receipt.issued"] * 300 + ["command.done"] * 300
    assert left[900:] == ["tick.completed", "core.ready"]
    assert journal.prune(clock.wall_ms()).result() == 0


def test_size_removes_the_oldest_and_what_lasts_at_the_end(store: Store, journal: Journal, clock: ManualClock) -> None:
    for _ in range(400):
        store.emit(TRIP)
    for _ in range(1000):
        store.emit(TICK)
    settle(store)
    now = clock.wall_ms()
    assert journal.prune(now, max_bytes=10**6).result() == 0
    assert journal.prune(now, max_bytes=160_000).result() > 100
    left = kinds(journal)
    assert left.count("breaker.tripped") == 400
    assert 0 < left.count("tick.completed") < 1000
    journal.prune(now, max_bytes=20_000).result()
    left = kinds(journal)
    assert 0 < left.count("breaker.tripped") < 400
    assert left.count("tick.completed") == 0
    journal.prune(now, max_bytes=0).result()
    assert kinds(journal) == ["core.ready"]  # the newest stays


def test_writers_go_on_while_old_events_are_removed(store: Store, journal: Journal, clock: ManualClock) -> None:
    for _ in range(3000):
        store.emit(TICK)
    settle(store)
    clock.advance(15 * DAY)
    young = settle(store)  # the newest stays always: were it an old one, the count would depend on what comes between
    removing = journal.prune(clock.wall_ms())
    between = [settle(store) for _ in range(5)]
    sink = Collected()
    journal.subscribe(0, sink)
    assert removing.result() == 3001
    last = settle(store)
    sink.through(last)
    assert [record.seq for record in journal.read(0, limit=99)] == [young, *between, last]
    assert set(between) <= set(sink.seqs)


def test_a_closed_store_removes_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "orlop.db", ManualClock(), owner=True) as store:
        journal = Journal(store)
    with pytest.raises(UnavailableError):
        journal.prune(0).result()
