"""Tasks by words, by what is left to do, and in the orders of a list."""

import pytest

from runtime.rooms.listing import ORDERS, listed
from runtime.rooms.tasks import Task


def task(task_id: str, **fields: object) -> Task:
    base: dict[str, object] = {
        "title": f"Task {task_id}",
        "status": "pending",
        "created_by": "me",
        "created_at": 1,
        "updated_at": 1,
    }
    return Task(id=task_id, **(base | fields))  # type: ignore[arg-type]


TASKS = [
    task("t-1", due_at=30, title="Sign the IMAGE"),
    task("t-2", status="completed", description="the image of May"),
    task("t-3", due_at=10, status="in_progress"),
    task("t-4", due_at=20, urgent=True, title="Straße"),
]


def ids(found: list[Task]) -> str:
    return "".join(one.id[-1] for one in found)


@pytest.mark.parametrize(("order", "expected"), [("created", "4123"), ("due", "4312"), ("due-desc", "4132")])
def test_urgent_tasks_come_first_in_every_order_and_those_without_a_time_last(order: str, expected: str) -> None:
    assert ids(listed(TASKS, order=ORDERS[order])) == expected


@pytest.mark.parametrize(
    ("search", "expected"),
    [("image", "12"), ("IMAGE may", "2"), ("t-3", "3"), ("STRASSE", "4"), ("  ", "1234"), ("nothing", "")],
)
def test_every_word_is_looked_for_in_title_description_and_id(search: str, expected: str) -> None:
    assert ids(listed(TASKS, search=search)) == expected


def test_open_and_done_are_told_apart() -> None:
    assert ids(listed(TASKS, status="open")) == "134"
    assert ids(listed(TASKS, status="done")) == "2"
