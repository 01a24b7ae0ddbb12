"""Files of a command line: opened here, by the face, and handed on as descriptors; what comes back is written here."""

import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from console.cmdline.streams import is_closed
from console.commands import Command, Kind
from runtime import durable
from runtime.errors import FailedError, UnavailableError, UsageError
from runtime.sanitise import clean

__all__ = ["STDIN", "VERIFY", "Files", "check_out", "names_file", "open_input", "write_out"]

VERIFY = "receipts verify"
"""The command that takes receipts as files; all others know stored ones only."""

STDIN = "-"
"""Stands for standard input where a file is named."""
_LINK_TO_NOTHING = "is a symbolic link to nothing"


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
                elif kind is Kind.FOLDER:
                    self.descriptors[name] = self._keep(_open_folder(path, clean(path, 200)))
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
    if path == STDIN:
        if is_closed(0):
            raise UsageError("standard input is closed", where=STDIN)
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
    return text == STDIN or there or not text or bool(text.strip("0123456789abcdefABCDEF"))


def check_out(path: str) -> None:
    """Refuses an output that could not be written, before anything is done for it.

    Args:
        path: as typed; `-` is standard output.

    Raises:
        UsageError: it is a directory, a link to nothing, cannot be written, or lies in none that can be.
    """
    if path == STDIN:
        return
    try:
        why = _refusal(Path(path))
    except (OSError, ValueError) as error:
        raise UsageError(_why(error), where=clean(path, 200)) from error
    if why:
        raise UsageError(why, where=clean(path, 200))


def write_out(path: str, data: bytes) -> None:
    """Writes a whole file or nothing: beside the target first, then renamed over it; a pipe or device is written to.

    A link is followed as `cp` does it: it stays, the file behind it is replaced, and where there is none it is refused.
    The kernel follows it, as it opens the file that is to be replaced, and says what it came to. So all its rules hold:
    for other people's links in shared folders, and for files that may not be written although their folder may. A name
    with nothing behind it is taken as it is; should a link appear there meanwhile, the renaming puts the file in its
    place and follows nothing. A file that our own output goes to (`/dev/stdout`) is written on, as what it is.

    Args:
        path: as typed.
        data: all of it.

    Raises:
        FailedError: it could not be written; a file that was there is unchanged.
    """
    try:
        _write_out(Path(path), data)
    except UnavailableError as error:
        raise FailedError(f"could not be written: {error.why}", where=clean(path, 200)) from error
    except (OSError, ValueError) as error:
        raise FailedError(f"could not be written: {_why(error)}", where=clean(path, 200)) from error


def _refusal(target: Path) -> str:
    """Why nothing can be written there; empty when it probably can."""
    if not target.exists():
        if target.is_symlink():
            return _LINK_TO_NOTHING
        return "" if target.parent.is_dir() and _is_open(target.parent) else _why_not_in(target.parent)
    if target.is_dir():
        return "is a directory, not a file"
    if not os.access(target, os.W_OK):
        return "cannot be written"
    folder = Path(os.path.realpath(target)).parent
    return _why_not_in(folder) if target.is_file() and not _is_open(folder) else ""


def _is_open(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _why_not_in(folder: Path) -> str:
    return "its directory cannot be written" if folder.is_dir() else "no such directory"


def _write_out(target: Path, data: bytes) -> None:
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        if target.is_symlink():
            raise FileNotFoundError(errno.ENOENT, _LINK_TO_NOTHING) from None
        durable.replace(target, data, mode=_default_mode())
        return
    with os.fdopen(descriptor, "wb", buffering=0):
        status = os.fstat(descriptor)
        ours = next((number for number in (1, 2) if os.path.samestat(status, os.fstat(number))), None)
        if ours is not None or not stat.S_ISREG(status.st_mode):
            _pour(descriptor if ours is None else ours, data)
            return
        found = Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115 - a name, not a place to go to
        if not os.path.samestat(found.lstat(), status):
            raise FileNotFoundError(errno.ENOENT, "was moved away meanwhile")
        durable.replace(found, data, mode=stat.S_IMODE(status.st_mode))


def _pour(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _open_directory(text: str) -> int:
    host = text.removesuffix(":ro").removesuffix(":rw")
    host, sign, guest = host.rpartition(":")
    if not sign or not host or not guest:
        raise UsageError("not HOST:GUEST[:ro]", where=f"--dir {clean(text, 200)}", hint="such as ./data:/data:ro")
    if any("\ud800" <= char <= "\udfff" for char in guest):
        raise UsageError("the guest's path is not valid UTF-8", where=f"--dir {clean(text, 200)}")
    return _open_folder(host, f"--dir {clean(host, 200)}")


def _open_folder(path: str, where: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise UsageError(_why(error), where=where) from error


def _why(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]


def _default_mode() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask
