"""Whether a component is well: a pure fold over what it answers, and over what it fails to answer.

A component that is in a call within its deadline is busy, not ill. A report of `unhealthy`, a trap and an answer that
did not come in time count; so many in a row, and the component has failed. `degraded` is shown and moves nothing.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from runtime.sanitise import clean

__all__ = ["UNASKED", "Health", "Status", "answered", "busy", "silent", "status_of"]

Status = Literal["healthy", "degraded", "unhealthy", "unknown"]

_DETAIL_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Health:
    """What is known.

    Attributes:
        status: as it is shown.
        detail: one harmless line.
        bad: how many in a row were bad.
    """

    status: Status = "unknown"
    detail: str = ""
    bad: int = 0


UNASKED: Final = Health()


def status_of(text: str) -> Status:
    """A status by its name; `unknown` for any other text."""
    return next((status for status in get_args(Status) if status == text), "unknown")


def answered(health: Health, status: Status, detail: str) -> Health:
    """Folds a report.

    Args:
        health: before it.
        status: what the component says.
        detail: what it adds; made harmless here.
    """
    bad = health.bad + 1 if status == "unhealthy" else 0
    return Health(status, clean(detail, _DETAIL_MAX), bad)


def silent(health: Health, why: str) -> Health:
    """Folds an answer that did not come.

    Args:
        health: before it.
        why: one line, such as `no answer in 5 s`.
    """
    return Health("unhealthy", clean(why, _DETAIL_MAX), health.bad + 1)


def busy(health: Health, seconds: float) -> Health:
    """It could not be asked, because it works.

    Args:
        health: before it.
        seconds: how long its call has run.
    """
    return replace(health, status="unknown", detail=f"busy {seconds:.1f} s")
