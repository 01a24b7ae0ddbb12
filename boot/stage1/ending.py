"""How a machine ends that started no other kernel: why, in one line, its exit status, and then as was asked."""

import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from boot.errors import BootRefusedError, BootUnavailableError
from boot.stage1 import libc
from boot.stage1.handover import FAILS_MAX, OnFail
from boot.stage1.say import Say
from runtime.errors import OrlopError
from runtime.sanitise import clean

__all__ = ["FAILS_MOST", "PAUSE_S", "Ending", "Plan", "end", "fails_of", "fails_word", "status_of", "told", "verdict"]

FAILS_MOST: Final = 3
"""So often a machine starts again by itself."""
PAUSE_S: Final = 30.0
_FAILS: Final = "--fails="


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens after a failure.

    Attributes:
        onfail: as the command line has it.
        fails: how often it failed before.
        shell: whether the image was built with a shell.
    """

    onfail: OnFail = "reboot"
    fails: int = 0
    shell: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """What to do now: `again`, `off` or `hold`, and what is said of it."""

    act: str
    line: str


def fails_word(fails: int) -> str:
    """What a program is told that is started anew.

    Args:
        fails: how often it failed.
    """
    return f"{_FAILS}{min(fails, FAILS_MAX)}"


def fails_of(words: Iterable[str]) -> int:
    """How often a program was started anew since the machine was switched on.

    Args:
        words: that it was started with.
    """
    said = [word.removeprefix(_FAILS) for word in words if word.startswith(_FAILS)]
    return int(said[0]) if said and said[0] in map(str, range(FAILS_MAX + 1)) else 0


def verdict(plan: Plan) -> Ending:
    """Decides how it ends."""
    if plan.onfail == "hold":
        return Ending("hold", "holds; switch it off by hand")
    if plan.onfail == "reboot" and plan.fails < FAILS_MOST:
        return Ending("again", f"starts again in {PAUSE_S:g} s, {plan.fails + 1} of {FAILS_MOST} times")
    return Ending("off", "powers off")


def status_of(error: BaseException) -> int:
    """The exit status that a program of orlop's would have: 3 refused, 5 could not be had, 1 failed."""
    if isinstance(error, BootRefusedError):
        return 3
    return 5 if isinstance(error, BootUnavailableError) else 1


def told(error: BaseException) -> str:
    """The line that says why."""
    if isinstance(error, BootRefusedError):
        return f"refused: {error.step}: {error.why}"
    if isinstance(error, BootUnavailableError):
        return f"unavailable: {error}"
    if isinstance(error, OrlopError):
        return f"failed: {error.code}: {error}"
    return f"failed: {type(error).__name__}: {clean(str(error), 200)}"


def end(error: BaseException, plan: Plan, say: Say, again: Callable[[int], None]) -> NoReturn:
    """Says why, and ends; PID 1 never returns.

    Args:
        error: why.
        plan: what was asked for.
        say: the consoles.
        again: starts this program anew, having failed so often.
    """
    if not isinstance(error, OrlopError):
        say.lines("".join(traceback.format_exception(error)))
    say.line(told(error))
    if plan.shell:
        say.line("this image was built with a shell: it runs until it is left")
        subprocess.run(["/bin/busybox", "sh"], check=False)
    ending = verdict(plan)
    say.line(ending.line)
    say.line(f"exit {status_of(error)}")
    try:
        if ending.act == "again":
            time.sleep(PAUSE_S)
            again(plan.fails + 1)
        elif ending.act == "off":
            libc.reboot(libc.REBOOT_OFF)
    except OSError as failure:
        say.line(f"cannot: {failure}")
    while True:
        signal.pause()
