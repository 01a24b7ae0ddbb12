"""Tasks of a room: rows in their sections, everything about one, and how far all of them are."""

from collections.abc import Mapping

from console.client import Json
from console.table_rows import Column, Row
from console.ui.figures import age, bar, due, short_id
from console.ui.sheet import BLANK, Line, Span, field, heading, line
from console.ui.text.documents import Object, flag, integer, objects, text, texts
from runtime.rooms.members import is_program

__all__ = [
    "DONE_SECTION",
    "KEY_SHOWN",
    "TASK_COLUMNS",
    "TITLE_COLUMN",
    "actor_name",
    "members_by_key",
    "progress_spans",
    "task_rows",
    "task_sheet",
]

TASK_COLUMNS = (
    Column(name="mark", title="", width=1),
    Column(name="urgent", title="!", width=1),
    Column(name="status", title="STATUS", width=7),
    Column(name="title", title="TITLE", width=22, grow=4),
    Column(name="progress", title="SUB", width=4, right=True, priority=3),
    Column(name="assignee", title="ASSIGNEE", width=9, grow=1, priority=1),
    Column(name="due", title="DUE", width=10, priority=2),
    Column(name="blocked", title="WAITS FOR", width=12, grow=2, priority=4),
    Column(name="created", title="MADE", width=4, right=True, priority=5),
)
TITLE_COLUMN = 3

DONE_SECTION = "\0done"
"""Key of the row under which completed tasks hang. No task has it: ids are shown without control characters."""

_STATUS = {
    "pending": ("○", "open", "", 1),
    "in_progress": ("●", "doing", "ok", 0),
    "completed": ("✓", "done", "faint", 3),
}
_WAITS = ("◌", "waits", "warn", 2)
_URGENT, _OPEN, _DONE = range(3)
"""Bands: urgent tasks first however the table is sorted, those that are done last."""

KEY_SHOWN = 8
"""Characters of an identity key where nobody has a name for it."""


def members_by_key(document: Json) -> Mapping[str, str]:
    """Display names by identity key, also of those who are in the room no more."""
    return {
        text(member, "identityKey", limit=80): text(member, "displayName", limit=40)
        for part in ("former", "members")
        for member in objects(document, part)
    }


def actor_name(key: str, names: Mapping[str, str]) -> str:
    """A member's name, an agent's, or the beginning of a key."""
    if is_program(key):
        return "◆ " + key.rpartition(":")[2].partition("@")[0]
    return names.get(key) or short_id(key, KEY_SHOWN)


def task_rows(document: Json, now_ms: int) -> list[Row]:
    """The tasks as rows: what is due first, then the oldest; those that are done in a section of their own."""
    tasks = objects(document, "tasks")
    titles = {text(task, "id", limit=80): text(task, "title", limit=120) for task in tasks}
    names = members_by_key(document)
    rows = [_task_row(task, titles, names, now_ms) for task in sorted(tasks, key=_standing)]
    done = sum(1 for row in rows if row.parent == DONE_SECTION)
    return [*rows, _section(done)] if done else rows


def _standing(task: Object) -> tuple[int, int]:
    late = 1 << 60
    return integer(task, "dueAt") or late, integer(task, "createdAt") or 0


def _section(count: int) -> Row:
    cells = ("", "", "", f"Completed {count}", "", "", "", "", "")
    inks = ("", "", "", "head", "", "", "", "", "")
    return Row(key=DONE_SECTION, cells=cells, values=(None,) * len(cells), inks=inks, band=_DONE)


