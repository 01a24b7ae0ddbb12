"""`orlop pin set` and `orlop unlock` on the command line: digits and passphrases that are typed, never shown."""

import os
from collections.abc import Callable

from console.client import Result
from console.cmdline.asking import asked, hidden, needs_terminal
from console.cmdline.connect import passphrase
from console.cmdline.files import Files
from console.cmdline.verbline import Line
from runtime.errors import UsageError

__all__ = ["pin_set", "unlock"]

_NO_PIN = "no PIN was typed"


def pin_set(line: Line) -> Result | None:
    """Asks twice for the new PIN, unless a file holds it; then it is for the core."""
    if "pin_file" in line.paths:
        return None
    return _passed_on(line, "pin_file", _asked_twice)


def unlock(line: Line) -> Result | None:
    """Asks for the PIN or the passphrase, unless a file holds it."""
    if line.args.get("passphrase") == "true":
        if "pin_file" in line.paths:
            raise UsageError("--passphrase and --pin-file are two ways to unlock", hint="give one of them")
        return _passed_on(line, "passphrase", lambda: _passphrase(line))
    if "pin_file" in line.paths:
        return None
    return _passed_on(line, "pin_file", lambda: _pin("PIN"))


def _passed_on(line: Line, name: str, secret: Callable[[], bytes]) -> Result:
    from console.cmdline.execute import through_core

    if line.command is None:
        raise UsageError("no command")
    with hidden(secret()) as descriptor, Files(line.command, {}) as files:
        files.lend(name, descriptor)
        return through_core(line.command, line, files)


def _pin(question: str) -> bytes:
    needs_terminal("a PIN", hint="name a file that holds it with --pin-file")
    return asked(question, missing=_NO_PIN)


def _asked_twice() -> bytes:
    first = _pin("new PIN, six digits")
    if asked("once more", missing=_NO_PIN) != first:
        raise UsageError("the two PINs differ", hint="run orlop pin set again")
    return first


def _passphrase(line: Line) -> bytes:
    found = passphrase(line.options.passphrase_file, os.environ)
    if found is None:
        needs_terminal("a passphrase", hint="name a file that holds it with --passphrase-file")
        found = asked("passphrase of the vault")
    return found
