"""Panes under keys: switching, cursors, filters, sizes, and the commands that keys run."""

import gc
from functools import partial

import pytest

from console.rows import AgentRow
from console.ui.once import only_newest
from console.ui.panes.log import LogPane
from console.ui.panes.receipts import ReceiptsPane
from console.ui.panes.rooms import RoomsPane
from console.ui.text.agents import agent_key
from runtime import events
from runtime.events import Record
from tests.console.ui import harbor as world
from tests.console.ui.fake_core import NOW, FakeCore
from tests.console.ui.harbor import HARBOR, RECEIPTS, agent, harbor, node
from tests.console.ui.screen import NARROW, opened, pane, press, row_of, settled, sheet, shown, toasts, typed, until


async def test_numbers_switch_panes_from_any_focus() -> None:
    async with opened(harbor()) as (app, pilot):
        for key, number in (("2", 2), ("4", 4), ("5", 5), ("7", 7), ("1", 1)):
            await press(pilot, key)
            assert number == pane(app).NUMBER
        await press(pilot, "2", "enter", "tab", "4")
        assert pane(app).NUMBER == 4
        await press(pilot, "slash")
        await typed(pilot, "x2")
        assert pane(app).NUMBER == 4
        await press(pilot, "escape", "5")
        assert pane(app).NUMBER == 5
        await press(pilot, "1", "c")
        await typed(pilot, "2/4:")
        assert pane(app).NUMBER == 1
        assert app.focused is not None
        assert app.focused.value == "2/4:"  # type: ignore[attr-defined]
        await press(pilot, "escape", "7")
        assert pane(app).NUMBER == 7


async def test_a_click_on_the_strip_switches_panes() -> None:
    async with opened(harbor()) as (app, pilot):
        at = row_of(app, "strip").index("4 Jobs")
        await pilot.click("#strip", offset=(at + 1, 0))
        await settled(pilot)
        assert pane(app).NUMBER == 4


async def test_the_cursor_stays_on_its_agent_when_rows_come_go_and_change_places() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2")
        table = pane(app).main
        table.select(agent_key(HARBOR, "unblock"))
        await press(pilot, "s", "j", "enter")
        core = app.desk.client
        assert isinstance(core, FakeCore)
        core.emit(
            events.AgentUploaded(room=HARBOR, agent="aaa", version="1", hash="ab", size_bytes=1, permissions=()),
            events.AgentDeleted(room=HARBOR, agent="notify"),
            events.AgentDeactivated(room=HARBOR, agent="unblock", reason="operator"),
        )
        await until(pilot, lambda: agent_key(HARBOR, "aaa") in table.model.index)
        assert table.model.cursor == agent_key(HARBOR, "unblock")
        assert "notify" not in shown(app)


async def test_the_keys_that_fit_are_shown_whole_after_the_terminal_shrank() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "3")
        assert "// search" in row_of(app, "keys")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "// search" not in row_of(app, "keys"))
        assert "? help" in shown(app)


async def test_a_removed_row_leaves_the_cursor_on_its_neighbour() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        table = pane(app).main
        order = list(table.model.order)
        table.select(order[2])
        room, _, name = order[2].partition("/")
        core.emit(events.AgentDeleted(room=room, agent=name))
        await until(pilot, lambda: order[2] not in table.model.index)
        assert table.model.cursor == order[3]
        assert table.model.place == 2


async def test_a_filter_narrows_while_it_is_typed_and_a_bad_one_changes_nothing() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2", "slash")
        await typed(pilot, "state:act")
        assert pane(app).main.model.order == [agent_key(HARBOR, "auto-balance"), agent_key(HARBOR, "unblock")]
        await typed(pilot, " re:[")
        assert len(pane(app).main.model.order) == 2
        assert "bad regular expression" in shown(app)
        await press(pilot, "backspace", "backspace", "backspace", "backspace", "enter")
        assert "2 of 5 agents · /state:act" in row_of(app, "status")
        await press(pilot, "escape")
        assert len(pane(app).main.model.order) == 5


