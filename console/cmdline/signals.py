"""Signals while a command runs: the first asks it to end, the second ends the program.

A terminal that goes away (SIGHUP) counts as SIGTERM, so that a job ends with its receipt; `nohup` is respected.
"""

import os
import signal
from typing import Self

from console.client import Execution
from console.exit_codes import ExitCode
from console.signal_listener import SignalListener

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
        heeded = [number for number in _CODES if signal.getsignal(number) is not signal.SIG_IGN]
        self._listener = SignalListener(heeded, self._hear)

    def watch(self, execution: Execution) -> None:
        """Interrupts this command when a signal comes, or now if one came already.

        Args:
            execution: the running command.
        """
        self._execution = execution
        if self.code is not None:
            execution.interrupt(self.code)

    def __enter__(self) -> Self:
        self._listener.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.__exit__()

    def _hear(self, number: int) -> None:
        """On the listener's thread."""
        code = _CODES[signal.Signals(number)]
        if self.code is not None:
            os._exit(code)
        self.code = int(code)
        if self._execution is not None:
            self._execution.interrupt(self.code)
