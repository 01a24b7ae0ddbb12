"""The shipped agents in a real room, under the real executor."""

import json
from collections.abc import Sequence

import pytest

import assets
from runtime.agents.keys import AgentKey
from runtime.agents.manifest import parse_manifest
from runtime.agents.modules import Upload
from runtime.events import BreakerTripped
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.tasks import Task
from tests.runtime.agents.conftest import compiler, world  # noqa: F401 - fixtures
from tests.runtime.agents.world import ROOM, SELF, World, task


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


@pytest.mark.parametrize("name", ["auto-balance", "unblock"])
async def test_the_others_never_fail_in_an_empty_room(world: World, name: str) -> None:  # noqa: F811
    key = await start(world, name)
    await world.tick(3)
    row = await world.row(key)
    assert (row["state"], row["failures"], row["dropped"]) == ("active", 0, 0)
