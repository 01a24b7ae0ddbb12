"""Rooms: their table, the tree of tasks, members, and what was said."""

from collections.abc import Mapping, Sequence

from console.client import Json
from console.rows import AgentRow, RoomRow
from console.table_rows import Column, Row
from console.ui.figures import NOTHING, bar, clock, due, short_id
from console.ui.sheet import BLANK, Line, Span, field, heading, line
from console.ui.text.documents import Object, flag, integer, objects, text, texts
from runtime.sanitise import clean

__all__ = [
    "ROOM_COLUMNS",
    "TASK_COLUMNS",
    "TITLE_COLUMN",
    "chat_lines",
    "member_lines",
    "members_by_key",
    "progress_spans",
    "room_row",
    "task_rows",
    "task_sheet",
]

ROOM_COLUMNS = (
    Column(name="name", title="NAME", width=10, grow=1),
    Column(name="open", title="OPEN", width=4, right=True),
    Column(name="members", title="MEMB", width=4, right=True, priority=2),
    Column(name="agents", title="AGNT", width=4, right=True, priority=1),
    Column(name="done", title="DONE", width=4, right=True, priority=3),
)

TASK_COLUMNS = (
    Column(name="mark", title="", width=1),
    Column(name="urgent", title="!", width=1),
    Column(name="status", title="STATUS", width=7),
    Column(name="title", title="TITLE", width=22, grow=4),
    Column(name="progress", title="SUB", width=4, right=True, priority=3),
    Column(name="assignee", title="ASSIGNEE", width=9, grow=1, priority=1),
    Column(name="due", title="DUE", width=10, priority=2),
    Column(name="blocked", title="WAITS FOR", width=12, grow=2, priority=4),
)
TITLE_COLUMN = 3

_STATUS = {
    "pending": ("○", "open", "", 1),
    "in_progress": ("●", "doing", "ok", 0),
    "completed": ("✓", "done", "faint", 3),
}
_WAITS = ("◌", "waits", "warn", 2)
_KEY_SHOWN = 8


def room_row(row: RoomRow) -> Row:
    """A row of the rooms' table."""
    cells = (clean(row.name, 64), str(row.open), str(row.members), str(row.agents), str(row.completed))
    values = (row.name, row.open, row.members, row.agents, row.completed)
    return Row(
        key=row.room, cells=cells, values=values, inks=("strong", "" if row.open else "dim", "dim", "dim", "dim")
    )


def members_by_key(document: Json) -> Mapping[str, str]:
    """Display names by identity key."""
    return {
        text(member, "identityKey", limit=80): text(member, "displayName", limit=40)
        for member in objects(document, "members")
    }


def task_rows(document: Json, now_ms: int) -> list[Row]:
    """The tasks as rows: open before done, urgent first, then what is due first, then the oldest."""
    tasks = objects(document, "tasks")
    titles = {text(task, "id", limit=80): text(task, "title", limit=120) for task in tasks}
    names = members_by_key(document)
    return [_task_row(task, titles, names, now_ms) for task in sorted(tasks, key=_standing)]


def _standing(task: Object) -> tuple[bool, bool, int, int]:
    late = 1 << 60
    return (
        text(task, "status") == "completed",
        not flag(task, "urgent"),
        integer(task, "dueAt") or late,
        integer(task, "createdAt") or 0,
    )


def _task_row(task: Object, titles: Mapping[str, str], names: Mapping[str, str], now_ms: int) -> Row:
    status = text(task, "status")
    mark, word, ink, rank = _STATUS.get(status, ("?", status[:7], "warn", 4))
    done = status == "completed"
    if flag(task, "blocked") and not done:
        mark, word, ink, rank = _WAITS
    urgent = bool(flag(task, "urgent")) and not done
    due_ms = integer(task, "dueAt")
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
        _member(assignee, names) if assignee else "·",
        "" if done else due(due_ms, now_ms),
        ", ".join(waits),
    )
    title_ink = "done" if done else "urgent" if urgent else "strong" if status == "in_progress" else ""
    inks = (ink, "urgent", ink, title_ink, "dim", "dim" if done else "link", "alarm" if late else "dim", "warn")
    values = (
        rank,
        int(urgent),
        rank,
        text(task, "title"),
        progress,
        cells[5],
        due_ms,
        cells[7],
    )
    key = text(task, "id", limit=80)
    return Row(key=key, cells=cells, values=values, inks=inks, parent=text(task, "parentId", limit=80))


