"""Signals while a command runs: the first asks it to end, the second ends the program.

A terminal that goes away (SIGHUP) counts as SIGTERM, so that a job ends with its receipt; `nohup` is respected.
"""

import os
import signal
from types import FrameType
from typing import Self

from console.client import Execution
from console.exit_codes import ExitCode

__all__ = ["Signals"]

_CODES = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.TERMINATED,
}


class Signals:
    """Catches them as long as it is entered; for the main thread only.

    Attributes:
        code: the exit code of the signal that came, or None.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        self._execution: Execution | None = None
        self._before: dict[int, object] = {}

    def watch(self, execution: Execution) -> None:
        """Interrupts this command when a signal comes, or now if one came already.

        Args:
            execution: the running command.
        """
        self._execution = execution
        if self.code is not None:
            execution.interrupt(self.code)

    def __enter__(self) -> Self:
        for number in _CODES:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it is what signal.signal returned

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if self.code is not None:
            os._exit(_CODES[signal.Signals(number)])
        self.code = int(_CODES[signal.Signals(number)])
        if self._execution is not None:
            self._execution.interrupt(self.code)
