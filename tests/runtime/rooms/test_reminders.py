"""Reminders: five minutes ahead, once for each due time."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.clock import ManualClock
from runtime.rooms.reminders import LEAD_MS, Reminder, due_reminders, note_reminded, reminded
from runtime.rooms.tasks import Task
from runtime.store import Store

NOW = 1_700_000_000_000
DAY = 24 * 3_600_000


def task(task_id: str, due_ms: int | None, status: str = "pending") -> Task:
    return Task(id=task_id, title=task_id, status=status, created_by="me", created_at=1, updated_at=1, due_at=due_ms)


@pytest.mark.parametrize(
    ("due", "told"),
    [
        (NOW + LEAD_MS + 1, False),
        (NOW + LEAD_MS, True),
        (NOW, True),
        (NOW - DAY, True),
        (NOW - DAY - 1, False),
        (None, False),
    ],
)
def test_a_task_is_reminded_of_from_five_minutes_ahead_until_a_day_after(due: int | None, *, told: bool) -> None:
    assert bool(due_reminders([task("a", due)], {}, NOW)) is told


def test_a_task_that_is_done_is_not_reminded_of() -> None:
    assert due_reminders([task("a", NOW, "completed")], {}, NOW) == []


def test_one_due_time_is_told_once_and_a_new_one_again() -> None:
    assert due_reminders([task("a", NOW)], {"a": NOW}, NOW) == []
    assert due_reminders([task("a", NOW + 1)], {"a": NOW}, NOW) == [Reminder("a", NOW + 1)]


def test_the_most_urgent_comes_first() -> None:
    found = due_reminders([task("b", NOW + 2), task("c", NOW + 1), task("a", NOW + 2)], {}, NOW)
    assert [one.task_id for one in found] == ["c", "a", "b"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "orlop.db", ManualClock(), owner=True) as found:
        yield found


def test_what_was_reminded_of_is_kept_by_room(store: Store) -> None:
    store.write(lambda tx: note_reminded(tx, "room", Reminder("a", NOW))).result()
    store.write(lambda tx: note_reminded(tx, "room", Reminder("a", NOW + 1))).result()
    store.write(lambda tx: note_reminded(tx, "other", Reminder("b", NOW))).result()

    def look(connection: sqlite3.Connection) -> dict[str, int]:
        return reminded(connection, "room")

    assert store.read_now(look) == {"a": NOW + 1}
