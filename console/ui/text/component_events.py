"""What happened with a component, in words: lines of the log, of its sheet and of toasts."""

from console.ui.figures import millis, size
from runtime import component_events as events
from runtime.events import Event

__all__ = ["ink_of", "said_of_component", "why_denied"]

_PREFIX = "permissions."
_INKS = (
    ((events.ComponentGivenUp,), "alarm"),
    ((events.ComponentRestarting, events.ComponentDenied), "trip"),
    ((events.ComponentDeadLetter,), "warn"),
    ((events.ComponentCalled, events.ComponentMeasured), "dim"),
)


def why_denied(rule: str, line: int | None) -> str:
    """The rule that refused, or that none allows it, and the line of the manifest to look at.

    Args:
        rule: its id; empty where no rule allows what was asked.
        line: of Component.toml; None where there is none.
    """
    where = f", Component.toml:{line}" if line else ""
    return f"{rule.removeprefix(_PREFIX)}{where}" if rule else f"no rule allows it{where}"


def said_of_component(event: Event) -> str:  # noqa: PLR0911 - one line for each kind of event
    """One line about what an event says of the component that it names; empty for events of another kind.

    What the component itself chose may stand in it: whoever shows it cleans it first.
    """
    match event:
        case events.ComponentState():
            return f"{event.state}: {event.reason}" if event.reason else event.state
        case events.ComponentInstalled():
            return f"{event.version} in the place of {event.previous}" if event.previous else event.version
        case events.ComponentUninstalled():
            return "gone, with what it stored"
        case events.ComponentRestarting():
            who = f" with {len(event.members) - 1} more" if len(event.members) > 1 else ""
            return f"again in {event.delay_ms} ms{who}: {event.reason}"
        case events.ComponentGivenUp():
            return f"fell too often: {'; '.join(event.reasons)}"
        case events.ComponentHealth():
            return f"{event.status}: {event.detail}" if event.detail else event.status
        case events.ComponentPolicy():
            changes = [f"+{one}" for one in event.granted] + [f"−{one}" for one in event.revoked]  # noqa: RUF001
            return f"rules version {event.version}: {', '.join(changes)}"
        case events.ComponentLogged():
            return f"{event.level}: {event.text or ''}"
        case events.ComponentDeadLetter():
            return f"{event.count} from {event.sender or 'nobody'} not read: {event.reason}"
        case _:
            return _asked(event)


def _asked(event: Event) -> str:
    """What it asked of its host."""
    match event:
        case events.ComponentDenied():
            return f"denied {event.op} {event.target}{_times(event.calls)}: {why_denied(event.rule, event.line)}"
        case events.ComponentCalled():
            bulk = f", {size(event.bytes)}" if event.bytes else ""
            what = f"{event.op} {event.target}".rstrip()
            return f"{what}{_times(event.calls)}: {event.outcome} in {millis(event.duration_us)}{bulk}"
        case events.ComponentMeasured():
            return f"{event.calls} calls, {event.denied} denied, {event.mailbox} wait"
        case _:
            return ""


def ink_of(event: Event) -> str:
    """The ink of an event about a component: alarm, trip, warn, ok, dim; empty for none of its own."""
    if isinstance(event, events.ComponentState):
        return {"running": "ok", "failed": "trip", "given-up": "trip"}.get(event.state, "")
    if isinstance(event, events.ComponentHealth):
        return {"unhealthy": "trip", "degraded": "warn"}.get(event.status, "")
    return next((ink for kinds, ink in _INKS if isinstance(event, kinds)), "")


def _times(calls: int) -> str:
    return f" ({calls} times)" if calls > 1 else ""
