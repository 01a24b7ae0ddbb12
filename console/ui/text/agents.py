"""Agents: a row of the table, and everything there is to know about one."""

from collections.abc import Sequence

from console.client import Json
from console.rows import AgentRow
from console.table_rows import Column, Row
from console.ui.bound import Keys
from console.ui.figures import NOTHING, bar, clock, day_clock, meter, millis, size
from console.ui.sheet import BLANK, Line, Span, field, heading, line
from console.ui.text.agent_use import hour_lines, next_probe, runner_lines, use_lines
from console.ui.text.causes import split_cause
from console.ui.text.documents import Object, flag, integer, newest_first, objects, text
from console.ui.text.trust import mark_cell, mark_span
from runtime.sanitise import clean

__all__ = ["COLUMNS", "PERMISSIONS", "agent_key", "agent_row", "agent_sheet", "one_line"]

PERMISSIONS = ("read_tasks", "read_members", "emit_events", "persist_state")
"""All there are."""

_DEADLINE_US = 5_000_000
_TRIPS_AT = 3
_LABEL = 11

COLUMNS = (
    Column(name="mark", title="", width=1),
    Column(name="agent", title="AGENT", width=12, grow=2),
    Column(name="room", title="ROOM", width=10, grow=1, priority=4),
    Column(name="state", title="STATE", width=8),
    Column(name="last", title="LAST", width=8, priority=3),
    Column(name="took", title="TOOK", width=6, right=True, priority=3, unit="us"),
    Column(name="p95", title="P95", width=6, right=True, priority=5, unit="us"),
    Column(name="budget", title="BUDGET", width=6, priority=6, unit="us"),
    Column(name="fails", title="FAIL", width=4, priority=1),
    Column(name="emit", title="EMIT", width=4, right=True, priority=2),
    Column(name="drop", title="DROP", width=4, right=True, priority=2),
    Column(name="version", title="VERSION", width=8, priority=8),
    Column(name="signed", title="SIGNED", width=8, priority=9),
)

_MARKS = {
    "active": ("●", "ok"),
    "starting": ("◐", "accent"),
    "standby": ("◌", "dim"),
    "probing": ("◐", "accent"),
    "paused": ("▲", "warn"),
    "tripped": ("✗", "alarm"),
    "failed": ("✗", "trip"),
    "off": ("○", "faint"),
}
_RANKS = ("off", "standby", "active", "starting", "probing", "paused", "failed", "tripped")
"""States in the order of sorting: what needs a look comes last."""


def agent_key(room: str, agent: str) -> str:
    """The key of an agent's row in a table."""
    return f"{room}/{agent}"


def agent_row(row: AgentRow, now_ms: int) -> Row:
    """A row of the table."""
    mark, ink = _MARKS.get(row.state, ("?", "warn"))
    off = row.state == "off"
    plain = "dim" if off else ""
    used = row.last_duration_us or 0
    budget_ink = "alarm" if used >= _DEADLINE_US else "warn" if used > _DEADLINE_US // 2 else "link"
    cells = (
        mark,
        clean(row.agent, 40),
        clean(row.room_name, 60),
        row.state,
        day_clock(row.last_ms, now_ms),
        millis(row.last_duration_us),
        millis(row.p95_us),
        bar(row.last_duration_us, _DEADLINE_US, 6),
        meter(row.failures, _TRIPS_AT) if row.failures else "·",
        str(row.emitted) if row.last_ms else NOTHING,
        str(row.dropped) if row.last_ms else NOTHING,
        clean(row.version, 20),
        mark_cell(row.mark),
    )
    inks = (
        ink,
        "dim" if off else "strong",
        plain or "dim",
        ink,
        "dim",
        plain,
        plain,
        budget_ink,
        "trip" if row.failures else "faint",
        plain if row.emitted else "dim",
        "warn" if row.dropped else "dim",
        "dim",
        "dim",
    )
    rank = _RANKS.index(row.state) if row.state in _RANKS else len(_RANKS)
    values = (
        rank,
        row.agent,
        row.room_name,
        rank,
        row.last_ms,
        row.last_duration_us,
        row.p95_us,
        row.last_duration_us,
        row.failures,
        row.emitted,
        row.dropped,
        row.version,
        row.mark,
    )
    return Row(key=agent_key(row.room, row.agent), cells=cells, values=values, inks=inks)


