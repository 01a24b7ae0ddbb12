"""Rows of the tables `agents` and `agent_breakers`, and how agents are found by what people type."""

import json
from collections.abc import Iterable
from typing import Final

from runtime.agents import breaker as breakers
from runtime.agents.breaker import Breaker
from runtime.agents.keys import AgentKey, Connection, Rows
from runtime.agents.manifest import Permission
from runtime.agents.state import delete_state
from runtime.agents.stored import AGENT, AgentRecord, DamagedAgent, StoredAgent, stored_agent
from runtime.agents.versions import permission_names
from runtime.errors import AmbiguousError, NotFoundError
from runtime.places import AT
from runtime.sanitise import clean

__all__ = [
    "AgentRecord",
    "DamagedAgent",
    "StoredAgent",
    "delete_record",
    "find_record",
    "hash_in_use",
    "newest_upload",
    "read_agent",
    "read_agents",
    "read_breaker",
    "read_breakers",
    "read_record",
    "read_records",
    "save_breaker",
    "save_record",
    "set_active",
    "set_granted",
]

_PREFIX_CHARACTERS: Final = 4


def read_agent(connection: Connection, key: AgentKey) -> AgentRecord | DamagedAgent | None:
    """One agent, also one that is damaged.

    Args:
        connection: of the store.
        key: whose.

    Returns:
        What is stored of it, or None.
    """
    sql = f"SELECT {AGENT.names} FROM agents WHERE room = ? AND agent = ?"  # noqa: S608 - constants
    row = connection.execute(sql, key).fetchone()
    return None if row is None else stored_agent(row)


def read_agents(connection: Connection, room: str | None = None) -> list[AgentRecord | DamagedAgent]:
    """All agents, by room and name, those among them that are damaged.

    Args:
        connection: of the store.
        room: only those of this room.

    Returns:
        What is stored of them.
    """
    where, params = ("", ()) if room is None else (" WHERE room = ?", (room,))
    rows = connection.execute(f"SELECT {AGENT.names} FROM agents{where} ORDER BY room, agent", params)  # noqa: S608 - constants
    return [stored_agent(row) for row in rows]


def read_record(connection: Connection, key: AgentKey) -> AgentRecord | None:
    """One agent.

    Args:
        connection: of the store.
        key: whose.

    Returns:
        The record, or None.

    Raises:
        RowDamagedError: its row cannot be read.
    """
    found = read_agent(connection, key)
    if isinstance(found, DamagedAgent):
        raise found.error
    return found


def read_records(connection: Connection, room: str | None = None) -> list[AgentRecord]:
    """All agents that can be read, by room and name.

    Args:
        connection: of the store.
        room: only those of this room.

    Returns:
        The records.
    """
    return [found for found in read_agents(connection, room) if isinstance(found, AgentRecord)]


def newest_upload(connection: Connection, key: AgentKey) -> int:
    """The number of the last upload of a name that is remembered, 0 for none.

    Args:
        connection: of the store.
        key: whose.

    Returns:
        The number.
    """
    sql = (
        "SELECT max(upload_no) FROM (SELECT upload_no, room, agent FROM agents UNION ALL"
        " SELECT upload_no, room, agent FROM agent_versions) WHERE room = ? AND agent = ?"
        " AND typeof(upload_no) = 'integer'"
    )
    found: int | None = connection.execute(sql, key).fetchone()[0]
    return found or 0


def find_record(records: Iterable[StoredAgent], reference: str) -> StoredAgent:
    """The agent that a person means: its name, or a unique beginning of at least four characters.

    Args:
        records: of all rooms, or of the room that was named.
        reference: as typed; `{roomId}:{name}` is understood as well.

    Returns:
        What is stored of it.

    Raises:
        NotFoundError: none has this name.
        AmbiguousError: several have.
    """
    known = list(records)
    found = [one for one in known if reference in (one.key.agent, one.key.module_id)]
    if not found and len(reference) >= _PREFIX_CHARACTERS:
        found = [one for one in known if one.key.agent.startswith(reference)]
    if not found:
        raise NotFoundError("no such agent", where=clean(reference, 80), hint="`orlop agents list` shows all")
    if len(found) > 1:
        names = ", ".join(one.key.module_id for one in found)
        raise AmbiguousError(f"fits several agents: {names}", where=clean(reference, 80), hint="say --room ROOM")
    return found[0]


def save_record(tx: Rows, record: AgentRecord) -> None:
    """Stores an agent in place of the one before of its name.

    Args:
        tx: the transaction.
        record: the new one.
    """
    manifest = json.dumps(dict(record.manifest.document), ensure_ascii=False)
    tx.execute_in(
        record.key.room,
        f"INSERT OR REPLACE INTO {AT}.agents ({AGENT.names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constants
        (
            *record.key,
            int(record.builtin),
            manifest,
            record.hash,
            record.size_bytes,
            record.uploaded_ms,
            record.mark,
            permission_names(record.granted),
            int(record.active),
            record.upload_no,
        ),
    )


def set_active(tx: Rows, key: AgentKey, *, active: bool) -> None:
    """Stores whether an agent is started with the program.

    Args:
        tx: the transaction.
        key: whose.
        active: the flag.

    Raises:
        NotFoundError: there is no such agent.
    """
    sql = "UPDATE {at}.agents SET active = ? WHERE room = ? AND agent = ?"
    _changed(tx.execute_in(key.room, sql, (int(active), *key)).rowcount, key)


def set_granted(tx: Rows, key: AgentKey, granted: tuple[Permission, ...]) -> None:
    """Stores what an agent may do.

    Args:
        tx: the transaction.
        key: whose.
        granted: exactly these.

    Raises:
        NotFoundError: there is no such agent.
    """
    sql = "UPDATE {at}.agents SET granted = ? WHERE room = ? AND agent = ?"
    _changed(tx.execute_in(key.room, sql, (permission_names(granted), *key)).rowcount, key)


def delete_record(tx: Rows, key: AgentKey) -> None:
    """Deletes an agent with its versions, breaker, state and diagnostics.

    Args:
        tx: the transaction.
        key: whose.

    Raises:
        NotFoundError: there is no such agent.
    """
    _changed(tx.execute_in(key.room, "DELETE FROM {at}.agents WHERE room = ? AND agent = ?", key).rowcount, key)
    delete_state(tx, key)
    for table in ("agent_versions", "agent_breakers", "agent_diagnostics", "agent_minutes", "agent_hours"):
        tx.execute_in(key.room, f"DELETE FROM {AT}.{table} WHERE room = ? AND agent = ?", key)  # noqa: S608 - constants


def hash_in_use(connection: Connection, module_hash: str) -> bool:
    """Whether the module of some agent, or of a version that it can be rolled back to, is the file of this hash.

    Args:
        connection: of the store.
        module_hash: 64 hexadecimal characters.

    Returns:
        True when its file is needed.
    """
    sql = (
        "SELECT 1 FROM main.agents WHERE hash = ?1 UNION ALL"
        " SELECT 1 FROM main.agent_versions WHERE hash = ?1 AND manifest != '' LIMIT 1"
    )
    return connection.execute(sql, (module_hash,)).fetchone() is not None


def read_breaker(connection: Connection, key: AgentKey) -> Breaker:
    """The breaker of an agent; a closed one when none is stored.

    Args:
        connection: of the store.
        key: whose.

    Returns:
        The breaker.
    """
    sql = "SELECT body FROM agent_breakers WHERE room = ? AND agent = ?"
    row = connection.execute(sql, key).fetchone()
    return breakers.CLOSED if row is None else breakers.from_body(row[0])


def read_breakers(connection: Connection) -> dict[AgentKey, Breaker]:
    """All breakers that have seen a failure.

    Args:
        connection: of the store.

    Returns:
        By agent.
    """
    rows = connection.execute("SELECT room, agent, body FROM agent_breakers")
    return {AgentKey(room, agent): breakers.from_body(body) for room, agent, body in rows}


def save_breaker(tx: Rows, key: AgentKey, breaker: Breaker) -> None:
    """Stores a breaker; one that has seen nothing needs no row.

    Args:
        tx: the transaction.
        key: whose.
        breaker: as it is now.
    """
    if breaker == breakers.CLOSED:
        tx.execute_in(key.room, "DELETE FROM {at}.agent_breakers WHERE room = ? AND agent = ?", key)
    else:
        sql = "INSERT OR REPLACE INTO {at}.agent_breakers VALUES (?, ?, ?)"
        tx.execute_in(key.room, sql, (*key, breakers.to_body(breaker)))


def _changed(rows: int, key: AgentKey) -> None:
    if not rows:
        raise NotFoundError(f"Module not found: {key.module_id}")
