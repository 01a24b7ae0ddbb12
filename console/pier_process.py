"""The process of the demo's second node: `orlop --no-ui`, which ends when its parent does, however that ended."""

import os
import signal
import sys
from typing import Final

from console.cli import run
from runtime.process import prctl

__all__: list[str] = []

_PR_SET_PDEATHSIG: Final = 1


def _main(parent: str, directory: str) -> int:
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        return 0  # it ended before this was said
    listen = ("--p2p-listen", "/ip4/127.0.0.1/tcp/0")
    return run(["--state-dir", directory, "--no-ui", *listen, "--events", "net.listening"])


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