async def test_sort_menu_header_click_and_inversion() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "2", "s", "g", "j", "enter")
        model = pane(app).main.model
        assert (model.sort, model.descending) == ("agent", False)
        assert model.order[0].endswith("/auto-balance")
        await press(pilot, "I")
        assert model.order[0].endswith("/unblock")
        await press(pilot, "greater_than_sign")
        assert model.sort == "room"
        await pilot.click("#agents", offset=(5, 1))
        await pilot.pause()
        assert (model.sort, model.descending) == ("agent", False)
        await pilot.click("#agents", offset=(5, 1))
        await pilot.pause()
        assert (model.sort, model.descending) == ("agent", True)


async def test_ten_thousand_rows_cost_what_is_visible() -> None:
    rows = [agent(f"a{number:05d}") for number in range(10_000)]
    core = FakeCore(node=node(), rooms=[world.room(HARBOR, "quiet-harbor")], agents=rows)
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        table = pane(app).main
        before = table.drawn_rows
        assert before < 200
        for row in rows[:500]:
            core.emit(_tick(row))
        await until(pilot, lambda: app._feed.waiting == 0 and not app._feed._armed)
        await settled(pilot)
        assert app.desk.view.agents[HARBOR, "a00499"].calls == 62
        assert table.drawn_rows - before <= 2 * (table.window + 2)
        await press(pilot, "G")
        assert table.model.place == 9_999
        assert table.drawn_rows - before <= 4 * (table.window + 2)


def _tick(row: AgentRow) -> events.TickCompleted:
    return events.TickCompleted(room=row.room, agent=row.agent, n=62, trigger="tick", duration_us=100, emitted=0)


async def test_a_burst_becomes_few_frames_and_an_endless_one_a_gap() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        frames: list[int] = []
        take = app._feed._take
        app._feed._take = lambda records, lost: (frames.append(len(records)), take(records, lost))[1]
        for _ in range(500):
            core.emit(_tick(world.agent("unblock")))
        await until(pilot, lambda: sum(frames) == 500)
        assert len(frames) <= 3
        app._feed._limit = 10
        snapshots = core.snapshots
        for _ in range(30):
            core.emit(_tick(world.agent("unblock")))
        assert app._feed.waiting == 10
        await until(pilot, lambda: core.snapshots > snapshots)
        assert "GAP 20" in row_of(app, "header")


@pytest.mark.parametrize("number", ["1", "2", "3", "4", "5", "7"])
async def test_sizes_down_to_almost_nothing_keep_the_cursor(number: str) -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, number, "j", "j")
        kept = pane(app).table.model.cursor
        for size in ((60, 15), (20, 5), (1, 1), (200, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            if size == (20, 5):
                await until(pilot, lambda: "orlop needs 60x15" in shown(app))
        assert pane(app).table.model.cursor == kept
        await press(pilot, "k")
        assert pane(app).table.model.cursor is not None


async def test_a_narrow_screen_shows_one_part_and_enter_opens_the_next() -> None:
    async with opened(harbor(), NARROW) as (app, pilot):
        await press(pilot, "2")
        assert "LIKELY CAUSES" not in shown(app)
        assert "probes once" in shown(app)
        await press(pilot, "enter")
        assert "LIKELY CAUSES" in shown(app)
        assert "AGENT " not in shown(app)
        await press(pilot, "escape")
        assert "AGENT " in shown(app)


async def test_text_that_looks_like_markup_is_shown_as_it_is() -> None:
    core = harbor()
    core.agents[0] = agent(
        "auto-balance", reasons=("[red]no[/red] [@click=app.quit]x[/]",), failures=1, problem="[b]hm[/x]"
    )
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "auto-balance"))
        await settled(pilot)
        assert "[red]no[/red]" in shown(app)
        assert "[@click=app.quit]" in sheet(app, "agent").replace("\n", "")
        core.refuse("agents deactivate", "[bold]no[/bold] [/x]")
        await press(pilot, "space")
        assert any("[bold]no[/bold] [/x]" in toast for toast in toasts(app))


# --- what keys do ---------------------------------------------------------------------------------------------------


async def test_the_switch_of_an_agent_undoes_itself() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "unblock"))
        await press(pilot, "space")
        core.emit(events.AgentDeactivated(room=HARBOR, agent="unblock", reason="operator"))
        await until(pilot, lambda: app.desk.view.agents[HARBOR, "unblock"].state == "off")
        await press(pilot, "space")
        args = {"agent": "unblock", "room": HARBOR}
        assert core.changing() == [("agents deactivate", args), ("agents activate", args)]
        assert "✓ agents activate" in row_of(app, "status")


