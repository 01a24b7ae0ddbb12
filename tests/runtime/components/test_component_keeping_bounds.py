"""What is kept of what components log and ask, and for how long."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.clock import ManualClock
from runtime.component_events import ComponentCalled, ComponentDenied, ComponentLogged
from runtime.components.host.context import ComponentId
from runtime.components.house import LOG_LINES, Journal
from runtime.events import Event
from runtime.journal import DAYS
from runtime.journal import Journal as Events
from runtime.statedir import prepare
from runtime.store import Store
from runtime.vault import Vault

DAY_MS = 86_400_000
MORE = 25
CHATTY, QUIET = (ComponentId("local", name, "1.0.0", 0) for name in ("chatty", "quiet"))
RECORD = {
    "seq": 1, "ts": 0, "op": "filesystem.open", "target": "/data/a", "rules_version": 1, "decision": "allowed",
    "rule": "permissions.filesystem.read[0]", "line": 9, "remedy": "", "outcome": "ok", "bytes": 0, "duration_us": 5,
    "calls": 1,
}  # fmt: skip
DENIED = RECORD | {"decision": "denied", "rule": None, "line": None, "outcome": "permission-denied"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with Store.open(prepare(tmp_path / "state").database, clock, owner=True) as opened:
        yield opened


@pytest.fixture
def events(store: Store) -> Events:
    return Events(store)


@pytest.fixture
def journal(events: Events, store: Store, tmp_path: Path) -> Journal:
    return Journal(store, Vault.load_or_create(prepare(tmp_path / "state")))


def settled(store: Store) -> None:
    store.write(lambda _: None).result(60)


def kept(events: Events, *kinds: type[Event]) -> int:
    return sum(isinstance(one.event, kinds) for one in events.read(0, limit=10_000))


def test_of_each_log_the_newest_lines_are_kept_and_no_others_suffer(journal: Journal, store: Store) -> None:
    journal.log(QUIET, {"level": "info", "message": "first and last"})
    for number in range(LOG_LINES + MORE):
        journal.log(CHATTY, {"level": "info", "message": str(number)})
    settled(store)
    lines = [line["text"] for line in journal.lines("local/chatty", 10 * LOG_LINES)]
    assert lines == [str(number) for number in range(MORE, LOG_LINES + MORE)]
    assert [line["text"] for line in journal.lines("local/quiet", 10)] == ["first and last"]
    rows = store.read_now(lambda db: db.execute("SELECT count(*) FROM component_log").fetchone()[0])
    assert rows == LOG_LINES + 1


def test_the_trail_of_a_component_goes_with_its_age(
    journal: Journal, events: Events, store: Store, clock: ManualClock
) -> None:
    journal.audit(CHATTY, {"records": [RECORD, DENIED]})
    settled(store)
    assert kept(events, ComponentCalled, ComponentDenied) == 2
    clock.advance((DAYS + 1) * DAY_MS / 1000)
    journal.audit(CHATTY, {"records": [RECORD]})
    journal.log(CHATTY, {"level": "info", "message": "still here"})
    settled(store)
    assert events.prune(clock.wall_ms()).result(60) == 2
    assert (kept(events, ComponentCalled), kept(events, ComponentDenied)) == (1, 0)
    assert kept(events, ComponentLogged) <= 1


def test_a_trail_that_is_too_large_loses_its_oldest(
    journal: Journal, events: Events, store: Store, clock: ManualClock
) -> None:
    for number in range(300):
        journal.audit(CHATTY, {"records": [RECORD | {"target": f"/data/{number}"}]})
    settled(store)
    removed = events.prune(clock.wall_ms(), max_bytes=20_000).result(60)
    left = [one.event for one in events.read(0, limit=10_000) if isinstance(one.event, ComponentCalled)]
    assert removed == 300 - len(left) > 100
    assert [event.target for event in left] == [f"/data/{number}" for number in range(300 - len(left), 300)]


def test_what_needs_no_permission_leaves_no_trail(journal: Journal, events: Events, store: Store) -> None:
    journal.audit(CHATTY, {"records": [RECORD | {"decision": "none", "target": "", "rule": None, "line": None}]})
    settled(store)
    assert kept(events, ComponentCalled) == 0
