"""Rooms from before entries were signed become rooms that others can join."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runtime.canonical import Json, encode
from runtime.clock import ManualClock
from runtime.errors import RefusedError
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.held import key_aad, member_aad
from runtime.rooms.members import agent_actor
from runtime.rooms.replica import Replica
from runtime.rooms.room import Rooms
from runtime.store import Store
from runtime.vault import Vault
from tests.runtime.people import Person

ROOM = "ab" * 16
ANN = Person("ann")
VAULT = Vault(b"v" * 32)
KEY = b"k" * 32
MADE = 1_600_000_000_000


def old_room(path: Path, contents: list[tuple[str, str, Mapping[str, Json]]]) -> None:
    """As the version before wrote it: no owner, no signatures, seals that bind less."""
    Store.open(path, ManualClock(), owner=True).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO rooms (room, name, created_ms, sealed_key) VALUES (?, 'harbor', ?, ?)",
            (ROOM, MADE, VAULT.seal(KEY, key_aad(ROOM))),
        )
        connection.execute(
            "INSERT INTO room_members (room, identity_key, is_self, joined_ms, sealed) VALUES (?, ?, 1, ?, ?)",
            (ROOM, ANN.identity_key, MADE, VAULT.seal(b"Annie", member_aad(ROOM, ANN.identity_key), KEY)),
        )
        for number, (kind, actor, content) in enumerate(contents, 1):
            lies_open = (f"{number:032x}", ANN.identity_key, number, MADE + number - 1, actor, kind)
            binding = json.dumps(["orlop-room-log:1", ROOM, *lies_open]).encode()
            connection.execute(
                "INSERT INTO room_log (room, event_id, author, author_seq, timestamp_ms, actor, kind, sealed)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (ROOM, *lies_open, VAULT.seal(encode(content), binding, KEY)),
            )


def task(task_id: str, **payload: Json) -> tuple[str, str, Mapping[str, Json]]:
    return "task", ANN.identity_key, {"type": "task_created", "taskId": task_id, "task": payload}


AGENT = agent_actor(ROOM, "digest", ANN.identity_key)
CONTENTS: list[tuple[str, str, Mapping[str, Json]]] = [
    task("t1", title="Paint"),
    ("message", ANN.identity_key, {"text": "hello"}),
    ("task", AGENT, {"type": "task_assigned", "taskId": "t1", "task": {"assignee": ANN.identity_key}}),
    task("t2", title="Sand", description="ä" * 16_384),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "orlop.db"
    old_room(found, CONTENTS)
    return found


def rooms_of(store: Store) -> Rooms:
    return Rooms(store, VAULT, ANN, ANN.node, display_name="ann")


def test_the_first_look_signs_everything_and_changes_nothing_else(path: Path) -> None:
    with Store.open(path, ManualClock(), owner=True) as store:
        view = rooms_of(store).state(ROOM)
        assert [(one.title, one.status) for one in view.tasks.values()] == [
            ("Paint", "in_progress"),
            ("Sand", "pending"),
        ]
        assert [(one.text, one.ts_ms) for one in view.messages] == [("hello", MADE + 1)]
        assert [(one.display_name, one.is_self, one.is_creator) for one in view.members] == [("Annie", True, True)]
        entries = rooms_of(store).entries(ROOM)
        assert [one.kind for one in entries] == ["room", "task", "message", "task", "task"]
        assert all(one.fits(ANN.ed25519_key) for one in entries)
        assert rooms_of(store).settings(ROOM).name == "harbor"
        assert len(view.tasks["t2"].description or "") == 8_192, "the one that was larger than an entry may be"


def test_a_stranger_who_is_given_it_all_comes_to_the_same_state(path: Path) -> None:
    with Store.open(path, ManualClock(), owner=True) as store:
        rooms = rooms_of(store)
        replica = Replica(ROOM, ANN.card.fingerprint)
        replica.offer(rooms.missing(ROOM, {}), ManualClock().now_ms)
        assert replica.state() == rooms.log_state(ROOM)


def test_it_is_done_once_and_goes_on(path: Path) -> None:
    with Store.open(path, ManualClock(), owner=True) as store:
        rooms = rooms_of(store)
        assert rooms.submit(ROOM, [TaskDraft("task_created", "t3", {"title": "new"})]).result().admitted
        ids = [one.id for one in rooms.entries(ROOM)]
    with Store.open(path, ManualClock(), owner=False) as store:
        assert [one.id for one in rooms_of(store).entries(ROOM)] == ids
        assert list(rooms_of(store).state(ROOM).tasks) == ["t1", "t2", "t3"]


def test_a_row_that_was_changed_is_not_signed(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE room_log SET timestamp_ms = timestamp_ms + 1 WHERE pos = 2")
    with Store.open(path, ManualClock(), owner=True) as store:
        rooms = rooms_of(store)
        with pytest.raises(RefusedError, match="entry 2 of its log"):
            rooms.state(ROOM)
        with pytest.raises(RefusedError, match="entry 2 of its log"):
            rooms.say(ROOM, "x").result()
    with closing(sqlite3.connect(path)) as connection:
        rows: list[Any] = connection.execute("SELECT count(*), count(signature) FROM room_log").fetchall()
    assert rows == [(4, 0)], "nothing half done"
