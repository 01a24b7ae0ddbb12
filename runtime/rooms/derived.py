"""What follows from the tasks of a room: blocked, progress of subtasks, progress of the room."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.rooms.tasks import Task

__all__ = ["RoomProgress", "is_blocked", "room_progress", "subtask_progress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomProgress:
    """Counts of a room's tasks; `blocked` counts only tasks that are not completed."""

    total: int = 0
    completed: int = 0
    in_progress: int = 0
    pending: int = 0
    blocked: int = 0


def is_blocked(task: Task, tasks: Mapping[str, Task]) -> bool:
    """Whether some existing task that this one waits for is not completed."""
    return any((other := tasks.get(key)) is not None and other.status != "completed" for key in task.blocked_by or ())


def subtask_progress(tasks: Mapping[str, Task]) -> dict[str, int]:
    """Percentage of completed subtasks, rounded half up, for every task that has subtasks."""
    parents = [(task.parent_id, task.status == "completed") for task in tasks.values() if task.parent_id]
    total = Counter(parent for parent, _ in parents)
    done = Counter(parent for parent, completed in parents if completed)
    return {parent: (200 * done[parent] + count) // (2 * count) for parent, count in total.items()}


def room_progress(tasks: Mapping[str, Task]) -> RoomProgress:
    """The counts of these tasks."""
    by_status = Counter(task.status for task in tasks.values())
    return RoomProgress(
        total=len(tasks),
        completed=by_status["completed"],
        in_progress=by_status["in_progress"],
        pending=by_status["pending"],
        blocked=sum(task.status != "completed" and is_blocked(task, tasks) for task in tasks.values()),
    )
