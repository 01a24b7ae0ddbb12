"""Changes that somebody asks for, before they are admitted, and what became of them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.canonical import Json
from runtime.errors import UnavailableError
from runtime.rooms.reasons import Reason
from runtime.rooms.tasks import TaskEvent

__all__ = ["ClockBehindError", "Rejection", "SubmitResult", "TaskDraft", "new_task_id"]


class ClockBehindError(UnavailableError):
    """The clock fell: what is written now would lie more than five minutes in its future, and waits until it is right.

    Nothing of the submission happened. It may be made again, as it is, at any later time.
    """


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """A task event without actor and time, which the room sets."""

    type: str
    task_id: str
    task: Mapping[str, Json] | None = None
    undoes: bool = False
    """Whether it takes a change back that its author made."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A draft that was not admitted, and why."""

    draft: TaskDraft
    reason: Reason


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """What became of the drafts of one submission, each part in their order."""

    admitted: tuple[TaskEvent, ...] = ()
    rejected: tuple[Rejection, ...] = ()


def new_task_id() -> str:
    """A random task id: short enough for every field that holds one."""
    return f"t-{secrets.token_hex(6)}"
