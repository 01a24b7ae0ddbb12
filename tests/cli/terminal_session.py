"""The real program on a real pseudo-terminal, with somebody who answers it."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cli.program import command, environment

__all__ = ["session"]


def session(home: Path, *words: str, answers: Sequence[tuple[bytes, bytes | Callable[[], bytes]]]) -> tuple[int, bytes]:
    """Runs the program on a terminal of its own.

    Args:
        home: its home.
        words: its command line.
        answers: what to wait for, and what to type then; or who does something first, and says what to type.
    """
    main, ours = os.openpty()
    process = subprocess.Popen(
        command(*words),
        stdin=ours,
        stdout=ours,
        stderr=ours,
        env=environment(home, TERM="xterm"),
        cwd=home,
        start_new_session=True,
    )
    os.close(ours)
    said = b""
    for wanted, answer in answers:
        while wanted not in said:
            said += os.read(main, 4096)
        os.write(main, answer if isinstance(answer, bytes) else answer())
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        said += piece
    os.close(main)
    return process.wait(30), said
