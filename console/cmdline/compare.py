"""`rooms verify` on a terminal: shows the safety number, asks whether it is the same, and marks the member if so."""

import os
import sys
from dataclasses import replace

from console.client import Result
from console.cmdline import streams
from console.cmdline.execute import through_core
from console.cmdline.files import Files
from console.cmdline.render import render
from console.cmdline.verbline import Line
from runtime.errors import FailedError, UsageError

__all__ = ["compare"]


def compare(line: Line) -> Result | None:
    """Asks whoever sits at the terminal.

    Args:
        line: the command line.

    Returns:
        The end of the command, or None when nothing is to be asked: an answer was given, or there is no terminal.

    Raises:
        FailedError: the answer is no.
    """
    if line.command is None:
        raise UsageError("no command")
    answered = line.options.json or {"yes", "numbers", "off"} & line.args.keys()
    if answered or not (sys.stdin and sys.stdin.isatty() and os.isatty(2)):
        return None
    with Files(line.command, line.paths) as files:
        shown = through_core(line.command, replace(line, args={**line.args, "numbers": "true"}), files)
    if not shown.ok or (isinstance(shown.value, dict) and shown.value.get("verified")):
        return shown
    streams.print_text(render(line.command.name, shown.value))
    sys.stderr.write("orlop: is it the same at the other side? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise FailedError("not confirmed, nothing was marked", what=line.command.name)
    with Files(line.command, line.paths) as files:
        return replace(through_core(line.command, replace(line, args={**line.args, "yes": "true"}), files), value=None)
