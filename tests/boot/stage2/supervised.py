"""A process that is what PID 1 of the second stage is, for the tests of this folder: it adopts orphans, and waits.

Words: the program to keep running, then how long it may take to end. Says its lines on the standard output.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

from boot.stage2.power_button import PowerButton
from boot.stage2.processes import BackOff, Program, begin_call
from boot.stage2.supervisor import SIGNALS, Supervisor
from boot.stage2.watchdog import Watchdog

_ADOPT = 36


def main(node: str, drain_s: str, watchdog: str) -> None:
    """Until it is told to end."""
    ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def say(line: str) -> None:
        os.write(1, f"{line}\n".encode())

    fed = Watchdog(Path(watchdog))
    supervisor = Supervisor(
        node=Program(words=("/bin/sh", "-c", node), environment={"PATH": "/usr/bin:/bin"}, output=1),
        say=say,
        watchdog=fed,
        button=PowerButton(Path(watchdog).parent / "dev", Path(watchdog).parent / "sys"),
        greeted=lambda: say("greeted"),
        drain_s=float(drain_s),
        back_off=BackOff(first_s=0.01, most_s=0.05),
    )
    supervisor.begin()
    supervisor.greeter = begin_call(lambda: 0, None)
    supervisor.run()
    fed.close()
    say("ended")


main(*sys.argv[1:])
