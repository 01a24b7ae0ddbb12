"""The two faces that stay: the screen, and the stream of events without one. Both own their directory."""

import os
import sys
from typing import TYPE_CHECKING

from console.cmdline.connect import core_options
from console.cmdline.options import FACE, Options
from console.config import key_map_file
from runtime.errors import UsageError
from runtime.quantities import parse_duration_ms
from runtime.sanitise import clean
from runtime.statedir import StateDir, find

if TYPE_CHECKING:
    from console.client import CoreClient

__all__ = ["run_headless", "run_screen"]

_SLOW_LINE_FPS = 5
_HEADLESS_ONLY = ("run_for", "until", "events", "since", "content", "fail_on_trip", "serve_boot", "boot_bind")


def run_headless(options: Options) -> int:
    """`orlop --no-ui`.

    Args:
        options: the command line's.

    Returns:
        The exit status.

    Raises:
        OrlopError: the options are wrong, or the core could not be started.
    """
    from console.headless import HeadlessOptions, run

    limit = parse_duration_ms(options.run_for, what="--for") if options.run_for is not None else None
    globs = tuple(part.strip() for part in (options.events or "").split(",") if part.strip())
    if options.events is not None and not globs:
        raise UsageError("names no type of event", where="--events", hint="`orlop schema` lists the types")
    return run(
        HeadlessOptions(
            core=core_options(options, owner=True),
            for_ms=limit,
            until=options.until,
            events=globs,
            since=options.since,
            content=options.content,
            fail_on_trip=options.fail_on_trip,
        )
    )


def run_screen(options: Options) -> int:
    """`orlop`: the terminal UI.

    Args:
        options: the command line's.

    Returns:
        The exit status.

    Raises:
        UsageError: there is no terminal, or an option of `--no-ui` was given.
        OrlopError: the configuration or the directory is wrong.
    """
    for item in FACE:
        if item.name in _HEADLESS_ONLY and getattr(options, item.name):
            raise UsageError("needs --no-ui", where=item.flag)
    _need_terminal()
    settings = core_options(options, owner=True)
    first = find(settings.state_path) is None

    def start() -> "CoreClient":
        from console.local import LocalCore

        return LocalCore(settings, face="ui")

    from console.ui.bound import Keys
    from console.ui.options import UiOptions

    key_map = key_map_file(options.config, os.environ)
    keys = Keys()
    if key_map is not None:
        from console.ui.key_file import read_key_map

        keys = read_key_map(key_map)

    ui, given = settings.config.ui, settings.config.given
    _choose_colours(options.color)
    screen = UiOptions(
        connect=start,
        title=settings.config.node_name,
        read_only=options.read_only,
        first_run=first,
        state_dir=clean(str(settings.state_path), 500),
        theme=options.theme or (ui.theme if given("ui.theme") else ""),
        ascii=options.ascii or ui.ascii or not _has_unicode(),
        mouse=False if options.no_mouse else ui.mouse if given("ui.mouse") else None,
        memory=StateDir(settings.state_path).ui,
        keys=keys,
        frames=min(ui.fps, _SLOW_LINE_FPS) if os.environ.get("SSH_CONNECTION") else ui.fps,
        lock_after_s=0 if ui.lock_after == "off" else parse_duration_ms(ui.lock_after) / 1000,
        debug=settings.debug,
    )
    from console.ui.app import run

    return run(screen)


def _need_terminal() -> None:
    """Textual does not look: without a terminal it would paint on stderr and wait for ever."""
    if not all(os.isatty(number) for number in (0, 1, 2)):
        raise UsageError("no terminal here", hint="use --no-ui, or ssh -t; orlop --help lists commands")
    if os.environ.get("TERM", "") in {"", "dumb"}:
        raise UsageError("this terminal cannot show a screen (TERM=dumb)", hint="use --no-ui, or ssh -t")


def _choose_colours(when: str) -> None:
    """`--color` wins over `NO_COLOR`, which counts only when it is not empty."""
    if when == "never":
        os.environ["NO_COLOR"] = "1"
    elif when == "always" or not os.environ.get("NO_COLOR"):
        os.environ.pop("NO_COLOR", None)


def _has_unicode() -> bool:
    return "utf" in (sys.stdout.encoding or "").lower()
