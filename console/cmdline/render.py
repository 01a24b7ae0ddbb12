"""How each command's document looks to people; what is not here is shown as facts or as JSON."""

import json
from collections.abc import Callable, Mapping, Sequence

from console.client import Json
from console.cmdline.render_lock import LOCK
from console.cmdline.render_peers import PEERS
from console.cmdline.render_sharing import SHARING, link_line, slash_help
from console.cmdline.render_trust import TRUST, versions
from console.cmdline.render_use import last_hour
from console.output import (
    NOTHING,
    Column,
    Item,
    duration,
    facts,
    items_of,
    list_of,
    micros,
    moment,
    short,
    size,
    status,
    table,
    text,
    text_of,
    word,
)
from runtime.quantities import format_duration_ms, format_size
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
_AGENTS = (
    Column("AGENT", word("agent")),
    Column("ROOM", word("room_name")),
    Column("STATE", word("state")),
    Column("LAST", moment("last_ms")),
    Column("P95", micros("p95_us"), right=True),
    Column("CALLS", word("calls"), right=True),
    Column("FAILED", word("failures"), right=True),
    Column("STATE SIZE", size("state_bytes"), right=True),
    Column("VERSION", word("version")),
    Column("SIGNED", word("mark")),
)
_JOBS = (
    Column("JOB", short("job")),
    Column("NAME", word("name")),
    Column("WHERE", word("where")),
    Column("STATE", word("state")),
    Column("OUTCOME", word("outcome")),
    Column("EXIT", word("exit_code"), right=True),
    Column("WALL", duration("wall_ms"), right=True),
    Column("PEAK", size("memory_peak_bytes"), right=True),
    Column("CREATED", moment("created_ms")),
)
_RECEIPTS = (
    Column("NO", word("number"), right=True),
    Column("RECEIPT", short("receipt")),
    Column("JOB", short("job")),
    Column("EXIT", word("exit_code"), right=True),
    Column("OUTCOME", word("outcome")),
    Column("VERDICT", word("verdict")),
    Column("ISSUED", moment("issued_ms")),
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


def _listing(columns: Sequence[Column], empty: str) -> Callable[[Item], str]:
    return lambda value: table(columns, items_of(value, "items"), empty=empty)


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


def _agent(value: Item) -> str:
    breaker = value.get("breaker")
    tripped = breaker if isinstance(breaker, Mapping) else {}
    head = facts(
        [
            ("agent", f"{text(value, 'agent')} {text(value, 'version')}"),
            ("room", text(value, "room_name")),
            ("state", word("state")(value)),
            ("problem", word("problem")(value)),
            ("signed", word("mark")(value)),
            ("hash", word("hash")(value)),
            ("asks for", word("permissions")(value)),
            ("granted", word("granted")(value)),
            ("calls", word("calls")(value)),
            ("last", f"{moment('last_ms')(value)} {text(value, 'last_trigger')} {micros('last_duration_us')(value)}"),
            ("state size", size("state_bytes")(value)),
            ("breaker", word("state")(tripped)),
            ("next probe", moment("next_probe_ms")(value)),
            ("runs at", word("runner")(value)),
            ("last hour", last_hour(value)),
        ]
    )
    reasons = "".join(f"  {clean(text_of(reason), 200)}\n" for reason in list_of(tripped, "reasons"))
    drops = "".join(
        f"  {moment('ts_ms')(item)}  {clean(text(item, 'reason'), 200)}\n" for item in items_of(value, "drops")
    )
    log = "".join(f"  {moment('ts_ms')(item)}  {clean(text(item, 'text'))}\n" for item in items_of(value, "log"))
    parts = [("failures", reasons), ("versions", versions(value)), ("drops", drops), ("log", log)]
    return head + "".join(f"\n{name}\n{lines}" for name, lines in parts if lines)


def _agent_lines(value: Item) -> str:
    return "".join(
        f"{moment('ts_ms')(item)}  {text(item, 'kind'):<8}  {clean(text(item, 'text'))}\n"
        for item in items_of(value, "items")
    )


def _trial(value: Item) -> str:
    lines = []
    for call in items_of(value, "calls"):
        said = "ok" if call.get("ok") else f"failed: {text(call, 'error')}"
        lines.append(f"{text(call, 'call')}  {clean(said, 300)}  {micros('duration_us')(call)}\n")
        lines += [f"  log      {clean(text_of(line))}\n" for line in list_of(call, "log")]
        lines += [f"  emitted  {clean(json.dumps(event, ensure_ascii=False))}\n" for event in list_of(call, "emitted")]
        lines += [f"  dropped  {clean(text(drop, 'reason'), 300)}\n" for drop in items_of(call, "dropped")]
    state = value.get("state_hex")
    lines.append(f"state  {len(state) // 2} bytes\n" if isinstance(state, str) else "state  none\n")
    return "".join(lines)


def _job(value: Item) -> str:
    def limit(name: str, shown: Callable[[int], str]) -> str:
        number = value.get(f"limit_{name}")
        return shown(number) if isinstance(number, int) else NOTHING

    grown = NOTHING
    if value.get("dir_bytes") is not None:
        grown = f"grown by {size('dir_bytes')(value)} of {limit('dir_bytes', format_size)}"
    return facts(
        [
            ("job", word("job")(value)),
            ("name", word("name")(value)),
            ("module", word("module")(value)),
            ("where", " ".join(filter(None, (text(value, "where_name"), word("where")(value))))),
            ("state", word("state")(value)),
            ("outcome", word("outcome")(value)),
            ("reason", word("reason")(value)),
            ("tripped", word("tripped")(value)),
            ("exit code", word("exit_code")(value)),
            ("created", moment("created_ms")(value)),
            ("wall", f"{duration('wall_ms')(value)} of {limit('timeout_ms', format_duration_ms)}"),
            ("memory", f"{size('memory_peak_bytes')(value)} of {limit('memory_bytes', format_size)}"),
            ("cpu", f"{duration('cpu_ms')(value)} of {limit('cpu_ms', format_duration_ms)}"),
            ("directories", grown),
            ("fuel", f"{word('fuel')(value)} of {limit('fuel', str)}"),
            ("output", f"{size('output_bytes')(value)}, each stream at most {limit('output_bytes', format_size)}"),
            ("receipt", word("receipt")(value)),
        ]
    )


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


def _agents(value: Item) -> str:
    listed = _listing(_AGENTS, "no agents yet: orlop agents upload ROOM MODULE --grant all adds one")(value)
    return listed + _damaged(value, "agent", "problem")


def _jobs(value: Item) -> str:
    listed = _listing(_JOBS, "no jobs yet: orlop jobs run MODULE runs one")(value)
    return listed + _damaged(value, "name", "reason")


def _damaged(value: Item, name: str, why: str) -> str:
    """A line for each row that cannot be read."""
    damaged = [item for item in items_of(value, "items") if text(item, "state") == "damaged"]
    return "".join(f"{clean(text(item, name) or NOTHING, 60)}: {clean(text(item, why))}\n" for item in damaged)


def _agent_state(value: Item) -> str:
    return f"{clean(text(value, 'agent'), 60)}: {clean(text(value, 'state'), 40)}\n"


def _document(value: Item) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True) + "\n"


