"""From what a guest asked to emit to drafts for its room; pure.

This is the agent's part of admission: bytes, JSON, type and task id, in the fixed wordings. What a payload may contain,
and whom it may name, is the room's part (`runtime.rooms.admission`), which sees the drafts in their order.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from runtime.agents.host import Assignment, HostCall, Invalid, RawEvent, Request, Urgency
from runtime.agents.limits import MAX_EMISSIONS, MAX_EVENT_BYTES
from runtime.canonical import CanonicalError, Json, decode
from runtime.rooms.drafts import Rejection, TaskDraft
from runtime.rooms.reasons import Reason
from runtime.rooms.tasks import CREATIONS, Task
from runtime.sanitise import clean

__all__ = ["ALLOWED", "Dropped", "Emissions", "draft_to_json", "read_requests", "rejections", "withdrawn"]

ALLOWED: Final = CREATIONS | {
    "task_assigned",
    "task_status_changed",
    "task_dependencies_changed",
    "task_urgency_changed",
}
"""Types that agents may emit; `task_updated` is not among them."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """An emission that was not admitted: why, and the event as far as it could be read."""

    reason: Reason
    event: Json


@dataclass(slots=True)
class Emissions:
    """What a call wants to change.

    Attributes:
        drafts: in order, for the room to judge.
        dropped: what does not even get there.
        events: what the guest wrote, by draft (in the order of `drafts`).
    """

    drafts: list[TaskDraft] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)

    def keep(self, draft: TaskDraft, event: Json) -> None:
        """Takes one draft.

        Args:
            draft: for the room.
            event: what the guest wrote.
        """
        self.drafts.append(draft)
        self.events.append(event)


class _UnfitError(Exception):
    """One emission is dropped."""

    def __init__(self, reason: Reason, event: Json = None) -> None:
        super().__init__()
        self.reason = reason
        self.event = event


def read_requests(call: HostCall, tasks: Mapping[str, Task]) -> Emissions:
    """Reads everything that a call asked to emit.

    Args:
        call: after the guest returned.
        tasks: the tasks that the guest saw.

    Returns:
        Drafts and drops. A task that the call itself creates counts as known from there on.
    """
    found = Emissions()
    created: set[str] = set()
    urgent = {task.id for task in tasks.values() if task.urgent}
    for request in call.requests:
        try:
            draft, event = _read(request)
            if draft.type not in CREATIONS and draft.task_id not in tasks and draft.task_id not in created:
                raise _UnfitError(Reason("Agent emitted event for unknown taskId: {}", clean(draft.task_id, 60)), event)
            if isinstance(request, Urgency):
                if draft.task_id in urgent:
                    raise _UnfitError(Reason("task {} is urgent already", clean(draft.task_id, 60)), event)
                urgent.add(draft.task_id)
        except _UnfitError as error:
            found.dropped.append(Dropped(error.reason, _shown(request) if error.event is None else error.event))
            continue
        if draft.type in CREATIONS:
            created.add(draft.task_id)
        found.keep(draft, event)
    if call.refused:
        reason = Reason(f"more than {MAX_EMISSIONS} emissions in one call: {call.refused} dropped")
        found.dropped.append(Dropped(reason, ""))
    return found


def rejections(found: Emissions, rejected: Iterable[Rejection]) -> list[Dropped]:
    """What the room did not admit.

    Args:
        found: the emissions that were submitted.
        rejected: the room's answer.

    Returns:
        One entry per rejection, with the event as the guest wrote it.
    """
    written = {id(draft): event for draft, event in zip(found.drafts, found.events, strict=True)}
    return [Dropped(one.reason, written.get(id(one.draft), draft_to_json(one.draft))) for one in rejected]


def withdrawn(found: Emissions, reason: Reason, keep: int = 0) -> list[Dropped]:
    """Takes drafts back before they are submitted.

    Args:
        found: loses its drafts beyond the first `keep`.
        reason: why.
        keep: how many stay.

    Returns:
        One entry per draft taken back.
    """
    dropped = [Dropped(reason, event) for event in found.events[keep:]]
    del found.drafts[keep:], found.events[keep:]
    return dropped


def draft_to_json(draft: TaskDraft) -> dict[str, Json]:
    """A draft by JSON key.

    Args:
        draft: any.

    Returns:
        Type, task id and payload, if there is one.
    """
    head: dict[str, Json] = {"type": draft.type, "taskId": draft.task_id}
    return head if draft.task is None else head | {"task": dict(draft.task)}


def _shown(request: Request) -> str:
    match request:
        case RawEvent(data):
            return data.decode(errors="replace")
        case Invalid(_, event):
            return event
        case _:
            return ""


def _read(request: Request) -> tuple[TaskDraft, Json]:
    match request:
        case Invalid(reason, _):
            raise _UnfitError(Reason(reason))
        case Assignment(task_id, assignee):
            draft = TaskDraft("task_assigned", task_id, {"assignee": assignee})
        case RawEvent(data):
            return _parse(data)
        case _:
            draft = TaskDraft("task_urgency_changed", request.task_id, {"urgent": True})
    return draft, draft_to_json(draft)


def _parse(data: bytes) -> tuple[TaskDraft, Json]:
    try:
        event = decode(data, limit=MAX_EVENT_BYTES, floats=True)
    except CanonicalError as error:
        raise _UnfitError(Reason("Event is not valid JSON: {}", clean(error.why, 120))) from None
    if not isinstance(event, Mapping):
        raise _UnfitError(Reason("Event is not an object"), event)
    kind, task_id, task = event.get("type"), event.get("taskId"), event.get("task")
    if not isinstance(kind, str) or kind not in ALLOWED:
        shown = kind if isinstance(kind, str) else json.dumps(kind)
        raise _UnfitError(Reason("Disallowed event type: {}", clean(shown, 60)), event)
    if not task_id:
        raise _UnfitError(Reason("Event missing taskId"), event)
    if not isinstance(task_id, str):
        raise _UnfitError(Reason("Event taskId is not a string"), event)
    if task is not None and not isinstance(task, Mapping):
        raise _UnfitError(Reason("Event task is not an object"), event)
    return TaskDraft(kind, task_id, task), event
