"""What somebody is told of agents who sees them for the first time: once, in a toast that goes away."""

from dataclasses import replace
from pathlib import Path

import pytest

from console.ui.introduction import introduce
from console.ui.remembered import Notebook
from runtime import events
from tests.console.ui import harbor as world
from tests.console.ui.fake_core import FakeCore
from tests.console.ui.harbor import HARBOR, harbor
from tests.console.ui.screen import opened, press, settled, toasts, until

SAID = (
    "They look after tasks by themselves, and do nothing that was not granted to them. 2 shows what each one may do and"
    " did; space there switches it off."
)


async def test_agents_are_explained_once_when_the_first_is_there(tmp_path: Path) -> None:
    memory, core = tmp_path / "ui.toml", harbor()
    core.agents = []
    async with opened(core, memory=memory) as (app, pilot):
        introduce(app)
        assert toasts(app) == []
        core.emit(
            events.AgentUploaded(
                room=HARBOR, agent="unblock", version="1.0.0", hash="ab" * 32, size_bytes=400, permissions=()
            )
        )
        await until(pilot, lambda: toasts(app) == [SAID])
        await pilot.exit(0)
        app.remember()
    assert Notebook(memory).kept.agents_told is True
    async with opened(core, memory=memory) as (app, _):
        introduce(app)
        assert toasts(app) == []


async def test_the_words_go_away_by_esc(tmp_path: Path) -> None:
    async with opened(harbor(), memory=tmp_path / "ui.toml") as (app, pilot):
        await until(pilot, lambda: toasts(app) == [SAID])
        await press(pilot, "escape")
        assert toasts(app) == []


@pytest.mark.parametrize("why", ["demo", "read-only", "nothing is remembered"])
async def test_where_it_could_not_be_said_once_or_need_not_it_is_not_said(tmp_path: Path, why: str) -> None:
    core = harbor(read_only=why == "read-only")
    core.node = replace(core.node, demo=why == "demo")
    memory = None if why == "nothing is remembered" else tmp_path / "ui.toml"
    async with opened(core, memory=memory) as (app, pilot):
        app._second()
        await settled(pilot)
        assert toasts(app) == []


async def test_it_waits_for_the_welcome_to_be_read(tmp_path: Path) -> None:
    core = FakeCore(node=world.node(), agents=harbor().agents)
    async with opened(core, memory=tmp_path / "ui.toml", first_run=True) as (app, pilot):
        introduce(app)
        assert toasts(app) == []
        await press(pilot, "escape")
        await until(pilot, lambda: toasts(app) == [SAID])
