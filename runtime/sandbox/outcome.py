"""How a guest's call ended: one frozen value, and words about it for the guest's author.

Nothing here knows the engine; `runtime.sandbox.call` makes outcomes from what the engine raises.
"""

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Kind", "Outcome", "likely_cause", "near_memory_limit"]

Kind = Literal["returned", "exit", "fuel", "deadline", "memory", "stack", "trap", "host"]

_MIB: Final = 1024 * 1024

_CAUSES: Final = {
    "UNREACHABLE": "`__builtin_trap`, `abort` or a failed check in the guest",
    "MEMORY_OUT_OF_BOUNDS": "a bad pointer or index, or the guest's own stack in linear memory overflowed",
    "STACK_OVERFLOW": "recursion without an end",
    "INTEGER_DIVISION_BY_ZERO": "a division by zero",
    "INTEGER_OVERFLOW": "an integer division or conversion whose result does not fit",
    "BAD_CONVERSION_TO_INTEGER": "a float that is not a number was converted to an integer",
    "TABLE_OUT_OF_BOUNDS": "a call through a function pointer outside the table",
    "INDIRECT_CALL_TO_NULL": "a call through a null function pointer",
    "BAD_SIGNATURE": "a function pointer was called with a wrong type",
}
_KIND_CAUSES: Final[dict[Kind, str]] = {
    "returned": "",
    "exit": "",
    "fuel": "it computed for longer than its fuel budget allows: an endless loop, or a budget that is too small",
    "deadline": "it ran over its deadline: an endless loop, or more work than fits into one call",
    "memory": "it used up its memory limit and then gave up",
    "stack": "recursion without an end",
    "host": "the host could not link or serve it; the guest itself may be sound",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry into a guest.

    Attributes:
        kind: `returned` and `exit` are the guest's own ends; `fuel`, `deadline`, `memory` and `stack` are limits;
            `trap` is every other trap; `host` is a fault that is not the guest's code (link error, host function).
        detail: one line for people, without text of the guest's choosing unless sanitised; empty when it returned.
        trap: the engine's name of the trap, such as `MEMORY_OUT_OF_BOUNDS`; empty when there was none.
        exit_code: what the guest gave to `proc_exit` (an unsigned 32-bit number); None when it did not, or when the
            engine kept the number to itself.
        duration_us: wall-clock microseconds from entry to end.
        functions: indices of the functions that were on the stack when it trapped, innermost first, at most 20.
    """

    kind: Kind
    detail: str = ""
    trap: str = ""
    exit_code: int | None = None
    duration_us: int = 0
    functions: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the guest returned, or ended itself with code 0."""
        return self.kind == "returned" or (self.kind == "exit" and self.exit_code == 0)


def likely_cause(outcome: Outcome) -> str:
    """Says in words what an author should look for.

    Args:
        outcome: how the call ended.

    Returns:
        A clause without a full stop; empty for a guest that ended by itself.
    """
    if outcome.kind == "trap":
        return _CAUSES.get(outcome.trap, "a fault in the guest's code")
    return _KIND_CAUSES[outcome.kind]


def near_memory_limit(*, initial: int, peak: int, limit: int) -> bool:
    """Whether a trapped run counts as `memory`: it had grown, and came close to its limit.

    Args:
        initial: bytes of memory before the call.
        peak: bytes of memory after it; memories never shrink.
        limit: the bytes that were allowed.

    Returns:
        True within max(4 MiB, limit/16) of the limit, but at most limit/4 below it.
    """
    return peak > initial and peak >= limit - min(max(4 * _MIB, limit // 16), limit // 4)
