"""How each command's document looks to people; what is not here is shown as facts or as JSON."""

from collections.abc import Callable, Mapping

from console.client import Json
from console.cmdline.render_agents import AGENTS
from console.cmdline.render_boot import BOOT
from console.cmdline.render_components import COMPONENTS
from console.cmdline.render_jobs import JOBS
from console.cmdline.render_lock import LOCK
from console.cmdline.render_peers import PEERS
from console.cmdline.render_receipts import RECEIPTS
from console.cmdline.render_sharing import SHARING, link_line, slash_help
from console.cmdline.render_trust import TRUST
from console.output import (
    NOTHING,
    Column,
    Item,
    document,
    duration,
    facts,
    items_of,
    list_of,
    listing,
    moment,
    short,
    size,
    status,
    table,
    text,
    text_of,
    word,
)
from runtime.quantities import format_duration_ms
from runtime.sanitise import clean

__all__ = ["render"]

_MARKS: Mapping[str, str] = {"ok": "ok", "info": "--", "bad": "BAD"}
_ROOMS = (
    Column("ROOM", word("name")),
    Column("ID", short("room")),
    Column("OPEN", word("open"), right=True),
    Column("BLOCKED", word("blocked"), right=True),
    Column("DONE", word("completed"), right=True),
    Column("MEMBERS", word("members"), right=True),
    Column("AGENTS", word("agents"), right=True),
)
_TASKS = (
    Column("TASK", word("id"), limit=36),
    Column("STATUS", status),
    Column("TITLE", lambda item: f"{text(item, 'title')}{'  URGENT' if item.get('urgent') else ''}"),
    Column("ASSIGNEE", short("assignee")),
    Column("DUE", moment("dueAt")),
    Column("WAITS FOR", lambda item: ", ".join(text_of(part) for part in list_of(item, "blockedBy"))),
)
_SETTINGS = (
    Column("SETTING", word("key")),
    Column("VALUE", word("written")),
    Column("FROM", word("origin")),
    Column("MEANING", word("help"), limit=100),
)
_AUDIT = (
    Column("WHEN", moment("ts_ms")),
    Column("UID", word("uid"), right=True),
    Column("FACE", word("face"), limit=20),
    Column("COMMAND", word("command")),
    Column("OUTCOME", word("outcome")),
    Column("ERROR", word("error")),
    Column("TOOK", duration("duration_ms"), right=True),
)
_CHECKS = (
    Column("CHECK", word("check")),
    Column("RESULT", lambda item: f"{_MARKS.get(text(item, 'state'), '?')} {text(item, 'result')}", limit=90),
    Column("WHAT TO DO", word("todo"), limit=120),
)


def render(command: str, value: Json) -> str:
    """A command's document as text, with a line end, or an empty text when there is nothing to say.

    Args:
        command: the command's name.
        value: its document.
    """
    if not isinstance(value, Mapping):
        return ""
    shown = _RENDERERS.get(command)
    return shown(value) if shown else _plain(value)


def _plain(value: Item) -> str:
    return facts([(name.replace("_", " "), word(name)(value)) for name in value if name != "v"])


def _room(value: Item) -> str:
    progress = value.get("progress")
    counts = progress if isinstance(progress, Mapping) else {}
    parts = ("completed", "inProgress", "pending", "blocked")
    said = ", ".join(f"{text(counts, part)} {part.replace('inProgress', 'in progress')}" for part in parts)
    head = facts(
        [
            ("room", text(value, "name")),
            ("id", text(value, "room")),
            ("created", moment("created_ms")(value)),
            ("tasks", f"{text(counts, 'total')}: {said}"),
            *([("link", line)] if (line := link_line(value)) else []),
        ]
    )
    members = "".join(
        f"  {clean(text(item, 'displayName'), 60)}{' (you)' if item.get('self') else ''}\n"
        for item in items_of(value, "members")
    )
    lines = "".join(
        f"  {moment('ts_ms')(item)}  {clean(text(item, 'name'), 40)}: {clean(text(item, 'text'))}\n"
        for item in items_of(value, "messages")
    )
    names = {text(item, "identityKey"): text(item, "displayName") for item in items_of(value, "members")}
    named = [
        {**item, "assignee": names.get(text(item, "assignee")) or item.get("assignee")}
        for item in items_of(value, "tasks")
    ]
    tasks = table(_TASKS, named, empty="no tasks")
    return f"{head}\nmembers\n{members}\n{tasks}" + (f"\nmessages\n{lines}" if lines else "")


