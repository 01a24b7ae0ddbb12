"""Files that are whole or not there: written under another name in their folder, named when nothing is missing."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from console.cmdline.files import check_out
from runtime.durable import sync_directory
from runtime.errors import FailedError, UsageError
from runtime.renames import place
from runtime.sanitise import clean

__all__ = ["Beside", "checked_name"]


def checked_name(out: str, directory: Path, *, what: str) -> Path:
    """The name of a file that is to be, once it can be written there without harm to anything.

    Args:
        out: as typed.
        directory: the state directory.
        what: the file's kind, such as `backup`.

    Raises:
        UsageError: it is taken, in no directory that can be written, or in the directory that it would hold.
    """
    shown = clean(out, 200)
    if out == "-":
        raise UsageError(f"a {what} is a file that is whole or not there", where="-", hint="name a file")
    if not Path(out).is_symlink():
        check_out(out)
    path = Path(os.path.realpath(Path(out).parent)) / Path(out).name
    if os.path.lexists(path):
        raise UsageError("exists already", where=shown, hint="name another file, or move that one away")
    if path.is_relative_to(os.path.realpath(directory)):
        raise UsageError("lies in the state directory itself", where=shown, hint="name a place outside of it")
    return path


class Beside:
    """A file with a working name in the folder of its own, open to us alone; gone at the end unless it is kept.

    Attributes:
        descriptor: for writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._working = path.with_name(f".orlop-{os.urandom(6).hex()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._told():
            self.descriptor = os.open(self._working, flags, 0o600)

    def keep(self) -> None:
        """Makes it durable, then gives it its name.

        Raises:
            FailedError: it cannot be; nothing has its name.
        """
        with self._told():
            os.fsync(self.descriptor)
            place(self._working, self._path)
            sync_directory(self._path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
        with contextlib.suppress(OSError):
            self._working.unlink()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"could not be written: {(error.strerror or type(error).__name__).lower()}"
            raise FailedError(why, where=clean(str(self._path), 200)) from error
