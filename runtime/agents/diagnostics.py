"""What agents said and what became of it: log lines, drops with reasons, remarks of the host, failures.

One sealed row per call that left anything, under the key of its room; the newest rows of each agent are kept, bounded
by number and by bytes. Nothing of it is in the journal.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from runtime.agents.emission import Dropped
from runtime.agents.keys import AgentKey, Connection, Rows
from runtime.canonical import Json
from runtime.sanitise import clean
from runtime.vault import SealBrokenError

__all__ = ["DiagnosticEntry", "Diagnostics", "EntryKind", "RoomSeal", "Said", "shown_event"]

EntryKind = Literal["log", "drop", "note", "failure"]

ROWS_KEPT: Final = 200
"""Per agent."""
BYTES_KEPT: Final = 512 * 1024
"""Per agent, sealed."""
_SWEEP_EVERY: Final = 16
"""Rows of one agent between two looks at the bounds."""
_EVENT_CHARACTERS: Final = 1_000
_LINE_CHARACTERS: Final = 2_100


class RoomSeal(Protocol):
    """Seals under the key of a room."""

    def seal(self, room: str, plain: bytes, aad: bytes) -> bytes:
        """Encrypts and authenticates."""
        ...

    def open(self, room: str, sealed: bytes, aad: bytes) -> bytes:
        """Opens what `seal` made; raises `SealBrokenError`."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """What one call left; every text is harmless.

    Attributes:
        log: the agent's lines.
        drops: emissions that were not admitted: reason and event.
        notes: the host's remarks.
        failure: why the call failed; empty when it did not.
    """

    log: tuple[str, ...] = ()
    drops: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    failure: str = ""

    @classmethod
    def of(
        cls, *, log: Iterable[str] = (), drops: Iterable[Dropped] = (), notes: Iterable[str] = (), failure: str = ""
    ) -> "Said":
        """Makes harmless what guests wrote.

        Args:
            log: lines.
            drops: emissions.
            notes: remarks.
            failure: reason.

        Returns:
            The texts, cleaned and cut.
        """
        return cls(
            tuple(clean(line, _LINE_CHARACTERS) for line in log),
            tuple((clean(one.reason), shown_event(one.event)) for one in drops),
            tuple(clean(note) for note in notes),
            clean(failure) if failure else "",
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing to keep."""
        return not (self.log or self.drops or self.notes or self.failure)


@dataclass(frozen=True, slots=True)
class DiagnosticEntry:
    """One line of an agent's diagnostics. `event` is set for drops only."""

    ts_ms: int
    kind: EntryKind
    text: str
    event: str = ""


def shown_event(event: Json) -> str:
    """An event as one harmless line.

    Args:
        event: a JSON value, or text that is no JSON.

    Returns:
        At most 1,000 characters.
    """
    text = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return clean(text, _EVENT_CHARACTERS)


class Diagnostics:
    """The table `agent_diagnostics`.

    Args:
        seal: of the rooms.
    """

    def __init__(self, seal: RoomSeal) -> None:
        self._seal = seal
        self._added: dict[AgentKey, int] = {}

    def add(self, tx: Rows, key: AgentKey, said: Said, now_ms: int) -> None:
        """Keeps what a call left, and forgets the oldest beyond the bounds.

        Args:
            tx: the transaction.
            key: whose.
            said: nothing is written when it is empty.
            now_ms: wall time.
        """
        if said.empty:
            return
        body = json.dumps({"log": said.log, "drops": said.drops, "notes": said.notes, "failure": said.failure})
        sealed = self._seal.seal(key.room, body.encode(), _aad(key, now_ms))
        tx.execute_in(
            key.room,
            "INSERT INTO {at}.agent_diagnostics (room, agent, ts_ms, kind, sealed) VALUES (?, ?, ?, 'call', ?)",
            (*key, now_ms, sealed),
        )
        count = self._added.get(key, 0)
        self._added[key] = count + 1
        if count % _SWEEP_EVERY == 0:
            self._sweep(tx, key)

    def read(self, connection: Connection, key: AgentKey) -> list[DiagnosticEntry]:
        """Everything that is kept of an agent.

        Args:
            connection: of the store.
            key: whose.

        Returns:
            Oldest first; a row that does not open is one entry that says so.
        """
        sql = "SELECT ts_ms, CAST(sealed AS BLOB) FROM agent_diagnostics WHERE room = ? AND agent = ? ORDER BY id"
        found: list[DiagnosticEntry] = []
        for ts_ms, sealed in connection.execute(sql, key):
            found.extend(self._entries(key, ts_ms, sealed))
        return found

    def forget(self, key: AgentKey) -> None:
        """Drops what is remembered in memory of an agent that was deleted.

        Args:
            key: whose.
        """
        self._added.pop(key, None)

    def _entries(self, key: AgentKey, ts_ms: int, sealed: bytes) -> Sequence[DiagnosticEntry]:
        try:
            body = json.loads(self._seal.open(key.room, sealed, _aad(key, ts_ms)))
        except SealBrokenError as error:
            return [DiagnosticEntry(ts_ms, "note", f"a record of this time cannot be opened: {error.why}")]
        entries = [DiagnosticEntry(ts_ms, "log", line) for line in body["log"]]
        entries += [DiagnosticEntry(ts_ms, "drop", reason, event) for reason, event in body["drops"]]
        entries += [DiagnosticEntry(ts_ms, "note", note) for note in body["notes"]]
        if body["failure"]:
            entries.append(DiagnosticEntry(ts_ms, "failure", body["failure"]))
        return entries

    def _sweep(self, tx: Rows, key: AgentKey) -> None:
        tx.execute_in(
            key.room,
            "DELETE FROM {at}.agent_diagnostics WHERE id IN (SELECT id FROM ("
            " SELECT id, row_number() OVER newest AS place, sum(length(sealed)) OVER newest AS total"
            " FROM agent_diagnostics WHERE room = ? AND agent = ? WINDOW newest AS (ORDER BY id DESC))"
            " WHERE place > ? OR total > ?)",
            (*key, ROWS_KEPT, BYTES_KEPT),
        )


def _aad(key: AgentKey, ts_ms: int) -> bytes:
    return json.dumps(["orlop-agent-diagnostics", key.room, key.agent, ts_ms]).encode()
