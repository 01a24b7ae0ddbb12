"""The screen over a real core: what an operator does on the first day, with real modules and a real directory."""

from pathlib import Path

from console.local import LocalCore
from console.ui.app import OrlopApp
from console.ui.options import UiOptions
from runtime.clock import SystemClock
from tests.console.ui.screen import pane, press, row_of, settled, sheet, shown, typed, until

ASSETS = Path(__file__).parents[3] / "assets"


def options(directory: Path) -> UiOptions:
    from console.cmdline.connect import core_options
    from console.cmdline.options import Options

    config = directory.parent / "config.toml"
    config.touch()
    settings = core_options(Options(state_dir=str(directory), config=str(config)), owner=True)
    return UiOptions(connect=lambda: LocalCore(settings, face="ui"), frames=50)


async def test_the_first_day(tmp_path: Path) -> None:
    app = OrlopApp(options(tmp_path / "state"), SystemClock())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.desk.ready)
        await settled(pilot)

        await press(pilot, "a")
        await typed(pilot, "quiet-harbor")
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: len(app.desk.view.rooms) == 1)
        await press(pilot, "enter", "a")
        await typed(pilot, "Ring the bell")
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: "Ring the bell" in shown(app))
        await press(pilot, "space")
        await until(pilot, lambda: "100 %" in row_of(app, "room-line"))

        await press(pilot, "2", "u")
        app.screen.query_one("#module").value = str(ASSETS / "agents/unblock/unblock.wasm")  # type: ignore[attr-defined]
        await until(pilot, lambda: "It asks for" in shown(app))
        for permission in ("read_tasks", "emit_events"):
            app.screen.query_one(f"#{permission}").focus()
            await press(pilot, "space")
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: len(app.desk.view.agents) == 1)
        await settled(pilot)
        await press(pilot, "space")
        await until(pilot, lambda: app.desk.view.active == 1)

        await press(pilot, "4", "r")
        app.screen.query_one("#module").value = str(ASSETS / "jobs/hello/hello.wasm")  # type: ignore[attr-defined]
        app.screen.query_one("#input").value = "Hello, harbor"  # type: ignore[attr-defined]
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: app.desk.view.job_states["done"] == 1)
        await until(pilot, lambda: "robrah ,olleH" in sheet(app, "job"))

        await press(pilot, "o")
        await until(pilot, lambda: pane(app).NUMBER == 5)
        await press(pilot, "enter")
        await until(pilot, lambda: "✓ valid" in sheet(app, "receipt"))
        assert sheet(app, "receipt").count("✓") >= 8
        await press(pilot, "7")
        assert "receipt.verified" in shown(app)
    app.desk.close()

    app = OrlopApp(options(tmp_path / "state"), SystemClock())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.desk.ready)
        await until(pilot, lambda: app.desk.view.active == 1)
        await press(pilot, "2", "D", "right", "enter")
        await until(pilot, lambda: not app.desk.view.agents)
        await press(pilot, "5")
        assert "✓ valid" in shown(app)
    app.desk.close()
