"""What happened with components that nobody should miss, as toasts: one that falls again and again says so seldom.

What is left unsaid is in the Log pane and on the component's sheet.
"""

from collections.abc import Iterator

from console.ui.bound import Keys
from console.ui.notices import Notice
from console.ui.text.component_events import why_denied
from console.ui.text.components import short_name
from runtime import component_events as events
from runtime.events import Record
from runtime.sanitise import clean

__all__ = ["QUIET_MS", "ComponentNotices"]

QUIET_MS = 60_000
"""How long nothing is said of the same kind about the same component."""

_KEPT = 256


class ComponentNotices:
    """The toasts about components, with a memory of what was said.

    Args:
        keys: for hints.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._said: dict[tuple[str, str], int] = {}

    def __call__(self, record: Record) -> Iterator[Notice]:
        """The toast of a record, if there is one."""
        match record.event:
            case events.ComponentGivenUp(component=component, reasons=reasons):
                last = clean(reasons[-1], 200) if reasons else "it fell too often"
                run = self._keys.named("components run", "r")
                text = f"{short_name(component)} is given up: {last}. {run} in Components starts it again"
                yield Notice("Components", text, "error")
            case events.ComponentState(component=component, state="failed", reason=reason):
                if self._anew("failed", component, record.ts_ms):
                    yield Notice("Components", f"{short_name(component)} failed: {clean(reason, 200)}", "warning")
            case events.ComponentDenied(component=component) as denied:
                if self._anew("denied", component, record.ts_ms):
                    what = clean(f"{denied.op} {denied.target}", 160)
                    why = clean(why_denied(denied.rule, denied.line), 120)
                    may = self._keys.named("components permissions", "c")
                    text = f"{short_name(component)} was denied {what}: {why}. {may} in Components changes that"
                    yield Notice("Components", text, "warning")
            case _:
                return

    def _anew(self, kind: str, component: str, now_ms: int) -> bool:
        """Whether that has not been said for a while; from now on it has."""
        key = (kind, component)
        before = self._said.get(key)
        if before is not None and now_ms - before < QUIET_MS:
            return False
        self._said.pop(key, None)
        self._said[key] = now_ms
        if len(self._said) > _KEPT:
            del self._said[next(iter(self._said))]
        return True
