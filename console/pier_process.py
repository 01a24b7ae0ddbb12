"""The process of the demo's second node: `orlop --no-ui`, which ends when its parent does, however that ended."""

import os
import signal
from typing import Final

from console.cli import run
from runtime.process import prctl

__all__ = ["main"]

_PR_SET_PDEATHSIG: Final = 1


def main(parent: str, directory: str) -> int:
    """Runs until it is told to end.

    Args:
        parent: the number of the process that started this one.
        directory: the node's state directory.

    Returns:
        Its exit status.
    """
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        return 0  # it ended before this was said
    listen = ("--p2p-listen", "/ip4/127.0.0.1/tcp/0")
    return run(["--state-dir", directory, "--no-ui", *listen, "--events", "net.listening"])
