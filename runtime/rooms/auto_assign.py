"""Auto-assign: who would get which task, as a plan that can be shown before it is carried out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.rooms.derived import is_blocked
from runtime.rooms.members import Member
from runtime.rooms.tasks import Task

__all__ = ["RECENT_MS", "Assignment", "plan"]

RECENT_MS: Final = 10 * 60 * 1000
"""A message within this time makes a member the better candidate among equals."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One task for one member."""

    task_id: str
    assignee: str


def plan(tasks: Mapping[str, Task], members: Sequence[Member], recent: Mapping[str, int]) -> list[Assignment]:
    """Gives every pending, unassigned, unblocked task to the member with the fewest open tasks.

    Args:
        tasks: all tasks of the room.
        members: all members.
        recent: when each member wrote last, in ms, only messages within `RECENT_MS`; decides between equal loads.
            Among members that it does not tell apart the first wins, self before all others.
    """
    candidates = sorted(members, key=lambda member: not member.is_self)
    if not candidates:
        return []
    load = Counter(task.assignee for task in tasks.values() if task.assignee and task.status != "completed")
    assignments = []
    for task in tasks.values():
        if task.status != "pending" or task.assignee or is_blocked(task, tasks):
            continue
        best = min(candidates, key=lambda one: (load[one.identity_key], -recent.get(one.identity_key, 0)))
        load[best.identity_key] += 1
        assignments.append(Assignment(task.id, best.identity_key))
    return assignments
