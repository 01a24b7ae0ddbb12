"""Which part of a file a request asks for, as RFC 9110 says. Pure."""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["UNSATISFIABLE", "Part", "Unsatisfiable", "part_of"]

_ONE: Final = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a file, the last one included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many."""
        return self.last - self.first + 1


class Unsatisfiable:
    """A range of which the file has nothing."""


UNSATISFIABLE: Final = Unsatisfiable()


def part_of(field: str, size: int) -> Part | Unsatisfiable | None:
    """Reads the header field `Range`.

    Args:
        field: its value.
        size: bytes of the file, at least one.

    Returns:
        One part, clamped to the file; None where the field is passed over and the whole file is sent: another unit,
        several ranges, or none that can be read.
    """
    match = _ONE.fullmatch(field)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        count = min(int(match[2]), size)
        return Part(size - count, size - 1) if count else UNSATISFIABLE
    first, last = int(match[1]), int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    return Part(first, min(last, size - 1)) if first < size else UNSATISFIABLE
