"""Lines for people, on every console: each is one write, so that the kernel's own lines do not split it."""

import contextlib
import os
import re
import select
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from runtime.sanitise import clean

__all__ = ["Say", "console_names", "open_consoles"]

_LINE_MAX: Final = 400
_CONSOLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,30}", re.ASCII)
_STUCK_MS: Final = 2000
"""A console on which nothing goes for so long loses the line."""


class Say:
    """Says lines.

    Args:
        descriptors: of the consoles.
    """

    def __init__(self, descriptors: Iterable[int]) -> None:
        self._descriptors = list(descriptors)

    def line(self, text: str) -> None:
        """One line, which begins with the seconds since this kernel started and `boot: `.

        Args:
            text: made harmless here.
        """
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME)
        line = f"[{seconds:8.2f}] boot: {clean(text, _LINE_MAX)}\n".encode()
        for descriptor in self._descriptors:
            _write(descriptor, line)

    def lines(self, text: str) -> None:
        """Several lines, such as those of a traceback.

        Args:
            text: with line ends.
        """
        for line in text.splitlines():
            self.line(f"| {line}")


def console_names(active: str, consoles: str) -> list[str]:
    """The consoles that the kernel writes to.

    Args:
        active: of `/sys/class/tty/console/active`: names with blanks between.
        consoles: of `/proc/consoles`: a name begins each line.
    """
    firsts = [line.split()[0] for line in consoles.splitlines() if line.split()]
    return [name for name in dict.fromkeys([*active.split(), *firsts]) if _CONSOLE.fullmatch(name)]


def open_consoles(root: Path = Path("/")) -> list[int]:
    """Opens every console that there is; the standard output where there is none.

    Args:
        root: below which `proc`, `sys` and `dev` are.
    """
    names = console_names(_text(root / "sys/class/tty/console/active"), _text(root / "proc/consoles"))
    found: list[int] = []
    for name in names:
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
            found.append(os.open(root / "dev" / name, flags))
    return found or [1]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _write(descriptor: int, line: bytes) -> None:
    """A whole line, or none of what is left of it: a console that does not take it must not stop a machine."""
    while line:
        try:
            line = line[os.write(descriptor, line) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            if not poll.poll(_STUCK_MS):
                return
        except OSError:
            return
