"""PID 1 of the second stage: keeps the node running, reaps whatever ends, and ends the machine when it is told to.

It is one loop on one thread, and the only one that waits for children, so that no child is waited for twice or never.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from boot.stage2.power_button import PowerButton
from boot.stage2.processes import BackOff, Program, begin, reap
from boot.stage2.watchdog import Watchdog

__all__ = ["SIGNALS", "Supervisor"]

SIGNALS: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGIO)
"""Blocked, and taken one by one."""
_FEED_S: Final = 10.0


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """What runs and what is to be done.

    Attributes:
        node: begun again whenever it ends.
        say: hears of it.
        watchdog: fed.
        button: that ends the machine.
        greeter: process id of the child that runs the first job; 0 of none.
        greeted: is called when that child has ended.
        drain_s: how long the node may take to end.
        back_off: before it is begun again.
    """

    node: Program
    say: Callable[[str], None]
    watchdog: Watchdog
    button: PowerButton
    greeter: int = 0
    greeted: Callable[[], None] = lambda: None
    drain_s: float = 30.0
    back_off: BackOff = field(default_factory=BackOff)
    _pid: int = 0
    _began: float = 0.0
    _again: float = 0.0

    def begin(self) -> None:
        """Begins the node.

        Raises:
            UnavailableError: there is no process to be had.
        """
        self._pid, self._began = begin(self.node), time.monotonic()

    def run(self) -> None:
        """Until it is told to end; then the node was asked to, and has ended."""
        while not self._stop_wanted(self._pause()):
            self.watchdog.feed()
            self._reap()
            if not self._pid and time.monotonic() >= self._again:
                self.begin()
        self._drain()

    def _pause(self) -> float:
        left = _FEED_S if self._pid else self._again - time.monotonic()
        return max(0.0, min(_FEED_S, left))

    def _stop_wanted(self, pause: float) -> bool:
        came = signal.sigtimedwait(SIGNALS, pause)
        if came is not None and came.si_signo in {signal.SIGTERM, signal.SIGINT}:
            return True
        if self.button.pressed():
            self.say("the power button was pressed")
            return True
        return False

    def _reap(self) -> None:
        for pid, status in reap():
            if pid == self.greeter:
                self.greeter = 0
                self.greeted()
            elif pid == self._pid:
                pause = self.back_off.ended(time.monotonic() - self._began)
                self._pid, self._again = 0, time.monotonic() + pause
                self.say(f"the node ended with {_ending(status)} and is begun again in {pause:g} s")

    def _drain(self) -> None:
        """The node ends by itself, or is ended."""
        until = time.monotonic() + self.drain_s
        if self._pid:
            os.kill(self._pid, signal.SIGTERM)
        while self._pid:
            self.watchdog.feed()
            if any(pid == self._pid for pid, _ in reap()):
                self._pid = 0
            elif time.monotonic() >= until:
                os.kill(self._pid, signal.SIGKILL)
                until = time.monotonic() + self.drain_s
            else:
                signal.sigtimedwait(SIGNALS, min(1.0, max(0.0, until - time.monotonic())))


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"status {code}" if code >= 0 else f"signal {-code}"
