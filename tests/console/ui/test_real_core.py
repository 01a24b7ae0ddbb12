"""The screen over a real core: what an operator does on the first day, with real modules and a real directory."""

from collections.abc import Callable
from pathlib import Path

import psutil
from textual.pilot import Pilot

from console.local import LocalCore
from console.ui.app import OrlopApp
from console.ui.options import UiOptions
from console.ui.panes.rooms import RoomsPane
from console.ui.screens.confirm import ConfirmScreen
from console.ui.screens.lock import LockScreen
from console.ui.screens.pin import PinScreen
from console.ui.widgets.live_table import LiveTable
from console.view import TERMINAL
from runtime.clock import SystemClock
from tests import hostile
from tests.console.ui.screen import pane, press, row_of, settled, sheet, shown, typed, until

ASSETS = Path(__file__).parents[3] / "assets"


def options(directory: Path) -> UiOptions:
    from console.cmdline.connect import core_options
    from console.cmdline.options import Options

    config = directory.parent / "config.toml"
    config.touch()
    settings = core_options(Options(state_dir=str(directory), config=str(config)), owner=True)
    return UiOptions(connect=lambda: LocalCore(settings, face="ui"), frames=50)


async def closed(pilot: Pilot[int]) -> None:
    """Waits until no dialog is open: what is typed next is for the pane."""
    await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
    await settled(pilot)


async def standing_on(pilot: Pilot[int], table: Callable[[], LiveTable], cell: str) -> None:
    """Waits until a row is in its place with the cursor on it: only then do keys mean it."""
    await until(
        pilot, lambda: (row := table().model.current) is not None and table().model.place >= 0 and cell in row.cells
    )


async def a_room_with_a_task(app: OrlopApp, pilot: Pilot[int]) -> None:
    """Makes a room, a task in it, and does the task."""
    await press(pilot, "a")
    await typed(pilot, "quiet-harbor")
    await press(pilot, "ctrl+s")
    await closed(pilot)
    await standing_on(pilot, lambda: pane(app).main, "quiet-harbor")
    await press(pilot, "enter", "a")
    await typed(pilot, "Ring the bell")
    await press(pilot, "ctrl+s")
    await closed(pilot)
    await standing_on(pilot, lambda: app.query_one(RoomsPane).tasks, "Ring the bell")
    await press(pilot, "space")
    await until(pilot, lambda: "100 %" in row_of(app, "room-line"))


async def an_agent(app: OrlopApp, pilot: Pilot[int]) -> None:
    """Uploads an agent with two permissions and starts it."""
    await press(pilot, "2", "u")
    app.screen.query_one("#module").value = str(ASSETS / "agents/unblock/unblock.wasm")  # type: ignore[attr-defined]
    await until(pilot, lambda: "It asks for" in shown(app))
    for permission in ("read_tasks", "emit_events"):
        app.screen.set_focus(app.screen.query_one(f"#{permission}"))
        await press(pilot, "space")
    await press(pilot, "ctrl+s")
    await closed(pilot)
    await standing_on(pilot, lambda: pane(app).main, "unblock")
    await press(pilot, "space")
    await until(pilot, lambda: app.desk.view.active == 1)


async def a_job(app: OrlopApp, pilot: Pilot[int]) -> None:
    """Runs a job on typed input and sees what it writes."""
    await press(pilot, "4", "r")
    app.screen.query_one("#module").value = str(ASSETS / "jobs/hello/hello.wasm")  # type: ignore[attr-defined]
    app.screen.query_one("#input").value = "Hello, harbor"  # type: ignore[attr-defined]
    await press(pilot, "ctrl+s")
    await closed(pilot)
    await until(pilot, lambda: ended(app))
    assert {(row.state, row.reason) for row in app.desk.view.jobs.values()} == {("done", "")}
    await until(pilot, lambda: "robrah ,olleH" in sheet(app, "job"))
    await until(pilot, lambda: all(row.receipt for row in app.desk.view.jobs.values()))


