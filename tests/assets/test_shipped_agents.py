"""The shipped agents in a real room, under the real executor."""

import json
from collections.abc import Sequence

import pytest

import assets
from runtime.agents.keys import AgentKey
from runtime.agents.manifest import Permission, parse_manifest
from runtime.agents.modules import Upload
from runtime.events import BreakerTripped
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.tasks import Task, TaskEvent
from tests.runtime.agents.conftest import compiler, world  # noqa: F401 - fixtures
from tests.runtime.agents.world import ROOM, SELF, World, task

NAMES = ["auto-balance", "unblock", "due-watch", "triage", "digest"]
READERS = NAMES[2:]
"""Those that read all tasks as JSON."""


async def start(world: World, name: str) -> AgentKey:  # noqa: F811 - the fixture's value
    manifest = parse_manifest(json.loads(assets.path(f"agents/{name}/{name}.json").read_bytes()))
    wasm = assets.path(f"agents/{name}/{name}.wasm").read_bytes()
    await world.executor.upload(Upload(room=ROOM, wasm=wasm, manifest=manifest, granted=manifest.permissions))
    key = AgentKey(ROOM, name)
    await world.executor.activate(key)
    return key


def tasks(world: World) -> Sequence[Task]:  # noqa: F811 - the fixture's value
    return list(world.rooms.state(ROOM).tasks.values())


async def put(world: World, *drafts: TaskDraft) -> None:  # noqa: F811 - the fixture's value
    assert not world.rooms.submit(ROOM, drafts).result().rejected


async def test_auto_balance_gives_the_room_its_work(world: World) -> None:  # noqa: F811
    await put(world, task("a"), task("b", blockedBy=["a"]), task("c", status="completed"))
    key = await start(world, "auto-balance")
    await world.tick()
    assert [(one.id, one.assignee, one.status) for one in tasks(world)] == [
        ("a", SELF, "in_progress"),
        ("b", None, "pending"),
        ("c", None, "completed"),
    ]
    await world.tick()
    assert (await world.row(key))["emitted"] == 0
    await put(world, TaskDraft("task_status_changed", "a", {"status": "completed"}))
    await world.tick()
    assert tasks(world)[1].assignee == SELF


async def test_unblock_marks_what_two_wait_for(world: World) -> None:  # noqa: F811
    await put(world, task("a"), task("b", blockedBy=["a"]), task("c", blockedBy=["a", "b"]))
    await start(world, "unblock")
    await world.tick(2)
    assert [one.urgent for one in tasks(world)] == [True, None, None]


async def test_faulty_trips_its_breaker_with_three_different_reasons(world: World) -> None:  # noqa: F811
    key = await start(world, "faulty")
    await world.tick(3)
    (tripped,) = world.events(BreakerTripped)
    assert len(set(tripped.reasons)) == 3, tripped.reasons
    world.clock.advance(7)
    await world.executor.activate(key)
    await world.tick(3)
    assert len(set(world.events(BreakerTripped)[1].reasons)) == 3
    assert (await world.row(key))["state"] == "tripped"


async def test_an_event_between_two_failures_does_not_turn_faulty_back(world: World) -> None:  # noqa: F811
    await start(world, "faulty")
    await world.tick()
    await put(world, task("a"))
    await world.tick()
    await put(world, task("b"))
    await world.tick()
    (tripped,) = world.events(BreakerTripped)
    assert len(set(tripped.reasons)) == 3, tripped.reasons


FITS = {"auto-balance": 8_192, "unblock": 16_384}


@pytest.mark.parametrize("name", FITS)
async def test_w15_a_room_that_is_too_large_is_told_in_the_diagnostics(world: World, name: str) -> None:  # noqa: F811
    count = FITS[name] // 37 + 1
    for begin in range(0, count, 100):
        await put(world, *(task(f"t{n}") for n in range(begin, min(begin + 100, count))))
    key = await start(world, name)
    await world.tick()
    assert (await world.row(key))["emitted"] == 0
    assert any("do not fit into a buffer of" in line["text"] for line in await world.items(key))


