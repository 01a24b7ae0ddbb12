"""What the host failed at while a command ran in this process, told on stderr at its end.

The journal has it too, but nobody watches the events of a one-shot command. Where an owner runs the command, it is the
owner's to tell.
"""

from collections.abc import Sequence

from console.client import Fault
from console.cmdline import streams
from runtime.events import CoreError, Record

__all__ = ["Troubles"]


class Troubles:
    """Collects `core.error` events.

    Args:
        command: its name. What a core reports under it is why the command failed, which is told anyway.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._found: dict[str, None] = {}

    def take(self, records: Sequence[Record]) -> None:
        """A sink for the events of a core."""
        for record in records:
            event = record.event
            if isinstance(event, CoreError) and event.where != self._command:
                self._found[Fault("", event.error, self._command, event.where, event.hint).line] = None

    def say(self) -> None:
        """One line for each, once; to be called when the core is closed, and no event comes any more."""
        for line in self._found:
            streams.say(line)
