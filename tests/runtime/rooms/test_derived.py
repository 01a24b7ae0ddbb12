"""Blocked, progress, and auto-assign."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.rooms.auto_assign import Assignment, plan
from runtime.rooms.derived import RoomProgress, is_blocked, room_progress, subtask_progress
from runtime.rooms.members import Member
from runtime.rooms.tasks import STATUSES, Task

ANN = Member(identity_key="ann", display_name="Ann")
ME = Member(identity_key="me", display_name="Me", is_self=True)
ZOE = Member(identity_key="zoe", display_name="Zoe")


def task(task_id: str, **fields: object) -> Task:
    base: dict[str, object] = {
        "title": task_id,
        "status": "pending",
        "created_by": "me",
        "created_at": 1,
        "updated_at": 1,
    }
    return Task(id=task_id, **(base | fields))  # type: ignore[arg-type]


def by_id(*tasks: Task) -> dict[str, Task]:
    return {one.id: one for one in tasks}


def test_blocked_means_an_existing_dependency_is_open() -> None:
    tasks = by_id(task("open"), task("done", status="completed"))
    assert is_blocked(task("x", blocked_by=("done", "open")), tasks)
    assert not is_blocked(task("x", blocked_by=("done", "gone")), tasks)
    assert not is_blocked(task("x"), tasks)


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_progress_rounds_half_up(done: list[bool]) -> None:
    subtasks = [task(f"s{n}", parent_id="p", status="completed" if one else "pending") for n, one in enumerate(done)]
    expected = floor(Fraction(100 * sum(done), len(done)) + Fraction(1, 2))
    assert subtask_progress(by_id(task("p"), *subtasks)) == {"p": expected}


def test_room_progress_counts_blocked_only_while_open() -> None:
    tasks = by_id(
        task("a"),
        task("b", status="in_progress", blocked_by=("a",)),
        task("c", status="completed", blocked_by=("a",)),
        task("d", blocked_by=("c",)),
    )
    assert room_progress(tasks) == RoomProgress(total=4, completed=1, in_progress=1, pending=2, blocked=1)
    assert room_progress({}) == RoomProgress()


def test_auto_assign_takes_self_first_then_levels_the_loads() -> None:
    tasks = by_id(*(task(f"t{n}") for n in range(5)), task("busy", assignee="me", status="in_progress"))
    assert [one.assignee for one in plan(tasks, [ANN, ME, ZOE], {})] == ["ann", "zoe", "me", "ann", "zoe"]


def test_auto_assign_prefers_who_wrote_last_among_equals() -> None:
    assert plan(by_id(task("t")), [ANN, ME, ZOE], {"ann": 5, "zoe": 9}) == [Assignment("t", "zoe")]


@pytest.mark.parametrize(
    "fields",
    [{"status": "in_progress"}, {"status": "completed"}, {"assignee": "ann"}, {"blocked_by": ("open",)}],
)
def test_auto_assign_leaves_the_rest_alone(fields: dict[str, object]) -> None:
    tasks = by_id(task("open", status="in_progress"), task("t", **fields))
    assert plan(tasks, [ME], {}) == []


def test_auto_assign_without_members_plans_nothing() -> None:
    assert plan(by_id(task("t")), [], {}) == []


statuses = st.sampled_from(STATUSES)


@given(st.lists(st.tuples(statuses, st.sampled_from([None, "ann", "me", "zoe"])), max_size=30))
def test_auto_assign_gives_each_task_to_a_least_loaded_member(rows: list[tuple[str, str | None]]) -> None:
    tasks = by_id(*(task(f"t{n}", status=status, assignee=who) for n, (status, who) in enumerate(rows)))
    load = {
        key: sum(t.assignee == key and t.status != "completed" for t in tasks.values()) for key in ("ann", "me", "zoe")
    }
    assignments = plan(tasks, [ANN, ME, ZOE], {})
    assert [a.task_id for a in assignments] == [
        t.id for t in tasks.values() if t.status == "pending" and not t.assignee
    ]
    for one in assignments:
        assert load[one.assignee] == min(load.values())
        load[one.assignee] += 1
