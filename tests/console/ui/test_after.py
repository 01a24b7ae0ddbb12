"""A call after a while comes once, can be taken back, and ends with its widget."""

import asyncio
from collections.abc import Callable

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Static

from console.ui.after import after


class Page(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("here")


async def test_it_calls_once_as_a_message_of_the_node() -> None:
    app, seen = Page(), []
    async with app.run_test() as pilot:
        called = asyncio.Event()

        async def do() -> None:
            seen.append(1)
            called.set()

        after(app.query_one(Static), 0.001, do)
        await called.wait()
        await pilot.pause(0.01)
    assert seen == [1]


async def test_it_can_be_taken_back() -> None:
    app, seen = Page(), []
    async with app.run_test() as pilot:
        handle = after(app, 0.001, lambda: seen.append("taken back"))
        handle.cancel()
        later = asyncio.Event()
        after(app, 0.005, later.set)
        await later.wait()
        await pilot.pause()
    assert seen == []


async def test_nothing_is_called_for_a_widget_that_is_gone() -> None:
    app, seen = Page(), []
    async with app.run_test() as pilot:
        static = app.query_one(Static)
        await static.remove()
        after(static, 0.001, lambda: seen.append("late"))
        later = asyncio.Event()
        after(app, 0.005, later.set)
        await later.wait()
        await pilot.pause()
    assert seen == []


async def fails_after(app: Page, fail: Callable[[], None]) -> None:
    async with app.run_test() as pilot:
        after(app, 0.001, fail)
        while app._exception is None:
            await pilot.pause(0.001)


async def test_a_failure_ends_the_program_as_any_other() -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await fails_after(Page(), fail)