def one_line(row: AgentRow, keys: Keys) -> tuple[Span, ...]:
    """What is wrong with an agent, in one line; empty when nothing is."""
    if row.state == "tripped":
        reasons = ", ".join(clean(split_cause(reason)[0], 60) for reason in row.reasons)
        return (
            (" ✗ tripped · ", "alarm"),
            (keys.named("agents probe", "P"), "key"),
            (" probes once, ", "dim"),
            (keys.named("ui.open", "enter"), "key"),
            (" tells more · ", "dim"),
            (reasons, "trip"),
        )
    if row.problem:
        return ((f" ▲ {row.state}: {clean(row.problem, 120)}", "warn"),)
    if row.failures:
        return ((f" ▲ {row.failures} in a row failed: {clean(row.reasons[-1], 80) if row.reasons else '?'}", "warn"),)
    return ()


def agent_sheet(row: AgentRow, document: Json, now_ms: int, keys: Keys) -> list[Line]:
    """Everything about one agent.

    Args:
        row: its row.
        document: the answer of `agents show`; empty until it is there.
        now_ms: wall time.
        keys: for hints.
    """
    mark, ink = _MARKS.get(row.state, ("?", "warn"))
    runs = newest_first(objects(document, "runs"))
    lines = [
        line(
            (f"{mark} {row.state}", ink),
            (f"  {clean(row.agent, 40)} {clean(row.version, 20)}", "strong"),
            ("  in ", "dim"),
            clean(row.room_name, 60),
            indent=2,
        ),
    ]
    description = text(document, "manifest", "description", limit=400)
    if description:
        lines.append(line((description, "dim")))
    if row.problem:
        lines.append(line((f"▲ {clean(row.problem, 300)}", "warn"), indent=2))
    lines += [BLANK, *runner_lines(row), *_breaker(row, document, runs, now_ms)]
    if row.state == "tripped":
        lines += [BLANK, *_remedies(row, keys, now_ms)]
    lines += [BLANK, *_permissions(row, keys)]
    lines += [
        field("SIGNED", *mark_span(row.mark, builtin=row.builtin), label_width=_LABEL),
        field(
            "MODULE",
            (f"sha256:{clean(row.hash, 64)[:16]}…", "link"),
            ("  state ", "dim"),
            size(row.state_bytes),
            label_width=_LABEL,
        ),
    ]
    author = text(document, "manifest", "author", limit=80)
    if author:
        lines.append(field("AUTHOR", author, label_width=_LABEL))
    lines += [*use_lines(row, document, now_ms), *hour_lines(document, now_ms)]
    lines += _listing("RUNS", [_run(run, now_ms) for run in runs[:8]], "no call yet")
    drops = [
        line((clock(integer(drop, "ts_ms")), "dim"), " ", (text(drop, "reason"), "warn"), indent=9)
        for drop in newest_first(objects(document, "drops"))[:8]
    ]
    lines += _listing("DROPS", drops, "none: everything that it emitted was admitted")
    logged = [
        line((clock(integer(entry, "ts_ms")), "dim"), " ", text(entry, "text"), indent=9)
        for entry in newest_first(objects(document, "log"))[:50]
    ]
    lines += _listing("LOG", logged, "nothing written")
    versions = objects(document, "versions")
    if len(versions) > 1:
        lines += _listing("VERSIONS", [_version(each, now_ms) for each in versions[::-1][:8]], "")
    return lines


