"""Agents as the console shows them: one row each, and one document with everything that is kept. Loads no engine."""

from collections.abc import Mapping
from typing import Final

from runtime.agents.breaker import CLOSED, Breaker
from runtime.agents.diagnostics import DiagnosticEntry
from runtime.agents.figures import Figures, Phase
from runtime.agents.keys import AgentKey, Connection
from runtime.agents.modules import ModuleDetails
from runtime.agents.quota import Quotas
from runtime.agents.records import AgentRecord, DamagedAgent, read_agents, read_breakers
from runtime.agents.state import state_sizes
from runtime.agents.statistics import NO_HISTORY, History
from runtime.agents.trust import SIGNED
from runtime.canonical import Json
from runtime.sanitise import clean

__all__ = ["DAMAGED", "agent_document", "agent_row", "damaged_row", "log_items", "read_rows"]

DAMAGED: Final = "damaged"
"""The state of an agent whose stored row cannot be read."""


def read_rows(
    connection: Connection,
    figures: Mapping[AgentKey, Figures] | None = None,
    room: str | None = None,
) -> list[dict[str, Json]]:
    """The rows of all agents, or of one room's.

    Args:
        connection: of the store; with others of its queries in one read transaction.
        figures: of the agents that an executor has seen; None without one.
        room: id of the room.

    Returns:
        By room and name; the fields of the console's row, but for the room's name.
    """
    breakers, sizes = read_breakers(connection), state_sizes(connection)
    return [
        damaged_row(record)
        if isinstance(record, DamagedAgent)
        else agent_row(
            record,
            breakers.get(record.key, CLOSED),
            sizes.get(record.key, 0),
            None if figures is None else figures.get(record.key),
        )
        for record in read_agents(connection, room)
    ]


def damaged_row(agent: DamagedAgent) -> dict[str, Json]:
    """An agent whose stored row cannot be read, as a row: what is known of it, and what is wrong.

    Args:
        agent: it.

    Returns:
        The fields of the console's row, but for the room's name.
    """
    row: dict[str, Json] = {
        "room": clean(agent.key.room, 60),
        "agent": clean(agent.key.agent, 60),
        "version": "",
        "hash": clean(agent.hash, 64),
        "builtin": agent.builtin,
        "mark": "",
        "state": DAMAGED,
        "permissions": [],
        "granted": [],
        "calls": 0,
        "last_ms": None,
        "last_trigger": "",
        "last_duration_us": None,
        "p95_us": None,
        "emitted": 0,
        "dropped": 0,
        "failures": 0,
        "reasons": [],
        "problem": str(agent.error),
        "state_bytes": 0,
    }
    return row | _running(Figures())


def agent_row(record: AgentRecord, breaker: Breaker, state_bytes: int, figures: Figures | None) -> dict[str, Json]:
    """One agent as a row.

    Args:
        record: as uploaded.
        breaker: as stored.
        state_bytes: of the stored state.
        figures: of its calls; None when it was not seen running.

    Returns:
        The fields of the console's row, but for the room's name.
    """
    if figures is None:
        # Nobody runs it now: what will be so when the program starts.
        phase = Phase.TRIPPED if breaker.open else Phase.ACTIVE if record.active else Phase.OFF
        figures = Figures(phase=phase, breaker=breaker)
    last = figures.last
    manifest = record.manifest
    row: dict[str, Json] = {
        "room": record.key.room,
        "agent": record.key.agent,
        "version": clean(manifest.version, 60),
        "hash": record.hash,
        "builtin": record.builtin,
        "mark": record.mark,
        "state": figures.phase.value,
        "permissions": [permission.value for permission in manifest.permissions],
        "granted": [permission.value for permission in record.granted],
        "calls": figures.calls,
        "last_ms": None if last is None else last.ts_ms,
        "last_trigger": "" if last is None else last.trigger,
        "last_duration_us": None if last is None else last.duration_us,
        "p95_us": figures.p95_us,
        "emitted": figures.emitted,
        "dropped": figures.dropped,
        "failures": figures.breaker.failures,
        "reasons": list(figures.breaker.reasons),
        "problem": figures.problem,
        "state_bytes": state_bytes,
    }
    return row | _running(figures)


