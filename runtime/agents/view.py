"""A room as its agents see it: prepared once for all agents of the room, from one immutable state of it."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property

from runtime.agents.layouts import assignment_data, dependency_data
from runtime.canonical import Json
from runtime.rooms.members import Member, member_to_json
from runtime.rooms.tasks import Task, TaskEvent, event_to_json, task_to_json

__all__ = ["AgentView", "event_json"]


def _compact(value: Json) -> bytes:
    """JSON for guests: no spaces, characters unescaped, keys in insertion order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def event_json(event: TaskEvent) -> bytes:
    """The answer to `host_get_event`.

    Args:
        event: the pending event.

    Returns:
        Compact JSON.
    """
    return _compact(event_to_json(event))


class AgentView:
    """The four answers about a room, each made when the first agent asks for it.

    Threads may share a view: two that ask at once make the same bytes.

    Args:
        tasks: all tasks of the room; must not change afterwards.
        members: all members, self included.
    """

    def __init__(self, tasks: Mapping[str, Task], members: Sequence[Member]) -> None:
        self.tasks = tasks
        self.members = members

    @cached_property
    def tasks_json(self) -> bytes:
        """The answer to `host_get_tasks`."""
        return _compact([task_to_json(task) for task in self.tasks.values()])

    @cached_property
    def members_json(self) -> bytes:
        """The answer to `host_get_members`."""
        return _compact([member_to_json(member) for member in self.members])

    @cached_property
    def assignment_data(self) -> bytes:
        """Layout A."""
        return assignment_data(self.tasks, self.members)

    @cached_property
    def dependency_data(self) -> bytes:
        """Layout D."""
        return dependency_data(self.tasks)
