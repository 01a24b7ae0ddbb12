"""Guarded entries into guests: the deadline is set first, every end becomes an `Outcome`, nothing is raised.

A store is entered by one thread at a time, and not again from within: the engine would abort the process. An entry that
breaks the rule is turned away here. Handing a store on between calls is sound. The table of what the engine raises
is measured: `Trap` and `WasmtimeError` are unrelated classes, `ExitTrap` is a `WasmtimeError`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

import wasmtime

from runtime.sandbox.engine import Ticker
from runtime.sandbox.outcome import Kind, Outcome, near_memory_limit
from runtime.sanitise import clean

__all__ = ["GuestCall", "MemoryGauge", "PreparedCall", "ProcExitError", "enter", "instantiate", "prepare", "run"]

_T = TypeVar("_T")

_entered: dict[int, object] = {}
"""The stores that are being entered, by `id`; `setdefault` is atomic."""

_NO_EXIT_NUMBER: Final = "exit with invalid exit status outside of"

_KINDS: Final[dict[str, Kind]] = {"INTERRUPT": "deadline", "OUT_OF_FUEL": "fuel", "STACK_OVERFLOW": "stack"}
_WORDS: Final = {
    "INTERRUPT": "over its deadline",
    "OUT_OF_FUEL": "all fuel consumed",
    "STACK_OVERFLOW": "call stack exhausted",
    "MEMORY_OUT_OF_BOUNDS": "out of bounds memory access",
    "UNREACHABLE": "unreachable instruction executed",
    "INTEGER_DIVISION_BY_ZERO": "integer division by zero",
    "INTEGER_OVERFLOW": "integer overflow",
    "BAD_CONVERSION_TO_INTEGER": "invalid conversion to integer",
    "TABLE_OUT_OF_BOUNDS": "out of bounds table access",
    "INDIRECT_CALL_TO_NULL": "indirect call to null",
    "BAD_SIGNATURE": "indirect call with a wrong type",
}
_ZEROS: Final = {"i32": 0, "i64": 0, "f32": 0.0, "f64": 0.0, "funcref": None, "externref": None}


class ProcExitError(Exception):
    """Raised by the `proc_exit` of jobs to unwind the guest; never leaves `enter`.

    Args:
        code: the unsigned 32-bit number that the guest gave.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class GuestCall(Protocol):
    """One export, ready to be called; a faster call path may replace the public one behind it."""

    def __call__(self, deadline_ticks: int) -> Outcome:
        """Enters the guest and says how it ended; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryGauge:
    """What tells a trap near the memory limit from another.

    Attributes:
        limit: bytes that the guest may have.
        size: bytes that it has now, asked before and after the call.
    """

    limit: int
    size: Callable[[], int]


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return clean(lines[-1].strip() if lines else type(error).__name__)


def _trap_name(trap: wasmtime.Trap) -> str:
    try:
        code = trap.trap_code
    except ValueError:  # a code that this version of the package has no name for
        return ""
    return "" if code is None else code.name


def _classify(error: Exception) -> Outcome:
    match error:
        case ProcExitError() | wasmtime.ExitTrap():
            return Outcome("exit", f"exit code {error.code}", exit_code=error.code)
        case wasmtime.Trap():
            name = _trap_name(error)
            if not name:
                return Outcome("trap", _last_line(error))
            words = _WORDS.get(name, name.lower().replace("_", " "))
            stack = tuple(frame.func_index for frame in error.frames)
            return Outcome(_KINDS.get(name, "trap"), words, trap=name, functions=stack)
        case wasmtime.WasmtimeError():
            line = _last_line(error)
            if line.startswith(_NO_EXIT_NUMBER):
                return Outcome("exit", "an exit code above 125 that the engine does not tell")
            return Outcome("host", line)
        case _:
            return Outcome("host", clean(f"{type(error).__name__}: {error}"))


def enter(
    store: wasmtime.Store, entry: Callable[[], _T], deadline_ticks: int, gauge: MemoryGauge | None = None
) -> tuple[_T | None, Outcome]:
    """Runs one entry into a store under a deadline; the ticker must be running.

    Args:
        store: the store that `entry` enters.
        entry: calls an export or instantiates.
        deadline_ticks: epochs from now.
        gauge: for guests whose memory limit is an outcome of its own (jobs).

    Returns:
        What `entry` returned, or None, and the outcome.
    """
    token = object()
    if _entered.setdefault(id(store), token) is not token:
        return None, Outcome("host", "the store is in use by another call")
    try:
        return _enter(store, entry, deadline_ticks, gauge)
    finally:
        del _entered[id(store)]


def _enter(
    store: wasmtime.Store, entry: Callable[[], _T], deadline_ticks: int, gauge: MemoryGauge | None
) -> tuple[_T | None, Outcome]:
    before = gauge.size() if gauge else 0
    began = time.monotonic_ns()
    result: _T | None = None
    outcome = Outcome("returned")
    try:
        store.set_epoch_deadline(deadline_ticks)
        result = entry()
    except Exception as error:  # noqa: BLE001 - whatever ends the guest is an outcome, never an exception
        outcome = _classify(error)
    duration_us = (time.monotonic_ns() - began) // 1000
    if outcome.kind == "returned":
        return result, Outcome("returned", duration_us=duration_us)
    kind, detail = outcome.kind, outcome.detail
    if gauge and kind == "trap" and near_memory_limit(initial=before, peak=gauge.size(), limit=gauge.limit):
        kind, detail = "memory", f"{detail} near the memory limit"
    return result, replace(outcome, kind=kind, detail=detail, duration_us=duration_us)


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A `GuestCall` by the public call path.

    Attributes:
        store: where the function lives.
        func: the export.
        args: zeros by the function's declared parameter types.
        gauge: see `enter`.
    """

    store: wasmtime.Store
    func: wasmtime.Func
    args: tuple[int | float | None, ...]
    gauge: MemoryGauge | None = None

    def __call__(self, deadline_ticks: int) -> Outcome:
        """Calls the export; its results are ignored.

        Args:
            deadline_ticks: epochs from now; the ticker must be running.

        Returns:
            How it ended.
        """
        return enter(self.store, self._call, deadline_ticks, self.gauge)[1]

    def _call(self) -> None:
        self.func(self.store, *self.args)


