"""Changes that somebody asks for, before they are admitted, and what became of them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.canonical import Json
from runtime.rooms.tasks import TaskEvent

__all__ = ["Rejection", "SubmitResult", "TaskDraft", "new_task_id"]


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """A task event without actor and time, which the room sets."""

    type: str
    task_id: str
    task: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A draft that was not admitted, and why, in words."""

    draft: TaskDraft
    reason: str


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """What became of the drafts of one submission, each part in their order."""

    admitted: tuple[TaskEvent, ...] = ()
    rejected: tuple[Rejection, ...] = ()


def new_task_id() -> str:
    """A random task id: short enough for every field that holds one."""
    return f"t-{secrets.token_hex(6)}"