async def test_a_trip_is_explained_with_its_reasons_and_what_helps() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "faulty"))
        await settled(pilot)
        text = sheet(app, "agent")
        for words in (
            "3 of 3 tick calls failed in a row",
            "unreachable instruction executed",
            "out of bounds memory access",
            "call stack exhausted",
            "recursion without an end",
            "probe: one call",
            "start it afresh",
            "unsigned",
            "not granted",
        ):
            assert words in text
        await press(pilot, "P")
        assert core.changing() == [("agents probe", {"agent": "faulty", "room": HARBOR})]
        pane(app).main.select(agent_key(HARBOR, "unblock"))
        await press(pilot, "P")
        assert len(core.changing()) == 1
        assert "probe is for a tripped agent" in toasts(app)[-1]


async def test_a_failure_elsewhere_marks_its_pane_until_it_is_looked_at() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        core.emit(events.BreakerTripped(room=HARBOR, agent="unblock", trigger="tick", failures=3, reasons=("x",)))
        await until(pilot, lambda: "▲" in row_of(app, "strip"))
        assert "2 TRIPPED" in row_of(app, "header")
        await press(pilot, "2", "1")
        assert "▲" not in row_of(app, "strip")


async def test_marks_make_one_action_of_several() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "5", "space", "space", "V")
        verified = [args["receipt"] for name, args in core.calls if name == "receipts verify"]
        assert verified == [RECEIPTS[0].receipt, RECEIPTS[1].receipt]
        assert "2 marked" in row_of(app, "status")
        await press(pilot, "escape")
        assert "marked" not in row_of(app, "status")


@pytest.mark.parametrize(
    ("place", "steps", "verdict"),
    [(0, world.STEPS, "✓ valid"), (5, world.TAMPERED, "✗ invalid: step 4"), (6, world.UNCHECKED, "? not checked")],
    ids=["valid", "tampered", "unchecked"],
)
async def test_the_steps_on_the_screen_are_the_verifier_s(
    place: int, steps: tuple[events.Step, ...], verdict: str
) -> None:
    core = harbor()
    core.history = []
    async with opened(core) as (app, pilot):
        await press(pilot, "5")
        assert isinstance(pane(app), ReceiptsPane)
        pane(app).main.select(RECEIPTS[place].receipt)
        await settled(pilot)
        assert "not verified on this screen yet" in sheet(app, "receipt")
        await press(pilot, "enter")
        text = sheet(app, "receipt")
        marks = {True: "✓", False: "✗", None: "?"}
        for number, step in enumerate(steps, 1):
            line = next(line for line in text.split("\n") if f" {number} " in line[:4])
            assert line.startswith(marks[step.ok])
            assert line.endswith(step.detail)
        assert verdict in text
        assert not toasts(app)


async def test_tasks_from_the_keys_of_the_pane() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "enter")
        tasks = pane(app)
        assert isinstance(tasks, RoomsPane)
        tasks.tasks.select("t07")
        await press(pilot, "space", "U", "b")
        tasks.tasks.select("t09")
        await press(pilot, "space")
        tasks.tasks.select("t01")
        await press(pilot, "U")
        assert core.changing() == [
            ("rooms task", {"room": HARBOR, "done": "t07"}),
            ("rooms task", {"room": HARBOR, "urgent": "t07"}),
            ("rooms task", {"room": HARBOR, "start": "t07"}),
            ("rooms task", {"room": HARBOR, "reopen": "t09"}),
            ("rooms task", {"room": HARBOR, "urgent": "t01", "off": "true"}),
        ]


async def test_the_tree_of_tasks_folds() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "enter")
        tasks = pane(app)
        assert isinstance(tasks, RoomsPane)
        tasks.tasks.select("t03")
        await press(pilot, "h")
        assert "t06" not in tasks.tasks.model.index
        assert "▸ Write the incident" in shown(app)
        await press(pilot, "l")
        assert "t06" in tasks.tasks.model.index


async def test_the_chat_line_says_and_adds_tasks() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "c")
        await typed(pilot, "/task sweep")
        await press(pilot, "enter")
        assert core.changing() == [("rooms say", {"room": HARBOR, "text": "/task sweep"})]
        assert app.focused is not None
        assert app.focused.value == ""  # type: ignore[attr-defined]


