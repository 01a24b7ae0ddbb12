"""Signals, told at once on a thread of their own."""

import os
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Self

__all__ = ["SignalListener"]


class SignalListener(AbstractContextManager["SignalListener"]):
    """Listens as long as it is entered; for the main thread only.

    Python runs handlers on the main thread, between two steps of its program. A signal that comes a moment before that
    thread begins to wait for a lock, or that the kernel gives to another thread, is handled when the wait ends, which
    may be never. The byte that the interpreter writes for it is there at once.

    Args:
        numbers: which signals.
        heard: called with the number of each that comes, on the listener's thread; it must not block.
    """

    def __init__(self, numbers: Iterable[int], heard: Callable[[int], None]) -> None:
        self._numbers = frozenset(numbers)
        self._heard = heard
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Begins to listen."""
        self._reads, self._writes = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writes, False)
        self._wakeup = signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _pass) for number in self._numbers}
        self._thread = threading.Thread(target=self._listen, name="orlop-signals", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Signals do again what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it is what signal.signal returned
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._writes)
        self._thread.join()
        os.close(self._reads)

    def _listen(self) -> None:
        while came := os.read(self._reads, 64):
            for number in came:
                if number in self._numbers:
                    self._heard(number)


def _pass(_number: int, _frame: FrameType | None) -> None:
    """Only with a handler of its own does the interpreter write the byte."""