def _said(value: Item) -> str:
    if "help" in value:
        return slash_help(value)
    return _changed(value) if "changed" in value else ""


def _status(value: Item) -> str:
    def counts(name: str) -> str:
        found = value.get(name)
        return (
            ", ".join(f"{number} {word}" for word, number in found.items()) if isinstance(found, Mapping) else NOTHING
        )

    def room() -> str:
        found = value.get("storage")
        space = found if isinstance(found, Mapping) else {}
        said = f"{size('free_bytes')(space)} free"
        return f"{said}, too little for new work" if space.get("low") else said

    uptime = value.get("uptime_s")
    since = f", for {format_duration_ms(uptime * 1000)}" if isinstance(uptime, int) else ""
    running = f"yes, process {text(value, 'pid') or 'unknown'}{since}" if value.get("running") else "no"
    return facts(
        [
            ("running", running),
            ("node", word("node")(value)),
            ("peer id", word("peer_id")(value)),
            *(("listens at", text_of(place)) for place in list_of(value, "listen")),
            ("directory", word("state_dir")(value)),
            ("version", word("version")(value)),
            ("agents", counts("agents")),
            ("jobs", counts("jobs")),
            ("components", counts("components")),
            ("receipts", word("receipts")(value)),
            ("last event", word("seq")(value)),
            ("disk", room() if value.get("storage") else NOTHING),
        ]
    )


def _init(value: Item) -> str:
    made = "made" if value.get("made") else "was there already; nothing was changed"
    kept = "under a passphrase" if value.get("protected") else "without a passphrase"
    before = value.get("previous_peer_id")
    turned = [("before", f"{text(value, 'previous_peer_id')}, whose receipts stay own")] if before else []
    made = "was there already; the node has a new key" if before else made
    return facts(
        [
            ("directory", f"{text(value, 'state_dir')} ({made})"),
            ("node key", f"{text(value, 'peer_id')} signs receipts"),
            *turned,
            ("vault key", f"kept {kept}; seals rooms, agents' states and the account"),
            ("member", f"{text(value, 'member')} in rooms"),
        ]
    )


def _set(value: Item) -> str:
    when = "the next start" if value.get("restart") else "now"
    return f"{clean(text(value, 'key'), 60)} = {clean(text(value, 'written'))}, from {when} on\n"


def _backup(value: Item) -> str:
    missing = [("missing", text_of(name)) for name in list_of(value, "missing")]
    return facts(
        [
            ("backup", word("out")(value)),
            ("size", f"{size('bytes')(value)}, {word('files')(value)} files"),
            ("state of", moment("created_ms")(value)),
            *missing,
        ]
    )


def _restore(value: Item) -> str:
    lost = value.get("lost")
    parts = [
        ("directory", word("state_dir")(value)),
        ("state of", moment("created_ms")(value)),
        ("files", word("files")(value)),
        ("lost", f"{lost} jobs that had not ended") if lost else ("lost", "no job"),
        ("receipt", word("receipt")(value)),
    ]
    return facts(parts + ([("old one", word("replaced")(value))] if value.get("replaced") else []))


def _changed(value: Item) -> str:
    lines = [f"{clean(text_of(task), 80)}\n" for task in list_of(value, "changed")]
    lines += [f"rejected: {clean(text(item, 'reason'), 300)}\n" for item in items_of(value, "rejected")]
    lines += [
        f"would give {clean(text(item, 'title') or text(item, 'task'), 80)} to {clean(text(item, 'name'), 60)}\n"
        for item in items_of(value, "preview")
    ]
    return "".join(lines) or "nothing to change\n"


_RENDERERS: Mapping[str, Callable[[Item], str]] = {
    **AGENTS,
    **BOOT,
    **COMPONENTS,
    **JOBS,
    **LOCK,
    **PEERS,
    **RECEIPTS,
    **SHARING,
    **TRUST,
    "rooms list": listing(_ROOMS, "no rooms yet: orlop rooms create NAME makes one"),
    "rooms show": _room,
    "rooms tasks": listing(_TASKS, "no tasks yet: orlop rooms task ROOM --add TEXT adds one"),
    "rooms task": _changed,
    "rooms undo": _changed,
    "rooms say": _said,
    "status": _status,
    "init": _init,
    "audit": listing(_AUDIT, "no changing commands are on record for that"),
    "backup": _backup,
    "restore": _restore,
    "config": listing(_SETTINGS, ""),
    "config set": _set,
    "doctor": listing(_CHECKS, ""),
    "schema": document,
}
