"""Files that are sealed under a passphrase: written beside their names, and named when they are whole."""

import os
from pathlib import Path

from console.client import Result
from console.cmdline.asking import hidden, needed
from console.cmdline.beside import Beside, checked_name
from console.cmdline.files import Files
from console.cmdline.verbline import Line
from runtime.errors import UsageError

__all__ = ["written_sealed"]


def written_sealed(line: Line, state: Path, *, what: str) -> Result:
    """Has the core write a new file, under a passphrase that is asked for twice.

    Args:
        line: the command line; its `out` is the name of the file to be.
        state: the state directory, in which no such file is put.
        what: the file's kind.

    Raises:
        OrlopError: there is none; nothing has its name.
    """
    from console.cmdline.execute import through_core

    if line.command is None:
        raise UsageError("no command")
    out = checked_name(line.paths["out"], state, what=what)
    secret = needed(line.options, os.environ, command=f"orlop {line.command.name}", twice=True, what=what)
    with Beside(out) as beside, hidden(secret) as passphrase, Files(line.command, {}) as files:
        files.lend("out", beside.descriptor)
        files.lend("passphrase", passphrase)
        result = through_core(line.command, line, files)
        if result.ok:
            beside.keep()
        return result