async def its_receipt(app: OrlopApp, pilot: Pilot[int]) -> None:
    """Checks the receipt step by step, then the chain."""
    await press(pilot, "o")
    await until(pilot, lambda: pane(app).NUMBER == 5)
    await standing_on(pilot, lambda: pane(app).main, "#0")
    await press(pilot, "enter")
    await until(pilot, lambda: "✓ valid" in sheet(app, "receipt"))
    assert sheet(app, "receipt").count("✓") >= 8
    await press(pilot, "escape", "C")
    await until(pilot, lambda: len(app.screen_stack) == 2)
    assert "✓ whole: 1 receipt in 1 chain, 0 faults" in sheet(app, "sheet")
    await press(pilot, "escape", "7")
    await until(pilot, lambda: "receipt.verified" in shown(app))


async def test_the_first_day(tmp_path: Path) -> None:
    app = OrlopApp(options(tmp_path / "state"), SystemClock())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.desk.ready)
        await settled(pilot)
        for step in (a_room_with_a_task, an_agent, a_job, its_receipt):
            await step(app, pilot)
    app.desk.close()

    app = OrlopApp(options(tmp_path / "state"), SystemClock())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.desk.ready)
        await until(pilot, lambda: app.desk.view.active == 1)
        await press(pilot, "2")
        await standing_on(pilot, lambda: pane(app).main, "unblock")
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await press(pilot, "right", "enter")
        await until(pilot, lambda: not app.desk.view.agents)
        await press(pilot, "5")
        assert "✓ valid" in shown(app)
    app.desk.close()


async def test_jobs_of_the_queue_are_run_and_run_again(tmp_path: Path) -> None:
    app = OrlopApp(options(tmp_path / "state"), SystemClock())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.desk.ready)
        await settled(pilot)
        await press(pilot, "4", "r")
        for name, value in (("module", str(ASSETS / "jobs/hello/hello.wasm")), ("input", "Hello"), ("priority", "5")):
            app.screen.query_one(f"#{name}").value = value  # type: ignore[attr-defined]
        app.screen.set_focus(app.screen.query_one("#when"))
        await press(pilot, "right", "ctrl+s")
        await closed(pilot)
        await until(pilot, lambda: ended(app))
        (first,) = app.desk.view.jobs
        assert (app.desk.view.jobs[first].state, app.desk.view.jobs[first].priority) == ("done", 5)
        await until(pilot, lambda: pane(app).main.model.cursor == first)
        await until(pilot, lambda: "olleH" in sheet(app, "job") and "REPEAT" in sheet(app, "job"))
        assert "--memory 128MiB" in sheet(app, "job")

        await press(pilot, "R")
        await until(pilot, lambda: len(app.desk.view.jobs) == 2 and ended(app))
        assert {row.state for row in app.desk.view.jobs.values()} == {"done"}
        await until(pilot, lambda: pane(app).main.model.cursor not in {None, first})

        await until(pilot, lambda: all(row.receipt for row in app.desk.view.jobs.values()))
        await press(pilot, "o")
        await until(pilot, lambda: pane(app).NUMBER == 5)
        await standing_on(pilot, lambda: pane(app).main, "← 0")
        await press(pilot, "R")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert "✓ the same: the same output, fuel and end" in sheet(app, "sheet")
    app.desk.close()


def ended(app: OrlopApp) -> bool:
    """Whether there are jobs, and none that still runs."""
    rows = app.desk.view.jobs.values()
    return bool(rows) and all(row.state in TERMINAL for row in rows)


def busy_worker() -> psutil.Process | None:
    """The process in which a job burns processor time; the others wait for one."""
    workers = [worker for zygote in psutil.Process().children() for worker in zygote.children()]
    burning = []
    for worker in workers:
        try:
            if worker.cpu_times().user > 0.3:  # a forked process begins at none; one that waits has next to none
                burning.append(worker)
        except psutil.NoSuchProcess:
            continue
    return burning[0] if len(burning) == 1 else None


