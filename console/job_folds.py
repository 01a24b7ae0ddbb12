"""Jobs as rows: a pure fold of their events."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from console.row_folds import TERMINAL, fold_job, submitted_row
from console.rows import JobRow
from runtime.events import JobSubmitted, Record

__all__ = ["JobRows"]


class JobRows:
    """The newest jobs, by id. For one thread at a time.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: dict[str, JobRow] = {}
        self._output: dict[str, dict[str, int]] = {}
        self.states: Counter[str] = Counter()
        """How many are in each state."""

    @property
    def rows(self) -> Mapping[str, JobRow]:
        """Jobs by id, oldest first."""
        return MappingProxyType(self._rows)

    def load(self, rows: Sequence[JobRow]) -> None:
        """Takes rows, newest first, in the place of those that are known."""
        self._rows = {row.job: row for row in reversed(rows)}
        self.states = Counter(row.state for row in rows)

    def fold(self, record: Record) -> set[str]:
        """What an event changes.

        Returns:
            The keys of rows that are others now, or gone.
        """
        event = record.event
        before = self._rows.get(getattr(event, "job", ""))
        if isinstance(event, JobSubmitted):
            return self._put(submitted_row(event, record.ts_ms))
        if before is None:
            return set()
        ends = self._output.setdefault(before.job, {})
        return self._put(fold_job(before, ends, event, record.ts_ms))

    def _put(self, row: JobRow) -> set[str]:
        before = self._rows.get(row.job)
        if row is before:
            return set()
        if before is not None:
            self.states[before.state] -= 1
        self.states[row.state] += 1
        self._rows[row.job] = row
        if row.state in TERMINAL:
            self._output.pop(row.job, None)
        if len(self._rows) <= self._most:
            return {row.job}
        gone = next(iter(self._rows))
        self.states[self._rows.pop(gone).state] -= 1
        self._output.pop(gone, None)
        return {row.job, gone}
