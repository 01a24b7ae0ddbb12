"""`rooms …` on a real room: each change does what it says, names are found as the contracts say."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from console.client import Result
from console.core import Core, CoreOptions


class Harbor:
    """A core with one room, and short ways to ask it."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def do(self, command: str, **args: str | list[str]) -> Result:
        return await self.core.execute(
            command, args, {}, interrupted=asyncio.get_running_loop().create_future(), uid=os.geteuid(), face="test"
        )

    async def change(self, **args: str | list[str]) -> list[str]:
        result = await self.do("rooms task", room="harbor", **args)
        assert result.ok, result.fault
        value: Any = result.value
        return list(value["changed"])

    async def refused(self, command: str, **args: str) -> str:
        result = await self.do(command, **args)
        assert not result.ok
        assert result.fault is not None
        return f"{result.fault.code}: {result.fault.line}"

    async def task(self, title: str) -> dict[str, Any]:
        value: Any = (await self.do("rooms tasks", room="harbor")).value
        return next(dict(item) for item in value["items"] if item["title"] == title)


@pytest.fixture
async def harbor(tmp_path: Path) -> AsyncIterator[Harbor]:
    core = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True))
    harbor = Harbor(core)
    assert (await harbor.do("rooms create", name="harbor")).ok
    yield harbor
    await core.stop("test")


async def test_a_slash_line_makes_a_task_with_all_its_parts(harbor: Harbor) -> None:
    made = await harbor.change(add="Publish | split into: sign, upload | due: 2h | desc: with care | urgent")
    assert len(made) == 3
    task = await harbor.task("Publish")
    assert (task["description"], task["urgent"], task["progress"], task["status"]) == ("with care", True, 0, "pending")
    assert 0 <= harbor.core.clock.wall_ms() + 7_200_000 - task["dueAt"] < 60_000
    assert (await harbor.task("sign"))["parentId"] == made[0]


async def test_status_urgency_title_description_and_due(harbor: Harbor) -> None:
    await harbor.change(add="Sign")
    await harbor.change(start="Sign")
    assert (await harbor.task("Sign"))["status"] == "in_progress"
    await harbor.change(done="Sign")
    assert (await harbor.task("Sign"))["status"] == "completed"
    await harbor.change(reopen="Sign")
    assert (await harbor.task("Sign"))["status"] == "pending"
    await harbor.change(urgent="Sign")
    assert (await harbor.task("Sign"))["urgent"] is True
    await harbor.change(urgent="Sign", off="true")
    assert (await harbor.task("Sign"))["urgent"] is False
    await harbor.change(describe="Sign", text="carefully")
    await harbor.change(due="Sign", text="3d")
    task = await harbor.task("Sign")
    assert task["description"] == "carefully"
    assert task["dueAt"] > harbor.core.clock.wall_ms()
    await harbor.change(due="Sign", text="")
    assert (await harbor.task("Sign")).get("dueAt") is None
    await harbor.change(title="Sign", text="Seal")
    assert (await harbor.task("Seal"))["id"] == task["id"]


async def test_assigning_by_name_key_and_prefix_and_to_nobody(harbor: Harbor) -> None:
    await harbor.change(add="Sign")
    me = harbor.core.account.identity_key
    for text in (harbor.core.config.node_name, me, me[:6]):
        await harbor.change(assign="Sign", to=text)
        task = await harbor.task("Sign")
        assert (task["assignee"], task["status"]) == (me, "in_progress")
        await harbor.change(assign="Sign")
        assert (await harbor.task("Sign")).get("assignee") is None


async def test_blocking_and_unblocking(harbor: Harbor) -> None:
    (sign,) = await harbor.change(add="Sign")
    (seal,) = await harbor.change(add="Seal")
    await harbor.change(add="Publish")
    await harbor.change(block="Publish", on="Sign")
    await harbor.change(block="Publish", on=seal[:6])
    await harbor.change(block="Publish", on="Seal")
    task = await harbor.task("Publish")
    assert (task["blockedBy"], task["blocked"]) == ([sign, seal], True)
    await harbor.change(unblock="Publish", on="Sign")
    assert (await harbor.task("Publish"))["blockedBy"] == [seal]


async def test_several_tasks_are_waited_for_in_one_change(harbor: Harbor) -> None:
    (sign,), (seal,) = await harbor.change(add="Sign"), await harbor.change(add="Seal")
    await harbor.change(add="Publish")
    await harbor.change(block="Publish", on=["Sign", "Seal", "Sign"])
    assert (await harbor.task("Publish"))["blockedBy"] == [sign, seal]
    await harbor.change(unblock="Publish", on=["Sign", "Seal"])
    assert not (await harbor.task("Publish")).get("blockedBy")


