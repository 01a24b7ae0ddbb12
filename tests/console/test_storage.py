"""`storage.min_free`: below it new work is refused with one reason, all else goes on, and it is told once."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from console import core as core_module
from console.client import Fault, Result
from console.config import Config
from console.core import Core, CoreOptions
from console.registry import COMMANDS
from console.settings import StorageConfig
from console.view import View
from runtime.events import Event, Record, StorageLow, StorageOk
from runtime.space import SpaceWatch

ROOM = 100 << 20
WANTED = 64 << 20


class Disk:
    """What is free; the tests say how much."""

    free = ROOM


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("console.parts.free_bytes", lambda _: disk.free)
    return disk


@pytest.fixture
async def core(tmp_path: Path, disk: Disk) -> AsyncIterator[Core]:
    config = Config(storage=StorageConfig(min_free_bytes=WANTED))
    started = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True, config=config))
    yield started
    await started.stop("test")


async def ask(core: Core, command: str, files: dict[str, int] | None = None, **args: str) -> Result:
    interrupted = asyncio.get_running_loop().create_future()
    return await core.execute(command, args, files or {}, interrupted=interrupted, uid=os.geteuid(), face="test")


async def told(core: Core) -> list[Event]:
    await core.write(lambda _: None)
    records = core.journal.read(0, limit=1000, types=("storage.*",))
    return [record.event for record in records]


NEW_WORK = ("jobs run", "agents upload", "backup")


@pytest.mark.parametrize("command", NEW_WORK)
async def test_new_work_is_refused_before_anything_is_read(core: Core, disk: Disk, command: str) -> None:
    disk.free = WANTED - 1
    given = {arg.name: "x" for arg in COMMANDS[command].args if arg.required}
    result = await ask(core, command, **given)
    where = str(core.state.path)
    why = "64MiB are free, and no work is begun below 64MiB"
    hint = "free some space, or set storage.min_free"
    assert result == Result(ok=False, fault=Fault("unavailable", why, command, where, hint))


async def test_what_needs_little_goes_on(core: Core, disk: Disk) -> None:
    disk.free = 1 << 20
    assert (await ask(core, "rooms create", name="harbor")).ok
    assert (await ask(core, "rooms say", room="harbor", text="hello")).ok
    assert (await ask(core, "jobs list")).ok


async def test_crossing_is_told_once_each_way(core: Core, disk: Disk) -> None:
    for free in (WANTED - 1, WANTED - 2, WANTED, ROOM, ROOM + 1):
        disk.free = free
        core.space()
    assert await told(core) == [
        StorageLow(free_bytes=WANTED - 1, min_free_bytes=WANTED),
        StorageOk(free_bytes=ROOM, min_free_bytes=WANTED),
    ]


async def test_an_owner_looks_by_itself(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_module, "_SPACE_S", 0.01)
    disk.free = WANTED - 1
    config = Config(storage=StorageConfig(min_free_bytes=WANTED))
    core = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True, config=config))
    seen: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def sink(records: Sequence[Record]) -> None:
        for record in records:
            if record.event.TYPE.startswith("storage."):
                loop.call_soon_threadsafe(seen.put_nowait, record.event.TYPE)

    try:
        core.journal.subscribe(0, sink)
        assert await seen.get() == "storage.low"
        disk.free = ROOM
        assert await seen.get() == "storage.ok"
    finally:
        await core.stop("test")


async def test_the_snapshot_says_it_and_events_fold_into_it(core: Core, disk: Disk) -> None:
    view = View()
    view.load(await core.snapshot(("node",)))
    assert view.node is not None
    assert (view.node.free_bytes, view.node.min_free_bytes, view.node.storage_low) == (ROOM, WANTED, False)
    disk.free = 5
    core.space()
    await told(core)
    view.apply(core.journal.read(view.seq, limit=1000))
    assert (view.node.free_bytes, view.node.storage_low) == (5, True)


async def test_switched_off_nothing_is_refused(core: Core, disk: Disk) -> None:
    disk.free = 0
    core.config = Config(storage=StorageConfig(min_free_bytes=0))
    core.need_space()


def test_a_one_shot_command_starts_without_a_memory() -> None:
    assert not SpaceWatch(lambda: WANTED).look(WANTED)[0].low


def test_every_command_that_fills_the_disk_is_marked() -> None:
    jobs = {"jobs run", "jobs submit", "jobs rerun", "receipts rerun"}
    fills = {*jobs, "agents upload", "backup", "rooms import", "components install"}
    assert {name for name, command in COMMANDS.items() if command.grows} == fills & COMMANDS.keys()
