"""What is wrong in a Component.toml: one line for each fault, with the place."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.components.errors import ComponentError
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["FILE_NAME", "Fault", "KeyPath", "ManifestError", "spoken"]

FILE_NAME: Final = "Component.toml"
_LINES: Final = 20
_SHOWN: Final = 60
_BARE: Final = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)

KeyPath = tuple[str | int, ...]
"""Keys, and places in lists, from the top of the document."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong; `line` counts from 1."""

    path: KeyPath
    reason: str
    line: int = 1
    syntax: bool = False

    def __str__(self) -> str:
        """Without the file's name."""
        key = "syntax" if self.syntax else spoken(self.path)
        return ": ".join(part for part in (str(self.line), key, self.reason) if part)


class ManifestError(ComponentError, UsageError):
    """A Component.toml that does not pass. Exit 2.

    Args:
        faults: at least one.
        name: of the file, as it is shown.

    Attributes:
        lines: `Component.toml:LINE: key: reason` for each fault in the order of the file, at most 20, then how many
            more there are.
    """

    code = "usage"

    def __init__(self, faults: Iterable[Fault], name: str = FILE_NAME) -> None:
        self.faults: Sequence[Fault] = sorted(faults, key=lambda fault: fault.line)
        shown = [f"{clean(name, 200)}:{fault}" for fault in self.faults[:_LINES]]
        if len(self.faults) > _LINES:
            shown.append(f"… and {len(self.faults) - _LINES} more")
        self.lines: Sequence[str] = shown
        super().__init__("\n".join(shown))


def spoken(path: KeyPath) -> str:
    """A path as it is written: `permissions.filesystem.read[1]`; keys that are not bare are quoted and harmless."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if _BARE.fullmatch(part) else f'"{clean(part, _SHOWN)}"'
            text += f".{shown}" if text else shown
    return text
