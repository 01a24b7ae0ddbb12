"""Errors of components: one root, and those that more than one part of the package raises."""

from runtime.errors import OrlopError, RefusedError, UnavailableError

__all__ = [
    "BusyError",
    "CaseError",
    "ComponentError",
    "ComponentRefusedError",
    "CoreSilentError",
    "MismatchError",
    "ValueRefusedError",
    "WireError",
    "WorkerUnavailableError",
]


class ComponentError(OrlopError):
    """Root of all errors about components."""


class ValueRefusedError(ComponentError):
    """A value of the host does not fit its type in WIT, such as 2**32 for a u32: the engine would cut it in silence."""


class MismatchError(ComponentError):
    """A value of a guest is not of the type that our WIT gives it: the guest was built with another WIT."""


class BusyError(ComponentError):
    """An instance was called while a call into it had not ended; one instance, one call at a time."""


class CaseError(ComponentError):
    """What a component asked of the core ends with an error of its interface; no fault of the core.

    Args:
        case: of the variant in WIT, such as `mailbox-full`.
        reason: one line for the guest.
    """

    def __init__(self, case: str, reason: str) -> None:
        super().__init__(reason)
        self.case = case


class WireError(ComponentError):
    """What core and worker said to each other is no message, or too large for one."""


class CoreSilentError(ComponentError):
    """The core did not answer a host operation, or could not; the guest gets an error of its interface."""


class ComponentRefusedError(ComponentError, RefusedError):
    """A component cannot be instantiated: it does not link, or begins above its limits."""


class WorkerUnavailableError(ComponentError, UnavailableError):
    """No process for a component is to be had; nothing is said about the component."""