async def test_a_new_task_says_who_does_it_what_it_waits_for_and_of_what_it_is_a_part(harbor: Harbor) -> None:
    (sign,) = await harbor.change(add="Sign")
    (release,) = await harbor.change(add="Release")
    made = await harbor.change(
        add="Publish | split into: a, b", to=harbor.core.config.node_name, on="Sign", under="Release"
    )
    task = await harbor.task("Publish")
    assert (task["assignee"], task["blockedBy"]) == (harbor.core.account.identity_key, [sign])
    assert (task["parentId"], (await harbor.task("a"))["parentId"]) == (release, made[0])
    for wrong in ({"to": "nobody"}, {"on": "Nothing"}, {"under": "Nothing"}):
        assert (await harbor.refused("rooms task", room="harbor", add="x", **wrong)).startswith("unknown: ")


async def test_auto_assign_says_before_it_does(harbor: Harbor) -> None:
    for title in ("a", "b", "c"):
        await harbor.change(add=title)
    await harbor.change(block="c", on="a")
    result: Any = (await harbor.do("rooms task", room="harbor", auto_assign="true", preview="true")).value
    assert [one["title"] for one in result["preview"]] == ["a", "b"]
    assert result["changed"] == []
    assert (await harbor.task("a")).get("assignee") is None
    assert len(await harbor.change(auto_assign="true")) == 2
    assert (await harbor.task("a"))["assignee"] == harbor.core.account.identity_key
    assert await harbor.change(auto_assign="true") == []


async def test_what_is_said_is_shown(harbor: Harbor) -> None:
    result: Any = (await harbor.do("rooms say", room="harbor", text="hello")).value
    assert set(result) == {"v", "room", "message"}
    shown: Any = (await harbor.do("rooms show", room=result["room"][:8])).value
    assert [(one["text"], one["name"]) for one in shown["messages"]] == [("hello", harbor.core.config.node_name)]
    assert [member["self"] for member in shown["members"]] == [True]
    told: Any = (await harbor.do("rooms say", room="harbor", text="/task Sign | urgent")).value
    assert told["changed"] == [(await harbor.task("Sign"))["id"]]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "usage: rooms task: say what to do; one of --add, --start"),
        ({"done": "Sign", "start": "Sign"}, "usage: rooms task: only one thing at a time"),
        ({"title": "Sign"}, "usage: rooms task: --title needs --text"),
        ({"block": "Sign"}, "usage: rooms task: --block needs --on"),
        ({"done": "Nothing"}, "unknown: rooms task: Nothing: no such task"),
        ({"done": "Twin"}, "ambiguous: rooms task: Twin: fits several"),
        ({"assign": "Sign", "to": "nobody"}, "unknown: rooms task: nobody: is not a member"),
        ({"due": "Sign", "text": "soon"}, "usage: rooms task: soon: is not a time"),
        ({"add": "| urgent"}, "usage: rooms task: a task needs a title"),
        ({"title": "Sign", "text": "x" * 2000}, "refused: rooms task: "),
    ],
)
async def test_each_mistake_says_what_it_is(harbor: Harbor, args: dict[str, str], said: str) -> None:
    for title in ("Sign", "Twin", "Twin"):
        await harbor.change(add=title)
    before: Any = (await harbor.do("rooms tasks", room="harbor")).value
    assert (await harbor.refused("rooms task", room="harbor", **args)).startswith(said)
    assert (await harbor.do("rooms tasks", room="harbor")).value == before


async def test_a_text_that_is_no_command_of_ours(harbor: Harbor) -> None:
    assert (await harbor.refused("rooms say", room="harbor", text="/burn it")).startswith("usage: rooms say: /burn: ")
    assert (await harbor.refused("rooms say", room="harbor", text="  ")).startswith("usage: ")


async def test_tasks_are_searched_and_sorted(harbor: Harbor) -> None:
    for line in ("Later | due: 3h", "Soon image | due: 1h", "Never image", "Now | due: 4h | urgent"):
        await harbor.change(add=line)
    await harbor.change(done="Later")

    async def titles(**args: str) -> list[str]:
        value: Any = (await harbor.do("rooms tasks", room="harbor", **args)).value
        return [str(item["title"]) for item in value["items"]]

    assert await titles() == ["Later", "Soon image", "Never image", "Now"]
    assert await titles(sort="created") == ["Now", "Later", "Soon image", "Never image"]
    assert await titles(sort="due") == ["Now", "Soon image", "Later", "Never image"]
    assert await titles(sort="due-desc") == ["Now", "Later", "Soon image", "Never image"]
    assert await titles(search="IMAGE") == ["Soon image", "Never image"]
    assert await titles(done="true") == ["Later"]
    assert await titles(open="true", search="o") == ["Soon image", "Now"]
    assert "leave nothing" in await harbor.refused("rooms tasks", room="harbor", open="true", done="true")
