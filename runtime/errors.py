"""Errors of the whole house: one root, split by whose fault it is.

Every error renders as one line, `<what>: <where>: <why>; <hint>`, which a face prefixes with `orlop: `. A face maps
`code` to an exit status (`console.exit_codes`); nothing below `console` knows exit statuses. "Bad" (`RefusedError`)
is never "could not check" (`UnavailableError`).
"""

from typing import ClassVar

__all__ = [
    "AmbiguousError",
    "FailedError",
    "InUseError",
    "LockedError",
    "NetworkError",
    "NotFoundError",
    "OrlopError",
    "ReadOnlyError",
    "RefusedError",
    "UnavailableError",
    "UsageError",
]


class OrlopError(Exception):
    """Root of all errors that an operator may see.

    Args:
        why: what is wrong, in words, without a final full stop.
        what: the operation, such as `agents upload`; a face fills it in when it is empty.
        where: the thing, such as a file name, a key or an id.
        hint: what to do about it.
    """

    code: ClassVar[str] = "failed"

    def __init__(self, why: str, *, what: str = "", where: str = "", hint: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """The error as one line."""
        line = ": ".join(part for part in (self.what, self.where, self.why) if part)
        return f"{line}; {self.hint}" if self.hint else line


class UsageError(OrlopError):
    """The caller asked wrongly: bad option, bad configuration, bad name. Exit 2."""

    code = "usage"


class AmbiguousError(UsageError):
    """A prefix or name fits several things; the candidates are in `why`. Exit 2."""

    code = "ambiguous"


class NotFoundError(OrlopError):
    """The named thing does not exist. Exit 1."""

    code = "unknown"


class RefusedError(OrlopError):
    """The input itself is bad: a module, a manifest, a receipt, an event. Exit 1 unless a verb says otherwise."""

    code = "refused"


class ReadOnlyError(OrlopError):
    """A changing command under `--read-only`. Exit 1."""

    code = "read-only"


class FailedError(OrlopError):
    """The operation was sound and was tried, and failed. Exit 1."""

    code = "failed"


class UnavailableError(OrlopError):
    """The host could not do its part: disk, database, process, kernel. Nothing is said about the input. Exit 1."""

    code = "unavailable"


class NetworkError(OrlopError):
    """An address could not be listened on or reached. Exit 5."""

    code = "network"


class LockedError(OrlopError):
    """The screen is locked: nothing of rooms is shown or changed until somebody knows the PIN. Exit 1."""

    code = "locked"


class InUseError(OrlopError):
    """Another process holds the state directory. Exit 6."""

    code = "in-use"
