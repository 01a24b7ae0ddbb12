"""Searching with `//`: what is found, what is lit, how one goes round, and that it hides and costs nothing."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.events import Key
from textual.keys import _character_to_key as character_to_key
from textual.pilot import Pilot
from textual.widgets import Input

from console.table import TableModel
from console.table_rows import Column, Row
from console.ui.app import OrlopApp
from console.ui.screens.reading import SheetScreen
from console.ui.search import HERE, HIT, Needle, SheetHits, TableHits, found_spans, lit
from console.ui.sheet import Line, line
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.sheet_view import SheetView
from runtime import events
from runtime.sanitise import clean
from tests.console.ui import harbor as world
from tests.console.ui.fake_core import FakeCore
from tests.console.ui.harbor import HARBOR, agent, harbor, node
from tests.console.ui.screen import NARROW, opened, pane, press, row_of, settled, sheet, shown, toasts, typed, until

NO_HIT_HERE = "\u2013"
POINTER = "\u276f"


async def search(pilot: Pilot[int], text: str) -> None:
    """`//text` and `enter`."""
    await press(pilot, "slash")
    await typed(pilot, f"/{text}")
    await press(pilot, "enter")
    await until(pilot, lambda: len(pilot.app.screen_stack) == 1)


async def told(app: OrlopApp, pilot: Pilot[int], words: str) -> None:
    """The status row comes to say how far the search is."""
    await until(pilot, lambda: row_of(app, "status").strip().startswith(words))


def lit_in(widget: LiveTable | SheetView) -> list[str]:
    """What is lit in a widget's window: runs of reversed segments, from the top."""
    runs: list[str] = []
    for y in range(widget.size.height):
        open_run = False
        for segment in widget.render_line(y):
            reversed_ = is_lit(segment)
            if reversed_ and open_run:
                runs[-1] += segment.text
            elif reversed_:
                runs.append(segment.text)
            open_run = reversed_
    return runs


def is_lit(segment: Segment) -> bool:
    return bool(segment.style and segment.style.reverse)


# --- what a hit is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needle", "text", "hits"),
    [
        ("trip", "Trip, tripped, TRIP", ["Trip", "trip", "TRIP"]),
        ("a.c", "abc a.c", ["a.c"]),
        ("[red]", "[red]x[/red]", ["[red]"]),
        ("(", "f(x)", ["("]),
        ("e", "e\u0301x", ["e\u0301"]),
        ("e\u0301", "xe\u0301\u0302e", ["e\u0301\u0302"]),
        ("港", "上海港 7", ["港"]),
        ("\x1b[31m", "x\\x1b[31m", ["\\x1b[31m"]),
        ("aa", "aaaa", ["aa", "aa"]),
        ("x", "", []),
    ],
)
def test_a_needle_is_plain_text_made_of_whole_characters(needle: str, text: str, hits: list[str]) -> None:
    assert [text[start:end] for start, end in Needle(needle).ranges(text)] == hits


@given(st.text(min_size=1, max_size=4), st.text(max_size=60))
def test_hits_come_in_order_none_over_another(needle: str, text: str) -> None:
    ranges = Needle(needle).ranges(clean(text))
    assert all(start < end for start, end in ranges)
    assert all(before[1] <= after[0] for before, after in pairwise(ranges))


@given(st.lists(st.text("ab 港\u0301", max_size=12), max_size=5), st.text("ab 港", min_size=1, max_size=2))
def test_lighting_changes_inks_and_no_text(parts: list[str], needle: str) -> None:
    whole = "".join(parts)
    ranges = [(start, end, HIT) for start, end in Needle(needle).ranges(whole)]
    spans = lit([(part, "dim") for part in parts], ranges)
    assert "".join(text for text, _ in spans) == whole
    inks = "".join(("x" if ink == HIT else ".") * len(text) for text, ink in spans)
    assert {place for place, ink in enumerate(inks) if ink == "x"} == {
        place for start, end, _ in ranges for place in range(start, end)
    }


def test_how_far_a_search_is() -> None:
    needle = Needle("trip")
    assert "".join(text for text, _ in found_spans(needle, 3, 1_700)) == "//trip 3/1,700"
    assert "".join(text for text, _ in found_spans(needle, 0, 17)) == f"//trip {NO_HIT_HERE}/17"
    assert "".join(text for text, _ in found_spans(needle, 1, 17, "from the top")) == "//trip 1/17 · from the top"
    assert "".join(text for text, _ in found_spans(needle, 0, 0, "from the top")) == "//trip no match"


# --- hits of tables and sheets --------------------------------------------------------------------------------------

COLUMNS = (Column(name="a", title="A", width=4), Column(name="b", title="B", width=4))


def row(key: str, *cells: str) -> Row:
    return Row(key=key, cells=cells, values=cells)


