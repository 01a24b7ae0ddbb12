"""The standard streams of a child that is being started: what it gets, and what stays here."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from runtime.components.bindings.ext_process_types import SpawnOptions

__all__ = ["ChildPipes", "child_pipes"]


@dataclass(slots=True)
class ChildPipes:
    """Both sides.

    Attributes:
        input: where we write; None without a pipe.
        output: where we read what it writes; None when nobody reads it.
        errors: likewise.
        theirs: the child's ends by the number that each has there; others lead nowhere.
    """

    input: int | None = None
    output: int | None = None
    errors: int | None = None
    theirs: dict[int, int] = field(default_factory=dict)

    def keep(self) -> None:
        """It was started: this side's ends have owners now."""
        self.input = self.output = self.errors = None


@contextlib.contextmanager
def child_pipes(options: SpawnOptions) -> Iterator[ChildPipes]:
    """Makes the streams that are asked for; the child's ends are closed afterwards, this side's unless kept.

    Raises:
        OSError: too many are open.
    """
    pipes = ChildPipes()
    try:
        if options.stdin == "pipe":
            pipes.theirs[0], pipes.input = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(pipes.input, False)
        if options.stdout != "none":
            pipes.output, pipes.theirs[1] = os.pipe2(os.O_CLOEXEC)
        if options.stderr != "none":
            pipes.errors, pipes.theirs[2] = os.pipe2(os.O_CLOEXEC)
        yield pipes
    finally:
        ours = (pipes.input, pipes.output, pipes.errors)
        for descriptor in (*pipes.theirs.values(), *(one for one in ours if one is not None)):
            os.close(descriptor)