async def test_news_of_the_room_are_asked_for() -> None:
    core = harbor()
    async with opened(core) as (_app, pilot):
        before = len([1 for name, _ in core.calls if name == "rooms show"])
        core.emit(events.TaskChanged(room=HARBOR, task="t01", change="task_updated", actor="x"))
        await until(pilot, lambda: len([1 for name, _ in core.calls if name == "rooms show"]) > before)


async def test_output_streams_into_the_detail_of_the_job() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "4")
        assert "merge pass 2 of 3" in sheet(app, "job")
        row = world.JOBS[0]
        core.emit(events.JobOutput(job=row.job, stream="stdout", offset=57, length=4, data_b64="CmJ5ZQ=="))
        await until(pilot, lambda: "bye" in sheet(app, "job"))


async def test_cancelling_a_job_asks_and_an_ended_one_says_so() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "4")
        await pilot.press("ctrl+x")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert "Cancel 1 job" in shown(app)
        await press(pilot, "tab", "enter")
        assert core.changing() == [("jobs cancel", {"job": world.JOBS[0].job})]
        await press(pilot, "j", "ctrl+x")
        assert "has ended already" in toasts(app)[-1]


async def test_from_a_job_to_its_receipt() -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, "4", "j", "o")
        await until(pilot, lambda: pane(app).NUMBER == 5)
        assert pane(app).main.model.cursor == RECEIPTS[0].receipt


async def test_the_log_follows_the_newest_until_one_moves_up() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "7")
        log = pane(app)
        assert isinstance(log, LogPane)
        core.emit(events.CoreReady(ms=1))
        await until(pilot, lambda: log.main.model.cursor == str(core.seq))
        await press(pilot, "k")
        kept = log.main.model.cursor
        core.emit(events.CoreReady(ms=2))
        await until(pilot, lambda: str(core.seq) in log.main.model.index)
        assert log.main.model.cursor == kept
        await press(pilot, "f")
        assert log.main.model.cursor == str(core.seq)


async def test_the_log_shows_an_event_in_full_and_goes_to_its_cause() -> None:
    core = harbor()
    core.history.append(
        Record(48_000, NOW, events.BreakerClosed(room=HARBOR, agent="faulty", by="probe", cause=47_975))
    )
    async with opened(core) as (app, pilot):
        await press(pilot, "7", "enter")
        assert '"type": "breaker.closed"' in sheet(app, "event")
        await press(pilot, "escape", "o")
        assert pane(app).main.model.cursor == "47975"
        await press(pilot, "g", "o")
        assert "names no cause" in toasts(app)[-1]


async def test_clearing_the_log_empties_the_view_only() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "7", "c")
        assert not pane(app).main.model.rows
        core.emit(events.CoreReady(ms=2))
        await until(pilot, lambda: len(pane(app).main.model.rows) == 1)


async def test_freezing_stops_the_screen_and_not_the_rows() -> None:
    core = harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "2", "p")
        core.emit(events.AgentDeactivated(room=HARBOR, agent="unblock", reason="operator"))
        await until(pilot, lambda: "FROZEN 1 behind" in row_of(app, "header"))
        assert app.desk.view.agents[HARBOR, "unblock"].state == "off"
        frozen = shown(app)
        assert frozen.count("active") >= 2
        await press(pilot, "p")
        assert "FROZEN" not in row_of(app, "header")
        assert pane(app).main.model.rows[agent_key(HARBOR, "unblock")].cells[3] == "off"


async def test_of_work_that_is_begun_twice_only_the_newest_is_done_and_nothing_is_left_unawaited() -> None:
    did: list[int] = []

    async def work(number: int) -> None:
        did.append(number)

    async with opened(harbor()) as (app, pilot):
        for number in (1, 2):
            only_newest(app, partial(work, number), "a test")
        await settled(pilot)
        assert did == [2]
        gc.collect()  # a coroutine that was never awaited would warn here, which fails the test


@pytest.mark.parametrize(("key", "part"), [("2", "#agent-line"), ("2", "#agent"), ("4", "#job"), ("5", "#receipt")])
async def test_what_the_core_says_while_a_screen_is_taken_down_is_passed_over(key: str, part: str) -> None:
    async with opened(harbor()) as (app, pilot):
        await press(pilot, key)
        await pane(app).query_one(part).remove()
        await pane(app)._fetch()
