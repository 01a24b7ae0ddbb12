"""The binary layouts, byte for byte."""

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.layouts import assignment_data, dependency_data, id_field
from runtime.rooms.members import Member
from runtime.rooms.tasks import Task


def task(name: str, status: str = "pending", **fields: Any) -> Task:
    return Task(id=name, title="", status=status, created_by="x", created_at=1, updated_at=1, **fields)


def table(*tasks: Task) -> dict[str, Task]:
    return {one.id: one for one in tasks}


def member(key: str) -> Member:
    return Member(identity_key=key, display_name=key)


def test_assignment_data_of_nothing_is_the_header() -> None:
    assert assignment_data({}, ()) == bytes(8)


def test_assignment_data_has_unassigned_pending_tasks_only() -> None:
    tasks = table(
        task("free"),
        task("taken", assignee="bob"),
        task("running", "in_progress"),
        task("done", "completed"),
        task("waits", blocked_by=("free",)),
        task("waits-for-done", blocked_by=("done", "unknown")),
    )
    data = assignment_data(tasks, ())
    assert struct.unpack_from("<II", data) == (3, 0)
    assert len(data) == 8 + 3 * 37
    records = [data[8 + 37 * n : 45 + 37 * n] for n in range(3)]
    assert [(record[:36].rstrip(b"\0"), record[36]) for record in records] == [
        (b"free", 0),
        (b"waits", 1),
        (b"waits-for-done", 0),
    ]


def test_loads_leave_out_completed_tasks_and_count_full_keys() -> None:
    key = "K" * 43
    tasks = table(
        task("a", "in_progress", assignee=key),
        task("b", "pending", assignee=key),
        task("c", "completed", assignee=key),
        task("d", "in_progress", assignee=key[:36]),
    )
    data = assignment_data(tasks, (member(key), member("other")))
    assert struct.unpack_from("<II", data) == (0, 2)
    assert data[8:44] == b"K" * 36
    assert struct.unpack_from("<II", data, 44) == (2, 0)
    assert data[52:88] == b"other".ljust(36, b"\0")
    assert struct.unpack_from("<II", data, 88) == (0, 0)


def test_dependency_data() -> None:
    tasks = table(
        task("root", urgent=True),
        task("one", "in_progress", blocked_by=("root", "root", "gone")),
        task("two", "completed", blocked_by=("root",)),
    )
    data = dependency_data(tasks)
    assert struct.unpack_from("<I", data) == (3,)
    assert len(data) == 4 + 3 * 39
    assert [tuple(data[4 + 39 * n + 36 : 4 + 39 * n + 39]) for n in range(3)] == [(0, 1, 1), (1, 0, 0), (2, 0, 0)]


def test_dependents_are_capped_at_255() -> None:
    tasks = table(task("root"), *(task(f"t{n}", blocked_by=("root",)) for n in range(300)))
    assert dependency_data(tasks)[4 + 38] == 255


@given(st.text(max_size=60))
def test_w31_ids_are_cut_by_bytes_at_a_character_boundary(text: Any) -> None:
    raw = id_field(text)
    assert len(raw) <= 36
    whole = text.encode(errors="replace")
    assert whole.startswith(raw)
    assert len(raw) > 32 or raw == whole
    raw.decode()


@given(st.lists(st.tuples(st.text(min_size=1, max_size=50), st.sampled_from(["pending", "in_progress", "completed"]))))
def test_every_record_has_its_width(pairs: Any) -> None:
    tasks = table(*(task(name, status) for name, status in pairs))
    assert len(dependency_data(tasks)) == 4 + 39 * len(tasks)
    waiting = sum(one.status == "pending" for one in tasks.values())
    assert len(assignment_data(tasks, (member("a"), member("b")))) == 8 + 37 * waiting + 88
