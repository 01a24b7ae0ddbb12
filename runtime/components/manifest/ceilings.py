"""The operator's ceilings: they cut down what a manifest asks for, never up."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from runtime.components.manifest.model import Limits, Manifest, Messaging
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["CEILINGS", "Cut", "cut_down"]

_LIMITS: Final = tuple(field.name for field in fields(Limits))
_MESSAGING: Final = ("mailbox", "pending_requests")
CEILINGS: Final = tuple(f"limits.{name}" for name in _LIMITS) + tuple(f"messaging.{name}" for name in _MESSAGING)
"""What may have a ceiling: keys of Component.toml; bytes, milliseconds and counts."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One limit that was cut down.

    Attributes:
        key: of Component.toml.
        asked: None for no limit at all.
        given: the ceiling.
    """

    key: str
    asked: int | None
    given: int


def cut_down(manifest: Manifest, ceilings: Mapping[str, int]) -> tuple[Limits, Messaging, tuple[Cut, ...]]:
    """The limits in force.

    Args:
        manifest: what is asked for.
        ceilings: by keys of `CEILINGS`; what is not there has none.

    Returns:
        Limits and mailbox, and what was cut, in the order of `CEILINGS`.

    Raises:
        UsageError: a ceiling for something else, or below 0.
    """
    for key, value in ceilings.items():
        if key not in CEILINGS or value < 0:
            raise UsageError(f"`{clean(key, 60)}` = {value} is not a ceiling", hint=f"these are: {', '.join(CEILINGS)}")
    asked = {f"limits.{name}": getattr(manifest.limits, name) for name in _LIMITS}
    asked |= {f"messaging.{name}": getattr(manifest.messaging, name) for name in _MESSAGING}
    cuts = tuple(
        Cut(key, asked[key], ceilings[key])
        for key in CEILINGS
        if key in ceilings and (asked[key] is None or asked[key] > ceilings[key])
    )
    given = {cut.key: cut.given for cut in cuts}
    limits = {key.removeprefix("limits."): value for key, value in given.items() if key.startswith("limits.")}
    mailbox = Messaging(
        given.get("messaging.mailbox", manifest.messaging.mailbox),
        manifest.messaging.overflow,
        given.get("messaging.pending_requests", manifest.messaging.pending_requests),
    )
    return replace(manifest.limits, **limits), mailbox, cuts
