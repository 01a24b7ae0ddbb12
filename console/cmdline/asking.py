"""Passphrases, PINs and invitations typed on the terminal, never shown; prompts go to the terminal, not to stdout."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping

from console.cmdline.connect import passphrase
from console.cmdline.options import Options
from runtime.errors import UsageError

__all__ = ["asked", "asked_twice", "hidden", "needed", "needs_terminal"]


def asked(question: str, *, missing: str = "no passphrase was typed") -> bytes:
    """What is typed, without an echo.

    Args:
        question: what the prompt says behind `orlop: `.
        missing: what is said when nothing is.

    Raises:
        UsageError: the terminal ended instead.
    """
    from getpass import getpass

    try:
        return getpass(f"orlop: {question}: ").encode("utf-8", "surrogateescape")
    except EOFError:
        raise UsageError(missing) from None


def asked_twice(question: str, *, again: str) -> bytes:
    """What is typed, and typed once more unless it is empty.

    Args:
        question: as for `asked`.
        again: what to run after a mistake.

    Raises:
        UsageError: the two differ.
    """
    first = asked(question)
    if first and asked("once more") != first:
        raise UsageError("the two passphrases differ", hint=f"run {again} again")
    return first


def needs_terminal(what: str, *, hint: str) -> None:
    """To be called before something is asked.

    Args:
        what: is asked for, such as `a PIN`.
        hint: how else it can be given.

    Raises:
        UsageError: there is nobody to ask.
    """
    if sys.stdin is None or not sys.stdin.isatty() or not os.isatty(2):
        raise UsageError(f"asks for {what}, and there is no terminal", hint=hint)


def needed(options: Options, environ: Mapping[str, str], *, command: str, twice: bool, what: str = "backup") -> bytes:
    """The passphrase of a sealed file: from its file, from the service manager, else from the terminal.

    Args:
        options: the command line's.
        environ: the environment.
        command: what asks, such as `orlop backup`.
        twice: whether it is new, so that a slip of the finger would be a lock without a key.
        what: the file's kind.

    Raises:
        UsageError: there is none, or nobody to ask.
    """
    found = passphrase(options.passphrase_file, environ)
    if found is None:
        needs_terminal("a passphrase", hint="name a file that holds it with --passphrase-file")
        question = f"passphrase of the {what}"
        found = asked_twice(question, again=command) if twice else asked(question)
    if not found:
        raise UsageError(f"a {what} has a passphrase, and this one is empty")
    return found


@contextlib.contextmanager
def hidden(secret: bytes) -> Iterator[int]:
    """A descriptor from which a secret can be read, and no file: arguments of commands are told on the stream."""
    descriptor = os.memfd_create("orlop-secret", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, secret)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
