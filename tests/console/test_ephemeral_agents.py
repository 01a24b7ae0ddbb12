"""Agents of ephemeral rooms: whole while orlop runs, and nothing of them anywhere on the disk, then or afterwards."""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runtime.agents.keys import AgentKey
from runtime.events import AgentActivated, AgentDeleted, BreakerTripped
from tests.console.living import Harbor
from tests.hostile import agent, agent_wat, data, wat

NAME, AGENT, TASK = "vanishing-room", "vanishing-agent", "t-made-by-it"
STATE, LOG, TITLE = b"a-state-of-nobodys-business", b"a-line-of-nobodys-business", "Made-by-an-agent"
EVENT = f'{{"type":"task_created","taskId":"{TASK}","task":{{"title":"{TITLE}"}}}}'.encode()


def speaker(word: bytes = b"first") -> bytes:
    """An agent that logs, keeps a state and makes a task at each tick; the word makes it another module."""
    parts = (LOG, STATE, EVENT, word)
    places = [sum(map(len, parts[:number])) for number in range(len(parts))]
    calls = ("host_log", "host_set_state", "host_emit_event")
    said = "".join(
        f"(call ${call} (i32.const {at}) (i32.const {len(part)}))"
        for call, at, part in zip(calls, places, parts, strict=False)
    )
    segments = "".join(data(at, part) for at, part in zip(places, parts, strict=True))
    return wat(agent_wat(said, hosts=calls, decls=segments))


@pytest.fixture
async def harbor(tmp_path: Path) -> AsyncIterator[Harbor]:
    found = Harbor(tmp_path)
    await found.start()
    yield found
    await found.core.stop("test")


async def tick(harbor: Harbor, times: int = 1) -> None:
    for _ in range(times):
        harbor.clock.advance(30)
        harbor.core.agents.poke()
        while tasks := harbor.core.agents._runner.tasks:
            await asyncio.wait(tasks)


async def upload(harbor: Harbor, wasm: bytes, name: str = AGENT, room: str = NAME) -> Any:
    said = {"description": "described-by-nobody", "author": "written-by-nobody"}
    return await harbor.well("agents upload", files={"module": wasm}, room=room, name=name, grant="all", **said)


async def filled(harbor: Harbor) -> str:
    """An ephemeral room with an agent that has ticked."""
    room = str((await harbor.well("rooms create", name=NAME, ephemeral="true"))["room"])
    await upload(harbor, speaker())
    await harbor.well("agents activate", agent=AGENT)
    await tick(harbor)
    return room


def in_memory(harbor: Harbor) -> dict[str, list[Any]]:
    """All rows of the tables that are kept by room, in memory."""

    def read(connection: sqlite3.Connection) -> dict[str, list[Any]]:
        tables = connection.execute("SELECT name FROM memory.sqlite_master WHERE type = 'table'").fetchall()
        found = {name: connection.execute(f"SELECT * FROM memory.{name}").fetchall() for (name,) in tables}
        return {name: rows for name, rows in found.items() if rows and name not in ("meta", "sqlite_sequence")}

    return harbor.core.store.read_now(read)


def secrets(harbor: Harbor, room: str) -> list[bytes]:
    """What must not be found: names, texts, the modules and their hashes, and every sealed byte that memory holds."""
    found = [room.encode(), NAME.encode(), AGENT.encode(), TASK.encode(), TITLE.encode(), STATE, LOG]
    found += [b"described-by-nobody", b"written-by-nobody", b"faulty-of-nobody"]
    for wasm in (speaker(), speaker(b"second"), agent("trap_tick")):
        digest = hashlib.sha256(wasm)
        found += [wasm, wasm[8:], digest.hexdigest().encode(), digest.digest()]
    for rows in in_memory(harbor).values():
        found += [value for row in rows for value in row if isinstance(value, bytes) and value]
    return found


def stored_files(harbor: Harbor) -> list[Path]:
    """Modules, and compiled code, which is of them."""
    parts = ("modules", "cache", "run", "blobs")
    return [file for part in parts for file in (harbor.path / part).rglob("*") if file.is_file()]


async def test_w11_agents_work_there_and_nothing_of_them_is_on_the_disk(harbor: Harbor) -> None:
    room = await filled(harbor)
    assert [task["title"] for task in (await harbor.well("rooms show", room=NAME))["tasks"]] == [TITLE]
    (row,) = (await harbor.well("agents list", room=NAME))["items"]
    assert (row["room_name"], row["agent"], row["state"], row["emitted"]) == (NAME, AGENT, "active", 1)
    assert row["state_bytes"] == len(STATE)
    assert (await harbor.well("rooms list"))["items"][0]["agents"] == 1
    assert LOG.decode() in [one["text"] for one in (await harbor.well("agents logs", agent=AGENT))["items"]]
    shown = await harbor.well("agents show", agent=AGENT)
    assert (shown["manifest"]["description"], sum(one["calls"] for one in shown["minutes"])) == (
        "described-by-nobody",
        2,
    )
    assert {"agents", "agent_state", "agent_versions", "agent_diagnostics", "agent_modules"} <= in_memory(harbor).keys()
    words = secrets(harbor, room)
    assert (harbor.traces(words), stored_files(harbor)) == ([], [])
    await harbor.restart()
    assert (harbor.traces(words), stored_files(harbor)) == ([], [])
    assert (await harbor.well("agents list"))["items"] == []


