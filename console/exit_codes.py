"""Exit statuses: what a script may rely on. `jobs run` has codes of its own beside these (124, 125, 134, 137)."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from console.client import Fault, Result

__all__ = ["ExitCode", "exit_code_for", "exit_code_of"]


class ExitCode(IntEnum):
    """Every exit status of `orlop` itself."""

    OK = 0
    """It worked; also: `--for` ended by itself, and the reader of stdout went away."""
    FAILED = 1
    """The operation was tried or refused, and did not happen; or its answer could not be written. stderr says which."""
    USAGE = 2
    """Wrong options, names or configuration; nothing was tried."""
    BOOT_REFUSED = 3
    """A boot manifest or artifact did not verify."""
    NOT_VERIFIED = 4
    """A receipt or its chain did not verify."""
    NETWORK = 5
    """An address could not be bound or reached."""
    IN_USE = 6
    """Another process holds the state directory."""
    RAN_OUT = 7
    """`--for` ran out before `--until` matched."""
    TRIPPED = 8
    """A breaker was open at exit (`--fail-on-trip`)."""
    DEADLINE = 124
    """`jobs run`: the wall clock ran out."""
    NOT_RUN = 125
    """`jobs run`: orlop did not run it or does not believe the result."""
    GUEST_FAILED = 134
    """`jobs run`: trap, fuel, memory, stack or output limit."""
    HUNG_UP = 129
    """The terminal went away (UI only)."""
    INTERRUPTED = 130
    """SIGINT."""
    CANCELLED = 137
    """`jobs run`: cancelled by another command, or by the end of the client or core that it ran for."""
    TERMINATED = 143
    """SIGTERM."""


_BY_CODE: Mapping[str, ExitCode] = MappingProxyType(
    {
        "usage": ExitCode.USAGE,
        "ambiguous": ExitCode.USAGE,
        "in-use": ExitCode.IN_USE,
        "network": ExitCode.NETWORK,
        "boot-refused": ExitCode.BOOT_REFUSED,
    }
)


def exit_code_for(fault: Fault) -> ExitCode:
    """The exit status for a fault: 2 for the caller's mistakes, 5 for an address, 6 for a held directory, else 1."""
    return _BY_CODE.get(fault.code, ExitCode.FAILED)


def exit_code_of(result: Result) -> int:
    """The exit status of a command: its own where it set one, else 0 or that of its fault."""
    if result.exit_code is not None:
        return result.exit_code
    if result.ok:
        return ExitCode.OK
    return exit_code_for(result.fault) if result.fault else ExitCode.FAILED