def prepare(func: wasmtime.Func, store: wasmtime.Store, gauge: MemoryGauge | None = None) -> PreparedCall:
    """Looks at a function's type once, so that calls need not.

    Args:
        func: an export.
        store: where it lives.
        gauge: see `enter`.

    Returns:
        The call, padded with zeros for whatever parameters the guest declared.
    """
    args = tuple(_ZEROS.get(str(kind), 0) for kind in func.type(store).params)
    return PreparedCall(store, func, args, gauge)


def run(
    func: wasmtime.Func, store: wasmtime.Store, ticker: Ticker, limit_ms: int, gauge: MemoryGauge | None = None
) -> Outcome:
    """Calls an export under a deadline of its own.

    Args:
        func: the export; missing arguments are zeros, results are ignored.
        store: where it lives.
        ticker: moves the epoch of the store's engine meanwhile.
        limit_ms: the deadline in milliseconds.
        gauge: see `enter`.

    Returns:
        How it ended; never raises.
    """
    with ticker.running():
        return prepare(func, store, gauge)(ticker.deadline_ticks(limit_ms))


def instantiate(
    store: wasmtime.Store, build: Callable[[], wasmtime.Instance], ticker: Ticker, limit_ms: int
) -> tuple[wasmtime.Instance | None, Outcome]:
    """Instantiates a module, which may run its start section, under the deadline of a call.

    Args:
        store: the store in which `build` instantiates.
        build: makes the instance, such as `lambda: linker.instantiate(store, module)`.
        ticker: moves the epoch meanwhile.
        limit_ms: the deadline in milliseconds.

    Returns:
        The instance and `returned`; or None and why not: kind `host` is a link error or a limit.
    """
    with ticker.running():
        return enter(store, build, ticker.deadline_ticks(limit_ms))