@pytest.mark.parametrize("name", NAMES)
async def test_every_reference_agent_is_calm_in_an_empty_room(world: World, name: str) -> None:  # noqa: F811
    key = await start(world, name)
    await world.tick(4)
    row = await world.row(key)
    assert (row["state"], row["failures"], row["dropped"]) == ("active", 0, 0)
    assert world.events(BreakerTripped) == []


async def test_w1_ticks_see_the_real_tasks_and_members(world: World) -> None:  # noqa: F811
    """Each of them needs the real room in `on_tick`; with an empty one all five would do nothing, for ever."""
    now = world.clock.wall_ms()
    await put(world, task("a", dueAt=now), task("b", blockedBy=["a"]), task("c", blockedBy=["a"]))
    await put(world, task("triage-rules", description="b -> urgent"))
    for name in NAMES:
        await start(world, name)
    await world.tick()
    found = {one.id: one for one in tasks(world)}
    assert found["a"].assignee == SELF, "auto-balance"
    assert found["a"].urgent, "unblock or due-watch"
    assert found["b"].urgent, "triage"
    assert any(name.startswith("digest-") for name in found), "digest"
    assert world.events(BreakerTripped) == []


async def test_w5_whoever_is_alone_gets_the_work_by_name(world: World) -> None:  # noqa: F811
    await put(world, task("triage-rules", description="mine -> @self"), task("mine"), task("other"))
    await start(world, "triage")
    await world.tick()
    assert {one.id: one.assignee for one in tasks(world)} == {"triage-rules": None, "mine": SELF, "other": None}


@pytest.mark.parametrize("name", ["auto-balance", "triage"])
async def test_w6_assignees_are_whole_keys_and_loads_rise(world: World, name: str) -> None:  # noqa: F811
    ann = world.rooms.join("Ann")
    await put(world, task("triage-rules", description=f"x* -> @{ann[:4]}; y* -> @self"), task("x1"), task("y1"))
    await start(world, name)
    await start(world, "digest")
    await world.tick(2)
    keys = {one.assignee for one in tasks(world) if one.id in {"x1", "y1"}}
    assert keys == {SELF, ann}, "each has one: the load of the first rose"


async def test_digest_words_its_own_task_anew(world: World) -> None:  # noqa: F811
    await put(world, task("a"))
    key = await start(world, "digest")
    await world.tick()
    (first,) = [one for one in tasks(world) if one.id.startswith("digest-")]
    assert "1 open" in first.title
    await put(world, task("b"))
    await world.tick(12)
    (second,) = [one for one in tasks(world) if one.id.startswith("digest-")]
    assert (second.id, second.title) == (first.id, first.title.replace("1 open", "2 open"))
    assert (await world.row(key))["dropped"] == 0


async def test_due_watch_gives_way_to_a_person_in_the_room(world: World) -> None:  # noqa: F811
    await put(world, task("a", dueAt=world.clock.wall_ms()))
    await start(world, "due-watch")
    await world.tick(2)
    assert tasks(world)[0].urgent is True
    await put(world, TaskDraft("task_urgency_changed", "a", {"urgent": False}))
    await world.tick(3)
    assert tasks(world)[0].urgent is False


async def test_triage_answers_a_new_task_before_the_next_tick(world: World) -> None:  # noqa: F811
    await put(world, task("triage-rules", description="fire* -> urgent"))
    await start(world, "triage")
    await world.tick()
    await put(world, task("new", title="Fire on deck"))
    payload = {"title": "Fire on deck"}
    await world.tell(
        TaskEvent(type="task_created", task_id="new", task=payload, timestamp=world.clock.wall_ms(), actor_id=SELF)
    )
    assert {one.id: one.urgent for one in tasks(world)}["new"] is True


@pytest.mark.parametrize("name", READERS)
async def test_nothing_fails_when_nothing_is_granted(world: World, name: str) -> None:  # noqa: F811
    await put(world, task("a", dueAt=world.clock.wall_ms()))
    key = await start(world, name)
    await world.executor.grant(key, (Permission.EMIT_EVENTS,), by="test")
    await world.tick(2)
    assert (await world.row(key))["state"] == "active"
    assert any("is not granted" in line["text"] for line in await world.items(key))
