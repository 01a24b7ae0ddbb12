"""Tasks as people look for them: by words, by what is left to do, in an order. Pure."""

from collections.abc import Iterable
from typing import Final, Literal

from runtime.rooms.tasks import Task

__all__ = ["ORDERS", "TaskOrder", "listed"]

TaskOrder = Literal["created", "due", "due-desc"]
"""The orders of a list of tasks; urgent ones come first in each."""

ORDERS: Final[dict[str, TaskOrder]] = {"created": "created", "due": "due", "due-desc": "due-desc"}
"""By name."""


def listed(tasks: Iterable[Task], *, search: str = "", order: TaskOrder | None = None, status: str = "") -> list[Task]:
    """The tasks that are looked for.

    Args:
        tasks: in the order of their creation.
        search: each of its words stands in title, description or id, whatever its case.
        order: tasks without a due time come last when it is one by due time; None leaves them as they come.
        status: `open` or `done`; all when empty.
    """
    words = search.casefold().split()
    found = [task for task in tasks if _fits(task, words) and _has(task, status)]
    if order is None:
        return found
    if order != "created":
        sign = -1 if order == "due-desc" else 1
        found.sort(key=lambda task: (task.due_at is None, sign * (task.due_at or 0)))
    return sorted(found, key=lambda task: not task.urgent)


def _fits(task: Task, words: list[str]) -> bool:
    text = f"{task.id}\n{task.title}\n{task.description or ''}".casefold()
    return all(word in text for word in words)


def _has(task: Task, status: str) -> bool:
    return not status or (task.status == "completed") == (status == "done")
