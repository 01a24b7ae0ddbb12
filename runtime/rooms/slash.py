"""Slash commands: lines said in a room that do something; above all `/task`, which makes a task and subtasks.

`/task Title | split into: a, b | due: 2h | desc: … | urgent`. Directives are case-insensitive and may come in any
order; unknown ones are ignored.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from runtime.canonical import Json
from runtime.errors import UsageError
from runtime.rooms.drafts import TaskDraft
from runtime.sanitise import clean

__all__ = ["COMMANDS", "NewTask", "command_of", "drafts", "is_task_command", "parse", "parse_due"]

COMMANDS: Final[Mapping[str, str]] = {
    "/task": "add a task: /task Title | split into: a, b | due: 2h | desc: … | urgent",
    "/rotate": "speak under a new key from now on, which only the present members get",
    "/burn": "delete the room for good; asked for by its name first",
    "/help": "list these commands",
}
"""Each slash command and what it does."""

_COMMAND: Final = "/task"
_MINUTE_MS: Final = 60_000
_UNITS: Final = {"m": _MINUTE_MS, "h": 60 * _MINUTE_MS, "d": 1440 * _MINUTE_MS, "w": 7 * 1440 * _MINUTE_MS}
_SPAN: Final = re.compile(r"\+?((?:[0-9]{1,5} ?(?:m|mins?|minutes?|h|hours?|d|days?|w|weeks?) ?)+)", re.ASCII)
_SPAN_PART: Final = re.compile(r"([0-9]{1,5}) ?(m|h|d|w)", re.ASCII)
_DAY: Final = re.compile(r"(today|tomorrow|[0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ t]([0-9]{1,2}):([0-9]{2}))?", re.ASCII)
_MORNING: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """What a `/task` line asks for. `due_at` is in ms since the Unix epoch."""

    title: str
    description: str | None = None
    due_at: int | None = None
    urgent: bool = False
    subtasks: tuple[str, ...] = ()


def command_of(text: str) -> str:
    """The slash command of a line; empty for what is just said.

    Args:
        text: the line. As in the original a task's title may follow at once: `/taskfoo` is a task named foo.

    Raises:
        UsageError: it begins with `/` and is no command.
    """
    if not text.startswith("/"):
        return ""
    word = text.split(maxsplit=1)[0].lower()
    if is_task_command(word):
        return _COMMAND
    if word not in COMMANDS:
        raise UsageError("no such slash command", where=clean(word, 40), hint=f"there are {', '.join(COMMANDS)}")
    return word


def is_task_command(text: str) -> bool:
    """Whether a line is for `parse`."""
    return text[: len(_COMMAND)].lower() == _COMMAND


def parse(text: str, now_ms: int, zone: tzinfo | None = None) -> NewTask:
    """Reads a `/task` line.

    Args:
        text: the line, `/task` included; the title begins directly behind it.
        now_ms: what `due` counts from.
        zone: where `tomorrow 9:00` is; None is this machine's zone.

    Raises:
        UsageError: not a `/task` line, no title, or a time that is not understood.
    """
    if not is_task_command(text):
        raise UsageError("must begin with /task", where=clean(text, 40))
    title, *directives = (part.strip() for part in text[len(_COMMAND) :].split("|"))
    if not title:
        raise UsageError("a task needs a title", hint="write /task TITLE | due: 2h | urgent")
    given: dict[str, str] = {}
    for directive in directives:
        name, _, value = directive.partition(":")
        given[" ".join(name.lower().split())] = value.strip()
    due = given.get("due")
    return NewTask(
        title=title,
        description=given.get("desc") or None,
        due_at=parse_due(due, now_ms, zone) if due else None,
        urgent="urgent" in given,
        subtasks=tuple(part for item in given.get("split into", "").split(",") if (part := item.strip())),
    )


def parse_due(text: str, now_ms: int, zone: tzinfo | None = None) -> int:
    """Reads a time: `30m`, `2h`, `1d 12h`, `1w`, `today 17:30`, `tomorrow`, `2026-01-31`, `2026-01-31 17:00`.

    Args:
        text: the time; a day without an hour means nine in the morning.
        now_ms: what spans count from.
        zone: the zone of hours and days; None is this machine's.

    Returns:
        Milliseconds since the Unix epoch.

    Raises:
        UsageError: anything else.
    """
    lowered = text.strip().lower()
    if match := _SPAN.fullmatch(lowered):
        return now_ms + sum(int(count) * _UNITS[unit] for count, unit in _SPAN_PART.findall(match[1]))
    if match := _DAY.fullmatch(lowered):
        hour, minute = int(match[2] or _MORNING), int(match[3] or 0)
        now = datetime.fromtimestamp(now_ms / 1000, zone)
        try:
            day = _day(match[1], now).replace(hour=hour, minute=minute, second=0, microsecond=0)
            return int(day.timestamp()) * 1000
        except (ValueError, OverflowError):
            pass  # 25:00, or 2026-02-30: the same answer as for any other text that is no time
    raise UsageError(
        "is not a time", where=clean(text, 40), hint="write 30m, 2h, 3d, tomorrow 9:00 or 2026-01-31 17:00"
    )


def _day(text: str, now: datetime) -> datetime:
    if text == "today":
        return now
    if text == "tomorrow":
        return now + timedelta(days=1)
    return datetime.fromisoformat(text).replace(tzinfo=now.tzinfo)


def drafts(task: NewTask, new_id: Callable[[], str]) -> list[TaskDraft]:
    """The events that make this task and its subtasks, the task first.

    Args:
        task: what to make.
        new_id: gives an unused task id at each call.
    """
    fields: Mapping[str, Json] = {
        "title": task.title,
        "description": task.description,
        "dueAt": task.due_at,
        "urgent": task.urgent or None,
    }
    parent = new_id()
    made = [TaskDraft("task_created", parent, {key: value for key, value in fields.items() if value is not None})]
    made += [TaskDraft("subtask_created", new_id(), {"title": sub, "parentId": parent}) for sub in task.subtasks]
    return made
