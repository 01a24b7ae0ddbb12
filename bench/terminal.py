"""A terminal for measured programs: a pty whose screen pyte keeps."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyte

from bench.processes import ROOT, environment

__all__ = ["Terminal"]

_READ: Final = 65_536
_COLUMNS: Final = 120
_ROWS: Final = 40
_END_S: Final = 15.0


class Terminal:
    """Runs a program in a terminal of 120x40.

    Args:
        argv: the program.
        home: its home directory.
        watch: whether its screen is kept; else what it writes is only counted.
    """

    def __init__(self, argv: Sequence[str], home: Path, *, watch: bool = True) -> None:
        self._screen = pyte.Screen(_COLUMNS, _ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._watch = watch
        self._own, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self.written = 0
        """Bytes that the program has written."""
        self._last = b""
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            list(argv), stdin=theirs, stdout=theirs, stderr=theirs, env=environment(home), cwd=ROOT, process_group=0
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        return [str(line).rstrip() for line in self._screen.display]

    @property
    def tail(self) -> str:
        """The end of what the program wrote, as printable text."""
        text = self._last.decode(errors="replace")
        return "".join(character if character.isprintable() else " " for character in text)[-300:]

    def send(self, keys: str) -> None:
        """Types."""
        os.write(self._own, keys.encode())

    def pump(self, seconds: float) -> bool:
        """Reads what the program writes, until something came or the time is over.

        Returns:
            Whether the program may write more.
        """
        if not select.select([self._own], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._own, _READ)
        except OSError:  # EIO: the program has closed the terminal
            return False
        self.written += len(data)
        self._last = data
        if self._watch:
            self._stream.feed(data)
        return bool(data)

    def pump_for(self, seconds: float) -> None:
        """Reads for so long."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0 and self.pump(left):
            pass

    def until(self, painted: Callable[[Sequence[str]], bool], seconds: float = 20.0) -> float:
        """Reads until the screen is as wanted.

        Args:
            painted: judges the lines of the screen.
            seconds: how long at most.

        Returns:
            Seconds since the start of the program.

        Raises:
            RuntimeError: it does not become so; the screen is told.
        """
        while time.perf_counter() - self.began < seconds and self.pump(0.05):
            if painted(self.lines):
                return time.perf_counter() - self.began
        shown = "\n".join(line for line in self.lines if line)
        raise RuntimeError(f"the screen did not become as wanted within {seconds:g} s:\n{shown}")

    def end(self) -> None:
        """Asks the program to end, and makes it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            until = time.monotonic() + _END_S
            while self.process.poll() is None and time.monotonic() < until:
                self.pump(0.05)
            if self.process.poll() is None:
                self.process.kill()
        self.process.wait()
        os.close(self._own) if self._own >= 0 else None
        self._own = -1
