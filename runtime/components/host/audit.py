"""What a component asked of its host: one record per call, those of an open handle added up.

Opens, connects, spawns, signals, changes and denials each leave a record of their own. What a guest may do a hundred
thousand times a second (operations on handles, and those that need no permission) is summed until the next flush. More
than a hundred records a second are summed too, so a guest cannot drown the journal. A record never holds content or
the value of a variable.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from runtime.canonical import Json
from runtime.sanitise import clean

__all__ = ["AuditLog", "AuditRecord", "Verdict"]

Verdict = Literal["allowed", "denied", "none"]
"""`none`: the operation asks for no permission."""

TARGET_MAX: Final = 256
RECORDS_PER_SECOND: Final = 100
_BATCH: Final = 64


_Key = tuple[str, str, Verdict, str | None, int | None, str, int]
"""Target, operation, decision, rule, its line, outcome, version of the policy."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One call, or several like it.

    Attributes:
        seq: counts the records of a run from 1; a hole means a lost one.
        ts: when it began, or the first of them, in microseconds since 1970.
        rules_version: the policy that decided.
        op: `interface.operation` as in the WIT.
        target: what it was about, harmless to show.
        decision: what the permissions said.
        rule: the one that decided, by its place in the manifest.
        line: where that is in the manifest.
        outcome: `ok`, or the case of the error that the guest got.
        bytes: moved.
        duration_us: taken.
        calls: how many this stands for.
    """

    seq: int
    ts: int
    rules_version: int
    op: str
    target: str
    decision: Verdict
    rule: str | None
    line: int | None
    outcome: str
    bytes: int
    duration_us: int
    calls: int = 1

    def document(self) -> dict[str, Json]:
        """As it travels to the core, which knows whose it is."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class _Sum:
    """Calls alike since the last flush."""

    began: int
    bytes: int = 0
    duration_us: int = 0
    calls: int = 0


@dataclass(slots=True)
class AuditLog:
    """The records of one instance on their way to the core. For one thread.

    Args:
        send: takes a batch; it must not block for long and not raise.
        now: microseconds since 1970.
    """

    send: Callable[[Sequence[Mapping[str, Json]]], None]
    now: Callable[[], int] = field(default=lambda: time.time_ns() // 1000)
    _waiting: list[AuditRecord] = field(default_factory=list)
    _sums: dict[_Key, _Sum] = field(default_factory=dict)
    _seq: int = 0
    _second: int = 0
    _in_second: int = 0

    def note(
        self,
        op: str,
        *,
        target: str,
        decision: Verdict,
        rule: str | None,
        line: int | None,
        rules_version: int,
        outcome: str,
        size: int,
        began: int,
        duration_us: int,
        hot: bool,
    ) -> None:
        """Takes note of a finished call.

        Args:
            op: `interface.operation`.
            target: as the guest named it; made harmless here.
            decision: what the permissions said.
            rule: the one that decided.
            line: of the manifest.
            rules_version: of the policy.
            outcome: `ok` or the error's case.
            size: bytes moved.
            began: microseconds since 1970.
            duration_us: taken.
            hot: one of those that are summed.
        """
        shown = clean(target, TARGET_MAX) if target else ""
        if hot and decision != "denied":
            key = (shown, op, decision, rule, line, outcome, rules_version)
            self._add(key if key in self._sums or self._has_room(began) else ("", *key[1:]), began, size, duration_us)
            return
        if not self._has_room(began):
            self._add(("", op, decision, rule, line, outcome, rules_version), began, size, duration_us)
            return
        record = AuditRecord(
            self._number(), began, rules_version, op, shown, decision, rule, line, outcome, size, duration_us
        )
        self._waiting.append(record)
        if len(self._waiting) >= _BATCH:
            self._pass_on()

    def flush(self) -> None:
        """Sends all that is known: after each call into the component, and when it ends."""
        for (target, op, decision, rule, line, outcome, version), total in self._sums.items():
            self._waiting.append(
                AuditRecord(
                    self._number(),
                    total.began,
                    version,
                    op,
                    target,
                    decision,
                    rule,
                    line,
                    outcome,
                    total.bytes,
                    total.duration_us,
                    total.calls,
                )
            )
        self._sums.clear()
        self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            self.send([record.document() for record in batch])

    def _number(self) -> int:
        self._seq += 1
        return self._seq

    def _has_room(self, began: int) -> bool:
        second = began // 1_000_000
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second <= RECORDS_PER_SECOND

    def _add(
        self,
        key: _Key,
        began: int,
        size: int,
        duration_us: int,
    ) -> None:
        total = self._sums.get(key)
        if total is None:
            if len(self._sums) >= _BATCH:
                self.flush()
            total = self._sums[key] = _Sum(began)
        total.bytes += size
        total.duration_us += duration_us
        total.calls += 1