def table(*rows: Row) -> TableModel:
    model = TableModel(COLUMNS)
    model.replace(rows)
    model.arrange()
    return model


def test_the_rows_with_a_hit_follow_every_change_of_the_table() -> None:
    model = table(row("1", "x", "y"), row("2", "y", "y"), row("3", "y", "x"))
    hits = TableHits(Needle("X"), (0, 1))
    assert [*hits.places(model)] == [0, 2]
    hits.changed(model.put([row("2", "x", "y"), row("3", "y", "y")]))
    assert [*hits.places(model)] == [0, 1]
    hits.changed(model.put([row("4", "xx", "")]))
    assert [*hits.places(model)] == [0, 1, 3]
    model.sort_by("a", descending=True)
    assert [model.order[place] for place in hits.places(model)] == ["4", "1", "2"]
    model.remove(["1"])
    assert [model.order[place] for place in hits.places(model)] == ["4", "2"]
    model.filter_by("!xx")
    assert [model.order[place] for place in hits.places(model)] == ["2"]
    model.put([row("4", "q", "x")])
    model.filter_by("")
    assert {model.order[place] for place in hits.places(model)} == {"4", "2"}


def test_what_is_in_no_shown_column_is_not_found() -> None:
    assert not TableHits(Needle("x"), (0,)).places(table(row("1", "y", "x")))


def test_a_row_is_looked_at_once_until_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    is_in = Needle.is_in

    def counted(needle: Needle, texts: object) -> bool:
        nonlocal looked
        looked += 1
        return is_in(needle, texts)  # type: ignore[arg-type]

    monkeypatch.setattr(Needle, "is_in", counted)
    model = table(*(row(str(number), "x", "y") for number in range(10_000)))
    hits = TableHits(Needle("x"), (0, 1))
    assert not looked
    for _ in range(3):
        assert len(hits.places(model)) == 10_000
    model.sort_by("a", descending=True)
    hits.places(model)
    assert looked == 10_000
    hits.changed(model.put(row(str(number), "x", "z") for number in range(500)))
    hits.places(model)
    assert looked == 10_500


def test_a_table_whose_rows_come_and_go_is_not_remembered_for_ever() -> None:
    model = table()
    hits = TableHits(Needle("x"), (0, 1))
    for number in range(1_000):
        hits.changed(model.put([row(str(number), "x", "")]))
        model.trim(10)
        assert len(hits.places(model)) == min(number + 1, 10)
    assert len(hits._seen) <= 32


def test_the_hit_that_was_gone_to_stays_when_the_sheet_grows() -> None:
    lines = [line("one x"), line("two x x")]
    hits = SheetHits(Needle("x"), lines)
    assert hits.hits == [(0, 4, 5), (1, 4, 5), (1, 6, 7)]
    hits.place = 1
    again = SheetHits(Needle("x"), [*lines, line("x")], hits.here)
    assert (again.place, len(again.hits)) == (1, 4)
    assert again.in_line(1, 0, 7) == [(4, 5, HERE), (6, 7, HIT)]
    assert again.in_line(1, 5, 7) == [(6, 7, HIT)]
    assert SheetHits(Needle("x"), [line("x")], hits.here).place == 0
    assert SheetHits(Needle("x"), [line("")], hits.here).place == -1


# --- in tables ------------------------------------------------------------------------------------------------------


async def test_a_search_lights_hits_and_hides_no_row() -> None:
    core = harbor()
    core.agents = [agent(name) for name in ("b", "Port", "d", "e-port")]
    async with opened(core) as (app, pilot):
        await press(pilot, "2", "s", "g", "j", "enter")
        agents = pane(app).main
        await press(pilot, "slash")
        await typed(pilot, "/pORT")
        await until(pilot, lambda: f" //pORT {NO_HIT_HERE}/2" in shown(app))
        assert agents.model.at(0).cells[1] == "b"
        assert lit_in(agents) == ["port", "Port"]
        await press(pilot, "enter")
        await told(app, pilot, "//pORT 1/2 · 4 agents")
        assert len(agents.model.order) == 4
        await until(pilot, lambda: "n next  N previous  esc end search" in row_of(app, "keys"))


async def test_next_and_previous_go_round_and_say_so() -> None:
    core = harbor()
    core.agents = [agent(name) for name in ("a-port", "b", "c-port", "d", "e-port")]
    async with opened(core) as (app, pilot):
        await press(pilot, "2", "s", "g", "j", "enter", "g")
        agents = pane(app).main
        await search(pilot, "port")
        await told(app, pilot, "//port 1/3 · 5 agents")
        for key, place, count in (
            ("n", 2, "2/3"),
            ("n", 4, "3/3"),
            ("n", 0, "1/3 · from the top"),
            ("N", 4, "3/3 · from the end"),
            ("N", 2, "2/3"),
            ("j", 3, f"{NO_HIT_HERE}/3"),
            ("n", 4, "3/3"),
        ):
            await press(pilot, key)
            await until(pilot, lambda place=place: agents.model.place == place)
            await told(app, pilot, f"//port {count} · 5 agents")


