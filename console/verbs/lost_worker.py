"""What a command that waits for a job on a peer does once that is lost: how long it waits, and what it says."""

import contextlib
import os
from typing import Final

from console.call import Call
from console.verbs.apart import on_thread
from net.jobs.requester import Waiting
from runtime.sanitise import clean

__all__ = ["waiting"]

_WAY_BACK_S: Final = 60.0
"""A job that nobody watches is looked for as long as its worker keeps it; whoever watches wants to know sooner.

Not much sooner: a cut is noticed at the other end, too, only after 30 s (QUIC) or 45 s (TCP).
"""
_LINE: Final = 2000


def waiting(call: Call, name: str) -> Waiting:
    """How the caller waits.

    Args:
        call: of the command; its descriptor `talk`, where it has one, is told.
        name: the job's, or the job's and the peer's.
    """
    return Waiting(resume_s=_WAY_BACK_S, tell=lambda words: _say(call, f"orlop: {call.command}: {name}: {words}"))


def _say(call: Call, line: str) -> None:
    """One line to the caller; on a thread of its own, since nobody may read there."""
    if "talk" not in call.files:
        return
    target = os.dup(call.files["talk"])

    def write() -> None:
        with contextlib.suppress(OSError), os.fdopen(target, "wb", buffering=0) as stream:
            stream.write(f"{clean(line, _LINE)}\n".encode())

    on_thread(write, "orlop-talk")
