"""What happens to rooms by itself and by their settings: reminders, countdowns, Keep, undo, a clock that fell."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runtime.events import AgentActivated, AgentDeactivated, RoomBurned, RoomCountdown, RoomSettings, TaskDue
from runtime.rooms.drafts import TaskDraft
from tests.console.living import Harbor

MINUTE, HOUR = 60, 3_600
DAY = 24 * HOUR


@pytest.fixture
async def harbor(tmp_path: Path) -> AsyncIterator[Harbor]:
    found = Harbor(tmp_path)
    await found.start()
    await found.well("rooms create", name="harbor")
    yield found
    await found.core.stop("test")


async def task(harbor: Harbor, title: str) -> dict[str, Any]:
    items = (await harbor.well("rooms tasks", room="harbor"))["items"]
    return next(dict(item) for item in items if item["title"] == title)


async def add(harbor: Harbor, line: str) -> None:
    await harbor.well("rooms task", room="harbor", add=line)


# --- reminders ------------------------------------------------------------------------------------------------------


async def test_a_task_is_reminded_of_five_minutes_before_it_is_due_and_once(harbor: Harbor) -> None:
    await add(harbor, "Publish | due: 1h")
    due_ms = harbor.clock.now_ms + HOUR * 1_000
    harbor.clock.advance(54 * MINUTE)
    await harbor.core.life.look()
    assert await harbor.told(TaskDue) == []
    harbor.clock.advance(MINUTE)
    await harbor.core.life.look()
    await harbor.core.life.look()
    found = await harbor.told(TaskDue)
    assert [(one.due_ms, one.title) for one in found] == [(due_ms, "Publish")]


async def test_a_restart_repeats_no_reminder(harbor: Harbor) -> None:
    await add(harbor, "Publish | due: 1m")
    await harbor.core.life.look()
    assert len(await harbor.told(TaskDue)) == 1
    await harbor.restart()
    await harbor.core.life.look()
    assert await harbor.told(TaskDue) == []


async def test_a_locked_core_reminds_after_it_was_unlocked(harbor: Harbor) -> None:
    await add(harbor, "Publish | due: 1h")
    await harbor.well("pin set", files={"pin_file": b"493027"})
    await harbor.well("lock")
    harbor.clock.advance(56 * MINUTE)
    await harbor.core.life.look()
    assert await harbor.told(TaskDue) == []
    await harbor.well("unlock", files={"pin_file": b"493027"})
    await harbor.core.life.look()
    assert len(await harbor.told(TaskDue)) == 1


# --- auto-delete ----------------------------------------------------------------------------------------------------


async def finished(harbor: Harbor) -> int:
    """A room that deletes itself, with all done; the time at which it will."""
    await harbor.well("rooms set", room="harbor", setting="auto_delete=on")
    await add(harbor, "Publish")
    await harbor.well("rooms task", room="harbor", done="Publish")
    await harbor.core.life.look()
    changed = await task(harbor, "Publish")
    return int(changed["updatedAt"]) + DAY * 1_000


async def test_w24_a_room_that_is_done_counts_down_and_burns_itself_in_a_running_core(harbor: Harbor) -> None:
    at_ms = await finished(harbor)
    (countdown,) = await harbor.told(RoomCountdown)
    assert countdown.at_ms == at_ms == harbor.core.life.deletes_ms(countdown.room)
    harbor.clock.now_ms = at_ms - 1
    await harbor.core.life.look()
    assert await harbor.told(RoomBurned) == []
    harbor.clock.now_ms = at_ms
    await harbor.core.life.look()
    assert await harbor.told(RoomBurned) == [RoomBurned(room=countdown.room, by="countdown")]
    assert (await harbor.well("rooms list"))["items"] == []


async def test_w24_keep_is_an_entry_of_the_log_that_every_member_sees(harbor: Harbor) -> None:
    at_ms = await finished(harbor)
    kept = await harbor.well("rooms keep", room="harbor", duration="72h")
    assert kept["deletes_ms"] == harbor.clock.now_ms + 72 * HOUR * 1_000
    room = harbor.core.rooms.resolve("harbor")
    assert [entry.kind for entry in harbor.core.rooms.entries(room)][-1] == "keep"
    harbor.clock.now_ms = at_ms + 1
    await harbor.core.life.look()
    assert await harbor.told(RoomBurned) == []
    assert (await harbor.well("rooms keep", room="harbor"))["deletes_ms"] is None
    harbor.clock.advance(365 * DAY)
    await harbor.core.life.look()
    assert await harbor.told(RoomBurned) == []


async def test_a_task_that_is_opened_again_stops_the_countdown(harbor: Harbor) -> None:
    await finished(harbor)
    await harbor.well("rooms task", room="harbor", reopen="Publish")
    await harbor.core.life.look()
    assert [one.at_ms is None for one in await harbor.told(RoomCountdown)] == [False, True]


async def test_w24_the_countdown_goes_on_over_a_restart(harbor: Harbor) -> None:
    at_ms = await finished(harbor)
    harbor.clock.now_ms = at_ms
    await harbor.restart()
    await harbor.core.life.look()
    assert len(await harbor.told(RoomBurned)) == 1


async def test_rooms_do_not_delete_themselves_unless_that_was_set(harbor: Harbor) -> None:
    await add(harbor, "Publish")
    await harbor.well("rooms task", room="harbor", done="Publish")
    harbor.clock.advance(365 * DAY)
    await harbor.core.life.look()
    assert await harbor.told(RoomBurned) == []


# --- settings -------------------------------------------------------------------------------------------------------


async def test_settings_are_changed_and_told(harbor: Harbor) -> None:
    value = await harbor.well("rooms set", room="harbor", setting="history=all")
    assert (value["history"], value["auto_delete"]) == ("all", False)
    assert (await harbor.told(RoomSettings))[-1].changed == ("history",)


@pytest.mark.parametrize("setting", ["history=some", "auto_delete=perhaps", "colour=blue", "auto_delete", "invite=00"])
async def test_what_is_no_setting_is_refused(harbor: Harbor, setting: str) -> None:
    assert (await harbor.refused("rooms set", room="harbor", setting=setting)).startswith("usage: ")


# --- undo -----------------------------------------------------------------------------------------------------------


async def test_undo_takes_back_the_last_change_and_goes_further_back_each_time(harbor: Harbor) -> None:
    await add(harbor, "Publish")
    await harbor.well("rooms task", room="harbor", start="Publish")
    await harbor.well("rooms task", room="harbor", urgent="Publish")
    assert (await harbor.well("rooms undo", room="harbor"))["fields"] == ["urgent"]
    assert (await harbor.well("rooms undo", room="harbor"))["fields"] == ["status"]
    assert (await task(harbor, "Publish"))["status"] == "pending"
    assert "rooms never delete one" in await harbor.refused("rooms undo", room="harbor")


async def test_undo_after_block_and_unblock_blocks_again_also_after_a_restart(harbor: Harbor) -> None:
    await add(harbor, "Build")
    await add(harbor, "Publish")
    await harbor.well("rooms task", room="harbor", title="Publish", text="Publish it")
    build = (await task(harbor, "Build"))["id"]
    await harbor.well("rooms task", room="harbor", block="Publish it", on="Build")
    await harbor.well("rooms task", room="harbor", unblock="Publish it", on="Build")
    assert (await harbor.well("rooms undo", room="harbor"))["fields"] == ["blockedBy"]
    assert (await task(harbor, "Publish it"))["blockedBy"] == [build]
    await harbor.restart()
    assert (await harbor.well("rooms undo", room="harbor"))["fields"] == ["blockedBy"]
    assert not (await task(harbor, "Publish it"))["blocked"]
    assert (await harbor.well("rooms undo", room="harbor"))["fields"] == ["title"]


async def test_undo_never_overwrites_somebody_else(harbor: Harbor) -> None:
    await add(harbor, "Publish")
    room = harbor.core.rooms.resolve("harbor")
    found = await task(harbor, "Publish")
    await harbor.well("rooms task", room="harbor", start="Publish")
    me = harbor.core.rooms.self_key
    draft = TaskDraft("task_status_changed", found["id"], {"status": "completed"})
    harbor.core.rooms.submit(room, [draft], actor=f"agent:{room}:quiet@{me}").result()
    assert "somebody else changed its status since" in await harbor.refused("rooms undo", room="harbor")


async def test_undo_in_a_new_room_has_nothing_to_do(harbor: Harbor) -> None:
    assert (
        await harbor.refused("rooms undo", room="harbor") == "unknown: rooms undo: there is no change of yours to undo"
    )


# --- a clock that fell ----------------------------------------------------------------------------------------------


async def test_after_the_clock_fell_changes_wait_until_the_room_is_reclocked(harbor: Harbor) -> None:
    harbor.clock.advance(HOUR)
    await add(harbor, "First")
    at_ms = (await task(harbor, "First"))["createdAt"]
    harbor.clock.now_ms -= HOUR * 1_000
    said = await harbor.refused("rooms say", room="harbor", text="hello")
    assert "the clock is 60 minutes behind the last entry" in said
    assert "orlop rooms reclock" in said
    assert (await harbor.well("rooms reclock", room="harbor"))["until_ms"] == at_ms
    await harbor.well("rooms say", room="harbor", text="hello")
    await add(harbor, "Second")
    assert (await task(harbor, "Second"))["createdAt"] == at_ms + 2
    await harbor.restart()
    await add(harbor, "Third")
    assert (await task(harbor, "Third"))["createdAt"] == at_ms + 3
    harbor.clock.advance(2 * HOUR)
    await add(harbor, "Fourth")
    assert (await task(harbor, "Fourth"))["createdAt"] == harbor.clock.now_ms


async def test_with_a_clock_that_is_well_there_is_nothing_to_reclock(harbor: Harbor) -> None:
    await add(harbor, "First")
    assert (await harbor.well("rooms reclock", room="harbor"))["until_ms"] == 0


# --- out of a room --------------------------------------------------------------------------------------------------


async def with_agent(harbor: Harbor) -> str:
    """A room with an agent that is active."""
    return await harbor.fill("pier", "x")


async def agent_state(harbor: Harbor) -> str:
    (row,) = (await harbor.well("agents list"))["items"]
    return str(row["state"])


async def test_leaving_a_room_ends_its_agents_and_says_so(harbor: Harbor) -> None:
    await with_agent(harbor)
    await harbor.well("rooms leave", room="pier")
    assert [(event.agent, event.reason) for event in await harbor.told(AgentDeactivated)] == [("quiet-one-x", "left")]
    assert await agent_state(harbor) == "off"
    assert "this node is in its room no more" in await harbor.refused("agents activate", agent="quiet-one-x")
    await harbor.restart()
    assert await agent_state(harbor) == "off"


async def test_leaving_without_an_orlop_that_runs_ends_them_for_the_next_one(harbor: Harbor) -> None:
    await with_agent(harbor)
    await harbor.core.stop("test")
    await harbor.start(owner=False)
    await harbor.well("rooms leave", room="pier")
    assert await agent_state(harbor) == "off"
    await harbor.restart()
    assert (await agent_state(harbor), await harbor.told(AgentActivated)) == ("off", [])


async def test_who_is_out_of_a_room_by_others_words_ends_its_agents_at_the_next_look(harbor: Harbor) -> None:
    room = await with_agent(harbor)
    await asyncio.wrap_future(harbor.core.rooms.leave(room))
    await harbor.core.life.look()
    assert [event.reason for event in await harbor.told(AgentDeactivated)] == ["left"]
    assert await agent_state(harbor) == "off"


async def test_who_cannot_leave_keeps_the_agents(harbor: Harbor) -> None:
    harbor.clock.advance(HOUR)
    await with_agent(harbor)
    harbor.clock.now_ms -= HOUR * 1_000
    assert "the clock is 60 minutes behind" in await harbor.refused("rooms leave", room="pier")
    assert await agent_state(harbor) == "active"
