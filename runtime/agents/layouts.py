"""The two binary layouts that agents read: A (assignment data) and D (dependency data), little-endian, unpadded."""

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from runtime.agents.limits import ID_BYTES
from runtime.rooms.derived import is_blocked
from runtime.rooms.members import Member
from runtime.rooms.tasks import Task

__all__ = ["assignment_data", "dependency_data", "id_field"]

_STATUS: Final = {"pending": 0, "in_progress": 1, "completed": 2}
_MAX_DEPENDENTS: Final = 255
_TASK_A: Final = struct.Struct(f"<{ID_BYTES}sB")
_MEMBER_A: Final = struct.Struct(f"<{ID_BYTES}sII")
_TASK_D: Final = struct.Struct(f"<{ID_BYTES}sBBB")


def id_field(text: str) -> bytes:
    """An identifier as agents see it in the layouts.

    Args:
        text: a task id or an identity key.

    Returns:
        At most 36 bytes of UTF-8, cut at a character boundary; the caller's `struct` pads with zeros.
    """
    raw = text.encode(errors="replace")
    return raw if len(raw) <= ID_BYTES else raw[:ID_BYTES].decode(errors="ignore").encode()


def assignment_data(tasks: Mapping[str, Task], members: Sequence[Member]) -> bytes:
    """Layout A: the unassigned pending tasks, and every member with the load of his full key.

    Args:
        tasks: all tasks of the room, in their order.
        members: in the order of the member map.

    Returns:
        8 + 37 bytes per task + 44 bytes per member.
    """
    loads = Counter(task.assignee for task in tasks.values() if task.assignee and task.status != "completed")
    waiting = [task for task in tasks.values() if task.status == "pending" and not task.assignee]
    parts = [struct.pack("<II", len(waiting), len(members))]
    parts += [_TASK_A.pack(id_field(task.id), is_blocked(task, tasks)) for task in waiting]
    parts += [_MEMBER_A.pack(id_field(one.identity_key), loads[one.identity_key], 0) for one in members]
    return b"".join(parts)


def dependency_data(tasks: Mapping[str, Task]) -> bytes:
    """Layout D: every task with its status, urgency and the number of open tasks that wait for it.

    Args:
        tasks: all tasks of the room, in their order.

    Returns:
        4 + 39 bytes per task.
    """
    dependents = Counter(
        waited for task in tasks.values() if task.status != "completed" for waited in set(task.blocked_by or ())
    )
    records = [
        _TASK_D.pack(
            id_field(task.id), _STATUS.get(task.status, 0), bool(task.urgent), min(dependents[task.id], _MAX_DEPENDENTS)
        )
        for task in tasks.values()
    ]
    return struct.pack("<I", len(tasks)) + b"".join(records)
