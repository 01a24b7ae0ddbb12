"""`rooms export` and `rooms import`: a room leaves a directory and comes back, or nothing happens."""

import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from console.verbs import room_file
from runtime.events import RoomExported, RoomImported
from runtime.rooms.room_file import write_room_file
from runtime.sealed_stream import Cost
from tests.console.living import Harbor

SECRET = b"correct horse"


@pytest.fixture
async def harbor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harbor]:
    monkeypatch.setattr(room_file, "write_room_file", partial(write_room_file, cost=Cost(passes=1, kib=8)))
    found = Harbor(tmp_path)
    await found.start()
    await found.well("rooms create", name="harbor")
    await found.well("rooms task", room="harbor", add="Publish | desc: with care | urgent")
    await found.well("rooms say", room="harbor", text="hello")
    yield found
    await found.core.stop("test")


async def exported(harbor: Harbor, folder: Path) -> bytes:
    """The room's file."""
    path = folder / "out"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        files = {"passphrase": SECRET}
        value = await harbor.well("rooms export", files=files, descriptors={"out": descriptor}, room="harbor", out="x")
        assert value["bytes"] == os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    return path.read_bytes()


async def test_a_room_that_was_burned_comes_back_from_its_file(harbor: Harbor, tmp_path: Path) -> None:
    before = await harbor.well("rooms show", room="harbor")
    file = await exported(harbor, tmp_path)
    (told,) = await harbor.told(RoomExported)
    await harbor.well("rooms burn", room="harbor")
    value = await harbor.well("rooms import", files={"file": file, "passphrase": SECRET}, name="old-harbor")
    assert (value["name"], value["entries"]) == ("old-harbor", told.entries)
    after = await harbor.well("rooms show", room="old-harbor")
    assert (after["tasks"], after["messages"], after["members"]) == (
        before["tasks"],
        before["messages"],
        before["members"],
    )
    assert await harbor.told(RoomImported) == [
        RoomImported(room=value["room"], name="old-harbor", entries=told.entries)
    ]
    await harbor.well("rooms say", room="old-harbor", text="back again")


async def test_a_room_that_is_here_is_not_imported_again(harbor: Harbor, tmp_path: Path) -> None:
    file = await exported(harbor, tmp_path)
    before = await harbor.well("rooms show", room="harbor")
    said = await harbor.refused("rooms import", files={"file": file, "passphrase": SECRET}, name="twice")
    assert "harbor: the room is here already; nothing was changed" in said
    assert await harbor.well("rooms show", room="harbor") == before


async def test_a_room_of_other_people_is_not_imported(harbor: Harbor, tmp_path: Path) -> None:
    file = await exported(harbor, tmp_path)
    other = Harbor(tmp_path / "other")
    await other.start()
    said = await other.refused("rooms import", files={"file": file, "passphrase": SECRET})
    assert "this node is not a member of that room; restore a backup of " in said
    assert "or ask a member for an invitation: orlop rooms join" in said
    assert (await other.well("rooms list"))["items"] == []
    await other.core.stop("test")


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "other", "passphrase"])
async def test_what_is_no_sound_file_makes_no_room(harbor: Harbor, tmp_path: Path, damage: str) -> None:
    file = await exported(harbor, tmp_path)
    await harbor.well("rooms burn", room="harbor")
    changed = {"cut": file[:-20], "changed": file[:-1] + b"\0", "empty": b"", "other": b"PK" + bytes(500)}
    secret = b"wrong horse" if damage == "passphrase" else SECRET
    files = {"file": changed.get(damage, file), "passphrase": secret}
    said = await harbor.refused("rooms import", files=files)
    assert said.startswith("refused: ")
    assert (await harbor.well("rooms list"))["items"] == []
    assert await harbor.told(RoomImported) == []


async def test_a_bad_name_is_refused_before_anything_is_written(harbor: Harbor, tmp_path: Path) -> None:
    file = await exported(harbor, tmp_path)
    await harbor.well("rooms burn", room="harbor")
    said = await harbor.refused("rooms import", files={"file": file, "passphrase": SECRET}, name="bad\x1bname")
    assert said.startswith("usage: ")
    assert (await harbor.well("rooms list"))["items"] == []


async def test_without_descriptors_they_say_where_to_run_them(harbor: Harbor) -> None:
    assert "run orlop rooms export in a shell" in await harbor.refused("rooms export", room="harbor", out="x")
    assert "run orlop rooms import in a shell" in await harbor.refused("rooms import", files={"file": b""})
