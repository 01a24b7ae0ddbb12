"""What a component asked of its host: one record per call, those of an open handle added up.

Opens, connects, spawns, signals, changes and denials each leave a record of their own. What a guest may do a hundred
thousand times a second (operations on handles, and those that need no permission) is summed until the next flush. More
than a hundred records a second are summed too, without their targets, so a guest cannot drown the journal. A record
never holds content or the value of a variable.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from runtime.canonical import Json
from runtime.sanitise import clean

__all__ = ["RECORDS_PER_SECOND", "AuditLog", "Facts", "Verdict"]

Verdict = Literal["allowed", "denied", "none"]
"""`none`: no permission was asked for."""

_TARGET_MAX: Final = 256
RECORDS_PER_SECOND: Final = 100
_BATCH: Final = 64


class Facts(NamedTuple):
    """What calls that are summed have in common.

    Attributes:
        op: `interface.operation` as in the WIT.
        target: what it was about.
        rules_version: the policy that decided.
        decision: what it said.
        rule: the one that decided, by its place in the manifest.
        line: where that is in the manifest.
        remedy: the option of `orlop components permissions` that would allow it; empty where it is allowed, or none.
        outcome: `ok`, or the case of the error that the guest got.
    """

    op: str
    target: str
    rules_version: int
    decision: Verdict
    rule: str | None
    line: int | None
    remedy: str
    outcome: str


@dataclass(slots=True)
class _Sum:
    """Calls alike since the last flush; `began` in microseconds since 1970."""

    began: int
    size: int = 0
    duration_us: int = 0
    calls: int = 0


@dataclass(slots=True)
class AuditLog:
    """The records of one instance on their way to the core. For one thread.

    Args:
        send: takes a batch of documents with the fields of `Facts` and `seq` (counts from 1: a hole means a lost one),
            `ts` (microseconds since 1970, of the first call), `bytes`, `duration_us` and `calls`. It must not raise.
    """

    send: Callable[[Sequence[dict[str, Json]]], None]
    _waiting: list[dict[str, Json]] = field(default_factory=list)
    _sums: dict[Facts, _Sum] = field(default_factory=dict)
    _seq: int = 0
    _second: int = 0
    _in_second: int = 0

    def note(self, facts: Facts, *, size: int, began: int, duration_us: int, hot: bool) -> None:
        """Takes note of a finished call.

        Args:
            facts: what it was; the target as the guest named it.
            size: bytes moved.
            began: microseconds since 1970.
            duration_us: taken.
            hot: one of those that are summed, unless denied.
        """
        if facts.target:
            facts = facts._replace(target=clean(facts.target, _TARGET_MAX))
        if hot and facts.decision != "denied":
            total = self._sums.get(facts)
            if total is None:
                total = self._sum(facts, began)
        elif self._has_room(began):
            self._record(facts, _Sum(began, size, duration_us, 1))
            return
        else:
            total = self._sum(facts._replace(target=""), began)
        total.size += size
        total.duration_us += duration_us
        total.calls += 1

    def flush(self) -> None:
        """Sends all that is known: after each call into the component, and when it ends."""
        sums, self._sums = self._sums, {}
        for facts, total in sums.items():
            self._record(facts, total)
        self._pass_on()

    def _sum(self, facts: Facts, began: int) -> _Sum:
        if not self._has_room(began):
            facts = facts._replace(target="")
        if facts not in self._sums and len(self._sums) >= _BATCH:
            self.flush()
        return self._sums.setdefault(facts, _Sum(began))

    def _record(self, facts: Facts, total: _Sum) -> None:
        self._seq += 1
        document: dict[str, Json] = {"seq": self._seq, "ts": total.began, **facts._asdict()}
        document |= {"bytes": total.size, "duration_us": total.duration_us, "calls": total.calls}
        self._waiting.append(document)
        if len(self._waiting) >= _BATCH:
            self._pass_on()

    def _pass_on(self) -> None:
        batch, self._waiting = self._waiting, []
        if batch:
            self.send(batch)

    def _has_room(self, began: int) -> bool:
        second = began // 1_000_000
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second <= RECORDS_PER_SECOND
