"""What the journal has of a component's requests: those that were answered and those that were denied."""

import json
import sqlite3
from typing import Final

from runtime.canonical import Json
from runtime.component_events import ComponentCalled, ComponentDenied

__all__ = ["calls", "denials"]

_LOOKED_AT: Final = 5_000
"""Events of a kind, the newest, among which those of one component are sought: what this costs is bounded."""


def calls(connection: sqlite3.Connection, component: str, limit: int) -> list[dict[str, Json]]:
    """Requests of a component, granted and denied, the newest first.

    Args:
        connection: of the store.
        component: `namespace/name`.
        limit: how many at most.
    """
    found = [
        *_of(connection, ComponentCalled.TYPE, component, limit),
        *_of(connection, ComponentDenied.TYPE, component, limit),
    ]
    return [each for _, each in sorted(found, key=lambda one: one[0], reverse=True)][:limit]


def denials(connection: sqlite3.Connection, component: str, limit: int) -> list[dict[str, Json]]:
    """Requests of a component that were denied, the newest first.

    Args:
        connection: of the store.
        component: `namespace/name`.
        limit: how many at most.
    """
    return [each for _, each in _of(connection, ComponentDenied.TYPE, component, limit)]


def _of(connection: sqlite3.Connection, kind: str, component: str, limit: int) -> list[tuple[int, dict[str, Json]]]:
    sql = (
        "SELECT seq, ts_ms, body FROM (SELECT seq, ts_ms, body FROM journal WHERE type = ? ORDER BY seq DESC LIMIT ?)"
        " WHERE json_extract(body, '$.component') = ? ORDER BY seq DESC LIMIT ?"
    )
    rows = connection.execute(sql, (kind, _LOOKED_AT, component, limit)).fetchall()
    return [(seq, {"seq": seq, "ts_ms": ts_ms, "type": kind, **json.loads(body)}) for seq, ts_ms, body in rows]
