"""The bounds of a run: what a job can have at all, what it asks for, and what an operator allows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from runtime.canonical import INTEGER_MAX, Json
from runtime.errors import RefusedError, UsageError
from runtime.quantities import format_duration_ms, format_size

__all__ = ["CEILINGS", "FUEL_PER_SECOND", "LIMITS", "JobLimits", "Limit", "LimitRefusedError"]

FUEL_PER_SECOND: Final = 20_000_000_000
"""The default budget of fuel for each second of the time limit: so much that time strikes first."""

_MIB: Final = 1 << 20
_PAGE: Final = 65_536


@dataclass(frozen=True, slots=True)
class Limit:
    """One of a job's bounds: how people read it, and what a job can have at all.

    Attributes:
        name: its key in manifests, receipts, rows and answers, and its field in `JobLimits`.
        what: in words.
        low: the least that can be asked for.
        high: the most.
        words: writes a value for people.
    """

    name: str
    what: str
    low: int
    high: int
    words: Callable[[int], str]


_YEAR_MS: Final = 366 * 86_400_000
_FILES_MAX: Final = 1024
_ELEMENTS_MAX: Final = 10_000

LIMITS: Final = (
    Limit("memory_bytes", "memory limit", _PAGE, 1 << 32, format_size),
    Limit("fuel", "fuel limit", 1, INTEGER_MAX, str),
    Limit("timeout_ms", "time limit", 1, _YEAR_MS, format_duration_ms),
    Limit("max_output_bytes", "output limit", 1, 1 << 40, format_size),
    Limit("cpu_ms", "CPU time limit", 1, _YEAR_MS, format_duration_ms),
    Limit("stack_bytes", "stack limit", 64 << 10, _MIB, format_size),
    Limit("table_elements", "table limit", 1, _ELEMENTS_MAX, str),
    Limit("open_files", "limit of open files", 1, _FILES_MAX, str),
    Limit("dir_bytes", "directory quota", 1, 1 << 40, format_size),
)
"""Every bound of a run, in the order in which they are checked and shown."""


class LimitRefusedError(RefusedError):
    """A job that is not run because of a limit.

    Attributes:
        tripped: the limit's name, as in `JobLimits`; or `module_bytes`, `stdin_bytes`, `queue`, `queue_ms`, `expires`.
    """

    def __init__(self, tripped: str, why: str) -> None:
        super().__init__(f"{why} ({tripped})")
        self.tripped = tripped


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """The bounds of one run.

    Attributes:
        memory_bytes: of linear memory.
        fuel: units of the engine, roughly instructions.
        timeout_ms: on the clock, from the guest's start.
        max_output_bytes: of stdout, and as many of stderr.
        cpu_ms: CPU time of the worker; nothing that is not below the time limit can strike.
        stack_bytes: of the engine's stack, which is not the one in linear memory.
        table_elements: in each of its tables.
        open_files: at a time.
        dir_bytes: by which its writable directories may grow on the disk, all together.

    Raises:
        UsageError: a value outside what a job can have at all.
    """

    memory_bytes: int = 128 * _MIB
    fuel: int = 30 * FUEL_PER_SECOND
    timeout_ms: int = 30_000
    max_output_bytes: int = 8 * _MIB
    cpu_ms: int = 30_000
    stack_bytes: int = _MIB
    table_elements: int = _ELEMENTS_MAX
    open_files: int = 64
    dir_bytes: int = 256 * _MIB

    def __post_init__(self) -> None:
        """Checks each value against what the engine can do."""
        for limit in LIMITS:
            value: int = getattr(self, limit.name)
            if not limit.low <= value <= limit.high:
                why = f"{limit.words(value)} is outside {limit.words(limit.low)} to {limit.words(limit.high)}"
                raise UsageError(why, where=limit.what)

    @classmethod
    def of(
        cls,
        *,
        memory_bytes: int,
        timeout_ms: int,
        max_output_bytes: int,
        fuel: int | None = None,
        cpu_ms: int | None = None,
    ) -> Self:
        """Limits with the default budgets of fuel and CPU time for their time limit, unless they are named."""
        budget = max(1, timeout_ms * FUEL_PER_SECOND // 1000) if fuel is None else fuel
        return cls(
            memory_bytes=memory_bytes,
            fuel=budget,
            timeout_ms=timeout_ms,
            max_output_bytes=max_output_bytes,
            cpu_ms=timeout_ms if cpu_ms is None else cpu_ms,
        )

    @classmethod
    def read(cls, document: Mapping[str, Json]) -> Self:
        """Limits from what `document` made; what is missing or of another type has its default.

        Raises:
            UsageError: a value that a job cannot have.
        """
        known = {limit.name: document.get(limit.name) for limit in LIMITS}
        return cls(**{name: value for name, value in known.items() if type(value) is int})

    def above(self, ceilings: "JobLimits") -> LimitRefusedError | None:
        """What exceeds an operator's ceilings, in words with both figures; None when nothing does."""
        for limit in LIMITS:
            asked: int = getattr(self, limit.name)
            allowed: int = getattr(ceilings, limit.name)
            if asked > allowed:
                why = f"{limit.what} {limit.words(asked)} is above this node's {limit.words(allowed)}"
                return LimitRefusedError(limit.name, why)
        return None

    def document(self) -> dict[str, Json]:
        """The limits as JSON, the same in manifests, receipts, rows and answers."""
        return {limit.name: getattr(self, limit.name) for limit in sorted(LIMITS, key=lambda limit: limit.name)}


CEILINGS: Final = JobLimits(
    memory_bytes=1 << 32,
    fuel=INTEGER_MAX,
    timeout_ms=24 * 3_600_000,
    max_output_bytes=1 << 30,
    cpu_ms=24 * 3_600_000,
    stack_bytes=_MIB,
    table_elements=_ELEMENTS_MAX,
    open_files=_FILES_MAX,
    dir_bytes=1 << 40,
)
"""What an operator who sets no ceilings allows."""
