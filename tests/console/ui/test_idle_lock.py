"""A screen that nobody touches asks the core to lock; whoever presses a key begins the time anew."""

from runtime.clock import ManualClock
from tests.console.ui.harbor import harbor
from tests.console.ui.screen import opened, press, until


async def test_w25_after_the_idle_time_the_screen_asks_for_the_lock_once() -> None:
    core = harbor()
    async with opened(core, lock_after_s=300.0) as (app, pilot):
        assert isinstance(app.desk.clock, ManualClock)
        app.desk.clock.advance(299)
        await press(pilot, "down")
        app.desk.clock.advance(299)
        app._second()
        assert core.changing() == []
        app.desk.clock.advance(1)
        app._second()
        app._second()
        await until(pilot, lambda: bool(core.changing()))
        assert core.changing() == [("lock", {"idle": "true"})]


async def test_without_the_setting_a_screen_never_locks() -> None:
    core = harbor()
    async with opened(core) as (app, _):
        assert isinstance(app.desk.clock, ManualClock)
        app.desk.clock.advance(1_000_000)
        app._second()
        assert core.changing() == []
