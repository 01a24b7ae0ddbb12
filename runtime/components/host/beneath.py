"""Opens what a path names beneath a directory, whatever links lie on the way: never anything outside.

The kernel resolves where it can (`openat2`, Linux 5.6); an older one, or a container that filters the call, is walked
name by name with the same results. What comes out is a descriptor that only names a thing (`O_PATH`), so that nothing
is touched before somebody looked at what it is and asked whether it is allowed.
"""

import contextlib
import ctypes
import errno
import os
import stat
from collections import deque
from typing import Final

__all__ = ["open_beneath", "open_by_kernel", "open_by_walking", "reopen", "where"]

_OPENAT2: Final = 437
"""The same number on x86-64 and arm64."""

_BENEATH, _NO_MAGICLINKS = 0x08, 0x02
_RESOLVE: Final = _BENEATH | _NO_MAGICLINKS
_TRIES: Final = 8
"""The kernel gives up when something is renamed under its hands."""

_LINKS: Final = 40
_DELETED: Final = " (deleted)"
_O_PATH: Final = os.O_PATH | os.O_CLOEXEC


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_libc = ctypes.CDLL(None, use_errno=True)


def open_beneath(root: int, path: str, *, follow: bool = True, directory: bool = False) -> int:
    """A descriptor that names what a path means beneath a directory.

    Args:
        root: the directory, open, also with `O_PATH`.
        path: relative; `.` is the directory itself.
        follow: whether a link at the end is followed; else it is named itself.
        directory: whether it must be one.

    Raises:
        OSError: EXDEV when it leads outside, EAGAIN when things keep being renamed, and as for any open.
    """
    try:
        return open_by_kernel(root, path, follow=follow, directory=directory)
    except OSError as error:
        if error.errno not in {errno.ENOSYS, errno.EPERM}:
            raise
    return open_by_walking(root, path, follow=follow, directory=directory)


def open_by_kernel(root: int, path: str, *, follow: bool = True, directory: bool = False) -> int:
    """As `open_beneath`, by `openat2` alone.

    Raises:
        OSError: ENOSYS or EPERM too, where the call is missing or filtered.
    """
    how = _OpenHow(_flags(follow=follow, directory=directory), 0, _RESOLVE)
    name = os.fsencode(path)
    code = 0
    for _ in range(_TRIES):
        descriptor = _libc.syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(root),
            ctypes.c_char_p(name),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if descriptor >= 0:
            return int(descriptor)
        code = ctypes.get_errno()
        if code not in {errno.EAGAIN, errno.EINTR}:
            break
    raise OSError(code, os.strerror(code))


def open_by_walking(root: int, path: str, *, follow: bool = True, directory: bool = False) -> int:
    """As `open_beneath`, name by name: for kernels without `openat2`.

    Raises:
        OSError: as `open_beneath`.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(_SwappedError):
            return _walk(root, path, follow=follow, directory=directory)
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def where(root: int, descriptor: int) -> str | None:
    """The path of an open thing beneath a directory, as the kernel knows it now.

    Args:
        root: the directory.
        descriptor: what was opened beneath it.

    Returns:
        Relative, `.` for the directory itself, names that are not UTF-8 with surrogates; None when it was deleted or is
        not beneath the directory any more.
    """
    above, path = _link(root), _link(descriptor)
    if path == above:
        return "."
    prefix = above if above.endswith("/") else above + "/"
    if not path.startswith(prefix):
        return None
    relative = path[len(prefix) :]
    if relative.endswith(_DELETED) and not _is_there(root, relative, descriptor):
        return None
    return relative


def reopen(descriptor: int, flags: int) -> int:
    """Opens for use what was only named.

    Args:
        descriptor: of a regular file or a directory; the caller made sure of that.
        flags: `O_…`; never waits.

    Raises:
        OSError: as for any open.
    """
    return os.open(f"/proc/self/fd/{descriptor}", flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)


class _SwappedError(Exception):
    """A name means something else than a moment ago."""


def _flags(*, follow: bool, directory: bool) -> int:
    return _O_PATH | (0 if follow else os.O_NOFOLLOW) | (os.O_DIRECTORY if directory else 0)


def _walk(root: int, path: str, *, follow: bool, directory: bool) -> int:
    if not path:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    if path.startswith("/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    names = deque(path.split("/"))
    links = 0
    with contextlib.ExitStack() as stack:
        trail = [os.open(".", _O_PATH | os.O_DIRECTORY, dir_fd=root)]
        stack.callback(_close, trail)
        while names:
            name = names.popleft()
            if name in {"", "."}:
                continue
            if name == "..":
                _step_up(trail)
                continue
            last = not any(names)
            ends_in_slash = bool(names)
            status = os.lstat(name, dir_fd=trail[-1])
            if stat.S_ISLNK(status.st_mode) and (follow or not last or ends_in_slash):
                links += 1
                if links > _LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                target = _target(name, trail[-1])
                names.extendleft(reversed(target.split("/")))
                continue
            must_be_directory = directory or ends_in_slash or not last
            trail.append(_open_name(name, trail[-1], status, directory=must_be_directory))
        return os.dup(trail[-1])


def _step_up(trail: list[int]) -> None:
    if len(trail) == 1:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    if not stat.S_ISDIR(os.fstat(trail[-1]).st_mode):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    os.close(trail.pop())


def _target(name: str, parent: int) -> str:
    try:
        target = os.readlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOENT}:
            raise _SwappedError from None
        raise
    if target.startswith("/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    return target


def _open_name(name: str, parent: int, status: os.stat_result, *, directory: bool) -> int:
    if directory and not stat.S_ISDIR(status.st_mode):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    try:
        descriptor = os.open(name, _flags(follow=False, directory=False), dir_fd=parent)
    except FileNotFoundError:
        raise _SwappedError from None
    now = os.fstat(descriptor)
    if (now.st_dev, now.st_ino) != (status.st_dev, status.st_ino):
        os.close(descriptor)
        raise _SwappedError
    return descriptor


def _close(trail: list[int]) -> None:
    for descriptor in trail:
        os.close(descriptor)


def _link(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - text, surrogates and all, is what is wanted


def _is_there(root: int, relative: str, descriptor: int) -> bool:
    """Whether a name that looks like the kernel's mark of a deleted one is the thing's real name."""
    try:
        found = open_beneath(root, relative, follow=False)
    except OSError:
        return False
    try:
        return os.path.samestat(os.fstat(found), os.fstat(descriptor))
    finally:
        os.close(found)
