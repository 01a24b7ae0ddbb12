"""Who changed what: the commands in the journal, whose entries last longest."""

import json
import sqlite3
from dataclasses import dataclass

__all__ = ["AuditEntry", "audit_entries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A changing command that ended.

    Attributes:
        seq: of its event.
        ts_ms: wall time of its end.
        command: its name.
        uid: who.
        face: through what: `cli`, `ui`, `headless`, or what a client of the socket said it is.
        outcome: `ok` or `failed`.
        error: the error's code; empty when it was ok, and when its failure is no error, as a guest's own exit code.
        duration_ms: how long it took.
    """

    seq: int
    ts_ms: int
    command: str
    uid: int
    face: str
    outcome: str
    error: str
    duration_ms: int


def audit_entries(
    connection: sqlite3.Connection,
    *,
    limit: int,
    since: int = 0,
    since_ms: int = 0,
    command: str = "",
    uid: int | None = None,
    outcome: str = "",
) -> list[AuditEntry]:
    """Changing commands, newest first.

    Args:
        connection: of the store.
        limit: how many at most.
        since: only those with a greater seq.
        since_ms: only those from this wall time on.
        command: a glob of names; empty for all.
        uid: only of this user.
        outcome: `ok` or `failed`; empty for both.
    """
    terms = ["type = 'command.done'", "seq > ?", "ts_ms >= ?"]
    values: list[str | int] = [since, since_ms]
    if command:
        terms.append("json_extract(body, '$.command') GLOB ?")
        values.append(command)
    if uid is not None:
        terms.append("json_extract(body, '$.uid') = ?")
        values.append(uid)
    if outcome:
        terms.append("json_extract(body, '$.ok') = ?")
        values.append(int(outcome == "ok"))
    sql = f"SELECT seq, ts_ms, body FROM journal WHERE {' AND '.join(terms)} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - constants and placeholders
    return [_entry(*row) for row in connection.execute(sql, (*values, limit))]


def _entry(seq: int, ts_ms: int, body: str) -> AuditEntry:
    found = json.loads(body)
    return AuditEntry(
        seq=seq,
        ts_ms=ts_ms,
        command=str(found.get("command", "")),
        uid=int(found.get("uid", -1)),
        face=str(found.get("face", "")),
        outcome="ok" if found.get("ok") is True else "failed",
        error=str(found.get("error", "")),
        duration_ms=int(found.get("duration_ms", 0)),
    )
