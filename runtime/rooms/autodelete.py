"""When a room that is done deletes itself: 24 hours after the last change, unless somebody keeps it. Pure.

Everything here follows from what all members have, so that all of them show the same countdown; only the creator's core
deletes, for all.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from runtime.rooms.tasks import Task

__all__ = ["COUNTDOWN_MS", "Keep", "deletion_ms"]

COUNTDOWN_MS: Final = 24 * 3_600_000
"""From the moment when all tasks are completed."""


@dataclass(frozen=True, slots=True)
class Keep:
    """A member's word that the room stays.

    Attributes:
        ts_ms: when it was said; it holds for the tasks as they were then.
        until_ms: the room is not deleted before; None for as long as no task changes.
    """

    ts_ms: int
    until_ms: int | None


def deletion_ms(tasks: Collection[Task], *, auto_delete: bool, keep: Keep | None = None) -> int | None:
    """Wall time at which the room is deleted, or None while it is not going to be.

    Args:
        tasks: of the room.
        auto_delete: the room's setting.
        keep: the latest one.
    """
    if not auto_delete or not tasks or any(task.status != "completed" for task in tasks):
        return None
    done_ms = max(task.updated_at for task in tasks)
    at_ms = done_ms + COUNTDOWN_MS
    if keep is None or keep.ts_ms < done_ms:
        return at_ms
    return None if keep.until_ms is None else max(at_ms, keep.until_ms)
