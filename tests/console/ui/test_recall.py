"""`ctrl+r` in the `:` line: earlier lines by a part of them, as in a shell."""

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console.ui.app import OrlopApp
from console.ui.suggest import recalled
from tests.console.ui.harbor import harbor
from tests.console.ui.screen import NARROW, opened, press, shown, toasts, typed, until

LINES = ["rooms list", "agents show faulty", "agents deactivate unblock", "jobs list", "rooms list"]


def value(app: OrlopApp) -> str:
    return app.screen.query_one("#line", Input).value


def chosen(app: OrlopApp) -> str:
    """The earlier line that `enter` would run."""
    return next((row.split("▸")[1].strip() for row in shown(app).splitlines() if "▸" in row), "")


async def sees(app: OrlopApp, pilot: Pilot[int], words: str) -> None:
    await until(pilot, lambda: words in shown(app))


async def recall(app: OrlopApp, pilot: Pilot[int], text: str) -> None:
    app.lines[:] = LINES
    await press(pilot, "colon", "ctrl+r")
    await typed(pilot, text)


def test_each_earlier_line_is_found_once_the_newest_last() -> None:
    assert [each.line for each in recalled("", LINES)] == [
        "agents show faulty",
        "agents deactivate unblock",
        "jobs list",
        "rooms list",
    ]
    assert [each.line for each in recalled("AGENTS", LINES)] == ["agents show faulty", "agents deactivate unblock"]
    assert recalled("none", LINES) == []
    assert recalled("", ["\x1b[31mx"])[0].shown == "\\x1b[31mx"


async def test_the_newest_line_is_offered_and_ctrl_r_again_an_older_one() -> None:
    async with opened(harbor()) as (app, pilot):
        await recall(app, pilot, "list")
        await until(pilot, lambda: chosen(app) == "rooms list")
        for key, line in (
            ("ctrl+r", "jobs list"),
            ("ctrl+r", "jobs list"),
            ("down", "rooms list"),
            ("up", "jobs list"),
        ):
            await press(pilot, key)
            await until(pilot, lambda line=line: chosen(app) == line)
        await typed(pilot, "x")
        await sees(app, pilot, "no earlier line has this")
        await press(pilot, "enter")
        assert len(app.screen_stack) == 2
        await press(pilot, "backspace")
        await until(pilot, lambda: chosen(app) == "rooms list")


async def test_enter_runs_the_line_that_was_found() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await recall(app, pilot, "deac")
        await press(pilot, "enter")
        await until(pilot, lambda: bool(core.changing()))
        assert core.changing() == [("agents deactivate", {"agent": "unblock"})]
        assert app.lines[-1] == "agents deactivate unblock"


async def test_tab_takes_the_line_to_be_changed_and_esc_gives_the_old_one_back() -> None:
    async with opened(harbor()) as (app, pilot):
        app.lines[:] = LINES
        await press(pilot, "colon")
        await typed(pilot, "rooms sh")
        await press(pilot, "ctrl+r")
        assert value(app) == ""
        await typed(pilot, "faul")
        await press(pilot, "escape")
        assert value(app) == "rooms sh"
        await sees(app, pilot, "tab completes")
        await press(pilot, "ctrl+r")
        await typed(pilot, "faul")
        await press(pilot, "tab")
        assert value(app) == "agents show faulty"
        assert len(app.screen_stack) == 2
        await typed(pilot, " x")
        assert value(app) == "agents show faulty x"
        await press(pilot, "escape")
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize("size", [NARROW, (120, 40)])
async def test_both_lines_of_help_are_shown_whole(size: tuple[int, int]) -> None:
    async with opened(harbor(), size) as (app, pilot):
        await press(pilot, "colon")
        await sees(app, pilot, "ctrl+r searches  enter runs  esc closes")
        await press(pilot, "ctrl+r")
        await sees(app, pilot, "no earlier line has this")
        app.lines[:] = LINES
        await typed(pilot, "l")
        await sees(app, pilot, "ctrl+r older  ↓ newer  enter runs it  tab changes it first  esc back")


async def test_the_oldest_of_many_lines_are_forgotten() -> None:
    async with opened(harbor()) as (app, pilot):
        app.lines[:] = [f"theme x{number}" for number in range(500)]
        await press(pilot, "colon")
        await typed(pilot, "theme pink")
        await press(pilot, "enter")
        await until(pilot, lambda: bool(toasts(app)))
        assert (len(app.lines), app.lines[0], app.lines[-1]) == (500, "theme x1", "theme pink")
