"""A real terminal: a tmux server of its own, without the user's configuration, that runs one shell."""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

__all__ = ["Terminal"]

PROGRAM = Path(sys.executable).parent / "orlop"
SECONDS = 60.0
"""How long a text may take to appear on a loaded machine; nothing is claimed about speed."""


class Terminal:
    """One pane with a shell in it; use as a context manager."""

    def __init__(
        self, folder: Path, *, columns: int = 120, rows: int = 40, environ: dict[str, str] | None = None
    ) -> None:
        self._server = ["tmux", "-S", str(folder / "tmux.sock"), "-f", "/dev/null"]
        self._folder = folder
        self._size = ("-x", str(columns), "-y", str(rows))
        self._environ = environ or {}

    def __enter__(self) -> Self:
        values = {"COLORTERM": "truecolor", "HOME": str(self._folder), **self._environ}
        options = [part for name, value in values.items() for part in ("-e", f"{name}={value}")]
        shell = (
            "env -u CI -u NO_COLOR bash --norc --noprofile" if "NO_COLOR" not in values else "bash --norc --noprofile"
        )
        self._tmux("new-session", "-d", "-s", "t", *self._size, "-c", str(self._folder), *options, shell)
        self.wait(r"[#$] *$|[#$] *\n")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self._server, "kill-server"], check=False, capture_output=True)

    def _tmux(self, *words: str) -> str:
        return subprocess.run([*self._server, *words], check=True, capture_output=True, text=True).stdout

    @property
    def screen(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p", "-t", "t")

    @property
    def colours(self) -> str:
        """What is on the screen, with its escape sequences."""
        return self._tmux("capture-pane", "-e", "-p", "-t", "t")

    def facts(self, text: str) -> str:
        """What tmux knows of the pane, such as `#{alternate_on}`."""
        return self._tmux("display", "-p", "-t", "t", text).strip()

    def keys(self, *names: str) -> None:
        """Presses keys by tmux's names, one after another."""
        for name in names:
            self._tmux("send-keys", "-t", "t", name)

    def focus(self, key: str, label: str) -> None:
        """Presses a key and waits until the line with this label looks different: the focus is there."""
        before = self._line(label)
        self.keys(key)
        self.until(lambda _: self._line(label) != before, f"the focus on {label!r}")

    def _line(self, label: str) -> str:
        return next((line for line in self.colours.splitlines() if label in line), "")

    def type(self, text: str) -> None:
        """Types a text."""
        self._tmux("send-keys", "-t", "t", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        """Gives the terminal another size."""
        self._tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(rows))

    def orlop(self, *words: str) -> None:
        """Starts the program in the shell."""
        self.type(f'{PROGRAM} {shlex.join(words)}; echo "ended with $?"')
        self.keys("Enter")

    def until(self, true: Callable[[str], bool], what: str) -> str:
        """The first screen for which something is true."""
        deadline = time.monotonic() + SECONDS
        while True:
            shown = self.screen
            if true(shown):
                return shown
            assert time.monotonic() < deadline, f"{what} did not come:\n{shown}"
            time.sleep(0.05)  # between two looks; the text decides, not the time

    def wait(self, pattern: str) -> str:
        """The first screen on which a regular expression is found."""
        return self.until(lambda shown: re.search(pattern, shown) is not None, repr(pattern))

    def gone(self, pattern: str) -> str:
        """The first screen on which a regular expression is not found."""
        return self.until(lambda shown: re.search(pattern, shown) is None, f"the end of {pattern!r}")