async def test_w11_statistics_grants_and_keys_of_them_are_in_memory_only(harbor: Harbor) -> None:
    room = await filled(harbor)
    await harbor.well("agents grant", agent=AGENT, permissions="persist_state")
    await tick(harbor, 3)
    assert (await harbor.well("agents show", agent=AGENT))["granted"] == ["persist_state"]
    key = "ab" * 32
    await harbor.well("agents trust", key=key, room=NAME, note="of nobody")
    harbor.core.agents._statistics.flush()
    await harbor.told(AgentActivated)
    assert {"agent_minutes", "agent_trust"} <= in_memory(harbor).keys()
    assert harbor.traces([*secrets(harbor, room), key.encode(), b"of nobody"]) == []
    await harbor.well("agents trust", key=key, remove="true")
    assert "agent_trust" not in in_memory(harbor)


async def test_w11_versions_of_them_are_in_memory_only(harbor: Harbor) -> None:
    room = await filled(harbor)
    assert (await upload(harbor, speaker(b"second")))["change"]["state"] == "set aside"
    await harbor.well("agents activate", agent=AGENT)
    await tick(harbor)
    assert len(in_memory(harbor)["agent_modules"]) == 2
    assert (await harbor.well("agents rollback", agent=AGENT))["change"]["state"] == "restored"
    await harbor.well("agents activate", agent=AGENT)
    assert (await harbor.well("agents show", agent=AGENT))["state"] == "active"
    assert (harbor.traces(secrets(harbor, room)), stored_files(harbor)) == ([], [])
    await harbor.well("agents delete", agent=AGENT)
    assert in_memory(harbor) == {}


async def test_w11_a_tripped_one_is_probed_from_memory(harbor: Harbor) -> None:
    room = str((await harbor.well("rooms create", name=NAME, ephemeral="true"))["room"])
    await upload(harbor, agent("trap_tick"), "faulty-of-nobody")
    await harbor.well("agents activate", agent="faulty-of-nobody")
    await tick(harbor, 3)
    assert [event.agent for event in await harbor.told(BreakerTripped)] == ["faulty-of-nobody"]
    result = await harbor.do("agents probe", agent="faulty-of-nobody")
    assert result.fault is not None
    assert result.fault.code == "failed"
    assert "agent_breakers" in in_memory(harbor)
    assert (harbor.traces(secrets(harbor, room)), stored_files(harbor)) == ([], [])


async def test_burning_takes_every_row_and_module_of_them(harbor: Harbor) -> None:
    room = await filled(harbor)
    kept = str((await harbor.well("rooms create", name="kept"))["room"])
    await upload(harbor, speaker(), "other", "kept")
    await harbor.well("rooms burn", room=NAME)
    assert in_memory(harbor) == {}
    assert [key for key in harbor.core.agents.figures if key.room == room] == []
    assert [row["agent"] for row in (await harbor.well("agents list"))["items"]] == ["other"]
    await harbor.well("agents activate", agent="other", room=kept)


async def test_leaving_takes_every_row_and_module_of_them_and_lets_none_back(harbor: Harbor) -> None:
    room = await filled(harbor)
    await harbor.well("rooms leave", room=NAME)
    assert in_memory(harbor) == {}
    assert [event.agent for event in await harbor.told(AgentDeleted)] == [AGENT]
    assert (await harbor.well("agents list"))["items"] == []
    files = {"module": agent("quiet")}
    said = await harbor.refused("agents upload", files=files, room=room, name="quiet", grant="all")
    assert "this node is in the room no more" in said


async def test_the_same_module_of_a_room_that_is_kept_stays_and_is_its_own(harbor: Harbor) -> None:
    await harbor.well("rooms create", name="kept")
    await upload(harbor, speaker(), "other", "kept")
    files = stored_files(harbor)
    await filled(harbor)
    await harbor.well("agents delete", agent=AGENT)
    assert stored_files(harbor) == files
    await harbor.well("agents activate", agent="other")


async def test_the_demo_fills_an_ephemeral_room(harbor: Harbor) -> None:
    made = await harbor.well("rooms create", name=NAME, ephemeral="true", with_demo="true")
    rows = (await harbor.well("agents list", room=NAME))["items"]
    assert {row["agent"] for row in rows} >= {"auto-balance", "unblock"}
    assert harbor.traces([str(made["room"]).encode(), NAME.encode()]) == []


async def test_a_room_of_which_nothing_has_come_takes_none(harbor: Harbor) -> None:
    """It may turn out to be ephemeral, or to want signed ones."""
    rooms = harbor.core.rooms
    rooms.adopt("ab" * 16, NAME, rooms.card(), {"relay": "ws://nowhere"}).result()
    files = {"module": agent("quiet")}
    said = await harbor.refused("agents upload", files=files, room=NAME, name="quiet", grant="all")
    assert "nothing of it has come yet" in said
    assert stored_files(harbor) == []


async def test_what_it_cannot_start_any_more_is_said_and_leaves_no_trace(harbor: Harbor) -> None:
    room = await filled(harbor)
    await harbor.well("agents deactivate", agent=AGENT)
    drop = "DELETE FROM {at}.agent_modules WHERE room = ?"
    await harbor.core.write(lambda tx: tx.execute_in(room, drop, (room,)).rowcount)
    assert "the stored module is gone" in await harbor.refused("agents activate", agent=AGENT)
    assert harbor.core.agents.figures[AgentKey(room, AGENT)].problem
    assert harbor.traces(secrets(harbor, room)) == []
