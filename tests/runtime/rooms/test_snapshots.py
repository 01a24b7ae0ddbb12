"""Snapshots: pieces that make a whole or nothing."""

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from runtime.canonical import Json, encode
from runtime.rooms.entries import NO_ENTRY, SignedEntry, place, sign_entry
from runtime.rooms.snapshots import (
    PIECE_CHARACTERS,
    Snapshot,
    SnapshotError,
    newest_snapshot,
    snapshot_contents,
)
from runtime.rooms.tasks import EMPTY, Task, TaskState
from tests.runtime.rooms.room_script import ANN, NOW, ROOM

ME = ANN.identity_key
TASKS = {
    f"t{n}": Task(id=f"t{n}", title=f"{n * 7919}" * 40, status="pending", created_by=ME, created_at=n, updated_at=n)
    for n in range(1_200)
}
STATE = TaskState(TASKS, dict.fromkeys(TASKS, ME), frozenset())


def written(contents: list[dict[str, Json]], first: int = 1) -> dict[int, SignedEntry]:
    """The creator's entries with these contents, from a number on."""
    entries: dict[int, SignedEntry] = {}
    prev = NO_ENTRY if first == 1 else "ab" * 16
    for number, content in enumerate(contents, first):
        entry = sign_entry(
            ANN,
            room=ROOM,
            seq=place(0, number),
            prev=prev,
            ts_ms=NOW + number,
            actor=ME,
            kind="snapshot",
            content=content,
        )
        entries[entry.seq] = entry
        prev = entry.id
    return entries


def read(entries: Mapping[int, SignedEntry], now_ms: int = NOW + 10_000) -> Snapshot | None:
    return newest_snapshot(ME, dict(entries), now_ms, {})


def test_many_pieces_make_the_whole() -> None:
    contents = snapshot_contents(3, 7, {(ME, 0): 9, ("B" * 43, 2): 4}, STATE)
    assert len(contents) > 1
    assert all(len(str(one["data"])) <= PIECE_CHARACTERS for one in contents)
    found = read(written(contents, first=10))
    assert found is not None
    assert (found.number, found.horizon, dict(found.state.tasks), dict(found.state.last_actors)) == (
        3,
        7,
        TASKS,
        dict.fromkeys(TASKS, ME),
    )
    assert found.covers("B" * 43, place(2, 4))
    assert not found.covers("B" * 43, place(2, 5))
    assert not found.covers("B" * 43, place(0, 1))
    assert found.heads_of(ME) == {0: 9}


def test_a_part_of_it_is_nothing() -> None:
    entries = written(snapshot_contents(1, 7, {(ME, 0): 9}, STATE), first=10)
    for seq in entries:
        assert read({one: entry for one, entry in entries.items() if one != seq}) is None
    assert read(entries, now_ms=NOW) is None, "its time has not come"


def test_the_latest_in_the_sequence_counts() -> None:
    older = written(snapshot_contents(9, 8, {(ME, 0): 9}, EMPTY), first=10)
    newer = written(snapshot_contents(1, 7, {(ME, 0): 11}, EMPTY), first=12)
    found = read(older | newer)
    assert found is not None
    assert found.number == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 0},
        {"part": 2},
        {"parts": 2},
        {"parts": 5_000},
        {"horizon": NOW + 100},
        {"horizon": -1},
        {"heads": [[ME, 0, 8]]},
        {"heads": [[ME, 0]]},
        {"heads": [[ME, -1, 9]]},
        {"heads": None},
        {"data": "no base64"},
        {"data": base64.b64encode(b"no zlib").decode()},
        {"data": base64.b64encode(zlib.compress(b"no json")).decode()},
        {"data": base64.b64encode(zlib.compress(b"[]")).decode()},
        {"data": base64.b64encode(zlib.compress(encode({"tasks": [{}], "last": {}}))).decode()},
        {"data": base64.b64encode(zlib.compress(encode({"tasks": [], "last": {"t": "x"}}))).decode()},
        {"data": base64.b64encode(zlib.compress(encode({"tasks": [], "last": {}})) + b"more").decode()},
    ],
)
def test_what_is_not_one_is_nothing(changes: dict[str, Any]) -> None:
    (content,) = snapshot_contents(1, 7, {(ME, 0): 9}, EMPTY)
    assert read(written([content], first=10)) is not None
    assert read(written([content | changes], first=10)) is None


def test_what_would_fill_the_memory_is_nothing() -> None:
    text = base64.b64encode(zlib.compress(b"[" + b" " * (65 << 20) + b"]")).decode()
    pieces = [text[at : at + PIECE_CHARACTERS] for at in range(0, len(text), PIECE_CHARACTERS)]
    (content,) = snapshot_contents(1, 7, {(ME, 0): 9}, EMPTY)
    whole = [content | {"part": part, "parts": len(pieces), "data": one} for part, one in enumerate(pieces, 1)]
    assert read(written(whole, first=10)) is None


def test_pieces_of_different_snapshots_do_not_fit() -> None:
    contents = snapshot_contents(1, 7, {(ME, 0): 9}, STATE)
    other = snapshot_contents(1, 7, {(ME, 0): 9, ("B" * 43, 0): 1}, STATE)
    assert read(written([contents[0], *other[1:]], first=10)) is None


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(SnapshotError, match="128 sequences"):
        snapshot_contents(1, 0, {(f"{n:043}", 0): 1 for n in range(129)}, EMPTY)
