"""Sizes, durations and counts as people write them: one strict parser and one formatter each.

`128MiB`, `1.5GB`, `30s`, `2h`, `1_000_000`. A fraction needs a unit, a duration always does; nothing is negative.
"""

import re
from decimal import Decimal

from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = [
    "DURATION_MAX_MS",
    "SIZE_MAX",
    "format_duration_ms",
    "format_size",
    "parse_count",
    "parse_duration_ms",
    "parse_size",
]

SIZE_MAX = 2**53
"""Bytes; the largest size that every JSON reader holds exactly."""

DURATION_MAX_MS = 366 * 86_400_000
"""A year."""

_COUNT_MAX = 2**63 - 1

_SIZES = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_DURATIONS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_NUMBER = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,9})?)([A-Za-z]*)", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,3}(?:_?[0-9]{1,3}){0,8}", re.ASCII)


def parse_size(text: str, *, minimum: int = 0, maximum: int = SIZE_MAX, what: str = "") -> int:
    """A size in bytes, rounded down to whole ones; a number without a unit counts bytes.

    Args:
        text: such as `65536`, `128MiB`, `1.5GB`.
        minimum: bytes that are allowed at least.
        maximum: bytes that are allowed at most.
        what: the option or key that is read, for the message.

    Raises:
        UsageError: not a size, or out of bounds.
    """
    match = _NUMBER.fullmatch(text)
    factor = _SIZES.get(match[2] or "B") if match else None
    if match is None or factor is None or ("." in match[1] and factor == 1):
        raise _not("a size", text, what, "write a number and B, KiB, MiB, GiB, TiB, kB, MB, GB or TB, such as 128MiB")
    words = (format_size(minimum), format_size(maximum))
    return _bounded(int(Decimal(match[1]) * factor), text, what, (minimum, maximum), words)


def parse_duration_ms(text: str, *, minimum: int = 0, maximum: int = DURATION_MAX_MS, what: str = "") -> int:
    """A duration in milliseconds; the unit must be written.

    Args:
        text: such as `250ms`, `30s`, `1.5h`, `2d`.
        minimum: milliseconds that are allowed at least.
        maximum: milliseconds that are allowed at most.
        what: the option or key that is read, for the message.

    Raises:
        UsageError: not a duration, finer than a millisecond, or out of bounds.
    """
    match = _NUMBER.fullmatch(text)
    factor = _DURATIONS.get(match[2]) if match else None
    if match is None or factor is None:
        raise _not("a duration", text, what, "write a number and ms, s, m, h or d, such as 30s")
    words = (format_duration_ms(minimum), format_duration_ms(maximum))
    value = Decimal(match[1]) * factor
    if value != int(value):
        raise _not("a duration", text, what, "write whole milliseconds")
    return _bounded(int(value), text, what, (minimum, maximum), words)


def parse_count(text: str, *, minimum: int = 0, maximum: int = _COUNT_MAX, what: str = "") -> int:
    """A whole number in decimal digits, which `_` may group: `1_000_000`.

    Args:
        text: the digits.
        minimum: the smallest that is allowed.
        maximum: the largest that is allowed.
        what: the option or key that is read, for the message.

    Raises:
        UsageError: not a whole number, or out of bounds.
    """
    if _COUNT.fullmatch(text) is None:
        raise _not("a whole number", text, what, "write decimal digits, such as 1000 or 1_000_000")
    return _bounded(int(text.replace("_", "")), text, what, (minimum, maximum), (str(minimum), str(maximum)))


def _not(kind: str, text: str, what: str, hint: str) -> UsageError:
    return UsageError(f"`{clean(text, 40)}` is not {kind}", where=what, hint=hint)


def _bounded(value: int, text: str, what: str, bounds: tuple[int, int], words: tuple[str, str]) -> int:
    minimum, maximum = bounds
    shown = clean(text, 40)
    if value < minimum:
        raise UsageError(f"`{shown}` is too small", where=what, hint=f"allowed are {words[0]} to {words[1]}")
    if value > maximum:
        raise UsageError(f"`{shown}` is too large", where=what, hint=f"allowed are {words[0]} to {words[1]}")
    return value


def format_size(size: int) -> str:
    """A size for people, at most one digit after the point: `512B`, `1.5KiB`, `128MiB`."""
    value, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1023.95 or unit == "TiB":  # noqa: PLR2004 - from here on it would read 1024.0
            break
        value /= 1024
    shown = f"{value:.1f}".removesuffix(".0")
    return f"{shown}{unit}"


def format_duration_ms(ms: int) -> str:
    """A duration for people, its two greatest units at most: `250ms`, `1.5s`, `2m05s`, `3h20m`, `4d01h`."""
    if ms < 1000:  # noqa: PLR2004 - a second
        return f"{ms}ms"
    if ms < 60_000:  # noqa: PLR2004 - a minute
        tenths = ms // 100
        return f"{tenths / 10:.1f}".removesuffix(".0") + "s"
    for unit, below, smaller, name in ((86_400_000, 3_600_000, "h", "d"), (3_600_000, 60_000, "m", "h")):
        if ms >= unit:
            whole, rest = divmod(ms, unit)
            return f"{whole}{name}{rest // below:02d}{smaller}" if rest >= below else f"{whole}{name}"
    whole, rest = divmod(ms, 60_000)
    return f"{whole}m{rest // 1000:02d}s" if rest >= 1000 else f"{whole}m"  # noqa: PLR2004 - a second