async def test_a_job_whose_worker_is_killed_is_lost_and_the_screen_goes_on(tmp_path: Path) -> None:
    spin = tmp_path / "spin.wasm"
    spin.write_bytes(hostile.job("spin"))
    app = OrlopApp(options(tmp_path / "state"), SystemClock())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.desk.ready)
        await settled(pilot)
        await press(pilot, "4", "r")
        app.screen.query_one("#module").value = str(spin)  # type: ignore[attr-defined]
        app.screen.query_one("#timeout").value = "10m"  # type: ignore[attr-defined]
        await pilot.press("ctrl+s")  # the command goes on for as long as the job
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await until(pilot, lambda: any(row.state == "running" for row in app.desk.view.jobs.values()))
        await until(pilot, lambda: busy_worker() is not None)

        for number, key in enumerate(("1", "2", "j", "5", "7", "G", "4", "j", "question_mark", "escape", "1", "4")):
            if number == 5:
                worker = busy_worker()
                assert worker is not None
                worker.kill()
            await pilot.press(key)
        await until(pilot, lambda: ended(app))
        (lost,) = app.desk.view.jobs.values()
        assert (lost.state, lost.outcome, lost.receipt) == ("lost", "lost", "")
        await standing_on(pilot, lambda: pane(app).main, "lost")
        await until(pilot, lambda: "was ended by SIGKILL" in " ".join(sheet(app, "job").split()))

        await press(pilot, "r")
        app.screen.query_one("#module").value = str(ASSETS / "jobs/hello/hello.wasm")  # type: ignore[attr-defined]
        app.screen.query_one("#input").value = "Hello again"  # type: ignore[attr-defined]
        await press(pilot, "ctrl+s")
        await closed(pilot)
        await until(pilot, lambda: len(app.desk.view.jobs) == 2 and ended(app))
        assert sorted(row.state for row in app.desk.view.jobs.values()) == ["done", "lost"]
        assert app.fault is None
    app.desk.close()


async def test_a_task_is_made_changed_and_undone_by_keys_alone(tmp_path: Path) -> None:
    app = OrlopApp(options(tmp_path / "state"), SystemClock())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.desk.ready)
        await settled(pilot)
        await press(pilot, "a")
        await typed(pilot, "quiet-harbor")
        await press(pilot, "ctrl+s")
        await closed(pilot)
        await standing_on(pilot, lambda: pane(app).main, "quiet-harbor")
        await press(pilot, "enter", "a")
        await typed(pilot, "Ring the bell")
        await press(pilot, "ctrl+s")
        await closed(pilot)

        def tasks() -> LiveTable:
            return app.query_one(RoomsPane).tasks

        await standing_on(pilot, tasks, "Ring the bell")
        await press(pilot, "S")
        await typed(pilot, "Polish it")
        await press(pilot, "ctrl+s")
        await closed(pilot)
        await until(pilot, lambda: len(tasks().model.order) == 2)
        await press(pilot, "t")
        await typed(pilot, "!")
        await press(pilot, "enter")
        await standing_on(pilot, tasks, "Ring the bell!")
        await press(pilot, "w", "space", "ctrl+s")
        await closed(pilot)
        await standing_on(pilot, tasks, "waits")
        await press(pilot, "u")
        await standing_on(pilot, tasks, "open")
    app.desk.close()


async def test_a_room_is_burned_when_its_name_was_typed(tmp_path: Path) -> None:
    app = OrlopApp(options(tmp_path / "state"), SystemClock())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.desk.ready)
        await settled(pilot)
        await a_room_with_a_task(app, pilot)
        await press(pilot, "c")
        await typed(pilot, "/burn")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        app.screen.query_one("#typed").focus()
        await typed(pilot, "quiet-harbor")
        await press(pilot, "tab", "tab", "enter")
        await until(pilot, lambda: not app.desk.view.rooms)
    app.desk.close()


async def test_w25_the_screen_is_locked_and_unlocked_with_the_pin_that_was_set(tmp_path: Path) -> None:
    app = OrlopApp(options(tmp_path / "state"), SystemClock())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.desk.ready)
        await settled(pilot)
        await a_room_with_a_task(app, pilot)
        await pilot.press("Z")
        await until(pilot, lambda: isinstance(app.screen, PinScreen))
        await typed(pilot, "271828")
        await pilot.press("down")
        await typed(pilot, "271828")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, LockScreen))
        await settled(pilot)
        assert "Ring" not in shown(app)
        assert "harbor" not in shown(app)
        await typed(pilot, "314159")
        await until(pilot, lambda: "wrong" in shown(app))
        await typed(pilot, "271828")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await until(pilot, lambda: "Ring the bell" in shown(app))
    app.desk.close()
