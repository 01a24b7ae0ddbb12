"""A program of its own that rotates a node's key and kills itself: `python rotating.py DIRECTORY STEP`."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime import durable, keys
from runtime.clock import SystemClock
from runtime.statedir import StateDir
from runtime.store import Store

STEPS = ("before the secret", "behind the secret", "before the commit", "behind the commit", "behind the rename")


def deadly(function: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    """The function, with the program's death before or behind it."""

    def call(*args: Any, **named: Any) -> None:
        if not before:
            result = function(*args, **named)
            if hasattr(result, "result"):
                result.result()
        os.kill(os.getpid(), signal.SIGKILL)

    return call


def main(directory: Path, step: str) -> None:
    place, name = step.split(" the ")
    owner: Any = {"secret": durable, "commit": Store, "rename": keys}[name]
    function = {"secret": "create", "commit": "write", "rename": "_take_place"}[name]
    setattr(owner, function, deadly(getattr(owner, function), before=place == "before"))
    state = StateDir(directory)
    with Store.open(state.database, SystemClock(), owner=True) as store:
        keys.rotate(state, store, SystemClock(), uid=0, face="cli")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
