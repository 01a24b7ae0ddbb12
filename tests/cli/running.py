"""The real program as processes that go on, with the events that each has written so far."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.cli.program import command, environment, inside

__all__ = ["SECONDS", "Running"]

SECONDS = 120.0
_CAME = threading.Condition()


class Running:
    """One process of `orlop`, by its command line, in a home of its own.

    Args:
        home: its home directory, made if need be.
        words: its command line.
        within: a command line that runs another one, as `ip netns exec NAME` does.
    """

    def __init__(self, home: Path, *words: str, within: Sequence[str] = ()) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        self.words = words
        self.within = within
        self.start()

    def start(self) -> None:
        """Begins it, or begins it again."""
        self.lines: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [*self.within, *command(*self.words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(self.home),
            cwd=self.home,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """Waits for an event of a kind with these fields, since the last start."""

        def found() -> dict[str, Any] | None:
            fitting = [line for line in self.lines if line["type"] == kind]
            return next((line for line in fitting if fields.items() <= line.items()), None)

        with _CAME:
            assert _CAME.wait_for(lambda: found() is not None, SECONDS), (kind, fields, self.lines[-5:])
            line = found()
        assert line is not None
        return line

    def wait(self, holds: Callable[[], bool]) -> None:
        """Waits until something holds of what it wrote."""
        with _CAME:
            assert _CAME.wait_for(holds, SECONDS), self.lines[-5:]

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends it a signal and waits for its end."""
        self._process.send_signal(number)
        code = self._process.wait(SECONDS)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def kill(self) -> None:
        """Ends it as a power cut would."""
        assert self.end(signal.SIGKILL) == -signal.SIGKILL

    def close(self) -> None:
        """Ends it unless it has ended."""
        if self.running:
            self.end()

    def run(self, *words: str) -> Any:
        """One command beside it, and its document."""
        ran = inside(self.home, [*words, "--json"], cwd=self.home)
        assert ran.code == 0, (words, ran.talk)
        return ran.json

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with _CAME:
                self.lines.append(json.loads(line))
                _CAME.notify_all()
