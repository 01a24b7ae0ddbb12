"""Files of a command line: opened here, by the face, and handed on as descriptors; what comes back is written here."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from console.cmdline.streams import is_closed
from console.commands import Command, Kind
from runtime.errors import FailedError, UsageError
from runtime.sanitise import clean

__all__ = ["VERIFY", "Files", "check_out", "names_file", "open_input", "write_out"]

VERIFY = "receipts verify"
"""The command that takes receipts as files; all others know stored ones only."""

_STDIN = "-"


class Files(contextlib.AbstractContextManager["Files"]):
    """The descriptors of one command, closed when it ended.

    Args:
        command: the registry's entry.
        paths: the texts of its file arguments, `dir.0` for repeated ones.

    Raises:
        UsageError: a file cannot be opened, or an output cannot be written.
    """

    def __init__(self, command: Command, paths: Mapping[str, str]) -> None:
        self.descriptors: dict[str, int] = {}
        self._open: list[int] = []
        kinds = {arg.name: arg.kind for arg in command.args}
        try:
            for name, path in paths.items():
                kind = kinds[name.partition(".")[0]]
                if kind is Kind.PATH:
                    self.descriptors[name] = self._keep(open_input(path))
                elif kind is Kind.DIRECTORY:
                    self.descriptors[name] = self._keep(_open_directory(path))
                elif kind is Kind.RECEIPT and command.name == VERIFY and names_file(path):
                    self.descriptors[name] = self._keep(open_input(path))
                elif kind is Kind.OUT:
                    check_out(path)
        except UsageError:
            self.close()
            raise

    def lend(self, name: str, descriptor: int) -> None:
        """Adds a descriptor of this process that stays open after the command."""
        self.descriptors[name] = descriptor

    def close(self) -> None:
        """Closes what was opened."""
        while self._open:
            os.close(self._open.pop())

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self, descriptor: int) -> int:
        if descriptor:
            self._open.append(descriptor)
        return descriptor


def open_input(path: str) -> int:
    """A file opened for reading; `-` is standard input, descriptor 0.

    Args:
        path: as typed; it may be no UTF-8.

    Raises:
        UsageError: it cannot be opened, or is a directory.
    """
    if path == _STDIN:
        if is_closed(0):
            raise UsageError("standard input is closed", where=_STDIN)
        return 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise UsageError(_why(error), where=clean(path, 200)) from error
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError("is a directory, not a file", where=clean(path, 200))
    return descriptor


def names_file(text: str) -> bool:
    """Whether the name of a receipt is that of a file: `-`, something that exists, or nothing that an id could be.

    Args:
        text: as typed.
    """
    try:
        there = Path(text).exists()
    except (OSError, ValueError):
        there = True
    return text == _STDIN or there or not text or bool(text.strip("0123456789abcdefABCDEF"))


def check_out(path: str) -> None:
    """Refuses an output that could not be written, before anything is done for it.

    Args:
        path: as typed; `-` is standard output.

    Raises:
        UsageError: it is a directory, or lies in none that can be written.
    """
    if path == _STDIN:
        return
    target = Path(path)
    try:
        if target.is_dir():
            raise UsageError("is a directory, not a file", where=clean(path, 200))
        if not target.exists() and not os.access(target.parent, os.W_OK | os.X_OK):
            why = "no such directory" if not target.parent.is_dir() else "its directory cannot be written"
            raise UsageError(why, where=clean(path, 200))
    except (OSError, ValueError) as error:
        raise UsageError(_why(error), where=clean(path, 200)) from error


def write_out(path: str, data: bytes) -> None:
    """Writes a whole file or nothing: beside the target first, then renamed over it; a pipe or device is written to.

    Args:
        path: as typed.
        data: all of it.

    Raises:
        FailedError: it could not be written; a file that was there is unchanged.
    """
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        target = target.resolve()
        descriptor, beside = tempfile.mkstemp(prefix=".orlop-", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
                os.fchmod(stream.fileno(), stat.S_IMODE(target.stat().st_mode) if target.exists() else _default_mode())
            Path(beside).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(beside).unlink()
            raise
    except (OSError, ValueError) as error:
        raise FailedError(f"could not be written: {_why(error)}", where=clean(path, 200)) from error


def _open_directory(text: str) -> int:
    host = text.removesuffix(":ro").removesuffix(":rw")
    host, sign, guest = host.rpartition(":")
    if not sign or not host or not guest:
        raise UsageError("not HOST:GUEST[:ro]", where=f"--dir {clean(text, 200)}", hint="such as ./data:/data:ro")
    if any("\ud800" <= char <= "\udfff" for char in guest):
        raise UsageError("the guest's path is not valid UTF-8", where=f"--dir {clean(text, 200)}")
    try:
        return os.open(host, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise UsageError(_why(error), where=f"--dir {clean(host, 200)}") from error


def _why(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]


def _default_mode() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask
