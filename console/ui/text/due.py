"""When a task is due: what was typed as a time in words, and the times that are one key away. Pure."""

from datetime import UTC, datetime

from console.ui.figures import due
from runtime.errors import UsageError

__all__ = ["AS_TYPED", "HINT", "NEVER", "QUICK", "moment", "stands"]

AS_TYPED = "typed"
NEVER = "none"
"""What is typed or picked so that a task is no longer due at any time."""

QUICK = (AS_TYPED, "1h", "tomorrow", "3d", "1w")
"""The picks of the dialogs."""

HINT = "2h   3d   tomorrow 9:00   2026-12-01 14:00"


def moment(typed: str, now_ms: int) -> str:
    """When `due` is, in words; what is wrong with it; or nothing."""
    if not typed:
        return ""
    if typed == NEVER:
        return "no longer due at any time"
    from runtime.rooms.slash import parse_due

    try:
        return stands(parse_due(typed, now_ms), now_ms)
    except UsageError as error:
        return error.why


def stands(due_ms: int, now_ms: int) -> str:
    """`Sat 22 Nov 2025 09:00 UTC, in 17 h`."""
    try:
        when = datetime.fromtimestamp(due_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return "too far away"
    return f"{when:%a %d %b %Y %H:%M} UTC, {due(due_ms, now_ms)}"