def _verification(value: Item) -> str:
    if "chains" in value:
        return _chains(value)
    steps = "".join(
        f"{_judged(step, 'ok', 'BAD', 'not checked'):<12}{text(step, 'name'):<12}{clean(text(step, 'detail'), 300)}\n"
        for step in items_of(value, "steps")
    )
    return f"{steps}{_judged(value, 'valid', 'INVALID', 'could not be checked')}\n"


def _rerun(value: Item) -> str:
    points = "".join(
        f"{_judged({'ok': point.get('same')}, 'same', 'differs', 'unknown'):<12}{text(point, 'name'):<12}"
        f"{clean(text(point, 'was'), 64)}{'' if point.get('same') else ' -> ' + clean(text(point, 'is'), 64)}\n"
        for point in items_of(value, "compared")
    )
    return f"{points}{text(value, 'verdict')}: {clean(text(value, 'detail'), 300)}\n"


def _chains(value: Item) -> str:
    lines = [
        f"{_judged({'ok': chain.get('key')}, 'ok', 'BAD', 'unknown key'):<12}{text(chain, 'worker')[:16]}…"
        f"  {text(chain, 'receipts')} receipts, numbers {text(chain, 'first')} to {text(chain, 'last')}"
        f"{_pruned(chain)}\n"
        for chain in items_of(value, "chains")
    ]
    lines += [
        f"{clean(text(fault, 'kind'), 20):<12}{clean(text(fault, 'at'), 40)}: {clean(text(fault, 'why'), 300)}\n"
        for fault in items_of(value, "faults")
    ]
    return f"{''.join(lines)}{_judged(value, 'valid', 'INVALID', 'could not be checked')}\n"


def _pruned(chain: Item) -> str:
    return f", of {text(chain, 'pruned')} only the place is kept" if chain.get("pruned") else ""


def _judged(item: Item, good: str, bad: str, unknown: str) -> str:
    judged = item.get("ok")
    return good if judged is True else bad if judged is False else unknown


def _changed(value: Item) -> str:
    lines = [f"{clean(text_of(task), 80)}\n" for task in list_of(value, "changed")]
    lines += [f"rejected: {clean(text(item, 'reason'), 300)}\n" for item in items_of(value, "rejected")]
    lines += [
        f"would give {clean(text(item, 'title') or text(item, 'task'), 80)} to {clean(text(item, 'name'), 60)}\n"
        for item in items_of(value, "preview")
    ]
    return "".join(lines) or "nothing to change\n"


_RENDERERS: Mapping[str, Callable[[Item], str]] = {
    **LOCK,
    **PEERS,
    **SHARING,
    **TRUST,
    "rooms list": _listing(_ROOMS, "no rooms yet: orlop rooms create NAME makes one"),
    "rooms show": _room,
    "rooms tasks": _listing(_TASKS, "no tasks yet: orlop rooms task ROOM --add TEXT adds one"),
    "rooms task": _changed,
    "rooms undo": _changed,
    "rooms say": _said,
    "agents list": _agents,
    "agents show": _agent,
    "agents activate": _agent_state,
    "agents deactivate": _agent_state,
    "agents delete": _agent_state,
    "agents probe": _agent_state,
    "agents logs": _agent_lines,
    "agents try": _trial,
    "jobs list": _jobs,
    "jobs show": _job,
    "receipts list": _listing(_RECEIPTS, "no receipts yet: every orlop jobs run leaves one"),
    "receipts show": _document,
    "receipts rerun": _rerun,
    "receipts verify": _verification,
    "status": _status,
    "init": _init,
    "audit": _listing(_AUDIT, "no changing commands are on record for that"),
    "backup": _backup,
    "restore": _restore,
    "config": _listing(_SETTINGS, ""),
    "config set": _set,
    "doctor": _listing(_CHECKS, ""),
    "schema": _document,
}
