"""Why an operation on files was refused: the cases of the WIT, and where each of the system's errors belongs."""

import errno
import os
from types import MappingProxyType
from typing import Final, Literal

from runtime.components.host.answers import RefusedOperationError

__all__ = ["FileCase", "FileRefusedError", "refusal_of"]

FileCase = Literal[
    "not-found",
    "permission-denied",
    "already-exists",
    "io-error",
    "invalid-path",
    "resource-exhausted",
    "invalid-argument",
    "directory-not-empty",
    "not-a-directory",
    "not-a-file",
    "too-many-symlinks",
    "name-too-long",
    "is-a-directory",
    "closed",
    "read-only",
    "no-space",
    "quota-exceeded",
    "cross-device",
    "busy",
    "not-utf8",
    "timeout",
    "unsupported",
]


class FileRefusedError(RefusedOperationError):
    """The answer of an operation on files that did not do what it was asked for.

    Args:
        case: of the WIT's `filesystem-error`.
        text: the reason, for the guest; it names no path of the host.
    """

    def __init__(self, case: FileCase, text: str) -> None:
        super().__init__(case, text)


_CASES: Final = MappingProxyType[int, FileCase](
    {
        errno.ENOENT: "not-found",
        errno.EACCES: "permission-denied",
        errno.EPERM: "permission-denied",
        errno.EEXIST: "already-exists",
        errno.ENOTEMPTY: "directory-not-empty",
        errno.ENOTDIR: "not-a-directory",
        errno.EISDIR: "is-a-directory",
        errno.ENXIO: "not-a-file",
        errno.ENODEV: "not-a-file",
        errno.ELOOP: "too-many-symlinks",
        errno.ENAMETOOLONG: "name-too-long",
        errno.EROFS: "read-only",
        errno.ENOSPC: "no-space",
        errno.EDQUOT: "quota-exceeded",
        errno.EFBIG: "quota-exceeded",
        errno.EXDEV: "cross-device",
        errno.EBUSY: "busy",
        errno.ETXTBSY: "busy",
        errno.EAGAIN: "busy",
        errno.EMFILE: "resource-exhausted",
        errno.ENFILE: "resource-exhausted",
        errno.ENOMEM: "resource-exhausted",
        errno.EMLINK: "resource-exhausted",
        errno.EINVAL: "invalid-argument",
        errno.EOVERFLOW: "invalid-argument",
        errno.EOPNOTSUPP: "unsupported",
        errno.ENOSYS: "unsupported",
        errno.ETIMEDOUT: "timeout",
    }
)


def refusal_of(error: OSError) -> FileRefusedError:
    """What the guest is told of an error of the system: its case and the system's words, never the path in it."""
    code = error.errno or errno.EIO
    return FileRefusedError(_CASES.get(code, "io-error"), os.strerror(code).lower())