async def test_esc_ends_the_search_before_it_clears_the_filter() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2", "slash")
        await typed(pilot, "state:act")
        await press(pilot, "enter")
        await search(pilot, "unblock")
        agents = pane(app).main
        await told(app, pilot, "//unblock 1/1 · 2 of 5 agents · /state:act")
        assert lit_in(agents)
        await press(pilot, "escape")
        await told(app, pilot, "2 of 5 agents")
        await until(pilot, lambda: not lit_in(agents))
        await press(pilot, "escape")
        await until(pilot, lambda: len(agents.model.order) == 5)


async def test_a_search_that_is_typed_after_a_filter_gives_the_filter_back() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2", "slash")
        await typed(pilot, "nothing")
        await until(pilot, lambda: not pane(app).main.model.order)
        await press(pilot, "ctrl+u")
        await typed(pilot, "/unblock")
        await until(pilot, lambda: len(pane(app).main.model.order) == 5)
        await press(pilot, "escape")
        await until(pilot, lambda: pane(app).main.needle is None)


async def test_nothing_found_and_nothing_searched_for_are_said() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2", "n")
        await until(pilot, lambda: toasts(app) == ["nothing is searched for: // and a text"])
        before = pane(app).main.model.cursor
        await search(pilot, "zzz")
        await press(pilot, "n", "N")
        await told(app, pilot, "//zzz no match")
        assert pane(app).main.model.cursor == before


async def test_each_part_has_a_search_of_its_own() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2")
        await search(pilot, "faulty")
        await told(app, pilot, "//faulty 1/")
        await press(pilot, "enter")
        await told(app, pilot, "5 agents")
        await search(pilot, "recursion")
        await told(app, pilot, "//recursion 1/1")
        assert lit_in(app.screen.query_one("#agent", SheetView)) == ["recursion"]
        await press(pilot, "escape", "escape")
        await told(app, pilot, "//faulty 1/")


async def test_rows_that_change_are_found_as_they_are_now() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        await search(pilot, "unblock")
        core.emit(
            events.AgentUploaded(room=HARBOR, agent="a-unblock", version="1", hash="ab", size_bytes=1, permissions=())
        )
        await told(app, pilot, "//unblock 1/2")
        core.emit(events.AgentDeleted(room=HARBOR, agent="unblock"))
        await told(app, pilot, f"//unblock {NO_HIT_HERE}/1")


async def test_a_hit_that_has_no_room_lights_the_ellipsis_and_columns_stay() -> None:
    core = harbor()
    name = "船" * 16 + "-end"
    core.agents = [agent("plain"), agent(name), agent("xe\u0301x")]
    async with opened(core, NARROW) as (app, pilot):
        await press(pilot, "2")
        agents = pane(app).main
        before = [agents.render_line(y).text for y in range(5)]
        await search(pilot, "船-end")
        await until(pilot, lambda: lit_in(agents) == ["…"])
        await search(pilot, "e")
        assert "e\u0301" in lit_in(agents)
        lines = [agents.render_line(y) for y in range(5)]
        assert [each.text.replace(POINTER, " ") for each in lines] == [each.replace(POINTER, " ") for each in before]
        assert {sum(cell_len(segment.text) for segment in each) for each in lines[1:]} == {agents.size.width - 1}


async def test_hits_are_seen_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2", "G")
        agents = pane(app).main
        await search(pilot, "quiet")
        looks = {
            (segment.text, segment.style.reverse, segment.style.underline)
            for y in range(1, 6)
            for segment in agents.render_line(y)
            if segment.style is not None and segment.text == "quiet"
        }
        assert looks == {("quiet", True, True), ("quiet", True, None)}


async def test_a_hostile_needle_and_hostile_rows_stay_harmless() -> None:
    core = harbor()
    core.agents = [agent("\x1b]52[red]"), agent("[red]z")]
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        agents = pane(app).main
        agents.seek("[red]")
        await settled(pilot)
        assert lit_in(agents) == ["[red]", "[red]"]
        agents.seek("\x1b]52")
        await settled(pilot)
        assert lit_in(agents) == ["\\x1b]52"]
        await told(app, pilot, "//\\x1b]52 ")
        assert "\x1b" not in shown(app)


