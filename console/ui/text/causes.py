"""A failure's reason in two parts: what happened, and what to look for. The core says both in one line."""

__all__ = ["split_cause"]


def split_cause(reason: str) -> tuple[str, str]:
    """`out of bounds memory access (a bad pointer or index, …)` as its two parts; the second may be empty.

    Args:
        reason: the core's words for one failure.
    """
    what, opening, cause = reason.partition(" (")
    if opening and cause.endswith(")"):
        return what, cause[:-1]
    what, colon, cause = reason.partition(": ")
    if colon and what.startswith("it ran over"):
        return what, cause
    return reason, ""