def _task_row(task: Object, titles: Mapping[str, str], names: Mapping[str, str], now_ms: int) -> Row:
    status = text(task, "status")
    mark, word, ink, rank = _STATUS.get(status, ("?", status[:7], "warn", 4))
    done = status == "completed"
    if flag(task, "blocked") and not done:
        mark, word, ink, rank = _WAITS
    urgent = bool(flag(task, "urgent")) and not done
    due_ms, made_ms = integer(task, "dueAt"), integer(task, "createdAt")
    late = due_ms is not None and due_ms < now_ms and not done
    progress = integer(task, "progress")
    assignee = text(task, "assignee", limit=80)
    waits = [titles.get(other, short_id(other)) for other in texts(task, "blockedBy")] if not done else []
    cells = (
        mark,
        "!" if urgent else " ",
        word,
        text(task, "title", limit=200),
        "" if progress is None else f"{progress}%",
        actor_name(assignee, names) if assignee else "·",
        "" if done else due(due_ms, now_ms),
        ", ".join(waits),
        age(made_ms, now_ms),
    )
    title_ink = "done" if done else "urgent" if urgent else "strong" if status == "in_progress" else ""
    due_ink = "alarm" if late else "dim"
    inks = (ink, "urgent", ink, title_ink, "dim", "dim" if done else "link", due_ink, "warn", "dim")
    values = (rank, int(urgent), rank, text(task, "title"), progress, cells[5], due_ms, cells[7], made_ms)
    parent = text(task, "parentId", limit=80)
    return Row(
        key=text(task, "id", limit=80),
        cells=cells,
        values=values,
        inks=inks,
        parent=parent if parent in titles or not done else DONE_SECTION,
        band=_DONE if done else _URGENT if urgent else _OPEN,
    )


def progress_spans(document: Json) -> tuple[Span, ...]:
    """`2 doing, 9 pending, 3 blocked, 40 done ████░░ 73 %`."""
    counts = {
        name: integer(document, "progress", name) or 0
        for name in ("total", "completed", "inProgress", "pending", "blocked")
    }
    if not counts["total"]:
        return (("no tasks", "dim"),)
    share = round(100 * counts["completed"] / counts["total"])
    parts = [f"{counts['inProgress']} doing", f"{counts['pending']} pending"]
    if counts["blocked"]:
        parts.append(f"{counts['blocked']} blocked")
    parts.append(f"{counts['completed']} done")
    return (
        (", ".join(parts), "dim"),
        ("  ", ""),
        (bar(counts["completed"], counts["total"], 10).replace(" ", "░"), "ok"),
        (f" {share} %", ""),
    )


def task_sheet(document: Json, task_id: str, now_ms: int) -> list[Line]:
    """Everything about one task."""
    names = members_by_key(document)
    tasks = {text(task, "id", limit=80): task for task in objects(document, "tasks")}
    task = tasks.get(task_id)
    if task is None:
        return [line(("no task", "dim"))]
    status = _STATUS.get(text(task, "status"), ("?", text(task, "status"), "warn", 4))
    lines = [
        line(
            (f"{status[0]} {status[1]}", status[2]),
            "  ",
            (text(task, "title"), "strong"),
            ("  urgent", "urgent") if flag(task, "urgent") else "",
        ),
    ]
    description = text(task, "description", limit=2_000)
    if description:
        lines += [BLANK, line(description)]
    assignee = text(task, "assignee", limit=80)
    lines += [
        BLANK,
        field("assignee", actor_name(assignee, names) if assignee else ("nobody", "dim")),
        field("due", due(integer(task, "dueAt"), now_ms)),
        field("made by", actor_name(text(task, "createdBy", limit=200), names)),
        field("id", (task_id, "link")),
    ]
    above = tasks.get(text(task, "parentId", limit=80))
    if above is not None:
        lines += [BLANK, heading("PART OF"), _mention(above)]
    waits = [tasks[other] for other in texts(task, "blockedBy") if other in tasks]
    if waits:
        lines += [BLANK, heading("WAITS FOR"), *(_mention(other) for other in waits)]
    waiting = [other for other in tasks.values() if task_id in texts(other, "blockedBy")]
    if waiting:
        lines += [BLANK, heading("HOLDS UP"), *(_mention(other) for other in waiting)]
    below = [other for other in tasks.values() if text(other, "parentId", limit=80) == task_id]
    if below:
        lines += [BLANK, heading("SUBTASKS"), *(_mention(other) for other in below)]
    return lines


def _mention(task: Object) -> Line:
    mark, _, ink, _ = _STATUS.get(text(task, "status"), ("?", "", "warn", 4))
    return line((f"  {mark} ", ink), text(task, "title"), indent=4)
