"""Files and directories of this host that a caller of the library names for a job."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from runtime.errors import NotFoundError, RefusedError, UnavailableError, UsageError
from runtime.quantities import format_size
from runtime.sandbox.modulecheck import JOB_CAPS
from runtime.sanitise import clean

__all__ = ["host_directory", "host_file", "read_module"]


def read_module(path: Path) -> bytes:
    """A module's file, of no more than a module may have.

    Raises:
        RefusedError: it is larger.
        NotFoundError: as `host_file`; so are the others.
    """
    with host_file(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        try:
            code = file.read(JOB_CAPS.size + 1)
        except OSError as error:
            raise UnavailableError(_words(error), where=_shown(path)) from error
    if len(code) > JOB_CAPS.size:
        raise RefusedError(f"larger than {format_size(JOB_CAPS.size)}, the most of a module", where=_shown(path))
    return code


@contextlib.contextmanager
def host_file(path: Path) -> Iterator[int]:
    """A regular file, open for reading; what might never be there, as a pipe without a writer, is not waited for.

    Yields:
        A descriptor.

    Raises:
        NotFoundError: there is none.
        UsageError: it is something else.
        UnavailableError: it cannot be opened.
    """
    with _opened(path, os.O_NONBLOCK) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError("not a regular file", where=_shown(path))
        yield descriptor


def host_directory(path: Path) -> contextlib.AbstractContextManager[int]:
    """A directory, open; a descriptor for `with`.

    Raises:
        NotFoundError: there is none.
        UsageError: it is something else.
        UnavailableError: it cannot be opened.
    """
    return _opened(path, os.O_DIRECTORY)


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    try:
        descriptor = os.open(path, flags | os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFoundError("no such file or directory", where=_shown(path)) from None
    except NotADirectoryError:
        raise UsageError("not a directory", where=_shown(path)) from None
    except OSError as error:
        raise UnavailableError(_words(error), where=_shown(path)) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _shown(path: Path) -> str:
    return clean(str(path), 200)
