"""Ranges of ports as manifests write them."""

import re
from dataclasses import dataclass
from typing import Final

from runtime.components.permissions.errors import PatternError

__all__ = ["PORT_MAX", "PortRange", "holds", "read_ports"]

PORT_MAX: Final = 65_535
_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def read_ports(value: int | str, lowest: int = 1) -> PortRange:
    """One entry of `ports`.

    Args:
        value: `443`, `"443"`, `"8000-8100"` or `"*"`.
        lowest: the smallest port that there is: 0 for listening, where it means any free one, else 1.

    Raises:
        PatternError: not a port, or a range that ends before it begins.
    """
    if value == "*":
        return PortRange(lowest, PORT_MAX)
    match = _RANGE.fullmatch(str(value))
    if match is None:
        raise PatternError('a port is a number, a range as "8000-8100", or "*"')
    first, last = int(match[1]), int(match[2] or match[1])
    if first > last:
        raise PatternError("the range ends before it begins")
    if first < lowest or last > PORT_MAX:
        raise PatternError(f"ports are {lowest} to {PORT_MAX}")
    return PortRange(first, last)


def holds(ports: tuple[PortRange, ...], port: int) -> bool:
    """Whether a port is in one of the ranges."""
    return any(one.first <= port <= one.last for one in ports)
