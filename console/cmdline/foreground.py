"""Commands that serve in the foreground until a signal comes. They talk on stderr, or in JSON lines on stdout."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime

from console.client import Json, Result
from console.cmdline import streams
from console.cmdline.signals import Signals

__all__ = ["Serving", "Talk", "run"]


def run(work: "Callable[[Serving], Coroutine[object, object, None]]") -> Result:
    """Runs something that ends when a signal asks for it.

    Args:
        work: what; it is to end soon after `asked` is set.

    Returns:
        The end, with the exit status of the signal.
    """
    with Signals() as signals:
        loop = asyncio.new_event_loop()
        try:
            serving = Serving(loop)
            signals.watch(serving)
            loop.run_until_complete(work(serving))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
        return Result(ok=True, exit_code=signals.code)


@dataclass
class Serving:
    """The `Execution` that signals interrupt."""

    loop: asyncio.AbstractEventLoop
    result: "Future[Result]" = field(default_factory=Future)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def interrupt(self, code: int) -> None:
        """On the listener's thread."""
        del code
        self.loop.call_soon_threadsafe(self.asked.set)


@dataclass(frozen=True, slots=True)
class Talk:
    """Where events go."""

    json: bool
    quiet: bool

    def tell(self, kind: str, facts: Mapping[str, Json], words: str) -> None:
        """Tells of an event.

        Args:
            kind: its type.
            facts: its fields.
            words: what a person is told.
        """
        if self.json:
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            event: dict[str, Json] = {"v": 1, "ts": at, "type": kind, **facts}
            streams.print_text(json.dumps(event, separators=(",", ":")) + "\n")
        elif words:
            self.note(words)

    def note(self, words: str) -> None:
        """Tells a person something that is no event."""
        if not self.quiet:
            streams.say(words)