def _running(figures: Figures) -> dict[str, Json]:
    """Who runs an agent, when it is probed, and what it used of its minute."""
    minute = figures.minute
    return {
        "runner": figures.runner,
        "next_probe_ms": figures.breaker.next_probe_ms,
        "minute": minute.number,
        "used_calls": minute.calls,
        "used_emissions": minute.emissions,
        "used_log_bytes": minute.log_bytes,
        "used_cpu_us": minute.cpu_us,
    }


def agent_document(
    details: ModuleDetails, figures: Figures | None, quotas: Quotas, history: History = NO_HISTORY
) -> dict[str, Json]:
    """Everything that is kept of an agent, but its state: what `agents show` prints.

    Args:
        details: as stored.
        figures: of its calls; None when it was not seen running.
        quotas: in force.
        history: of its minutes and hours.

    Returns:
        The row's fields, and manifest, limits, log, drops, notes, runs, breaker, versions, minutes and hours.
    """
    record, breaker = details.record, details.breaker if figures is None else figures.breaker
    rest: dict[str, Json] = {
        "manifest": dict(record.manifest.document),
        "limits": {
            "calls": quotas.calls,
            "emissions": quotas.emissions,
            "log_bytes": quotas.log_bytes,
            "cpu_ms": quotas.cpu_ms,
            "state_bytes": quotas.state_bytes,
        },
        "signer": _signer(record),
        "upload_no": record.upload_no,
        "size_bytes": record.size_bytes,
        "uploaded_ms": record.uploaded_ms,
        "log": [{"ts_ms": one.ts_ms, "text": one.text} for one in details.entries if one.kind == "log"],
        "drops": [
            {"ts_ms": one.ts_ms, "reason": one.text, "event": one.event}
            for one in details.entries
            if one.kind == "drop"
        ],
        "notes": [{"ts_ms": one.ts_ms, "text": one.text} for one in details.entries if one.kind == "note"],
        "runs": [
            {
                "ts_ms": run.ts_ms,
                "trigger": run.trigger,
                "duration_us": run.duration_us,
                "ok": run.ok,
                "reason": run.reason,
            }
            for run in (figures.runs if figures is not None else ())
        ],
        "breaker": {
            "state": "open" if breaker.open else "closed",
            "failures": {"tick": len(breaker.tick), "event": len(breaker.event)},
            "reasons": list(breaker.reasons),
            "tripped_ms": breaker.tripped_ms,
            "probes": breaker.probes,
            "next_probe_ms": breaker.next_probe_ms,
        },
        "versions": [
            {
                "upload_no": one.upload_no,
                "version": clean(one.version, 60),
                "hash": one.hash,
                "uploaded_ms": one.uploaded_ms,
                "mark": one.mark,
                "present": one.upload_no == record.upload_no,
                "kept": one.kept,
                "permissions": list(one.permissions),
                "state_bytes": one.state_bytes,
            }
            for one in details.versions
        ],
    }
    row = agent_row(record, details.breaker, details.state_bytes, figures)
    return row | rest | history.document()


def _signer(record: AgentRecord) -> str:
    """The key that vouches for it; empty when none does that it names."""
    return str(record.manifest.document.get("signer", "")) if record.mark.startswith(SIGNED) else ""


def log_items(entries: tuple[DiagnosticEntry, ...]) -> list[dict[str, Json]]:
    """What `agents logs` lists.

    Args:
        entries: oldest first.

    Returns:
        Log lines, drops, notes and failures in their order.
    """
    return [
        {"ts_ms": one.ts_ms, "kind": one.kind, "text": f"{one.text}: {one.event}" if one.event else one.text}
        for one in entries
    ]
