"""The life of one component, from its installation to its removal: a pure machine of states, events and actions.

An event says what happened, or what an operator wants; the answer is the new state and what is to be done next. Each
action ends with an event of its own, so that a driver is a loop over actions. `aim` is what the component is meant to
come to: a component that is stopped while it starts finishes its step and goes no further. A pair of state and event
that is not in the table is an error, never ignored.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from runtime.errors import UsageError

__all__ = ["ABSENT", "EVENTS", "Action", "Event", "Life", "LifecycleError", "State", "step"]

State = Literal[
    "absent",
    "installed",
    "verified",
    "loaded",
    "initialised",
    "running",
    "suspended",
    "stopping",
    "stopped",
    "failed",
    "given-up",
]
Event = Literal[
    "install",
    "start",
    "verified",
    "loaded",
    "initialised",
    "healthy",
    "suspend",
    "resume",
    "stop",
    "restart",
    "ended",
    "failed",
    "retry",
    "give-up",
    "uninstall",
]
Action = Literal[
    "copy",
    "verify",
    "load",
    "init",
    "ask-health",
    "open-mailbox",
    "pause-calls",
    "resume-calls",
    "close-mailbox",
    "shutdown",
    "clean",
    "ask-supervisor",
    "delete",
]
Aim = Literal["run", "stop"]

EVENTS: Final[tuple[Event, ...]] = get_args(Event)


class LifecycleError(UsageError):
    """Something was asked of a component that its state does not allow."""


@dataclass(frozen=True, slots=True)
class Life:
    """Where a component is, and where it is meant to come to.

    Attributes:
        state: what it is now.
        aim: `run` from a start on until a stop or until it is given up.
    """

    state: State = "absent"
    aim: Aim = "stop"

    @property
    def starting(self) -> bool:
        """Whether steps towards running are being taken."""
        return self.aim == "run" and self.state in {"installed", "stopped", "verified", "loaded", "initialised"}


ABSENT: Final = Life()
"""A component that is not installed."""

Step = tuple[Life, tuple[Action, ...]]

_STOPPED: Final[Step] = (Life("stopped"), ("clean",))
_LAST_CALL: Final[Step] = (Life("stopping"), ("shutdown",))
_FELL: Final[Step] = (Life("failed", "run"), ("clean", "ask-supervisor"))

_WANTED: Final[dict[tuple[Event, State], Step]] = {
    ("install", "absent"): (Life("installed"), ("copy",)),
    ("start", "installed"): (Life("installed", "run"), ("verify",)),
    ("start", "stopped"): (Life("stopped", "run"), ("verify",)),
    ("start", "failed"): (Life("stopped", "run"), ("verify",)),
    ("start", "given-up"): (Life("stopped", "run"), ("verify",)),
    ("retry", "failed"): (Life("stopped", "run"), ("verify",)),
    ("give-up", "failed"): (Life("given-up"), ()),
    ("suspend", "running"): (Life("suspended", "run"), ("pause-calls",)),
    ("resume", "suspended"): (Life("running", "run"), ("resume-calls",)),
    ("restart", "running"): (Life("stopping", "run"), ("close-mailbox", "shutdown")),
    ("restart", "suspended"): (Life("stopping", "run"), ("close-mailbox", "shutdown")),
    ("stop", "running"): (Life("stopping"), ("close-mailbox", "shutdown")),
    ("stop", "suspended"): (Life("stopping"), ("close-mailbox", "shutdown")),
    ("stop", "failed"): (Life("stopped"), ()),
    ("uninstall", "installed"): (ABSENT, ("delete",)),
    ("uninstall", "stopped"): (ABSENT, ("delete",)),
    ("uninstall", "failed"): (ABSENT, ("delete",)),
    ("uninstall", "given-up"): (ABSENT, ("delete",)),
}
"""What operators and the supervisor ask for; while a component starts, only to stop it."""

_HAPPENED: Final[dict[tuple[Event, State], tuple[Step, Step]]] = {
    ("verified", "installed"): ((Life("verified", "run"), ("load",)), (Life("stopped"), ())),
    ("verified", "stopped"): ((Life("verified", "run"), ("load",)), (Life("stopped"), ())),
    ("loaded", "verified"): ((Life("loaded", "run"), ("init",)), _STOPPED),
    ("initialised", "loaded"): ((Life("initialised", "run"), ("ask-health",)), _LAST_CALL),
    ("healthy", "initialised"): ((Life("running", "run"), ("open-mailbox",)), _LAST_CALL),
    ("ended", "stopping"): ((Life("stopped", "run"), ("clean", "verify")), _STOPPED),
    ("failed", "stopping"): ((Life("stopped", "run"), ("clean", "verify")), _STOPPED),
    ("failed", "installed"): (_FELL, _STOPPED),
    ("failed", "stopped"): (_FELL, _STOPPED),
    ("failed", "verified"): (_FELL, _STOPPED),
    ("failed", "loaded"): (_FELL, _STOPPED),
    ("failed", "initialised"): (_FELL, _STOPPED),
    ("failed", "running"): (_FELL, _FELL),
    ("failed", "suspended"): (_FELL, _FELL),
}
"""What came of an action, or befell the component: where it is meant to run, and where it was stopped meanwhile."""

_REFUSALS: Final[dict[Event, str]] = {
    "install": "is installed already",
    "start": "has been started already",
    "suspend": "does not run",
    "resume": "is not suspended",
    "stop": "does not run",
    "restart": "does not run",
    "uninstall": "has to be stopped first",
}


def step(life: Life, event: Event) -> Step:
    """Lets one thing happen.

    Args:
        life: before it.
        event: what happened, or what is wanted.

    Returns:
        The life after it, and what is to be done now, in this order.

    Raises:
        LifecycleError: the state does not allow it.
    """
    key = (event, life.state)
    if key in _HAPPENED:
        on_its_way, unwanted = _HAPPENED[key]
        return on_its_way if life.aim == "run" else unwanted
    if event == "stop" and (life.starting or life == Life("stopping", "run")):
        return replace(life, aim="stop"), ()
    if key in _WANTED and not life.starting:
        return _WANTED[key]
    raise LifecycleError("is not installed" if life.state == "absent" else _why_not(life, event))


def _why_not(life: Life, event: Event) -> str:
    return _REFUSALS.get(event, f"cannot take {event!r} while it is {life.state}")
