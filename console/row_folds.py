"""One event on one row: the pure functions that `console.view` is made of.

Each returns the row that is true after the event, the same object when the event says nothing about it.
"""

from collections import deque
from dataclasses import dataclass, field, replace

from console.rows import AgentRow, JobRow, PeerRow, ReceiptRow, RoomRow
from runtime import events
from runtime.canonical import parse_timestamp
from runtime.events import Event

__all__ = [
    "TERMINAL",
    "AgentFigures",
    "fold_agent",
    "fold_job",
    "fold_peer",
    "fold_receipt",
    "fold_room",
    "found_peer_row",
    "issued_row",
    "submitted_row",
    "uploaded_row",
]

TERMINAL = frozenset({"done", "failed", "cancelled", "refused", "lost", "damaged"})
"""States in which a job has ended."""

_SAMPLES = 64
_ENOUGH = 20
_MINUTE_MS = 60_000
_RUNNING = frozenset({"starting", "active", "standby", "paused"})
"""States of agents that may be handed from member to member."""


@dataclass(slots=True)
class AgentFigures:
    """What the fold remembers of an agent beside its row: failures in a row by trigger, the last durations."""

    failures: dict[str, int] = field(default_factory=dict)
    durations: deque[int] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def p95(self, before: int | None) -> int | None:
        """The 95th percentile of the durations seen, or what was known before while they are few."""
        if len(self.durations) < _ENOUGH:
            return before
        return sorted(self.durations)[len(self.durations) * 95 // 100]


def uploaded_row(
    before: AgentRow | None, event: events.AgentUploaded | events.AgentRollback, room_name: str
) -> AgentRow:
    """The row of an agent whose module was just stored, or is back; what ran before goes on until it is replaced."""
    if before is not None:
        return replace(
            before, version=event.version, hash=event.hash, permissions=event.permissions, mark=event.signed_by
        )
    return AgentRow(
        room=event.room,
        room_name=room_name,
        agent=event.agent,
        version=event.version,
        hash=event.hash,
        builtin=False,
        mark=event.signed_by,
        state="off",
        permissions=event.permissions,
        granted=(),
        calls=0,
        last_ms=None,
        last_trigger="",
        last_duration_us=None,
        p95_us=None,
        emitted=0,
        dropped=0,
        failures=0,
        reasons=(),
        problem="",
        state_bytes=0,
    )


def fold_agent(row: AgentRow, figures: AgentFigures, event: Event, ts_ms: int) -> AgentRow:
    """An agent's row after an event that names it.

    Args:
        row: before.
        figures: of the same agent; changed in place.
        event: any.
        ts_ms: when it happened, UTC.
    """
    if isinstance(event, events.TickCompleted):
        return _completed(row, figures, event, ts_ms)
    if isinstance(event, events.TickFailed):
        return _failed(row, figures, event, ts_ms)
    if isinstance(event, events.AgentActivated | events.BreakerClosed):
        figures.failures.clear()
    return _breaker(_life(row, event), event)


def _life(row: AgentRow, event: Event) -> AgentRow:
    after = row
    match event:
        case events.AgentGranted():
            after = replace(row, granted=event.permissions)
        case events.AgentActivated():
            after = replace(row, state="active", hash=event.hash, failures=0, reasons=(), problem="")
        case events.AgentFailed():
            after = replace(row, state="failed", problem=event.reason)
        case events.AgentPaused():
            after = replace(row, state="paused", problem=event.reason)
        case events.AgentLeased() if row.state in _RUNNING:
            state = "active" if event.own else "standby"
            after = replace(row, state=state, runner=event.name or event.runner[:8], problem="")
        case events.AgentDeactivated() if event.reason != "breaker" and row.state != "tripped":
            # Of the breaker's two events, this and `breaker.tripped`, either may come first.
            after = replace(row, state="off", problem="", runner="")
        case events.AgentDeactivated() if event.reason != "breaker":
            after = replace(row, next_probe_ms=None)
        case _:
            pass
    return after


def _breaker(row: AgentRow, event: Event) -> AgentRow:
    after = row
    match event:
        case events.BreakerTripped():
            after = replace(
                row,
                state="tripped",
                failures=event.failures,
                reasons=event.reasons,
                next_probe_ms=_probe_ms(event.next_probe),
                runner="",
            )
        case events.BreakerProbed() if not event.ok:
            after = replace(row, state="tripped", next_probe_ms=_probe_ms(event.next_probe))
        case events.BreakerClosed():
            state = "active" if event.by in {"probe", "timer"} else row.state
            after = replace(row, state=state, failures=0, reasons=(), problem="", next_probe_ms=None)
        case _:
            pass
    return after


def _completed(row: AgentRow, figures: AgentFigures, event: events.TickCompleted, ts_ms: int) -> AgentRow:
    figures.durations.append(event.duration_us)
    figures.failures.pop(event.trigger, None)
    failures = max(figures.failures.values(), default=0)
    tripped = row.state == "tripped"
    minute = ts_ms // _MINUTE_MS
    same = row.minute == minute
    return replace(
        row,
        state="active" if row.state in {"starting", "paused"} else row.state,
        problem="" if row.state == "paused" else row.problem,
        calls=event.n,
        last_ms=ts_ms,
        last_trigger=event.trigger,
        last_duration_us=event.duration_us,
        p95_us=figures.p95(row.p95_us),
        emitted=event.emitted,
        dropped=len(event.dropped),
        failures=row.failures if tripped else failures,
        reasons=row.reasons if tripped or failures else (),
        state_bytes=event.state_bytes,
        minute=minute,
        used_calls=row.used_calls * same + 1,
        used_emissions=row.used_emissions * same + event.asked,
        used_log_bytes=row.used_log_bytes * same + event.log_bytes,
        used_cpu_us=row.used_cpu_us * same + event.cpu_us,
    )


def _failed(row: AgentRow, figures: AgentFigures, event: events.TickFailed, ts_ms: int) -> AgentRow:
    figures.durations.append(event.duration_us)
    # An `init` after a failure counts as the call for which it was made, which is nearly always a tick.
    figures.failures["event" if event.trigger == "event" else "tick"] = event.failures
    minute = ts_ms // _MINUTE_MS
    same = row.minute == minute
    return replace(
        row,
        calls=event.n,
        last_ms=ts_ms,
        last_trigger=event.trigger,
        last_duration_us=event.duration_us,
        p95_us=figures.p95(row.p95_us),
        emitted=0,
        dropped=0,
        failures=max(figures.failures.values()),
        reasons=row.reasons if row.state == "tripped" else (*row.reasons, event.message)[-3:],
        minute=minute,
        used_calls=row.used_calls * same + 1,
        used_emissions=row.used_emissions * same,
        used_log_bytes=row.used_log_bytes * same + event.log_bytes,
        used_cpu_us=row.used_cpu_us * same + event.cpu_us,
    )


def _probe_ms(written: str | None) -> int | None:
    return None if written is None else parse_timestamp(written)


def submitted_row(event: events.JobSubmitted, ts_ms: int) -> JobRow:
    """The row of a job that was just accepted for checking."""
    return JobRow(
        job=event.job,
        name=event.name,
        module=event.module,
        where=event.where,
        submitter=event.submitter,
        state="queued",
        outcome="",
        reason="",
        created_ms=ts_ms,
        started_ms=None,
        ended_ms=None,
        exit_code=None,
        wall_ms=None,
        fuel=None,
        memory_peak_bytes=None,
        output_bytes=0,
        limit_memory_bytes=event.memory_bytes,
        limit_fuel=event.fuel,
        limit_timeout_ms=event.timeout_ms,
        limit_output_bytes=event.max_output_bytes,
        limit_cpu_ms=event.cpu_ms,
        limit_stack_bytes=event.stack_bytes,
        limit_table_elements=event.table_elements,
        limit_open_files=event.open_files,
        limit_dir_bytes=event.dir_bytes,
        priority=event.priority,
        retries=event.retries,
        expires_ms=event.expires_ms,
        receipt="",
    )


def fold_job(row: JobRow, ends: dict[str, int], event: Event, ts_ms: int) -> JobRow:
    """A job's row after an event that names it.

    Args:
        row: before.
        ends: how far each of its streams was seen to go; changed in place.
        event: any.
        ts_ms: when it happened, UTC.
    """
    after = row
    match event:
        case events.JobState(state=state) if state in TERMINAL:
            after = replace(row, state=state, outcome=event.reason, tripped=event.tripped, ended_ms=ts_ms)
        case events.JobState(state="running"):
            after = replace(row, state="running", started_ms=ts_ms)
        case events.JobState():
            after = replace(row, state=event.state)
        case events.JobOutput():
            ends[event.stream] = max(ends.get(event.stream, 0), event.offset + event.length)
            after = replace(row, output_bytes=max(row.output_bytes, sum(ends.values())))
        case events.JobUsage():
            after = replace(
                row,
                wall_ms=event.wall_ms,
                fuel=event.fuel,
                memory_peak_bytes=event.memory_peak_bytes,
                cpu_ms=event.cpu_ms,
                dir_bytes=event.dir_bytes,
                output_bytes=event.output_bytes,
                exit_code=event.exit_code,
            )
        case events.ReceiptIssued():
            after = replace(row, receipt=event.receipt)
        case _:
            pass
    return after


def issued_row(event: events.ReceiptIssued, ts_ms: int) -> ReceiptRow:
    """The row of a receipt that was just signed, or came from another node."""
    return ReceiptRow(
        receipt=event.receipt,
        number=event.number,
        job=event.job,
        worker=event.worker,
        own=event.own,
        exit_code=event.exit_code,
        outcome=event.outcome,
        previous=event.previous,
        issued_ms=ts_ms,
        verdict="",
    )


def fold_receipt(row: ReceiptRow, event: Event) -> ReceiptRow:
    """A receipt's row after an event that names it."""
    return replace(row, verdict=event.verdict) if isinstance(event, events.ReceiptVerified) else row


def fold_room(row: RoomRow, event: Event) -> RoomRow:
    """A room's row after an event that names it."""
    after = row
    match event:
        case events.MemberJoined():
            after = replace(row, members=row.members + 1)
        case events.MemberLeft() | events.MemberRemoved():
            after = replace(row, members=max(0, row.members - 1))
        case events.RoomConnected():
            after = replace(row, link="online", problem="")
        case events.RoomDisconnected():
            link = "offline" if event.retries else "closed"
            after = replace(row, link=link, problem=event.reason, present=0, reestablishing=0)
        case events.RoomPresence():
            after = replace(row, present=len(event.present))
        case events.RoomCountdown():
            after = replace(row, deletes_ms=event.at_ms)
        case events.RoomReestablishing():
            after = replace(row, reestablishing=len(event.missing))
        case _:
            pass
    return after


def found_peer_row(peer: str, ts_ms: int) -> PeerRow:
    """The row of a peer of which something was heard for the first time."""
    return PeerRow(
        peer=peer,
        name="",
        note="",
        state="known",
        worker=False,
        submitter=False,
        problem="",
        seen_ms=ts_ms,
        proven_ms=None,
        done=0,
        failed=0,
        rtt_us=None,
        agent="",
        address="",
    )


def fold_peer(row: PeerRow, event: Event, ts_ms: int) -> PeerRow:
    """A peer's row after an event that names it.

    Args:
        row: before.
        event: any.
        ts_ms: when it happened, UTC.
    """
    after = row
    match event:
        case events.PeerFound():
            address = row.address or (event.addresses[0] if event.addresses else "")
            after = replace(row, address=address, seen_ms=ts_ms)
        case events.PeerConnected():
            after = replace(
                row,
                state="connected",
                address=event.address,
                transport=event.transport,
                dialled=event.dialled,
                seen_ms=ts_ms,
                proven_ms=ts_ms,
            )
        case events.PeerDisconnected() if row.state == "connected":
            after = replace(row, state="known", transport="", dialled=False, seen_ms=ts_ms)
        case events.PeerMeasured():
            after = replace(row, rtt_us=event.rtt_us, seen_ms=ts_ms)
        case _:
            after = _allowed_peer(row, event)
    return after


def _allowed_peer(row: PeerRow, event: Event) -> PeerRow:
    """After an event about what a peer may."""
    after = row
    match event:
        case events.PeerTrusted():
            problem = "" if event.worker else row.problem
            after = replace(row, worker=event.worker, submitter=event.submitter, problem=problem)
        case events.PeerBanned(banned=True) if event.until is None:
            after = replace(row, state="banned", problem=event.reason, transport="", dialled=False)
        case events.PeerBanned(banned=False) if row.state == "banned":
            after = replace(row, state="known", problem="")
        case events.PeerLied():
            after = replace(row, worker=False, problem=event.reason)
        case events.PeerRan():
            after = replace(row, done=event.done, failed=event.failed)
        case events.PeerNamed():
            after = replace(row, name=event.name)
        case _:
            pass
    return after
