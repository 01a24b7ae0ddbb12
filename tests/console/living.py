"""A core on a state directory of its own, for tests of the life of rooms: asked in few words, searched byte by byte."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from console import config as configuration
from console.client import Result
from console.core import Core, CoreOptions
from runtime.clock import ManualClock
from runtime.events import Event
from tests.hostile import agent

__all__ = ["AGENT_NAME", "SAID", "TITLE", "Harbor"]

TITLE, SAID, AGENT_NAME = "Publish-the-image-14", "the-image-is-signed", "quiet-one"


class Harbor:
    """A core, and short ways to ask it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state"
        self.clock = ManualClock()
        self.events: list[Event] = []

    async def start(self, *, owner: bool = True) -> None:
        config = configuration.load(None, None, {"ORLOP_AGENTS_REQUIRE_SIGNATURE": "false"})
        self.core = await Core.start(CoreOptions(state_path=self.path, owner=owner, clock=self.clock, config=config))
        self.events = []
        journal, first = self.core.journal, self.core.store.first_seq
        journal.subscribe(first, lambda records: self.events.extend(record.event for record in records))

    async def restart(self) -> None:
        """The next start of the program."""
        await self.core.stop("test")
        await self.start()

    async def told(self, kind: type[Event]) -> list[Any]:
        """The events of a kind, once all that was written is published."""
        await self.core.write(lambda _: None)
        return [event for event in self.events if isinstance(event, kind)]

    async def refused(self, command: str, **given: Any) -> str:
        """The code and line of a command's fault."""
        result = await self.do(command, **given)
        assert not result.ok
        assert result.fault is not None
        return f"{result.fault.code}: {result.fault.line}"

    async def do(
        self,
        command: str,
        files: dict[str, bytes] | None = None,
        descriptors: dict[str, int] | None = None,
        **args: str,
    ) -> Result:
        passed = {name: os.dup(descriptor) for name, descriptor in (descriptors or {}).items()}
        for name, content in (files or {}).items():
            passed[name] = os.memfd_create(name)
            os.write(passed[name], content)
            os.lseek(passed[name], 0, os.SEEK_SET)
        interrupted = asyncio.get_running_loop().create_future()
        return await self.core.execute(command, args, passed, interrupted=interrupted, uid=os.geteuid(), face="test")

    async def well(self, command: str, **given: Any) -> Any:
        result = await self.do(command, **given)
        assert result.ok, result.fault
        return result.value

    async def fill(self, name: str, word: str) -> str:
        """A room with a task, a message, a description and an agent."""
        room = str((await self.well("rooms create", name=name))["room"])
        await self.well("rooms task", room=name, add=f"{TITLE}-{word} | desc: described-{word}")
        await self.well("rooms say", room=name, text=f"{SAID}-{word}")
        files = {"module": agent("quiet")}
        await self.well("agents upload", files=files, room=name, name=f"{AGENT_NAME}-{word}", grant="all")
        await self.well("agents activate", agent=f"{AGENT_NAME}-{word}", room=name)
        return room

    def secrets_of(self, room: str, name: str, word: str) -> list[bytes]:
        """What must not be found: texts, names, the id in rows and events, the key sealed and open."""
        with closing(sqlite3.connect(self.path / "orlop.db")) as db:
            (sealed,) = db.execute("SELECT sealed_key FROM rooms WHERE room = ?", (room,)).fetchone()
        key = self.core.vault.open(sealed, f"orlop-room-key:1:{room}".encode())
        texts = [f"{TITLE}-{word}", f"{SAID}-{word}", f"described-{word}", name, f"{AGENT_NAME}-{word}"]
        return [sealed, key, *(text.encode() for text in texts)]

    def traces(self, secrets: list[bytes]) -> list[str]:
        return [
            f"{file.relative_to(self.path)}: {secret!r}"
            for file in self.path.rglob("*")
            if file.is_file()
            for secret in secrets
            if secret in file.read_bytes()
        ]
