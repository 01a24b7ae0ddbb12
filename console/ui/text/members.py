"""Who is in a room: members with presence and verification, then the agents that live there; and all about one."""

from collections.abc import Sequence

from console.client import Json
from console.rows import AgentRow
from console.table_rows import Column, Row
from console.ui.figures import short_id
from console.ui.sheet import BLANK, Line, field, line
from console.ui.text.documents import Object, flag, objects, text
from console.ui.text.tasks import KEY_SHOWN
from runtime.sanitise import clean

__all__ = ["AGENT_KEY", "MEMBER_COLUMNS", "member_rows", "member_sheet", "verification"]

MEMBER_COLUMNS = (
    Column(name="mark", title="", width=1),
    Column(name="name", title="NAME", width=12, grow=2),
    Column(name="role", title="", width=7, priority=1),
    Column(name="state", title="STATE", width=9),
    Column(name="tasks", title="TASKS", width=5, right=True, priority=3),
    Column(name="key", title="KEY", width=9, priority=2),
)

AGENT_KEY = "agent:"
"""Begins the key of an agent's row; no member has a key with a colon."""

_INKS = {"active": "ok", "tripped": "alarm", "failed": "trip", "paused": "warn"}


def verification(member: Object) -> tuple[str, str]:
    """Word and ink: whether the safety number was compared with this member."""
    if flag(member, "self"):
        return "you", "accent"
    return ("verified", "ok") if flag(member, "verified") else ("unproven", "warn")


def member_rows(document: Json, agents: Sequence[AgentRow]) -> list[Row]:
    """Members in the order of the room, self first, then agents."""
    rows = [_member_row(member, document) for member in objects(document, "members")]
    return [*rows, *(_agent_row(agent) for agent in agents)]


def _present(member: Object) -> bool:
    return bool(flag(member, "self") or flag(member, "present"))


def _member_row(member: Object, document: Json) -> Row:
    key = text(member, "identityKey", limit=80)
    name = text(member, "displayName", limit=40) or short_id(key, KEY_SHOWN)
    here = _present(member)
    word, ink = verification(member)
    role = "creator" if flag(member, "creator") else ""
    load = sum(
        text(task, "assignee", limit=80) == key and text(task, "status") != "completed"
        for task in objects(document, "tasks")
    )
    return Row(
        key=key,
        cells=("●" if here else "○", name, role, word, str(load) if load else "·", short_id(key, KEY_SHOWN)),
        values=(int(not here), name, role, word, load, key),
        inks=("ok" if here else "faint", "strong" if here else "dim", "dim", ink, "dim", "dim"),
    )


def _agent_row(agent: AgentRow) -> Row:
    name = clean(agent.agent, 40)
    return Row(
        key=AGENT_KEY + agent.agent,
        cells=("◆", name, "agent", agent.state, "", ""),
        values=(2, name, "agent", agent.state, None, ""),
        inks=("agent", "", "dim", _INKS.get(agent.state, "dim"), "", ""),
        band=1,
    )


def member_sheet(document: Json, key: str) -> list[Line]:
    """Everything about one member."""
    members = {text(member, "identityKey", limit=80): member for member in objects(document, "members")}
    member = members.get(key)
    if member is None:
        return [line(("no member", "dim"))]
    word, ink = verification(member)
    open_tasks = [
        task
        for task in objects(document, "tasks")
        if text(task, "assignee", limit=80) == key and text(task, "status") != "completed"
    ]
    lines = [
        line(
            ("● ", "ok") if _present(member) else ("○ ", "faint"),
            (text(member, "displayName", limit=40) or "without a name", "strong"),
            (f"  {word}", ink),
        ),
        BLANK,
        field("is", "here now" if _present(member) else ("away", "dim")),
        field("role", "made this room" if flag(member, "creator") else "member"),
        field("key", (key, "link")),
    ]
    if word == "unproven":
        why = "The relay may have put another key in the place of this one: compare the safety number."
        lines += [BLANK, line((why, "warn"))]
    lines += [BLANK, field("tasks", f"{len(open_tasks)} open" if open_tasks else ("none open", "dim"))]
    lines += [line(("  ", ""), text(task, "title", limit=200), indent=4) for task in open_tasks[:50]]
    return lines
