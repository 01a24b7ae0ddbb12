"""Whole programs that meet in rooms, in one process: owners on threads of their own, and a relay between them."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from console.client import Fault
from console.config import Config
from console.core import Core, CoreOptions
from console.local import LocalCore
from console.settings import NodeConfig
from net.rooms.relay import Relay
from runtime.events import Event, Record

T = TypeVar("T")
E = TypeVar("E", bound=Event)

SECONDS = 60


class RelayThread:
    """A relay that can go away and come back under the same address."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._relay: Relay | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def passed(self) -> int:
        return 0 if self._relay is None else self._relay.passed

    def start(self) -> None:
        self._relay = Relay()
        _, self.port = self._run(self._relay.start("127.0.0.1", self.port))

    def stop(self) -> None:
        if self._relay is not None:
            self._run(self._relay.close())
            self._relay = None

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)


class Program:
    """One orlop, an owner unless told otherwise, and all that happens in it."""

    def __init__(self, state: Path, name: str, *, owner: bool = True) -> None:
        self.state = state
        self._came = threading.Condition()
        self.happened: list[Event] = []
        config = Config(node=NodeConfig(name=name))
        self.core = LocalCore(CoreOptions(state_path=state, owner=owner, config=config), face="test")
        self.core.subscribe(self.core.first_seq, self._take, content=True)

    @property
    def inside(self) -> Core:
        """For what no command shows."""
        return self.core._core

    def run(self, command: str, **args: str | Sequence[str]) -> Any:
        """The document of a command that goes well."""
        result = self.core.execute(command, args).result.result(SECONDS)
        assert result.ok, result.fault
        return result.value

    def fail(self, command: str, **args: str) -> Fault:
        """Why a command fails."""
        result = self.core.execute(command, args).result.result(SECONDS)
        assert result.fault is not None, result.value
        return result.fault

    def until(self, true: Callable[[], T]) -> T:
        """Waits until something is true, looking again whenever something happened."""
        deadline = time.monotonic() + SECONDS
        while True:
            with self._came:
                seen = len(self.happened)
            found = true()
            if found:
                return found
            with self._came:
                while len(self.happened) == seen:
                    left = deadline - time.monotonic()
                    assert left > 0, self.happened[-5:]
                    self._came.wait(left)

    def heard(self, kind: type[E]) -> list[E]:
        """What happened of one kind."""
        with self._came:
            return [event for event in self.happened if isinstance(event, kind)]

    def close(self) -> None:
        self.core.close()

    def _take(self, records: Sequence[Record]) -> None:
        with self._came:
            self.happened.extend(record.event for record in records)
            self._came.notify_all()

    # --- rooms ------------------------------------------------------------------------------------------------------

    def show(self, room: str = "harbor") -> Any:
        return self.run("rooms show", room=room)

    def said(self, room: str = "harbor") -> list[str]:
        return [message["text"] for message in self.show(room)["messages"]]

    def titles(self, room: str = "harbor") -> set[str]:
        return {task["title"] for task in self.show(room)["tasks"]}

    def members(self, room: str = "harbor") -> dict[str, Any]:
        return {item["displayName"]: item for item in self.run("rooms members", room=room)["items"]}

    def row(self, room: str = "harbor") -> Any:
        rows: Any = self.core.snapshot("rooms").result(SECONDS).topics["rooms"]
        return next(row for row in rows if row["name"] == room)

    def invitation(self, room: str = "harbor") -> str:
        return str(self.run("rooms invite", room=room)["invitation"])


@contextmanager
def programs(folder: Path, *names: str) -> Iterator[list[Program]]:
    """Programs with these names, closed in the end."""
    found: list[Program] = []
    try:
        for name in names:
            program = Program(folder / name, name)
            found += [program]  # so that it is closed also when the next one does not start
        yield found
    finally:
        for program in found:
            program.close()
