"""What the sandbox refuses, and what it could not do."""

from runtime.errors import OrlopError, RefusedError, UnavailableError

__all__ = ["CompilerUnavailableError", "ModuleRefusedError", "SandboxError", "StaleModuleError"]


class SandboxError(OrlopError):
    """Root of the sandbox's errors."""


class ModuleRefusedError(SandboxError, RefusedError):
    """A module that is not run, and why.

    Args:
        why: what is wrong with it, in words.
        check: the short name of the check that refused it, such as `text`, `exports`, `compile-cpu`.
        hint: what its author can do.
    """

    def __init__(self, why: str, *, check: str, hint: str = "") -> None:
        super().__init__(why, hint=hint)
        self.check = check


class CompilerUnavailableError(SandboxError, UnavailableError):
    """The compile child could not be started, or died without a reason that lies in the module."""


class StaleModuleError(SandboxError, UnavailableError):
    """Compiled code that this engine does not take: another version, other settings, another processor."""
