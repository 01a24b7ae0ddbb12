"""`orlop rooms join` on the command line: an invitation that is read or typed stands in no list of processes."""

import os
from dataclasses import replace

from console.client import Result
from console.cmdline.asking import asked, needs_terminal
from console.cmdline.files import Files, open_input
from console.cmdline.verbline import Line
from runtime.errors import FailedError, UsageError
from runtime.rooms.invite import CHARACTERS, parse_invite

__all__ = ["join"]

_STDIN = "-"


def join(line: Line) -> Result | None:
    """Takes the invitation from standard input or from the terminal, unless the command line holds it.

    Args:
        line: the command line.

    Returns:
        The end of the command; None where the core can go by the line as it is.

    Raises:
        UsageError: there is none, and nobody to ask.
        InviteError: what was given is none.
        FailedError: standard input cannot be read.
    """
    from console.cmdline.execute import through_core

    given = line.args.get("invitation")
    if line.command is None:
        raise UsageError("no command")
    if given not in {None, _STDIN}:
        return None
    invitation = _typed() if given is None else _read()
    with Files(line.command, {}) as files:
        return through_core(line.command, replace(line, args={**line.args, "invitation": invitation}), files)


def _typed() -> str:
    needs_terminal("an invitation", hint="- reads it from stdin")
    return _checked(asked("invitation (not shown)", missing="no invitation was typed"), "the terminal")


def _read() -> str:
    """The first line of standard input; never much more than an invitation may have."""
    source, data = open_input(_STDIN), b""
    try:
        while b"\n" not in data and len(data) <= 4 * CHARACTERS and (piece := os.read(source, CHARACTERS)):
            data += piece
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise FailedError(f"cannot be read: {why}", where="standard input") from error
    return _checked(data.partition(b"\n")[0], "standard input")


def _checked(data: bytes, where: str) -> str:
    text = data.decode("utf-8", "replace").strip()
    if not text:
        raise UsageError("no invitation came", where=where, hint="it is the line that orlop rooms invite printed")
    parse_invite(text)
    return text
