"""The event stream: a row for each record, in words."""

import re
from collections.abc import Callable
from dataclasses import fields

from console.petnames import short_peer
from console.table_rows import Column, Row
from console.ui.figures import millis, precise, short_id, size, took
from console.ui.text.causes import split_cause
from console.ui.text.component_events import ink_of, said_of_component
from console.ui.text.components import short_name
from console.ui.text.peer_events import said_of_peer
from runtime import events
from runtime.events import Event, Record
from runtime.rooms.members import is_program
from runtime.sanitise import clean

__all__ = ["COLUMNS", "log_row", "loudness"]

COLUMNS = (
    Column(name="time", title="TIME", width=12),
    Column(name="seq", title="SEQ", width=7, right=True, priority=3),
    Column(name="type", title="TYPE", width=17),
    Column(name="subject", title="SUBJECT", width=16, grow=2, priority=1),
    Column(name="what", title="WHAT", width=30, grow=4),
    Column(name="cause", title="CAUSE", width=8, right=True, priority=4),
)

_ALARMS = (events.BreakerTripped, events.CoreError, events.ChainBroken, events.StreamGap, events.PeerLied)
_WARNINGS = (
    events.TickFailed,
    events.AgentFailed,
    events.AgentRefused,
    events.AgentPaused,
    events.TaskRejected,
    events.CoreLag,
    events.PeerUnreachable,
    events.PeerFault,
)
_GOOD = (events.ReceiptIssued, events.AgentActivated, events.BreakerClosed, events.CoreReady, events.PeerConnected)
_QUIET = (
    events.TickCompleted,
    events.TickSummary,
    events.JobOutput,
    events.JobUsage,
    events.ClientAttached,
    events.PeerMeasured,
    events.PeerFound,
)
_SKIPPED = frozenset({"cause", "room", "agent", "job", "receipt"})
_SHOWN = 60
_HASH = re.compile(r"(sha256:)?[0-9a-f]{32,}")


def loudness(event: Event) -> str:
    """The ink of an event: alarm, trip, warn, ok, dim or plain."""
    if isinstance(event, _ALARMS):
        return "alarm"
    if isinstance(event, _WARNINGS) or (isinstance(event, events.CommandDone) and not event.ok):
        return "trip"
    if isinstance(event, events.ReceiptVerified):
        return {"valid": "ok", "invalid": "alarm"}.get(event.verdict, "warn")
    failed = isinstance(event, events.JobState) and event.state in {"failed", "refused", "lost"}
    broken = isinstance(event, events.JobStep) and event.step in {"cut", "rejected"}
    if failed or broken or (isinstance(event, events.PeerBanned) and event.banned):
        return "trip"
    if isinstance(event, _GOOD):
        return "ok"
    return "dim" if isinstance(event, _QUIET) else ink_of(event)


def log_row(record: Record, name_of: Callable[[str], str]) -> Row:
    """A row of the log.

    Args:
        record: what happened.
        name_of: the name of a room by its id.
    """
    event = record.event
    ink = loudness(event)
    subject = _subject(event, name_of)
    what = clean(_what(event), 300)
    cause = f"← {event.cause}" if event.cause is not None else ""
    cells = (precise(record.ts_ms), str(record.seq), event.TYPE, subject, what, cause)
    values = (record.ts_ms, record.seq, event.TYPE, subject, what, event.cause)
    return Row(key=str(record.seq), cells=cells, values=values, inks=("dim", "faint", ink, "link", ink, "faint"))


def _subject(event: Event, name_of: Callable[[str], str]) -> str:
    room = getattr(event, "room", "")
    agent = getattr(event, "agent", "") or getattr(event, "name", "") * isinstance(event, events.AgentRefused)
    if room:
        return clean(f"{name_of(room)}/{agent}" if agent else name_of(room), 80)
    component = getattr(event, "component", "")
    if component:
        return short_name(component)
    peer = getattr(event, "peer", "")
    if peer:
        return f"peer {short_peer(peer)}"
    job, receipt = getattr(event, "job", ""), getattr(event, "receipt", "")
    if receipt and isinstance(event, events.ReceiptIssued | events.ReceiptVerified):
        return f"receipt {short_id(clean(receipt, 64))}"
    if job:
        return f"job {short_id(clean(job, 64))}"
    return clean(str(getattr(event, "client", "") or getattr(event, "worker", "") or getattr(event, "where", "")), 80)


def _what(event: Event) -> str:  # noqa: PLR0911, PLR0912, C901 - one line for each kind of event
    match event:
        case events.CoreReady():
            return f"everything is active again after {event.ms} ms"
        case events.TickCompleted():
            drops = "".join(f", dropped: {drop.detail or drop.reason}" for drop in event.dropped[:2])
            return f"{event.trigger} {event.n}: {millis(event.duration_us)}, emitted {event.emitted}{drops}"
        case events.TickSummary():
            return f"{event.count} quiet calls, the longest {millis(event.max_us)}"
        case events.TickFailed():
            what = split_cause(event.message)[0]
            return f"{event.trigger} {event.n}: {what} ({event.failures} in a row, {millis(event.duration_us)})"
        case events.BreakerTripped():
            return f"{event.failures} failures in a row: {', '.join(split_cause(one)[0] for one in event.reasons)}"
        case events.JobSubmitted():
            return f"{event.name} in {size(event.memory_bytes)}, {took(event.timeout_ms)}"
        case events.JobState():
            steps = " → ".join(state for state in (event.previous, event.state) if state)
            return f"{steps} ({event.reason})" if event.reason else steps
        case events.JobStep():
            return f"{event.step}: {event.detail}" if event.detail else event.step
        case events.JobOutput():
            return f"{event.stream} +{event.length:,} at {event.offset:,}"
        case events.JobUsage():
            return f"{took(event.wall_ms)}, peak {size(event.memory_peak_bytes)}, exit {event.exit_code}"
        case events.JobDisagreed():
            return f"{short_id(event.where)} ended it otherwise than most, such as in job {short_id(event.agreed)}"
        case events.ReceiptIssued():
            return f"#{event.number}: {event.outcome}, exit {event.exit_code}, for job {short_id(event.job)}"
        case events.ReceiptVerified():
            good = sum(step.ok is True for step in event.steps)
            return f"{event.verdict}, {good} of {len(event.steps)} steps"
        case events.TaskChanged():
            what = event.title or short_id(event.task)
            return f"{event.change} {what} by {_actor(event.actor)}"
        case events.TaskRejected():
            return f"{event.detail or event.reason}, by {_actor(event.actor)}"
        case events.MessagePosted():
            return f"{_actor(event.author)}: {event.text}" if event.text else f"by {_actor(event.author)}"
        case events.AgentLog():
            return event.text or ""
        case events.CommandDone():
            tail = "" if event.ok else f": {event.error}"
            return f"{event.command} by {event.face} in {took(event.duration_ms)}{tail}"
        case _:
            return said_of_peer(event) or said_of_component(event) or _fields(event)


def _fields(event: Event) -> str:
    parts = []
    for each in fields(event):
        value = getattr(event, each.name)
        if each.name in _SKIPPED or value in (None, "", ()):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        if _HASH.fullmatch(shown):
            shown = shown[:12] + "…"
        parts.append(f"{each.name} {shown[:_SHOWN]}")
    return " · ".join(parts)


def _actor(actor: str) -> str:
    return actor.rpartition(":")[2].partition("@")[0] if is_program(actor) else short_id(actor, 9)
