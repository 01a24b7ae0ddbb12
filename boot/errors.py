"""Errors of booting: what is bad, and what could not be checked."""

from typing import ClassVar, Final

from runtime.errors import NetworkError, OrlopError, RefusedError

__all__ = ["CODES", "BootError", "BootRefusedError", "BootUnavailableError"]

CODES: Final = frozenset(
    {
        "arch",
        "bad-signature",
        "channel",
        "cmdline",
        "expired",
        "hash",
        "length",
        "malformed",
        "memory",
        "not-yet-valid",
        "revoked-key",
        "rollback",
        "root",
        "schema",
        "threshold",
        "too-large",
        "unknown-key",
    }
)
"""Why something is not booted, one word each."""


class BootError(OrlopError):
    """Root of all errors of this package."""


class BootRefusedError(BootError, RefusedError):
    """A root, manifest, artifact or machine that is not what it has to be; nothing of it is executed. Exit 3.

    Args:
        step: one of `CODES`, shown as `boot: refused: STEP: WHY`.
        why: one line.
    """

    code: ClassVar[str] = "boot-refused"

    def __init__(self, step: str, why: str, *, where: str = "", hint: str = "") -> None:
        if step not in CODES:
            message = f"{step!r} is no reason to refuse"
            raise ValueError(message)
        super().__init__(why, where=where, hint=hint)
        self.step = step

    def line(self) -> str:
        """As it is said on a console."""
        return f"boot: refused: {self.step}: {self.why}"


class BootUnavailableError(BootError, NetworkError):
    """Something could not be had or not be checked; nothing is said about it. Exit 5."""

    code: ClassVar[str] = "network"

    def line(self) -> str:
        """As it is said on a console."""
        return f"boot: unavailable: {self.why}"
