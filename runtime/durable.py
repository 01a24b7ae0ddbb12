"""Files that are written whole or not at all, and stay written: temporary file, fsync, link or rename, fsync again.

For keys and settings that a crash must not leave half written. Everything is created with its final mode.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path

from runtime.errors import RefusedError, UnavailableError

__all__ = ["create", "make_directory", "open_regular", "read", "replace", "sync_directory", "unavailable"]


def create(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
    """Writes a file that does not exist yet.

    Args:
        path: the file; its directory exists.
        data: its content.
        mode: its permissions, from the first moment on.

    Returns:
        False when the file exists already, perhaps since a moment ago: then it is left as it is.

    Raises:
        UnavailableError: the file cannot be written.
    """
    temporary = _written(path, data, mode)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise unavailable(path, error) from error
    finally:
        _remove(temporary)
    sync_directory(path.parent)
    return True


def replace(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Writes a file in the place of the one that may be there; a reader sees the old content or the new.

    Args:
        path: the file; its directory exists.
        data: its content.
        mode: its permissions, from the first moment on.

    Raises:
        UnavailableError: the file cannot be written; then it is as it was.
    """
    temporary = _written(path, data, mode)
    try:
        temporary.replace(path)
    except OSError as error:
        _remove(temporary)
        raise unavailable(path, error) from error
    sync_directory(path.parent)


def read(path: Path, *, limit: int, private: bool = False) -> bytes | None:
    """Reads a small regular file.

    Args:
        path: the file; a symbolic link is not followed.
        limit: bytes that it may have.
        private: whether it must be ours and closed to others.

    Returns:
        The content, or None when there is no such file.

    Raises:
        RefusedError: not a regular file, too large, or not private.
        UnavailableError: the file cannot be read.
    """
    descriptor = open_regular(path, private=private)
    if descriptor is None:
        return None
    try:
        data = b""
        while len(data) <= limit and (part := os.read(descriptor, limit + 1 - len(data))):
            data += part
    except OSError as error:
        raise unavailable(path, error) from error
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise RefusedError(f"is larger than {limit} bytes", where=str(path))
    return data


def open_regular(path: Path, *, private: bool = False) -> int | None:
    """Opens a regular file for reading; nothing else is waited for or read.

    Args:
        path: the file; a symbolic link is not followed.
        private: whether it must be ours and closed to others.

    Returns:
        A descriptor that the caller closes, or None when there is no such file.

    Raises:
        RefusedError: not a regular file, or not private.
        UnavailableError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP and path.is_symlink():
            hint = "put the file itself in its place"
            raise RefusedError("is a symbolic link, not a regular file", where=str(path), hint=hint) from error
        raise unavailable(path, error) from error
    try:
        _check(path, os.fstat(descriptor), private=private)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(path: Path, status: os.stat_result, *, private: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError("is not a regular file", where=str(path))
    if private and status.st_uid != os.geteuid():
        raise RefusedError(f"belongs to user {status.st_uid}, not to us", where=str(path))
    if private and status.st_mode & 0o077:
        why = f"others may have read it (mode {stat.S_IMODE(status.st_mode):04o})"
        raise RefusedError(why, where=str(path), hint="run chmod 600 on it if nobody else could")


def make_directory(path: Path, *, mode: int = 0o700) -> None:
    """Makes a directory if there is none, with exactly this mode; one that exists is left as it is.

    Raises:
        UnavailableError: it cannot be made, or something else has its name.
    """
    try:
        path.mkdir(mode=mode)
        path.chmod(mode)
    except FileExistsError:
        if not path.is_dir():
            raise UnavailableError("is not a directory", where=str(path)) from None
    except OSError as error:
        raise unavailable(path, error) from error


def sync_directory(path: Path) -> None:
    """Makes the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(path: Path, data: bytes, mode: int) -> Path:
    temporary = path.with_name(f".orlop-{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _remove(temporary)
        raise unavailable(path, error) from error
    return temporary


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def unavailable(path: Path, error: OSError) -> UnavailableError:
    """What the system said about a file, as the error of the house."""
    return UnavailableError((error.strerror or type(error).__name__).lower(), where=str(path))
