"""A component's row after an event that names it."""

from dataclasses import replace

from console.rows import ComponentRow
from runtime import component_events as events
from runtime.events import Event

__all__ = ["fold_component"]


def fold_component(row: ComponentRow, event: Event) -> ComponentRow:
    """Folds an event.

    Args:
        row: before.
        event: any.
    """
    after = row
    match event:
        case events.ComponentState():
            after = replace(row, state=event.state, reason=event.reason, restarts=event.restarts, version=event.version)
        case events.ComponentHealth():
            after = replace(row, status=event.status, detail=event.detail or "")
        case events.ComponentMeasured():
            after = replace(row, calls=event.calls, denied=event.denied, mailbox=event.mailbox)
        case events.ComponentPolicy():
            after = replace(row, rules_version=event.version)
        case _:
            pass
    return after