def _breaker(row: AgentRow, document: Json, runs: Sequence[Object], now_ms: int) -> list[Line]:
    if row.state != "tripped":
        if not row.failures:
            return [field("BREAKER", ("● closed", "ok"), ("  no failure in a row", "dim"), label_width=_LABEL)]
        lines = [
            field(
                "BREAKER",
                ("▲ closed", "warn"),
                f"  {row.failures} of {_TRIPS_AT} failed in a row ",
                (meter(row.failures, _TRIPS_AT), "trip"),
                label_width=_LABEL,
            )
        ]
        return [*lines, *_reasons(row.reasons, runs, now_ms)]
    kind = "event" if (integer(document, "breaker", "failures", "event") or 0) >= _TRIPS_AT else "tick"
    tripped = integer(document, "breaker", "tripped_ms")
    since = f", off since {day_clock(tripped, now_ms)}" if tripped else ""
    lines = [
        field(
            "BREAKER",
            ("✗ open", "alarm"),
            f"  {row.failures} of {_TRIPS_AT} {kind} calls failed in a row{since}",
            label_width=_LABEL,
        ),
        *_reasons(row.reasons, runs, now_ms),
    ]
    causes = list(dict.fromkeys(clean(cause, 300) for _, cause in map(split_cause, row.reasons) if cause))
    if causes:
        lines.append(BLANK)
        lines.append(heading("LIKELY CAUSE" if len(causes) == 1 else "LIKELY CAUSES"))
        lines += [line(("  · ", "dim"), cause, indent=4) for cause in causes]
    return lines


def _remedies(row: AgentRow, keys: Keys, now_ms: int) -> list[Line]:
    log, delete = keys.named("agents logs", "L"), keys.named("agents delete", "D")
    remedies = (
        (keys.named("agents probe", "P"), "probe: one call; it stays on if that call is good"),
        (keys.named("agents activate", "space"), "start it afresh; three more failures trip it again"),
        (keys.named("agents upload", "u"), "upload a repaired version of the same name"),
        (f"{log}  {delete}", "its whole log · delete it"),
    )
    return [
        heading("WHAT YOU CAN DO"),
        *(line((f"  {key:<6} ", "key"), does, indent=9) for key, does in remedies),
        line((f"  {next_probe(row, now_ms)}", "dim"), indent=2),
    ]


def _reasons(reasons: Sequence[str], runs: Sequence[Object], now_ms: int) -> list[Line]:
    """The failures themselves: with time and duration where the runs are known, else the bare reasons."""
    failed = [run for run in runs if text(run, "reason")][: len(reasons)]
    if len(failed) == len(reasons):
        return [_run(run, now_ms) for run in reversed(failed)]
    return [line(("  ✗ ", "trip"), (clean(split_cause(reason)[0], 300), "trip"), indent=4) for reason in reasons]


def _run(run: Json, now_ms: int) -> Line:
    what, _ = split_cause(text(run, "reason", limit=300))
    head = f"  {day_clock(integer(run, 'ts_ms'), now_ms)} "
    trigger = f"{text(run, 'trigger', limit=8):<6}{millis(integer(run, 'duration_us')):>6}  "
    return line(
        (head, "dim"), (trigger, "dim"), (what, "trip") if what else ("ok", "ok"), indent=len(head) + len(trigger)
    )


def _permissions(row: AgentRow, keys: Keys) -> list[Line]:
    if not row.permissions:
        return [field("MAY", ("it asks for nothing", "dim"), label_width=_LABEL)]
    lines = []
    for place, permission in enumerate(row.permissions):
        granted = permission in row.granted
        label = "MAY" if place == 0 else ""
        mark: Span = ("✓ ", "ok") if granted else ("✗ ", "warn")
        note: Span = ("", "") if granted else (f"  not granted ({keys.named('agents grant', 'c')})", "dim")
        lines.append(field(label, mark, clean(permission, 40), note, label_width=_LABEL))
    return lines


def _listing(title: str, lines: Sequence[Line], empty: str) -> list[Line]:
    body = list(lines) or [line((f"  {empty}", "dim"))]
    return [BLANK, heading(title), *body]


def _version(each: Json, now_ms: int) -> Line:
    mark: Span = ("● ", "ok") if flag(each, "present") else ("○ ", "") if flag(each, "kept") else ("· ", "faint")
    return line(
        ("  ", ""),
        mark,
        (f"{integer(each, 'upload_no') or 0:>3} ", "dim"),
        (f"{day_clock(integer(each, 'uploaded_ms'), now_ms)}  ", "dim"),
        text(each, "version", limit=20),
        (f"  sha256:{text(each, 'hash', limit=64)[:16]}…", "link"),
        (f"  {mark_cell(text(each, 'mark', limit=60))}", "dim"),
    )
