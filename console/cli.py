"""The command line: reads it, does what it says through a core, and leaves by the right exit status.

stdout is data, stderr is talk. Whatever goes wrong ends as one line, `orlop: what: where: why; hint`, and with `--json`
as an error document too; where it came from is shown with `--debug` only.
"""

import os
import sys
from collections.abc import Sequence

from console.client import Fault
from console.cmdline import streams
from console.cmdline.verbline import Line, read_line, split_line, unknown_command
from console.exit_codes import ExitCode, exit_code_for
from runtime.errors import OrlopError

__all__ = ["run"]


def run(argv: Sequence[str]) -> int:
    """Runs one command line.

    Args:
        argv: what stands behind `orlop`.

    Returns:
        The exit status.
    """
    streams.fill_closed()
    debug = "--debug" in argv or bool(os.environ.get("ORLOP_DEBUG"))
    try:
        if list(argv[:1]) == ["__complete"]:
            return _complete(argv[1:])
        return _act(read_line(argv))
    except BrokenPipeError:
        streams.finish()
        return ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OrlopError as error:
        _trace(debug)
        return _report(error, argv)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback reaches an operator
        _trace(debug)
        why = f"unexpected {type(error).__name__}: {error}"
        return _report(OrlopError(why, hint="run it again with --debug and report what it says"), argv)


def _act(line: Line) -> int:
    if line.version:
        from console._version import __version__

        streams.print_text(f"orlop {__version__}\n")
        return ExitCode.OK
    if line.help:
        return _help(line)
    if line.command is not None:
        from console.cmdline.execute import execute

        return execute(line.command, line)
    if line.options.no_ui:
        from console.cmdline.faces import run_headless

        return run_headless(line.options)
    from console.cmdline.faces import run_screen

    return run_screen(line.options)


def _help(line: Line) -> int:
    from console.cmdline.helptext import command_help, help_for

    text = command_help(line.command) if line.command else help_for(line.words)
    if text is None:
        raise unknown_command(line.words)
    streams.print_text(text)
    return ExitCode.OK


def _complete(words: Sequence[str]) -> int:
    """`__complete KIND PREFIX`, for the completion scripts: silent about every error."""
    from console.completion import live_names
    from runtime.statedir import StateDir, locate

    try:
        kind, prefix = words
        names = live_names(StateDir(locate(None, os.environ)).database, kind, prefix)
    except (OrlopError, ValueError):
        return ExitCode.OK
    streams.print_text("".join(f"{name}\n" for name in names))
    return ExitCode.OK


def _report(error: OrlopError, argv: Sequence[str]) -> int:
    """Says an error that ended the program before or beside a command."""
    fault = Fault(error.code, error.why, error.what, error.where, error.hint)
    words = split_line(argv)[1]
    if "--json" in argv[: argv.index("--") if "--" in argv else len(argv)]:
        try:
            streams.print_json(streams.error_document(fault))
        except (OSError, OrlopError):
            streams.finish()
    for line in fault.lines:
        streams.say(line)
    if words[:2] == ["jobs", "run"]:
        return ExitCode.NOT_RUN
    return exit_code_for(fault)


def _trace(debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc(file=sys.stderr)
