"""The demo is put in order at each start, whatever became of it, and then plays the crew."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from console import demo, gauge
from console.core import Core, CoreOptions
from runtime.agents.keys import AgentKey
from runtime.component_events import ComponentRestarting, ComponentState
from runtime.events import Record
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.view import RoomView


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    started = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True))
    yield started
    await started.stop("test")


def view(core: Core) -> RoomView:
    return core.rooms.state(core.rooms.resolve(demo.ROOM))


async def change(core: Core, *drafts: TaskDraft) -> None:
    done = await asyncio.wrap_future(core.rooms.submit(view(core).room, drafts))
    assert done.rejected == ()


async def states(core: Core) -> dict[str, str]:
    rows: Any = (await core.snapshot(("agents",))).topics["agents"]
    return {row["agent"]: row["state"] for row in rows}


async def test_a_new_directory_is_filled(core: Core) -> None:
    await demo.seed(core)
    shown = view(core)
    assert set(shown.tasks) == {task.id for task in demo.TASKS}
    assert shown.progress.blocked == 4
    assert shown.tasks["d-publish-image"].blocked_by == ("d-rotate-keys", "d-sign-image")
    assert len(shown.messages) == 2
    assert await states(core) == dict.fromkeys(demo.AGENTS, "active")
    builtin = {record.key.agent: record.builtin for record in await core.modules.list()}
    assert builtin == {"auto-balance": True, "unblock": True, "faulty": False}


async def test_a_room_of_any_directory_can_be_filled(core: Core) -> None:
    asked = asyncio.get_running_loop().create_future()
    args = {"name": "pier", "with_demo": "true"}
    result = await core.execute("rooms create", args, {}, interrupted=asked, uid=os.geteuid(), face="test")
    assert result.ok
    shown = core.rooms.state(core.rooms.resolve("pier"))
    assert set(shown.tasks) == {task.id for task in demo.TASKS}
    assert await states(core) == dict.fromkeys(demo.AGENTS, "active")
    assert not core.demo
    assert core.tick_ms == 30_000
    assert [info.name for info in core.rooms.list()] == ["pier"]


async def test_seeding_twice_changes_nothing(core: Core) -> None:
    await demo.seed(core)
    before, seq = view(core), core.journal.last_seq()
    await demo.seed(core)
    assert view(core) is before
    assert core.journal.last_seq() == seq


async def test_what_changed_is_put_right(core: Core) -> None:
    await demo.seed(core)
    me = core.account.identity_key
    await change(
        core,
        TaskDraft("task_assigned", "d-buoy", {"assignee": me}),
        TaskDraft("task_status_changed", "d-buoy", {"status": "completed"}),
        TaskDraft("task_created", "t-mine", {"title": "Mine"}),
        TaskDraft("task_assigned", "t-mine", {"assignee": me}),
    )
    key = AgentKey(view(core).room, "faulty")
    await core.agents.delete(key)
    await core.agents.deactivate(key._replace(agent="unblock"))
    await demo.seed(core)
    tasks = view(core).tasks
    assert (tasks["d-buoy"].status, tasks["d-buoy"].assignee) == ("pending", None)
    assert (tasks["t-mine"].status, tasks["t-mine"].assignee) == ("in_progress", me)
    assert await states(core) == dict.fromkeys(demo.AGENTS, "active")
    assert len(view(core).messages) == 2


async def test_its_component_breaks_down_and_is_begun_anew(core: Core) -> None:
    again = asyncio.Event()
    loop, seen = asyncio.get_running_loop(), list[Record]()

    def sink(records: Sequence[Record]) -> None:
        seen.extend(records)
        if any(
            isinstance(one.event, ComponentState) and one.event.restarts and one.event.state == "running"
            for one in seen
        ):
            loop.call_soon_threadsafe(again.set)

    subscription = core.journal.subscribe(core.journal.last_seq(), sink)
    await gauge.live(core)
    await asyncio.wait_for(again.wait(), 120)
    subscription.close()
    (fallen,) = [one.event for one in seen if isinstance(one.event, ComponentRestarting)]
    assert (fallen.members, fallen.reason) == ((gauge.NAME,), "trap: unreachable instruction executed")
    (unit,) = (await core.known_components()).units()
    assert unit.name == gauge.NAME


async def test_its_component_runs_again_whatever_was_done_to_it(core: Core) -> None:
    await gauge.live(core)
    components = await core.known_components()
    await components.stop(gauge.NAME)
    await gauge.live(core)
    assert components.unit(gauge.NAME).life.state == "running"
    await components.stop(gauge.NAME)
    await components.uninstall(gauge.NAME)
    await gauge.live(core)
    assert components.unit(gauge.NAME).life.state == "running"


async def test_the_crew_works_and_its_receipts_verify(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_JOBS_S", "_STEPS_S"):
        monkeypatch.setattr(demo, name, ())
    for name in ("_JOBS_LATER_S", "_STEPS_LATER_S"):
        monkeypatch.setattr(demo, name, 0.01)
    await demo.seed(core)
    me = core.account.identity_key
    await change(core, *(TaskDraft("task_assigned", task.id, {"assignee": me}) for task in demo.TASKS))
    enough = asyncio.Event()
    loop, seen = asyncio.get_running_loop(), list[Record]()

    def sink(records: Sequence[Record]) -> None:
        seen.extend(records)
        verified = [one for one in seen if one.event.TYPE == "receipt.verified"]
        reopened = [one for one in seen if getattr(one.event, "status", "") == "pending"]
        if len(verified) > len(demo._SENTENCES) and reopened:
            loop.call_soon_threadsafe(enough.set)

    subscription = core.journal.subscribe(core.journal.last_seq(), sink)
    crew = asyncio.create_task(demo.live(core))
    await asyncio.wait_for(enough.wait(), 120)
    subscription.close()
    crew.cancel()
    await asyncio.wait({crew})
    verdicts = {one.event.verdict for one in seen if one.event.TYPE == "receipt.verified"}  # type: ignore[attr-defined]
    assert verdicts == {"valid"}
    outcomes = {one.event.outcome for one in seen if one.event.TYPE == "receipt.issued"}  # type: ignore[attr-defined]
    assert outcomes == {"exit", "trap"}
