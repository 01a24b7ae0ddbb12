"""What a face holds: a `CoreClient`, and nothing else of the core.

No asyncio type crosses this border: each face has a loop of its own. Nothing here blocks but waiting for a Future,
which no face does on its loop's thread. `LocalCore` (console.local) and `RemoteCore` (console.remote) implement it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Protocol

from runtime.canonical import Json
from runtime.events import Record

__all__ = ["Args", "CoreClient", "Execution", "Fault", "Json", "Result", "Sink", "Snapshot", "Subscription"]

Args = Mapping[str, str | Sequence[str]]
"""Arguments by name, as text: a flag is `"true"`, an argument that may be repeated is a sequence."""

Sink = Callable[[Sequence[Record]], None]
"""Called on the core's thread with records in order; must only append and return."""


_MANIFEST_FAULT: Final = re.compile(r"Component\.toml:[0-9]+: |… and [0-9]+ more$")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a command was refused or failed; `code` is that of `runtime.errors`, `line` is the line without `orlop: `."""

    code: str
    text: str
    what: str = ""
    where: str = ""
    hint: str = ""
    value: Json = None
    """A document that is shown all the same, such as that of `agents try` whose call failed."""

    @property
    def line(self) -> str:
        """`<what>: <where>: <why>; <hint>`."""
        head = ": ".join(part for part in (self.what, self.where, self.text) if part)
        return f"{head}; {self.hint}" if self.hint else head

    @property
    def lines(self) -> list[str]:
        """As `line`; of several faults of a Component.toml each has its own."""
        parts = self.text.split("\n")
        if len(parts) == 1 or not all(_MANIFEST_FAULT.match(part) for part in parts):
            return [self.line]
        head = f"{self.what}: " if self.what else ""
        return [f"{head}{part}" for part in parts]


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a command. `value` is what `--json` prints; `exit_code` is set by commands with codes of their own."""

    ok: bool
    value: Json = None
    fault: Fault | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of some topics, true at `seq`: events with a higher seq are folded on top."""

    seq: int
    topics: Mapping[str, Json]


class Subscription(Protocol):
    """A running subscription."""

    def close(self) -> None:
        """No call of the sink begins after this returns."""
        ...


class Execution(Protocol):
    """A running command."""

    @property
    def result(self) -> Future[Result]:
        """Done when the command ended; raises only when the connection to the core is lost."""
        ...

    def interrupt(self, code: int) -> None:
        """Asks the command to end early, as a signal would.

        Args:
            code: the exit code that the face will end with: 130 or 143.
        """
        ...


class CoreClient(Protocol):
    """Snapshot, subscribe, execute: all that a face can do."""

    def snapshot(self, *topics: str) -> Future[Snapshot]:
        """The rows of the named topics (node, rooms, agents, jobs, receipts) and the seq they are true at."""
        ...

    def subscribe(self, since: int, sink: Sink, *, content: bool = False) -> Subscription:
        """Every record after `since`, in order, without hole or double: first from the journal, then live."""
        ...

    def execute(self, command: str, args: Args, files: Mapping[str, int] | None = None) -> Execution:
        """Runs a registered command.

        Args:
            command: its name, such as `agents activate`.
            args: its arguments.
            files: descriptors for its arguments of kind path and stream; the callee duplicates what it keeps.
        """
        ...

    def close(self) -> None:
        """Lets go of the core; a local core is stopped."""
        ...
