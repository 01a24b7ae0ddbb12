"""The application over a scripted core, ready to be pressed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from console.ui.app import OrlopApp
from console.ui.panes.pane import Pane
from console.ui.widgets.ribbon import Ribbon
from console.ui.widgets.sheet_view import SheetView
from tests.console.ui.fake_core import FakeCore, clock

_NAMES = {
    " ": "space",
    "/": "slash",
    ":": "colon",
    ".": "full_stop",
    "-": "minus",
    "_": "underscore",
    "[": "left_square_bracket",
    "|": "vertical_line",
    "!": "exclamation_mark",
    ">": "greater_than_sign",
    ",": "comma",
    "=": "equals_sign",
    "'": "apostrophe",
}
_CALM = 3
"""Rounds in which nothing was under way, before nothing is."""

_ROUNDS = 500
WIDE = (120, 40)
NARROW = (80, 24)


@asynccontextmanager
async def opened(
    core: FakeCore, size: tuple[int, int] = WIDE, *, notifications: bool = True, **options: object
) -> AsyncIterator[tuple[OrlopApp, Pilot[int]]]:
    """The application once the core's rows are on the screen."""
    app = OrlopApp(core.options(**options), clock())
    async with app.run_test(size=size, notifications=notifications) as pilot:
        await until(pilot, lambda: app.desk.ready)
        await settled(pilot)
        yield app, pilot
    app.desk.close()


async def until(pilot: Pilot[int], holds: Callable[[], bool]) -> None:
    """Waits until something holds; the test's own time limit is the bound."""
    for _ in range(30_000):
        if holds() or pilot.app._exception is not None:
            return
        assert not (left := _left_with(pilot)), f"the screen was left: {left}"
        await asyncio.sleep(0.004)
    assert isinstance(pilot.app, OrlopApp)
    raise AssertionError(f"it never held; toasts: {toasts(pilot.app)}; on the screen:\n{shown(pilot.app)}")


def _left_with(pilot: Pilot[int]) -> str:
    fault = pilot.app.fault if isinstance(pilot.app, OrlopApp) else None
    return "" if fault is None else fault.line


async def drained(pilot: Pilot[int]) -> None:
    """Waits until every message that is under way has been dealt with.

    A key goes from the application to the screen, to the widget with the focus and back up to whose action it is; an
    action may push a screen that composes itself. Textual's own wait looks at the processor time of this process, which
    also stands still when a loaded machine lets others run.
    """
    app, calm = pilot.app, 0
    for _ in range(_ROUNDS):
        if not await pilot._wait_for_screen():
            return
        nodes = [app, *app.screen.walk_children(with_self=True)]
        calm = calm + 1 if all(not node.message_queue_size for node in nodes) else 0
        if calm == _CALM:
            return


async def settled(pilot: Pilot[int]) -> None:
    """Waits until the pane has asked for what it shows, and drawn it."""
    app = pilot.app
    assert isinstance(app, OrlopApp)

    def quiet() -> bool:
        pane = app.pane
        busy = pane is not None and pane._fetch_timer is not None
        return not busy and all(worker.is_finished for worker in app.workers) and not app._feed._armed

    await drained(pilot)
    await until(pilot, quiet)
    await drained(pilot)
    await pilot.pause()


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Presses keys and waits until their effect is there."""
    for key in keys:
        await pilot.press(key)
        await drained(pilot)
    await settled(pilot)


async def typed(pilot: Pilot[int], text: str) -> None:
    """Types a text into the line that has the focus."""
    for char in text:
        await pilot.press(_NAMES.get(char, char))
    await drained(pilot)
    await pilot.pause()


def pane(app: OrlopApp) -> Pane:
    found = app.pane
    assert found is not None
    return found


def sheet(app: OrlopApp, name: str) -> str:
    return app.screen.query_one(f"#{name}", SheetView).text


def row_of(app: OrlopApp, name: str) -> str:
    return app.screen_stack[0].query_one(f"#{name}", Ribbon).text


def shown(app: OrlopApp) -> str:
    """What stands on the whole screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def said(app: OrlopApp) -> str:
    """The words on the screen, as if no line ended."""
    return " ".join(shown(app).replace("│", " ").split())


def toasts(app: OrlopApp) -> list[str]:
    return [note.message for note in app._notifications]
