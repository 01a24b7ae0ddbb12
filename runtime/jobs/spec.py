"""What is to be run, and on what: a request, checked when it is made, so that whatever holds one may rely on it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from runtime.errors import UsageError
from runtime.jobs.limits import JobLimits
from runtime.sanitise import clean

__all__ = ["DirGrant", "JobRequest"]

_DIRS_MAX: Final = 16
_LINE_ENDS: Final = ("\u2028", "\u2029")  # some languages escape them in JSON, and a signature over them breaks there


@dataclass(frozen=True, slots=True)
class DirGrant:
    """A directory that the guest sees; which one it is on the host comes along as a descriptor.

    Attributes:
        guest: the guest's absolute path.
        writable: whether the guest may change what is in it.
    """

    guest: str
    writable: bool = False

    def __post_init__(self) -> None:
        """Checks the guest's path."""
        _check_text(self.guest, "directory")
        parts = self.guest.split("/")
        if not self.guest.startswith("/") or ":" in self.guest or ".." in parts or not self.guest.isprintable():
            raise UsageError("a guest path is absolute, without `..` and `:`", where=clean(self.guest, 80))

    def __str__(self) -> str:
        """As the manifest writes it."""
        return f"{self.guest}:{'rw' if self.writable else 'ro'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """One run that somebody asks for; pure data, descriptors travel beside it.

    Attributes:
        name: what it is called on screen, usually the module's file name; also the guest's `argv[0]`.
        args: the guest's arguments after `argv[0]`.
        env: `K=V`, exactly what the guest sees.
        dirs: what it sees of the file system; as many descriptors come with the request.
        limits: its bounds.
        submitter: whose job it is: `local`, or a PeerId. A worker process serves one submitter.
        deterministic: whether clock and random bytes follow from the nonce alone, so that it can be repeated.
        nonce: 32 hexadecimal characters that are given, as by the job which it repeats; empty for a new one.

    Raises:
        UsageError: text that a guest cannot be given.
    """

    name: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    dirs: tuple[DirGrant, ...] = ()
    limits: JobLimits = field(default_factory=JobLimits)
    submitter: str = "local"
    deterministic: bool = False
    nonce: str = ""

    def __post_init__(self) -> None:
        """Checks every text."""
        for number, arg in enumerate(self.args, 1):
            _check_text(arg, f"argument {number}")
        for pair in self.env:
            _check_text(pair, "environment")
            if pair.find("=") < 1:
                raise UsageError("not of the form K=V", where=f"environment variable {clean(pair, 60)}")
        names = [grant.guest for grant in self.dirs]
        if len(set(names)) != len(names):
            raise UsageError("two directories have the same guest path")
        if len(names) > _DIRS_MAX:
            raise UsageError(f"more than {_DIRS_MAX} directories")

    @property
    def argv(self) -> tuple[str, ...]:
        """All of the guest's arguments; the name made harmless comes first."""
        return (clean(self.name, 100) or "job", *self.args)

    def seed(self, nonce: str) -> bytes:
        """What a deterministic job's clock and random bytes follow from: SHA-256 of its nonce; else nothing."""
        return hashlib.sha256(bytes.fromhex(nonce)).digest() if self.deterministic else b""

    def writable(self, directories: Sequence[int]) -> list[int]:
        """The descriptors of those directories that the guest may change, of one for each."""
        return [number for number, grant in zip(directories, self.dirs, strict=True) if grant.writable]


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("not UTF-8", where=where) from None
    if "\0" in text or any(end in text for end in _LINE_ENDS):
        raise UsageError("a NUL character, U+2028 or U+2029 cannot be passed on and signed", where=where)