def _member(key: str, names: Mapping[str, str]) -> str:
    if key.startswith("agent:"):
        return "◆ " + key.rpartition(":")[2].partition("@")[0]
    return names.get(key) or short_id(key, _KEY_SHOWN)


def progress_spans(document: Json) -> tuple[Span, ...]:
    """`12 open, 3 blocked, 40 done ████░░ 73 %`."""
    counts = {
        name: integer(document, "progress", name) or 0
        for name in ("total", "completed", "inProgress", "pending", "blocked")
    }
    if not counts["total"]:
        return (("no tasks", "dim"),)
    share = round(100 * counts["completed"] / counts["total"])
    parts = [f"{counts['pending'] + counts['inProgress']} open"]
    if counts["blocked"]:
        parts.append(f"{counts['blocked']} blocked")
    parts.append(f"{counts['completed']} done")
    return (
        (", ".join(parts), "dim"),
        ("  ", ""),
        (bar(counts["completed"], counts["total"], 16).replace(" ", "░"), "ok"),
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
    lines += [
        BLANK,
        field(
            "assignee",
            _member(text(task, "assignee", limit=80), names) if text(task, "assignee") else ("nobody", "dim"),
        ),
        field("due", due(integer(task, "dueAt"), now_ms)),
        field("made by", _member(text(task, "createdBy", limit=200), names)),
        field("id", (task_id, "link")),
    ]
    waits = [tasks[other] for other in texts(task, "blockedBy") if other in tasks]
    if waits:
        lines += [BLANK, heading("WAITS FOR"), *(_mention(other) for other in waits)]
    below = [other for other in tasks.values() if text(other, "parentId", limit=80) == task_id]
    if below:
        lines += [BLANK, heading("SUBTASKS"), *(_mention(other) for other in below)]
    return lines


def _mention(task: Object) -> Line:
    mark, _, ink, _ = _STATUS.get(text(task, "status"), ("?", "", "warn", 4))
    return line((f"  {mark} ", ink), text(task, "title"), indent=4)


def member_lines(document: Json, agents: Sequence[AgentRow]) -> list[Line]:
    """Members first, then the agents that live here."""
    lines = []
    for member in objects(document, "members"):
        own = flag(member, "self")
        key = text(member, "identityKey", limit=80)
        name = text(member, "displayName", limit=40) or short_id(key, _KEY_SHOWN)
        lines.append(
            line(
                ("● ", "ok"),
                (f"{name:<12}", "strong"),
                (" you " if own else "     ", "accent"),
                (short_id(key, _KEY_SHOWN), "dim"),
            )
        )
    for agent in agents:
        ink = {"active": "ok", "tripped": "alarm", "failed": "trip"}.get(agent.state, "dim")
        lines.append(line(("◆ ", "agent"), f"{clean(agent.agent, 40):<12}", " ", (agent.state, ink)))
    return lines or [line((NOTHING, "dim"))]


def chat_lines(document: Json) -> list[Line]:
    """The latest messages, oldest first."""
    said = []
    for message in objects(document, "messages"):
        name = text(message, "name", limit=40) or _member(text(message, "author", limit=200), {})
        ink = "agent" if text(message, "author").startswith("agent:") else "link"
        at = clock(integer(message, "ts_ms"))[:5]
        said.append(line((f"{at} ", "dim"), (f"{name:<10} ", ink), text(message, "text", limit=4_000), indent=17))
    return said or [line(("nothing said yet", "faint"))]
