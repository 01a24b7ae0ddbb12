"""Agents as rows: a pure fold of their events."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from console.row_folds import AgentFigures, fold_agent, uploaded_row
from console.rows import AgentRow
from runtime.events import AgentDeleted, AgentRollback, AgentUploaded, Record

__all__ = ["AgentKey", "AgentRows"]

AgentKey = tuple[str, str]
"""Room and agent."""


class AgentRows:
    """All agents, by room and name. For one thread at a time."""

    def __init__(self) -> None:
        self._rows: dict[AgentKey, AgentRow] = {}
        self._figures: dict[AgentKey, AgentFigures] = {}
        self.states: Counter[str] = Counter()
        """How many are in each state."""

    @property
    def rows(self) -> Mapping[AgentKey, AgentRow]:
        """Agents by room and name."""
        return MappingProxyType(self._rows)

    def load(self, rows: Sequence[AgentRow]) -> None:
        """Takes rows in the place of those that are known; how long their calls took is kept."""
        self._rows = {(row.room, row.agent): row for row in rows}
        self.states = Counter(row.state for row in rows)
        before, self._figures = self._figures, {}
        for key, row in self._rows.items():
            figures = self._figures[key] = AgentFigures({"tick": row.failures} if row.failures else {})
            if key in before:
                figures.durations = before[key].durations

    def fold(self, record: Record, room_name: str) -> set[AgentKey]:
        """What an event changes.

        Args:
            record: any.
            room_name: of its room, if it has one.

        Returns:
            The keys of rows that are others now, or gone.
        """
        event = record.event
        key = (getattr(event, "room", ""), getattr(event, "agent", ""))
        before = self._rows.get(key)
        if isinstance(event, AgentUploaded | AgentRollback):
            self._figures.setdefault(key, AgentFigures())
            return self._put(uploaded_row(before, event, room_name))
        if before is None:
            return set()
        if isinstance(event, AgentDeleted):
            self.states[before.state] -= 1
            del self._rows[key], self._figures[key]
            return {key}
        return self._put(fold_agent(before, self._figures[key], event, record.ts_ms))

    def _put(self, row: AgentRow) -> set[AgentKey]:
        key = (row.room, row.agent)
        before = self._rows.get(key)
        if row is before:
            return set()
        if before is not None:
            self.states[before.state] -= 1
        self.states[row.state] += 1
        self._rows[key] = row
        return {key}
