"""Ephemeral rooms: whole while orlop runs, and nothing of them anywhere on the disk, then or afterwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.errors import LockedError, NotFoundError, RefusedError, UnavailableError
from runtime.events import MessagePosted, RoomCreated, TaskChanged, TaskDue
from runtime.store import Transaction
from tests.console.living import SAID, TITLE, Harbor

NAME = "vanishing-room"


@pytest.fixture
async def harbor(tmp_path: Path) -> AsyncIterator[Harbor]:
    found = Harbor(tmp_path)
    await found.start()
    yield found
    await found.core.stop("test")


async def filled(harbor: Harbor) -> str:
    """An ephemeral room with a task and a message."""
    room = str((await harbor.well("rooms create", name=NAME, ephemeral="true"))["room"])
    await harbor.well("rooms task", room=NAME, add=f"{TITLE} | due: 1m | desc: described")
    await harbor.well("rooms say", room=NAME, text=SAID)
    return room


def secrets(harbor: Harbor, room: str) -> list[bytes]:
    return [
        room.encode(),
        NAME.encode(),
        TITLE.encode(),
        SAID.encode(),
        b"described",
        harbor.core.rooms._held.key_of(room),
    ]


async def test_it_is_a_room_like_others_while_orlop_runs(harbor: Harbor) -> None:
    room = await filled(harbor)
    (row,) = (await harbor.well("rooms list"))["items"]
    assert (row["name"], row["ephemeral"], row["open"], row["members"]) == (NAME, True, 1, 1)
    shown = await harbor.well("rooms show", room=NAME)
    assert [task["title"] for task in shown["tasks"]] == [TITLE]
    assert [message["text"] for message in shown["messages"]] == [SAID]
    await harbor.well("rooms task", room=room[:8], done=TITLE)
    assert (await harbor.well("rooms undo", room=NAME))["fields"] == ["status"]


async def test_w11_nothing_of_it_is_on_the_disk_while_it_lives_or_when_it_has_ended(harbor: Harbor) -> None:
    room = await filled(harbor)
    words = secrets(harbor, room)
    assert harbor.traces(words) == []
    await harbor.restart()
    assert harbor.traces(words) == []
    assert (await harbor.well("rooms list"))["items"] == []


async def test_faces_hear_of_it_and_the_journal_does_not(harbor: Harbor) -> None:
    room = await filled(harbor)
    for kind in (RoomCreated, TaskChanged, MessagePosted):
        assert [event.room for event in await harbor.told(kind)] == [room]
    kept = harbor.core.journal.read(0, limit=1_000)
    assert not [record for record in kept if room in repr(record) or NAME in repr(record)]


async def test_it_has_no_reminders(harbor: Harbor) -> None:
    await filled(harbor)
    await harbor.core.life.look()
    assert await harbor.told(TaskDue) == []


async def test_it_is_never_exported(harbor: Harbor) -> None:
    await filled(harbor)
    room = harbor.core.rooms.resolve(NAME)
    with pytest.raises(RefusedError, match="nothing of an ephemeral room is kept"):
        harbor.core.rooms.written_down(room, 0)


async def test_a_clock_that_fell_is_remembered_in_memory_only(harbor: Harbor) -> None:
    harbor.clock.advance(3_600)
    room = await filled(harbor)
    harbor.clock.now_ms -= 3_600_000
    await harbor.refused("rooms say", room=NAME, text="hello")
    await harbor.well("rooms reclock", room=NAME)
    await harbor.well("rooms say", room=NAME, text="hello")
    assert harbor.traces(secrets(harbor, room)) == []


async def test_burning_ends_it_at_once(harbor: Harbor) -> None:
    room = await filled(harbor)
    await harbor.well("rooms burn", room=NAME)
    with pytest.raises(NotFoundError):
        harbor.core.rooms.state(room)
    assert (await harbor.well("rooms list"))["items"] == []


async def test_a_transaction_that_fails_takes_back_what_it_said_there_and_nothing_else(harbor: Harbor) -> None:
    room = await filled(harbor)
    rooms = harbor.core.rooms

    def broken(tx: Transaction) -> None:
        rooms._post(tx, room, "undone", None)
        raise UnavailableError("the disk is full")

    before = rooms.say(room, "before")
    failed = harbor.core.store.write(broken)
    after = rooms.say(room, "after")
    await asyncio.wrap_future(before)
    with pytest.raises(UnavailableError):
        await asyncio.wrap_future(failed)
    await asyncio.wrap_future(after)
    assert [message.text for message in rooms.state(room).messages] == [SAID, "before", "after"]
    assert len({entry.id for entry in rooms.entries(room)}) == len(rooms.entries(room)) == 5


async def test_who_joins_one_keeps_nothing_of_it_either(harbor: Harbor, tmp_path: Path) -> None:
    room = await filled(harbor)
    other = Harbor(tmp_path / "other")
    await other.start()
    rooms, theirs = harbor.core.rooms, other.core.rooms
    rooms.add_member(room, theirs.card()).result()
    theirs.adopt(room, NAME, rooms.card(), {"relay": "ws://nowhere"}).result()
    theirs.offer(room, rooms.entries(room)).result()
    await other.core.life.look()
    assert theirs.is_ephemeral(room)
    assert theirs.link(room) == {"relay": "ws://nowhere"}
    assert [message.text for message in theirs.state(room).messages] == [SAID]
    other.clock.advance(60)
    harbor.clock.advance(60)
    await other.well("rooms say", room=NAME, text="an answer")
    rooms.offer(room, theirs.entries(room)).result()
    assert [message.text for message in rooms.state(room).messages] == [SAID, "an answer"]
    assert other.traces([*secrets(harbor, room), b"an answer"]) == []
    await other.restart()
    assert (await other.well("rooms list"))["items"] == []
    await other.core.stop("test")


async def test_a_locked_core_shows_it_to_nobody_and_still_has_it_afterwards(harbor: Harbor) -> None:
    room = await filled(harbor)
    await harbor.well("pin set", files={"pin_file": b"493027"})
    await harbor.well("lock")
    with pytest.raises(LockedError, match="the screen is locked"):
        harbor.core.rooms.state(room)
    await harbor.well("unlock", files={"pin_file": b"493027"})
    assert [message.text for message in harbor.core.rooms.state(room).messages] == [SAID]


async def test_a_command_without_an_owner_makes_none(harbor: Harbor) -> None:
    await harbor.core.stop("test")
    await harbor.start(owner=False)
    said = await harbor.refused("rooms create", name=NAME, ephemeral="true")
    assert "an ephemeral room ends with the program that holds it" in said
    assert harbor.traces([NAME.encode()]) == []
