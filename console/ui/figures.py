"""Figures as they stand in cells: times, ages, durations, sizes, bars. Pure."""

from datetime import UTC, datetime

__all__ = [
    "age",
    "bar",
    "clock",
    "count",
    "date_of",
    "day_clock",
    "due",
    "meter",
    "millis",
    "precise",
    "short_id",
    "size",
    "time_or_day",
    "took",
    "uptime",
]

NOTHING = "–"  # noqa: RUF001 - a dash as wide as a figure
"""Stands in a cell for what is not known or does not apply."""

_EIGHTHS = " ▏▎▍▌▋▊▉"
_THOUSAND = 1_000
_TEN = 10
_TEN_THOUSAND = 10_000


def _utc(ms: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def clock(ms: int | None) -> str:
    """`14:02:20` UTC, or a dash."""
    when = None if ms is None else _utc(ms)
    return NOTHING if when is None else f"{when:%H:%M:%S}"


def day_clock(ms: int | None, now_ms: int) -> str:
    """`14:02:20` today, `21 Nov 14:02` on another day."""
    when, now = (None if ms is None else _utc(ms)), _utc(now_ms)
    if when is None or now is None:
        return NOTHING
    return f"{when:%H:%M:%S}" if when.date() == now.date() else f"{when.day} {when:%b %H:%M}"


def time_or_day(ms: int | None, now_ms: int) -> str:
    """`14:02` today, `21 Nov` on another day: as narrow as it can be."""
    when, now = (None if ms is None else _utc(ms)), _utc(now_ms)
    if when is None or now is None:
        return NOTHING
    return f"{when:%H:%M}" if when.date() == now.date() else f"{when.day} {when:%b}"


def date_of(ms: int | None) -> str:
    """`Fri 21 Nov`, or a dash."""
    when = None if ms is None else _utc(ms)
    return NOTHING if when is None else f"{when:%a} {when.day} {when:%b}"


def precise(ms: int) -> str:
    """`14:02:20.114` UTC."""
    when = _utc(ms)
    return NOTHING if when is None else f"{when:%H:%M:%S}.{ms % 1000:03d}"


def millis(us: int | None) -> str:
    """A duration of microseconds: `90µs`, `0.4ms`, `12ms`, `5.0s`."""
    if us is None:
        return NOTHING
    if us < 100:  # noqa: PLR2004 - below a tenth of a millisecond
        return f"{us}µs"
    ms = us / 1000
    if ms < _TEN:
        return f"{ms:.1f}ms"
    return f"{ms:.0f}ms" if ms < _THOUSAND else took(round(ms))


def took(ms: int | None) -> str:
    """A duration of milliseconds: `7ms`, `1.4s`, `2m 05s`, `3h 10m`, `4d 2h`."""
    if ms is None:
        return NOTHING
    if ms < _THOUSAND:
        return f"{ms}ms"
    if ms < 60_000:  # noqa: PLR2004 - a minute
        return f"{ms / 1000:.1f}s"
    minutes, seconds = divmod(ms // 1000, 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes}m {seconds:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours < 24 else f"{hours // 24}d {hours % 24}h"  # noqa: PLR2004 - a day


def uptime(ms: int) -> str:
    """`<1m`, `4m`, `2h 10m`, `3d 4h`: it changes once a minute."""
    minutes = max(ms, 0) // 60_000
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes}m" if minutes else "<1m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours < 24 else f"{hours // 24}d {hours % 24}h"  # noqa: PLR2004 - a day


def age(ms: int | None, now_ms: int) -> str:
    """How long ago: `now`, `12s`, `4m`, `2h`, `9d`."""
    if ms is None:
        return NOTHING
    seconds = max(now_ms - ms, 0) // 1000
    for limit, per, unit in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h")):
        if seconds < limit:
            return "now" if seconds == 0 else f"{seconds // per}{unit}"
    return f"{seconds // 86400}d"


def due(ms: int | None, now_ms: int) -> str:
    """When a task is due: `in 2 h`, `tomorrow`, `in 3 d`, `12 m late`; a dash when it never is."""
    if ms is None:
        return NOTHING
    late = ms < now_ms
    minutes = abs(ms - now_ms) // 60_000
    if minutes < 60:  # noqa: PLR2004 - an hour
        amount = f"{minutes} m"
    elif minutes < 36 * 60:
        amount = f"{minutes // 60} h"
    else:
        amount = f"{minutes // 1440} d"
    return f"{amount} late" if late else f"in {amount}"


def size(amount: int | None) -> str:
    """Bytes in five cells at most: `312B`, `1.2K`, `96M`, `1.5G` (powers of 1,024)."""
    if amount is None:
        return NOTHING
    if amount < 1024:  # noqa: PLR2004 - a kibibyte
        return f"{amount}B"
    value = float(amount)
    for unit in "KMGTPE":
        value /= 1024
        if value < _TEN:
            return f"{value:.1f}{unit}"
        if value < _THOUSAND:
            return f"{value:.0f}{unit}"
    return f"{value:.0f}E"


def count(amount: int | None) -> str:
    """A count: `9,999`, `12k`, `3.4M`, `10G`."""
    if amount is None:
        return NOTHING
    if abs(amount) < _TEN_THOUSAND:
        return f"{amount:,}"
    value = float(amount)
    for unit in "kMGTPE":
        value /= _THOUSAND
        if abs(value) < _TEN:
            return f"{value:.1f}{unit}".replace(".0", "")
        if abs(value) < _THOUSAND:
            return f"{value:.0f}{unit}"
    return f"{value:.0f}E"


def bar(part: float | None, whole: float, width: int) -> str:
    """A bar of `width` cells, in eighths of a cell; what is not nothing shows at least the thinnest one."""
    if part is None or whole <= 0:
        return " " * width
    eighths = round(min(max(part / whole, 0.0), 1.0) * width * 8)
    if part > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def meter(filled: int, whole: int) -> str:
    """`▮▮▯`: so many of so many."""
    filled = min(max(filled, 0), whole)
    return "▮" * filled + "▯" * (whole - filled)


def short_id(text: str, width: int = 8) -> str:
    """The first characters of an id."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
