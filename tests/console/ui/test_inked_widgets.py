"""Titles in borders, sheets that change, and scrolling: shown as they are, repainted only where they are others."""

from collections.abc import Sequence
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from console.ui.sheet import Line, line
from console.ui.themes import THEMES
from console.ui.widgets.sheet_view import SheetView
from tests.console.ui.harbor import agent, harbor, room
from tests.console.ui.screen import opened, press, until


class Sheet(App[int]):
    CSS = "SheetView { border: round white; height: 12; }"

    def compose(self) -> ComposeResult:
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = THEMES["dark"].name
        yield SheetView(name="sheet")


def lines(*texts: str) -> Sequence[Line]:
    return [line((text, "")) for text in texts]


def shown(app: App[int]) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


@pytest.mark.parametrize("name", ["a[/b]c", "[red]x[/red]", "[@click=app.bell]", "\\[x]", "  ", ""])
async def test_a_title_is_not_read_as_markup(name: str) -> None:
    app = Sheet()
    async with app.run_test() as pilot:
        sheet = app.query_one(SheetView)
        sheet.border_title = f"to {name}"
        await pilot.pause()
        assert f"to {name}".rstrip() in shown(app)
        assert sheet.border_title == f"to {name}"
        sheet.border_title = None
        await pilot.pause()
        assert "to " not in shown(app)


async def test_a_room_whose_name_looks_like_markup() -> None:
    core = harbor()
    core.rooms = [room(core.rooms[0].room, "a[/b]c")]
    async with opened(core) as (app, _):
        assert app.fault is None
        assert "Tasks: a[/b]c" in shown(app)


async def test_the_same_title_and_the_same_lines_repaint_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Sheet()
    async with app.run_test() as pilot:
        sheet = app.query_one(SheetView)
        sheet.border_title = "one"
        sheet.show(lines("a", "b", "c"))
        await pilot.pause()
        asked: list[tuple[Region, ...]] = []
        refresh = sheet.refresh

        def noted(*regions: Region, **more: Any) -> Any:
            asked.append(regions)
            return refresh(*regions, **more)

        monkeypatch.setattr(sheet, "refresh", noted)
        sheet.border_title = "one"
        sheet.show(lines("a", "b", "c"))
        assert asked == []
        sheet.show(lines("a", "B", "c"))
        assert asked == [(Region(0, 1, sheet.size.width, 1),)]
        await pilot.pause()
        assert [text in shown(app) for text in ("a ", "B ", "c ", "b ")] == [True, True, True, False]
        sheet.show(lines("a", "B"))
        assert () in asked
        await pilot.pause()
        assert "c " not in shown(app)


async def test_changed_lines_outside_the_window_repaint_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Sheet()
    async with app.run_test() as pilot:
        sheet = app.query_one(SheetView)
        texts = [f"line {number}" for number in range(40)]
        sheet.show(lines(*texts))
        await until(pilot, lambda: sheet.show_vertical_scrollbar and sheet._width == 77)
        sheet.scroll_to(y=20, animate=False, immediate=True)
        await pilot.pause()
        assert sheet.scroll_offset.y == 20
        assert "line 29" in shown(app)
        asked: list[tuple[Region, ...]] = []
        monkeypatch.setattr(sheet, "refresh", lambda *regions, **_more: asked.append(regions))
        sheet.show(lines("other", *texts[1:-1], "last"))
        assert asked == []
        monkeypatch.undo()
        sheet.show(lines("other", *texts[1:25], "here", *texts[26:-1], "last"))
        await pilot.pause()
        assert "here" in shown(app)


@pytest.mark.parametrize("pane", ["1", "2"])
async def test_a_table_scrolls_to_its_cursor(pane: str) -> None:
    core = harbor()
    core.rooms = [room(f"{number:032x}", f"room {number:03d}") for number in range(60)]
    core.agents = [agent(f"agent-{number:03d}") for number in range(60)]
    async with opened(core) as (app, pilot):
        assert app.pane is not None
        await press(pilot, pane)
        table = app.pane.main
        assert table.show_vertical_scrollbar
        await press(pilot, "G")
        assert table.scroll_offset.y == len(table.model.order) - table.window
        await press(pilot, "g")
        assert table.scroll_offset.y == 0


async def test_a_sheet_without_a_place_is_not_laid_out_one_letter_to_a_line() -> None:
    app = Sheet()
    async with app.run_test() as pilot:
        sheet = SheetView(name="late")
        sheet.show(lines("a few words"))
        assert sheet.virtual_size.height == 0
        await app.mount(sheet)
        await until(pilot, lambda: sheet.virtual_size.height == 1)
        assert "a few words" in shown(app)
