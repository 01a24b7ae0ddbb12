"""What holds for every reference agent: whatever the room holds, they end, do not trap, and say why they do nothing."""

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assets
from runtime.agents.limits import MAX_EMISSIONS
from tests.assets.bare_host import Host
from tests.assets.trying import NOW

READERS = ["due-watch", "triage", "digest"]


def shipped(name: str) -> bytes:
    return assets.path(f"agents/{name}/{name}.wasm").read_bytes()


WORDS = """
id title description status dueAt urgent blockedBy createdBy updatedAt assignee type taskId task task_created
identityKey displayName triage-rules due-watch-settings digest-settings digest-2023-11-14 agent:x:digest@y completed
*->urgent,@Ann 1h utc:+2
"""
words = st.sampled_from(WORDS.split())
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | words
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=4), inner, max_size=6)
)
rows = st.fixed_dictionaries(
    {},
    optional={
        "id": words | st.text(min_size=1, max_size=40),
        "title": words | st.text(max_size=80),
        "description": words | st.text(max_size=200),
        "status": st.sampled_from(["pending", "in_progress", "completed"]) | scalars,
        "createdBy": words,
        "createdAt": st.integers(),
        "updatedAt": st.integers(-(2**64), 2**64),
        "dueAt": st.sampled_from([NOW, NOW - 1, NOW + 1]) | st.integers() | scalars,
        "blockedBy": st.lists(words, max_size=5) | values,
        "urgent": st.booleans() | values,
        "assignee": words | values,
    },
)
rooms = st.lists(rows | values, max_size=12)


def run(name: str, host: Host, ticks: int = 2) -> None:
    call = host.start(shipped(name))
    for _ in range(ticks):
        call("on_task_event")
        call("on_tick")


def is_event(raw: str) -> bool:
    event = json.loads(raw)
    return set(event) == {"type", "taskId", "task"} and isinstance(event["task"], dict) and bool(event["taskId"])


@pytest.mark.parametrize("name", READERS)
@given(
    room=rooms, members=st.lists(values, max_size=3), event=values, now=st.integers(0, 2**53), ascii_only=st.booleans()
)
def test_any_json_is_survived_and_answered_with_whole_events(
    name: str, *, room: list[Any], members: list[Any], event: Any, now: int, ascii_only: bool
) -> None:
    def raw(value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=ascii_only).encode(errors="replace")

    host = Host(now=now, tasks=raw(room), members=raw(members), event=raw(event))
    run(name, host)
    assert all(is_event(raw) for (raw,) in host.emitted)


@pytest.mark.parametrize("name", READERS)
@given(rooms, st.integers(0, 2000), st.binary(max_size=8), st.binary(max_size=200))
def test_broken_json_and_a_foreign_state_are_survived(
    name: str, room: list[Any], cut: int, junk: bytes, state: bytes
) -> None:
    raw = json.dumps(room).encode()[:cut] + junk
    run(name, Host(now=NOW, tasks=raw, members=raw, event=raw, state=state))


@pytest.mark.parametrize("name", ["due-watch", "triage"])
@given(st.lists(st.integers(0, 255), max_size=120), st.sampled_from([0, 8, 64, 65_536, 2**32 - 8]))
def test_a_state_of_its_version_that_lies_is_survived(name: str, content: list[int], claimed: int) -> None:
    """Lengths inside the state are never believed."""
    room = json.dumps([{"id": "t", "title": "t", "dueAt": NOW, "status": "pending"}]).encode()
    run(name, Host(now=NOW, tasks=room, members=b"[]", state=struct.pack("<II", 1, claimed) + bytes(content)))


def many(count: int) -> bytes:
    fields = {"status": "pending", "createdBy": "ann", "createdAt": 1, "updatedAt": 1, "dueAt": NOW}
    found: list[Any] = [
        {"id": f"t-{n:012d}", "title": f"Task number {n}", "blockedBy": [f"t-{n - 1:012d}"]} | fields
        for n in range(count)
    ]
    return json.dumps([*found, {"id": "r", "title": "triage-rules", "description": "*9 -> urgent"} | fields]).encode()


@pytest.mark.parametrize("name", READERS)
def test_twenty_thousand_tasks_are_no_hardship(name: str) -> None:
    host = Host(now=NOW, tasks=many(20_000), members=b"[]")
    run(name, host, ticks=1)
    assert 1 <= len(host.emitted) <= MAX_EMISSIONS
    assert all(is_event(raw) for (raw,) in host.emitted)


@pytest.mark.parametrize("name", READERS)
def test_w15_a_room_beyond_the_memory_is_left_alone_and_said_so(name: str) -> None:
    host = Host(now=NOW, tasks=many(60_000), members=b"[]")
    run(name, host, ticks=1)
    assert host.emitted == []
    assert host.log[0].startswith("nothing done: the tasks are not granted, or are")