async def test_searching_ten_thousand_rows_draws_what_is_visible() -> None:
    core = FakeCore(
        node=node(),
        rooms=[world.room(HARBOR, "quiet-harbor")],
        agents=[agent(f"a{number:05d}") for number in range(10_000)],
    )
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        agents = pane(app).main
        before = agents.drawn_rows
        await search(pilot, "9")
        await told(app, pilot, "//9 1/3,439 · 10,000 agents")
        await press(pilot, "N")
        await until(pilot, lambda: agents.model.at(agents.model.place).cells[1] == "a09999")
        assert agents.drawn_rows - before <= 8 * (agents.window + 2)


# --- in texts -------------------------------------------------------------------------------------------------------


async def texts(app: OrlopApp, pilot: Pilot[int], lines: list[Line]) -> SheetView:
    """A text over the screen."""
    await app.push_screen(SheetScreen(title="Text", lines=lines))
    view = app.screen.query_one("#sheet", SheetView)
    await until(pilot, lambda: laid_out(view))
    return view


def laid_out(view: SheetView) -> bool:
    """Whether the text is wrapped to the width that there is."""
    return 0 < view._width == view.scrollable_content_region.width and view.virtual_size.height > 0


async def test_a_text_over_the_screen_is_searched_with_one_slash_or_two() -> None:
    async with opened(harbor(), NARROW) as (app, pilot):
        view = await texts(app, pilot, [line(f"line {number:02d} ship") for number in range(60)])
        for keys in ("ship", "/ship"):
            await press(pilot, "slash")
            await typed(pilot, keys)
            await press(pilot, "enter")
            await until(pilot, lambda: "Text  //ship 1/60" in shown(app))
            await until(pilot, lambda: "n next · N previous · esc ends the search" in shown(app))
            await press(pilot, "escape")
            await until(pilot, lambda: "Text ─" in shown(app))
            await until(pilot, lambda: len(app.screen_stack) == 2)
        await press(pilot, "slash")
        await typed(pilot, "ship")
        await press(pilot, "enter", "N")
        await until(pilot, lambda: "//ship 60/60 · from the end" in shown(app))
        await until(pilot, lambda: "line 59" in shown(app))
        await press(pilot, "n", "n")
        await until(pilot, lambda: "//ship 2/60" in shown(app))
        await until(pilot, lambda: view.scroll_offset.y == 0)
        await press(pilot, "G", "n")
        hits = view._hits
        assert hits is not None
        # It goes on from what is in the window, not from the hit that was left.
        await until(pilot, lambda: hits.place > 30)
        await press(pilot, "escape", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_the_output_of_a_job_is_searched_while_it_comes() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "4", "L", "slash")
        await typed(pilot, "pass")
        await press(pilot, "enter")
        total = sheet(app, "sheet").count("pass")
        await until(pilot, lambda: f"//pass 1/{total}" in shown(app))
        row = world.JOBS[0]
        core.emit(events.JobOutput(job=row.job, stream="stdout", offset=57, length=5, data_b64="CnBhc3M="))
        await until(pilot, lambda: f"//pass 1/{total + 1}" in shown(app))


@pytest.mark.parametrize("width", [20, 33, 60])
async def test_a_hit_that_a_line_end_breaks_is_lit_on_both_rows(width: int) -> None:
    text = "LABEL " + "stern to bow " * 8 + "港" * 30 + "e\u0301" * 30 + "x" * 50
    async with opened(harbor(), (60, 30)) as (app, pilot):
        view = await texts(app, pilot, [line((text, ""), indent=6), line("after")])
        view.styles.width = width
        await until(pilot, lambda: view.size.width == width and laid_out(view))
        for needle in ("港" * 30, "e\u0301" * 30, "x" * 50, "stern to bow"):
            view.seek(needle)
            await settled(pilot)
            lit_text = "".join(lit_in(view))
            hits = text.count(needle)
            assert lit_text.replace(" ", "") == (needle * hits).replace(" ", "")


async def test_searching_does_not_move_the_text() -> None:
    async with opened(harbor(), NARROW) as (app, pilot):
        view = await texts(app, pilot, [line(("some words that are long enough to be wrapped " * 6, "dim"), indent=4)])
        before = [view.render_line(y).text for y in range(8)]
        view.seek("o")
        await settled(pilot)
        assert [view.render_line(y).text for y in range(8)] == before


# --- typed in one go ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "before", "value"),
    [("//port", "", "/port"), ("/b", "port", "b"), (":agents list", "", "agents list")],
)
async def test_what_is_typed_while_the_line_opens_is_in_the_line(keys: str, before: str, value: str) -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2")
        pane(app).filter(before)
        for char in keys:
            app.post_message(Key(character_to_key(char), char))
        await until(pilot, lambda: [line.value for line in app.screen.query(Input)] == [value])
        await typed(pilot, "x")
        await until(pilot, lambda: app.screen.query_one(Input).value == f"{value}x")
