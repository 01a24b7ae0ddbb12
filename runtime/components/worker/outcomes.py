"""What the engine says when a component ends by a fault, as an `Outcome`.

A trap in a component is a plain `WasmtimeError` without a code, so its text decides: the last line, since frames with
names come before it. The texts are those of wasmtime 50.0.1; each has a test that makes it.
"""

import re
from typing import Final

from runtime.sandbox.outcome import Kind, Outcome
from runtime.sanitise import clean

__all__ = ["outcome_of"]

_TRAPS: Final[dict[str, tuple[Kind, str, str]]] = {
    "interrupt": ("deadline", "INTERRUPT", "over its deadline"),
    "all fuel consumed by WebAssembly": ("fuel", "OUT_OF_FUEL", "all fuel consumed"),
    "call stack exhausted": ("stack", "STACK_OVERFLOW", "call stack exhausted"),
    "wasm `unreachable` instruction executed": ("trap", "UNREACHABLE", "unreachable instruction executed"),
    "out of bounds memory access": ("trap", "MEMORY_OUT_OF_BOUNDS", "out of bounds memory access"),
    "undefined element: out of bounds table access": ("trap", "TABLE_OUT_OF_BOUNDS", "out of bounds table access"),
    "uninitialized element": ("trap", "INDIRECT_CALL_TO_NULL", "indirect call to null"),
    "indirect call type mismatch": ("trap", "BAD_SIGNATURE", "indirect call with a wrong type"),
    "integer divide by zero": ("trap", "INTEGER_DIVISION_BY_ZERO", "integer division by zero"),
    "integer overflow": ("trap", "INTEGER_OVERFLOW", "integer overflow"),
    "invalid conversion to integer": ("trap", "BAD_CONVERSION_TO_INTEGER", "invalid conversion to integer"),
    "cannot enter component instance": ("host", "DEAD", "the instance trapped before, and is not entered again"),
}
"""By what follows `wasm trap: `."""

_PREFIX: Final = "wasm trap: "
_LIMITS: Final = (
    ("memory minimum size", "its memory begins above its limit"),
    ("table minimum size", "a table of it begins above its limit"),
    ("resource limit exceeded", "it has more instances, tables or memories than its limits allow"),
)
_VALUES: Final = (
    ("unknown handle index", "HANDLE"),
    ("used with the wrong type", "HANDLE"),
    ("invalid utf-8", "TEXT"),
    ("out of bounds of memory", "POINTER"),
    ("pointer not aligned", "POINTER"),
    ("discriminant", "VALUE"),
    ("converted integer out of range", "VALUE"),
)
"""Values that break the rules of the component model: a part of the last line, and a name."""

_FAULT: Final = "BUG: "
"""Begins what the engine says instead of a panic, such as of two borrowed handles in one call."""

_NUMBERED: Final = re.compile(r"^[0-9]+: ")
"""Stands before each of several causes."""

_TAIL: Final = 4096


def outcome_of(error: BaseException, *, instantiated: bool) -> Outcome:
    """Says how an entry into a component ended that raised.

    Args:
        error: what the engine raised, or the host's own code around it.
        instantiated: whether there was an instance; before, what is no trap is a link error, and after it the guest's.

    Returns:
        The outcome; `host` for a fault that is not the guest's. Its text is harmless to show.
    """
    lines = _lines(error)
    fault = next((line for line in lines if line.startswith(_FAULT)), None)
    if fault is not None:
        return Outcome("trap", clean(f"a fault of the engine: {fault.removeprefix(_FAULT)}"), "ENGINE")
    line = lines[-1]
    if line.startswith(_PREFIX):
        kind, trap, words = _TRAPS.get(line.removeprefix(_PREFIX), ("trap", "", line.removeprefix(_PREFIX)))
        return Outcome(kind, clean(words), trap)
    for text, words in _LIMITS:
        if text in line:
            return Outcome("memory", f"{words} ({clean(line, 200)})")
    for text, name in _VALUES:
        if text in line:
            return Outcome("trap", clean(line, 200), name)
    guest = instantiated and type(error).__name__ == "WasmtimeError"
    # What links says in its first line what it is about, and in its last what is wrong with it.
    return Outcome("trap", clean(line)) if guest else Outcome("host", clean(": ".join(dict.fromkeys([lines[0], line]))))


def _lines(error: BaseException) -> list[str]:
    lines = [line.strip() for line in str(error)[-_TAIL:].splitlines() if line.strip()]
    return [_NUMBERED.sub("", line) for line in lines] or [type(error).__name__]
