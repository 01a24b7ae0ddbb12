"""`--since SEQ|TIME`: a place in the journal, as a seq or as a time before now."""

from dataclasses import dataclass

from runtime.errors import UsageError
from runtime.quantities import parse_count, parse_duration_ms

__all__ = ["Ago", "parse_since"]


@dataclass(frozen=True, slots=True)
class Ago:
    """So many milliseconds before now."""

    ms: int


def parse_since(text: str, what: str = "--since") -> int | Ago:
    """A seq, or a time before now.

    Args:
        text: such as `4711` or `10m`.
        what: the option, for the message.

    Raises:
        UsageError: neither.
    """
    if text.isascii() and text.isdecimal():
        return parse_count(text, what=what)
    try:
        return Ago(parse_duration_ms(text, what=what))
    except UsageError as error:
        raise UsageError(error.why, where=error.where, hint="write a seq, or a time such as 10m") from error
