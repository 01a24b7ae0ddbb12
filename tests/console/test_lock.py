"""A locked core: what it refuses, what it forgets, who opens it again."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from console.client import Result
from console.core import Core, CoreOptions
from console.registry import COMMANDS
from console.view import View
from runtime.clock import ManualClock
from runtime.errors import LockedError
from runtime.events import CoreLocked, CoreUnlocked, Event

RIGHT, WRONG = "493027", "111111"


class Desk:
    """A core with a room and a PIN, and short ways to ask it."""

    def __init__(self, core: Core, clock: ManualClock) -> None:
        self.core = core
        self.clock = clock
        self.events: list[Event] = []
        core.journal.subscribe(core.store.first_seq, lambda records: self.events.extend(r.event for r in records))

    async def do(self, command: str, *, secret: str | None = None, through: str = "pin_file", **args: str) -> Result:
        files = {}
        if secret is not None:
            reading, writing = os.pipe()
            os.write(writing, secret.encode())
            os.close(writing)
            files[through] = reading
        interrupted = asyncio.get_running_loop().create_future()
        return await self.core.execute(command, args, files, interrupted=interrupted, uid=os.geteuid(), face="test")

    async def well(self, command: str, **given: Any) -> dict[str, Any]:
        result = await self.do(command, **given)
        assert result.ok, result.fault
        assert isinstance(result.value, dict)
        return dict(result.value)

    async def refused(self, command: str, **given: Any) -> str:
        result = await self.do(command, **given)
        assert not result.ok
        assert result.fault is not None
        return f"{result.fault.code}: {result.fault.line}"


async def opened(folder: Path, clock: ManualClock, **options: Any) -> Core:
    return await Core.start(CoreOptions(state_path=folder / "state", owner=True, clock=clock, **options))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = ManualClock()
    found = Desk(await opened(tmp_path, clock), clock)
    await found.well("rooms create", name="harbor")
    await found.well("pin set", secret=RIGHT)
    yield found
    await found.core.stop("test")


async def test_without_a_pin_nobody_could_unlock_so_nobody_can_lock(desk: Desk) -> None:
    await desk.well("pin clear")
    assert "no PIN is set, so nobody could unlock it" in await desk.refused("lock")
    assert not desk.core.lock.locked


async def test_w25_a_locked_core_refuses_every_command_about_rooms_and_agents(desk: Desk) -> None:
    await desk.well("lock")
    for command in (name for name in COMMANDS if name.split()[0] in {"rooms", "agents"}):
        assert await desk.refused(command) == f"locked: {command}: the screen is locked; orlop unlock asks for the PIN"


async def test_nobody_takes_the_lock_away_or_carries_off_the_directory_while_it_is_locked(desk: Desk) -> None:
    await desk.well("lock")
    for command in ("pin set", "pin clear", "backup", "config set"):
        assert (await desk.refused(command)).startswith("locked: ")


async def test_jobs_and_receipts_go_on(desk: Desk) -> None:
    await desk.well("lock")
    assert (await desk.well("jobs list"))["items"] == []
    assert (await desk.well("receipts list"))["items"] == []


async def test_w25_locking_forgets_the_keys_of_rooms_and_unlocking_reads_them_again(desk: Desk) -> None:
    await desk.well("rooms say", room="harbor", text="hello")
    rooms = desk.core.rooms
    room = rooms.resolve("harbor")
    await desk.well("lock")
    assert not rooms._held._keys
    assert not rooms._held._rooms
    with pytest.raises(LockedError):
        rooms.state(room)
    with pytest.raises(LockedError):
        rooms.seal(room, b"", b"")
    with pytest.raises(LockedError):
        await asyncio.wrap_future(rooms.say(room, "behind the lock"))
    await desk.well("unlock", secret=RIGHT)
    assert [message.text for message in rooms.state(room).messages] == ["hello"]


async def test_agents_rest_while_it_is_locked(desk: Desk) -> None:
    executor = desk.core.agents
    await desk.well("lock")
    assert executor._runner.resting
    await desk.well("unlock", secret=RIGHT)
    assert not executor._runner.resting


async def test_a_snapshot_of_a_locked_core_shows_no_room_and_says_that_it_is_locked(desk: Desk) -> None:
    view = View()
    view.load(await desk.core.snapshot(("node", "rooms", "agents")))
    assert len(view.rooms) == 1
    await desk.well("lock")
    snapshot = await desk.core.snapshot(("node", "rooms", "agents"))
    view.load(snapshot)
    assert view.node is not None
    assert view.node.locked
    assert not view.rooms


async def test_faces_hear_of_it_and_ask_again_for_rooms(desk: Desk) -> None:
    view = View()
    view.load(await desk.core.snapshot(("node", "rooms")))
    await desk.well("lock", idle="true")
    await desk.well("unlock", secret=RIGHT)
    await desk.core.write(lambda _: None)
    told = [event for event in desk.events if isinstance(event, CoreLocked | CoreUnlocked)]
    assert told == [CoreLocked(by="idle"), CoreUnlocked(by="pin")]
    records = desk.core.journal.read(0, limit=1_000)
    locked = next(record for record in records if isinstance(record.event, CoreLocked))
    changes = view.apply([locked])
    assert view.node is not None
    assert view.node.locked
    assert {"rooms", "agents"} <= changes.stale


async def test_a_live_stream_with_content_has_none_while_it_is_locked(desk: Desk) -> None:
    assert not desk.core.content_shut
    await desk.well("lock")
    assert desk.core.content_shut


async def test_who_holds_keys_is_told_before_they_are_forgotten_and_after_they_may_be_read(desk: Desk) -> None:
    room = desk.core.rooms.resolve("harbor")
    told: list[bool] = []

    async def hook(locked: bool) -> None:
        desk.core.rooms.state(room)  # can be read at both moments
        told.append(locked)

    desk.core.lock.watch(hook)
    await desk.well("lock")
    await desk.well("unlock", secret=RIGHT)
    assert told == [True, False]


async def test_locking_and_unlocking_twice_change_nothing(desk: Desk) -> None:
    assert (await desk.well("unlock", secret=WRONG))["changed"] is False  # not looked at: it is not locked
    assert (await desk.well("lock"))["changed"] is True
    assert (await desk.well("lock"))["changed"] is False
    assert (await desk.well("pin status"))["failures"] == 0


async def test_w25_wrong_pins_cost_time_and_the_tenth_leaves_a_new_start_only(desk: Desk) -> None:
    await desk.well("lock")
    assert "wrong PIN, failure 1 of 10; try again" in await desk.refused("unlock", secret=WRONG)
    await desk.refused("unlock", secret=WRONG)
    assert "failure 3 of 10; the next one is looked at in 30s" in await desk.refused("unlock", secret=WRONG)
    assert "too early: no PIN is looked at for another 30s; 3 were wrong" in await desk.refused("unlock", secret=RIGHT)
    for _ in range(7):
        desk.clock.advance(3_600)
        said = await desk.refused("unlock", secret=WRONG)
    assert "10 wrong PINs: none is looked at any more; end orlop and start it again" in said
    assert desk.core.lock.locked
    status = await desk.well("pin status")
    assert (status["used_up"], status["protected"]) == (True, False)
    assert "the vault has no passphrase" in await desk.refused(
        "unlock", secret="x", through="passphrase", passphrase="true"
    )


async def test_w25_failures_outlive_the_program_and_a_new_start_is_not_locked(desk: Desk, tmp_path: Path) -> None:
    await desk.well("lock")
    for _ in range(4):
        desk.clock.advance(3_600)
        await desk.refused("unlock", secret=WRONG)
    await desk.core.stop("test")
    desk.core = await opened(tmp_path, desk.clock)
    status = await desk.well("pin status")
    assert (status["locked"], status["failures"], status["wait_ms"]) == (False, 4, 60_000)
    await desk.well("lock")
    assert "too early" in await desk.refused("unlock", secret=RIGHT)


async def test_the_passphrase_unlocks_and_forgives_the_failures(tmp_path: Path) -> None:
    clock = ManualClock()
    desk = Desk(await opened(tmp_path, clock, passphrase=b"correct horse"), clock)
    try:
        await desk.well("pin set", secret=RIGHT)
        await desk.well("lock")
        for _ in range(10):
            clock.advance(3_600)
            said = await desk.refused("unlock", secret=WRONG)
        assert "orlop unlock --passphrase asks for the vault's passphrase" in said
        secret = {"through": "passphrase", "passphrase": "true"}
        assert "the passphrase does not fit" in await desk.refused("unlock", secret="wrong horse", **secret)
        assert (await desk.well("unlock", secret="correct horse", **secret))["changed"] is True
        status = await desk.well("pin status")
        assert (status["failures"], status["used_up"], status["protected"]) == (0, False, True)
    finally:
        await desk.core.stop("test")


async def test_what_is_no_pin_is_said_and_counts_as_no_try(desk: Desk) -> None:
    await desk.well("lock")
    assert "a PIN has exactly 6 digits" in await desk.refused("unlock", secret="12345")
    assert "larger than 64B" in await desk.refused("unlock", secret="1" * 65)
    assert "asks for a PIN; run orlop unlock in a shell" in await desk.refused("unlock")
    assert "asks for a passphrase; run orlop unlock --passphrase in a shell" in await desk.refused(
        "unlock", passphrase="true"
    )
    assert (await desk.well("pin status"))["failures"] == 0


async def test_a_core_for_one_command_cannot_be_locked(desk: Desk, tmp_path: Path) -> None:
    await desk.core.stop("test")
    desk.core = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=False, clock=desk.clock))
    assert "no orlop runs on this directory that could be locked" in await desk.refused("lock")
