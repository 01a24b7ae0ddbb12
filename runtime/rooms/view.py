"""A room at one moment: immutable, and the same object as long as the room does not change."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from runtime.rooms.auto_assign import RECENT_MS, Assignment, plan
from runtime.rooms.derived import RoomProgress, room_progress, subtask_progress
from runtime.rooms.fold import Message
from runtime.rooms.members import Member, resolve_member
from runtime.rooms.naming import find
from runtime.rooms.tasks import Task

__all__ = ["RoomView"]


@dataclass(frozen=True)
class RoomView:
    """What a room contains. Derived values are computed once, when they are first asked for; threads may share it."""

    room: str
    name: str
    created_ms: int
    tasks: Mapping[str, Task]
    """By id, in the order of their creation."""
    members: tuple[Member, ...]
    """Self first."""
    messages: tuple[Message, ...]
    """The latest 200, oldest first."""

    @cached_property
    def progress(self) -> RoomProgress:
        """Counts of the tasks."""
        return room_progress(self.tasks)

    @cached_property
    def subtask_progress(self) -> Mapping[str, int]:
        """Percentage of completed subtasks, for every task that has subtasks."""
        return subtask_progress(self.tasks)

    def resolve_task(self, reference: str) -> str:
        """The id of the task that is meant by an id, a unique beginning of one, or a unique title.

        Raises:
            NotFoundError: there is none.
            AmbiguousError: there are several.
        """
        return find(reference, ((task.id, task.title) for task in self.tasks.values()), kind="task of the room")

    def resolve_member(self, reference: str) -> Member:
        """The member that is meant by a key, a unique beginning of one, or a unique display name.

        Raises:
            NotFoundError: there is none.
            AmbiguousError: there are several.
        """
        return resolve_member(reference, self.members, names=True)

    def auto_assign(self, now_ms: int) -> list[Assignment]:
        """Who would get which free task.

        Args:
            now_ms: what counts as a recent message ends here.
        """
        recent = {one.author: one.ts_ms for one in self.messages if now_ms - RECENT_MS <= one.ts_ms <= now_ms}
        return plan(self.tasks, self.members, recent)
