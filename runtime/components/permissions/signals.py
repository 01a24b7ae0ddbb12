"""Signals by name and by number, as Linux has them on x86-64 and ARM64."""

from typing import Final

__all__ = ["KILLING", "NAMES", "read_signal", "signal_name"]

NAMES: Final = {
    "hup": 1, "int": 2, "quit": 3, "kill": 9, "usr1": 10, "usr2": 12, "term": 15, "cont": 18, "stop": 19,
}  # fmt: skip
"""The nine that have a name in the interface."""

KILLING: Final = frozenset({NAMES["term"], NAMES["kill"]})
"""Allowed by `process.kill`, not by `process.signals`."""

_BY_NUMBER: Final = {number: name for name, number in NAMES.items()}
_LAST: Final = 64
_THREADS: Final = frozenset({32, 33})
"""Used by the C library for itself."""
_DIGITS: Final = 2


def read_signal(signal: str | int) -> int | None:
    """The number of a signal.

    Args:
        signal: `hup`, `HUP`, `SIGHUP`, `1` or 1.

    Returns:
        From 1 to 64, without 32 and 33; None when there is no such signal.
    """
    if isinstance(signal, str):
        if signal.isascii() and signal.isdigit() and len(signal) <= _DIGITS:
            number: int | None = int(signal)
        else:
            number = NAMES.get(signal.lower().removeprefix("sig")) if signal.isascii() else None
    else:
        number = signal
    return number if number is not None and 1 <= number <= _LAST and number not in _THREADS else None


def signal_name(number: int) -> str:
    """The name in the interface, or the number in digits."""
    return _BY_NUMBER.get(number, str(number))
