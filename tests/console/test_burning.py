"""A burned room: no byte of it is left in the state directory, and a kill in between is made good."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from console import config as configuration
from console.client import Result
from console.core import Core, CoreOptions
from runtime.clock import ManualClock
from runtime.errors import NotFoundError
from tests.hostile import agent

TITLE, SAID, ROOM_NAME, AGENT_NAME = "Publish-the-image-14", "the-image-is-signed", "north-pier-room", "quiet-one"


class Harbor:
    """A core with two rooms, one of which is to go."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state"
        self.clock = ManualClock()

    async def start(self, *, owner: bool = True) -> None:
        config = configuration.load(None, None, {"ORLOP_AGENTS_REQUIRE_SIGNATURE": "false"})
        self.core = await Core.start(CoreOptions(state_path=self.path, owner=owner, clock=self.clock, config=config))

    async def do(self, command: str, files: dict[str, bytes] | None = None, **args: str) -> Result:
        passed = {}
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


@pytest.fixture
async def harbor(tmp_path: Path) -> AsyncIterator[Harbor]:
    found = Harbor(tmp_path)
    await found.start()
    yield found
    await found.core.stop("test")


async def test_a_burned_room_leaves_no_byte_in_the_state_directory(harbor: Harbor) -> None:
    room = await harbor.fill(ROOM_NAME, "gone")
    secrets = harbor.secrets_of(room, ROOM_NAME, "gone")
    assert len({trace.partition(": ")[2] for trace in harbor.traces(secrets)}) >= 3, "else nothing could be found"
    await harbor.well("rooms burn", room=ROOM_NAME)
    assert harbor.traces(secrets) == []
    with pytest.raises(NotFoundError):
        harbor.core.rooms.state(room)
    assert await harbor.well("rooms list") == {"v": 1, "items": []}
    assert await harbor.well("agents list") == {"v": 1, "items": []}


async def test_other_rooms_are_as_they_were(harbor: Harbor) -> None:
    await harbor.fill(ROOM_NAME, "gone")
    kept = await harbor.fill("quiet-harbor", "kept")
    before = await harbor.well("rooms show", room=kept)
    modules = [file for file in (harbor.path / "modules").rglob("*") if file.is_file()]
    await harbor.well("rooms burn", room=ROOM_NAME)
    assert await harbor.well("rooms show", room=kept) == before
    assert [row["agent"] for row in (await harbor.well("agents list"))["items"]] == [f"{AGENT_NAME}-kept"]
    assert [file for file in (harbor.path / "modules").rglob("*") if file.is_file()] == modules


async def test_modules_that_nobody_else_uses_go_and_their_compiled_code_too(harbor: Harbor) -> None:
    await harbor.fill(ROOM_NAME, "gone")
    await harbor.well("rooms burn", room=ROOM_NAME)
    left = [file for part in ("modules", "cache") for file in (harbor.path / part).rglob("*") if file.is_file()]
    assert left == []


async def test_copies_that_migrations_left_go_when_the_room_is_in_them(harbor: Harbor) -> None:
    other = harbor.path / "orlop.db.before-2"
    shutil.copy(harbor.path / "orlop.db", other)
    room = await harbor.fill(ROOM_NAME, "gone")
    copy = harbor.path / "orlop.db.before-3"
    with closing(sqlite3.connect(harbor.path / "orlop.db")) as db, closing(sqlite3.connect(copy)) as target:
        db.backup(target)
    await harbor.well("rooms burn", room=room)
    assert not copy.exists()
    assert other.exists()


async def test_a_kill_before_the_bytes_are_wiped_is_made_good_at_the_next_start(
    harbor: Harbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await harbor.fill(ROOM_NAME, "gone")
    secrets = harbor.secrets_of(room, ROOM_NAME, "gone")
    with monkeypatch.context() as patch:
        patch.setattr("console.rooms_life.finish", lambda _store: None)
        await harbor.well("rooms burn", room=room)
    shutil.copytree(harbor.path, harbor.path.with_name("killed"), ignore=shutil.ignore_patterns("control.sock"))
    await harbor.core.stop("test")
    harbor.path = harbor.path.with_name("killed")
    assert harbor.traces(secrets)
    await harbor.start()
    await harbor.core.life.finish()
    assert harbor.traces(secrets) == []


async def test_an_unknown_room_is_not_burned(harbor: Harbor) -> None:
    fault = (await harbor.do("rooms burn", room="nowhere")).fault
    assert fault is not None
    assert fault.code == "unknown"
    fault = (await harbor.do("rooms burn")).fault
    assert fault is not None
    assert "`room` is missing" in fault.line


async def test_without_an_owner_it_burns_as_well(harbor: Harbor) -> None:
    room = await harbor.fill(ROOM_NAME, "gone")
    secrets = harbor.secrets_of(room, ROOM_NAME, "gone")
    await harbor.core.stop("test")
    await harbor.start(owner=False)
    await harbor.well("rooms burn", room=room)
    assert harbor.traces(secrets) == []
