"""A burned room: no byte of it is left in the state directory, and a kill in between is made good."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from runtime.agents.keys import AgentKey
from runtime.errors import NotFoundError, RefusedError
from runtime.events import RoomBurned
from runtime.rooms.entries import SignedEntry
from tests.console.living import AGENT_NAME, Harbor

ROOM_NAME = "north-pier-room"


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


async def test_an_agent_that_is_started_while_its_room_burns_ends_with_it(
    harbor: Harbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await harbor.fill(ROOM_NAME, "gone")
    key = AgentKey(room, f"{AGENT_NAME}-gone")
    drop = harbor.core.online.drop

    async def late(room: str, *, bye: bool = False) -> None:
        await harbor.core.agents.activate(key)
        await drop(room, bye=bye)

    monkeypatch.setattr(harbor.core.online, "drop", late)
    await harbor.well("rooms burn", room=ROOM_NAME)
    assert key not in harbor.core.agents.figures
    assert key not in harbor.core.agents._live


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


async def test_a_room_whose_log_was_tampered_with_can_be_burned(harbor: Harbor) -> None:
    room = await harbor.fill(ROOM_NAME, "gone")
    secrets = harbor.secrets_of(room, ROOM_NAME, "gone")
    await harbor.core.stop("test")
    with closing(sqlite3.connect(harbor.path / "orlop.db")) as db:
        db.execute("UPDATE room_log SET timestamp_ms = timestamp_ms + 1")
        db.commit()
    await harbor.start()
    assert "refused" in await harbor.refused("rooms show", room=ROOM_NAME)
    await harbor.well("rooms burn", room=ROOM_NAME)
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


# --- with others ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def other(harbor: Harbor, tmp_path: Path) -> AsyncIterator[Harbor]:
    """Another node's core, a member of the first one's room, which it has whole."""
    found = Harbor(tmp_path / "other")
    await found.start()
    room = str((await harbor.well("rooms create", name=ROOM_NAME))["room"])
    await harbor.well("rooms say", room=room, text="between-the-two")
    rooms, theirs = harbor.core.rooms, found.core.rooms
    rooms.add_member(room, theirs.card()).result()
    theirs.adopt(room, ROOM_NAME, rooms.card(), {}).result()
    theirs.offer(room, rooms.entries(room)).result()
    yield found
    await found.core.stop("test")


async def test_a_member_is_told_to_leave_and_may_then_burn_its_copy(harbor: Harbor, other: Harbor) -> None:
    said = await other.refused("rooms burn", room=ROOM_NAME)
    assert f"only its creator burns it, for all; orlop rooms leave {ROOM_NAME}" in said
    room = other.core.rooms.resolve(ROOM_NAME)
    other.core.rooms.leave(room).result()
    secrets = other.secrets_of(room, ROOM_NAME, "none")
    await other.well("rooms burn", room=ROOM_NAME)
    assert other.traces([*secrets, b"between-the-two"]) == []
    assert len((await harbor.well("rooms list"))["items"]) == 1


async def test_the_creators_burn_reaches_the_others_as_an_entry_and_they_wipe_it_too(
    harbor: Harbor, other: Harbor
) -> None:
    room = other.core.rooms.resolve(ROOM_NAME)
    secrets = other.secrets_of(room, ROOM_NAME, "none")
    sent: list[SignedEntry] = []
    harbor.core.rooms.on_entries = lambda _room, entries: sent.extend(entries)
    await harbor.well("rooms burn", room=ROOM_NAME)
    assert [entry.kind for entry in sent] == ["burn"]
    other.core.rooms.offer(room, sent).result()
    await other.core.life.look()
    assert await other.told(RoomBurned) == [RoomBurned(room=room, by="creator")]
    assert other.traces([*secrets, b"between-the-two"]) == []


async def test_a_member_that_is_not_the_creator_burns_nobodys_room(harbor: Harbor, other: Harbor) -> None:
    room = harbor.core.rooms.resolve(ROOM_NAME)
    with pytest.raises(RefusedError, match="only its creator can"):
        other.core.rooms.burn_for_all(room).result()
