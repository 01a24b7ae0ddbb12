"""Why a worker does not take a job: five reasons, written as the original writes them, tagged from outside. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.canonical import Json
from runtime.sanitise import clean
from runtime.shapes import ShapeError, from_wire, to_wire

__all__ = [
    "NOT_AUTHORISED",
    "ArchMismatch",
    "InsufficientResources",
    "InvalidRequest",
    "QueueFull",
    "Reason",
    "RuntimeNotSupported",
    "read_reason",
    "write_reason",
]

_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class InsufficientResources:
    """Too few cores or too little memory; `missing` has both figures."""

    missing: str

    def __str__(self) -> str:
        return f"not enough resources: {clean(self.missing, _SHOWN)}"


@dataclass(frozen=True, slots=True)
class ArchMismatch:
    """The worker's machine is of another kind."""

    required: str
    available: str

    def __str__(self) -> str:
        return f"architecture {clean(self.required, 60)} is wanted, it has {clean(self.available, 60)}"


@dataclass(frozen=True, slots=True)
class RuntimeNotSupported:
    """The worker runs nothing of that kind."""

    required: str

    def __str__(self) -> str:
        return f"it does not run {clean(self.required, 60)}"


@dataclass(frozen=True, slots=True)
class QueueFull:
    """The worker has as many jobs as it takes."""

    def __str__(self) -> str:
        return "its queue is full"


@dataclass(frozen=True, slots=True)
class InvalidRequest:
    """Anything else that is wrong with it."""

    details: str

    def __str__(self) -> str:
        return clean(self.details, _SHOWN)


Reason = InsufficientResources | ArchMismatch | RuntimeNotSupported | QueueFull | InvalidRequest
"""`str` gives it in words, made harmless."""

NOT_AUTHORISED: Final = InvalidRequest("not authorised")
"""All that a stranger learns."""

_TAGGED: Final[Mapping[str, type[InsufficientResources | ArchMismatch | RuntimeNotSupported | InvalidRequest]]] = {
    kind.__name__: kind for kind in (InsufficientResources, ArchMismatch, RuntimeNotSupported, InvalidRequest)
}


def write_reason(reason: Reason) -> Json:
    """The reason as JSON: `"QueueFull"`, or an object with the reason's name as its only key."""
    if isinstance(reason, QueueFull):
        return "QueueFull"
    return {type(reason).__name__: to_wire(reason)}


def read_reason(value: Json) -> Reason:
    """Reads what `write_reason` wrote.

    Raises:
        ShapeError: anything else.
    """
    if value == "QueueFull":
        return QueueFull()
    if isinstance(value, Mapping) and len(value) == 1:
        ((tag, fields),) = value.items()
        if tag in _TAGGED:
            return from_wire(_TAGGED[tag], fields, where=f"reason.{tag}")
    raise ShapeError("none of the five reasons", where="reason")
