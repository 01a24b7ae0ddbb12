"""What only Textual's private parts can do to a terminal, each in one place with a test of its own; and signals."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.app import App

__all__ = ["color_fault", "ended_by_signals", "set_escape_delay", "set_mouse", "size_now", "without_color"]

_EXIT_CODES: Mapping[signal.Signals, int] = MappingProxyType(
    {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
)
_ESCAPE_S = 0.025
_STUCK_S = 10.0


def set_mouse(app: "App[int]", *, on: bool) -> None:
    """Starts or stops reports of the mouse, so that the terminal can select text itself."""
    driver = app._driver  # noqa: SLF001 - Textual has no public way
    if driver is not None:
        name = "_enable_mouse_support" if on else "_disable_mouse_support"
        switch: Callable[[], None] | None = getattr(driver, name, None)
        if switch is not None:
            switch()


def size_now(app: "App[int]") -> tuple[int, int] | None:
    """Columns and rows of the terminal at this moment; None where nothing but Textual knows them.

    Textual asks for the size in its handler of SIGWINCH and passes it on. A second signal may come between the two, and
    its handler runs inside the first one's: the older size is then passed on last, and the screen stays in it.
    """
    driver = app._driver  # noqa: SLF001 - Textual has no public way
    if driver is None or app.is_headless or getattr(driver, "_in_band_window_resize", False):
        return None
    ask: Callable[[], tuple[int, int]] | None = getattr(driver, "_get_terminal_size", None)
    return None if ask is None else ask()


def set_escape_delay() -> None:
    """Makes `esc` quick, unless the environment asks for another delay."""
    from textual import constants

    if "ESCDELAY" not in os.environ:
        setattr(constants, "ESCAPE_DELAY", _ESCAPE_S)  # noqa: B010 - a Final that is read from the environment at import


def color_fault() -> str:
    """Why Textual would not start with this environment; empty when it will."""
    from textual import constants

    known = ("auto", "standard", "256", "truecolor", "windows")
    if constants.COLOR_SYSTEM in known:
        return ""
    return f"TEXTUAL_COLOR_SYSTEM is {constants.COLOR_SYSTEM!r}; it can be one of {', '.join(known)}"


def without_color() -> bool:
    """Whether NO_COLOR is set and not empty; an empty one is taken away, because Textual counts it."""
    wanted = bool(os.environ.get("NO_COLOR"))
    if not wanted:
        os.environ.pop("NO_COLOR", None)
    return wanted


@contextmanager
def ended_by_signals(leave: Callable[[int], None], seal: Callable[[], None]) -> Iterator[None]:
    """While inside, SIGINT, SIGTERM and SIGHUP leave the screen in order, with the exit code of the contract.

    A terminal that takes no more output blocks the screen's own thread. So the handlers are Python's (they run even
    then), and when the screen has not moved for ten seconds another thread seals the core and ends the process.

    Args:
        leave: leaves the screen with an exit code; called between two instructions of the main thread.
        seal: stops the core; called on another thread, only when the screen is stuck.
    """
    done = threading.Event()

    def watch(code: int) -> None:
        if not done.wait(_STUCK_S):
            seal()
            os._exit(code)

    def ended(number: int, _frame: FrameType | None) -> None:
        code = _EXIT_CODES[signal.Signals(number)]
        leave(code)
        threading.Thread(target=watch, args=(code,), name="orlop-stuck", daemon=True).start()

    before = {number: signal.signal(number, ended) for number in _EXIT_CODES}
    try:
        yield
    finally:
        done.set()
        for number, handler in before.items():
            signal.signal(number, handler)
