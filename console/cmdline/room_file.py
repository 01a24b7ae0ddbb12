"""`orlop rooms export` and `orlop rooms import` on the command line: passphrases, and files beside their names."""

import os

from console.client import Result
from console.cmdline.asking import hidden, needed
from console.cmdline.connect import state_path
from console.cmdline.files import Files
from console.cmdline.sealed_file import written_sealed
from console.cmdline.verbline import Line
from runtime.errors import UsageError
from runtime.statedir import StateDir

__all__ = ["export", "import_room"]

_WHAT = "room"


def export(line: Line) -> Result:
    """Writes a room beside the file's name, and names it when it is whole.

    Args:
        line: the command line.

    Raises:
        OrlopError: there is none; nothing has its name.
    """
    return written_sealed(line, StateDir(state_path(line.options, os.environ)).path, what=_WHAT)


def import_room(line: Line) -> Result:
    """Passes a room's file and its passphrase on.

    Args:
        line: the command line.

    Raises:
        OrlopError: nothing was made.
    """
    from console.cmdline.execute import through_core

    if line.command is None:
        raise UsageError("no command")
    with Files(line.command, line.paths) as files:
        secret = needed(line.options, os.environ, command="orlop rooms import", twice=False, what=_WHAT)
        with hidden(secret) as passphrase:
            files.lend("passphrase", passphrase)
            return through_core(line.command, line, files)
