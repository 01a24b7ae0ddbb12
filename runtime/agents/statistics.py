"""Statistics of agents over time: one row per agent and minute for a day, one per agent and hour for two weeks.

With very many agents both are shorter, so that no more than half a million rows of each are kept. A crash loses the
minute that is open and those that were not written yet. Loads no engine.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from runtime.agents.keys import AgentKey, Connection
from runtime.agents.quota import MINUTE_MS, Minute
from runtime.canonical import Json
from runtime.errors import OrlopError
from runtime.places import AT
from runtime.store import Store, Transaction

__all__ = ["NO_HISTORY", "History", "Span", "Statistics", "read_history"]

_MINUTES_KEPT: Final = 24 * 60
_HOURS_KEPT: Final = 14 * 24
_ROWS_KEPT: Final = 500_000
_BATCH: Final = 128
"""So many minutes that are over are written in one transaction."""
_SHOWN_MINUTES: Final = 60
_SUMS: Final = "calls, failures, emitted, dropped, cpu_us, p95_us"
_ADDED: Final = (
    " DO UPDATE SET calls = calls + excluded.calls, failures = failures + excluded.failures,"
    " emitted = emitted + excluded.emitted, dropped = dropped + excluded.dropped, cpu_us = cpu_us + excluded.cpu_us,"
    " p95_us = max(p95_us, excluded.p95_us)"
)


class Span(NamedTuple):
    """What an agent did in a minute or an hour, whose number since the Unix epoch is `number`."""

    number: int
    calls: int
    failures: int
    emitted: int
    dropped: int
    cpu_us: int
    p95_us: int
    """The 95th percentile of the durations; of an hour, the highest of its minutes."""

    @classmethod
    def of(cls, minute: Minute) -> "Span":
        """What was counted.

        Args:
            minute: over, or still open.
        """
        return cls(
            minute.number,
            minute.calls,
            minute.failures,
            minute.emitted,
            minute.dropped,
            minute.cpu_us,
            minute.p95_us,
        )

    def within(self, length: int) -> "Span":
        """The longer span that this one is a part of.

        Args:
            length: how many such spans that has.
        """
        return self._replace(number=self.number // length)

    def plus(self, other: "Span") -> "Span":
        """Both together, where they have the same number.

        Args:
            other: counted apart.
        """
        return Span(
            number=self.number,
            calls=self.calls + other.calls,
            failures=self.failures + other.failures,
            emitted=self.emitted + other.emitted,
            dropped=self.dropped + other.dropped,
            cpu_us=self.cpu_us + other.cpu_us,
            p95_us=max(self.p95_us, other.p95_us),
        )

    def document(self, length_ms: int) -> dict[str, Json]:
        """As `agents show` prints it.

        Args:
            length_ms: of one span.
        """
        return {
            "from_ms": self.number * length_ms,
            "calls": self.calls,
            "failures": self.failures,
            "emitted": self.emitted,
            "dropped": self.dropped,
            "cpu_us": self.cpu_us,
            "p95_us": self.p95_us,
        }


class History(NamedTuple):
    """What is kept of an agent: the minutes of the last hour, and the hours before and with it, oldest first."""

    minutes: tuple[Span, ...]
    hours: tuple[Span, ...]

    def plus(self, spans: Iterable[Span]) -> "History":
        """With minutes that are not written yet.

        Args:
            spans: of the same agent, oldest first, none before those that are.
        """
        minutes, hours = self.minutes, self.hours
        for span in spans:
            minutes, hours = _plus(minutes, span), _plus(hours, span.within(60))
        return History(minutes, hours)

    def document(self) -> dict[str, Json]:
        """As `agents show` prints it."""
        return {
            "minutes": [one.document(MINUTE_MS) for one in self.minutes],
            "hours": [one.document(60 * MINUTE_MS) for one in self.hours],
        }


NO_HISTORY: Final = History((), ())
"""Of an agent that never ran."""


class Statistics:
    """Writes minutes that are over. Core loop only.

    Args:
        store: where to.
        agents: how many run, for how long minutes can be kept.
    """

    def __init__(self, store: Store, agents: Callable[[], int]) -> None:
        self._store = store
        self._agents = agents
        self._rows: list[tuple[AgentKey, Span]] = []
        self._swept = 0

    def add(self, key: AgentKey, minute: Minute) -> None:
        """Takes a minute that is over; one without calls says nothing.

        Args:
            key: whose.
            minute: not changed any more.
        """
        if minute.calls:
            self._rows.append((key, Span.of(minute)))
            if len(self._rows) >= _BATCH:
                self.flush()

    def unwritten(self, key: AgentKey, minute: Minute | None) -> list[Span]:
        """What a reader of the store does not see yet.

        Args:
            key: whose.
            minute: that is open; None without one.

        Returns:
            Oldest first.
        """
        spans = [span for owner, span in self._rows if owner == key]
        return spans if minute is None or not minute.calls else [*spans, Span.of(minute)]

    def flush(self) -> None:
        """Hands on what has been added. Nobody waits for it, and what cannot be written is lost."""
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        newest = max(span.number for _, span in rows)
        sweep, self._swept = newest != self._swept, newest
        kept = _ROWS_KEPT // max(1, self._agents())

        def work(tx: Transaction) -> None:
            for key, span in rows:
                _add(tx, "agent_minutes", "minute", key, span)
            if sweep:
                _sweep(tx, newest - min(_MINUTES_KEPT, kept), newest // 60 - min(_HOURS_KEPT, kept))

        with suppress(OrlopError):  # whoever must write says that nothing can be written
            self._store.write(work, urgent=False)


def read_history(connection: Connection, key: AgentKey, now_ms: int) -> History:
    """What is kept of an agent.

    Args:
        connection: of the store.
        key: whose.
        now_ms: wall time.

    Returns:
        The minutes of the last hour, and all hours.
    """
    minute = now_ms // MINUTE_MS
    minutes = connection.execute(
        f"SELECT minute, {_SUMS} FROM agent_minutes WHERE room = ? AND agent = ? AND minute > ? ORDER BY minute",  # noqa: S608 - constants
        (*key, minute - _SHOWN_MINUTES),
    ).fetchall()
    hours = connection.execute(
        "SELECT hour, sum(calls), sum(failures), sum(emitted), sum(dropped), sum(cpu_us), max(p95_us) FROM ("  # noqa: S608 - constants
        f" SELECT hour, {_SUMS} FROM agent_hours WHERE room = ? AND agent = ?"
        f" UNION ALL SELECT minute / 60, {_SUMS} FROM agent_minutes WHERE room = ? AND agent = ?)"
        " GROUP BY hour ORDER BY hour",
        (*key, *key),
    ).fetchall()
    return History(tuple(Span(*row) for row in minutes), tuple(Span(*row) for row in hours))


def _plus(spans: tuple[Span, ...], last: Span) -> tuple[Span, ...]:
    if spans and spans[-1].number == last.number:
        return (*spans[:-1], spans[-1].plus(last))
    return (*spans, last)


def _add(tx: Transaction, table: str, column: str, key: AgentKey, span: Span) -> None:
    tx.execute_in(
        key.room,
        f"INSERT INTO {AT}.{table} (room, agent, {column}, {_SUMS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
        f" ON CONFLICT (room, agent, {column}){_ADDED}",
        (*key, *span),
    )


def _sweep(tx: Transaction, minute: int, hour: int) -> None:
    """Turns minutes before `minute` into hours, and forgets hours before `hour`."""
    tx.execute_everywhere(
        f"INSERT INTO {AT}.agent_hours (room, agent, hour, {_SUMS})"  # noqa: S608 - constants
        " SELECT room, agent, minute / 60, sum(calls), sum(failures), sum(emitted), sum(dropped), sum(cpu_us),"
        " max(p95_us) FROM {at}.agent_minutes WHERE minute < ? GROUP BY room, agent, minute / 60"
        f" ON CONFLICT (room, agent, hour){_ADDED}",
        (minute,),
    )
    tx.execute_everywhere("DELETE FROM {at}.agent_minutes WHERE minute < ?", (minute,))
    tx.execute_everywhere("DELETE FROM {at}.agent_hours WHERE hour < ?", (hour,))
