"""Options that are not of one verb: those that hold everywhere, and those of the screen and of the headless run."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Never

from runtime.errors import UsageError

__all__ = ["EVERYWHERE", "FACE", "Option", "Options", "Parser", "add_options", "options_of", "takes_value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was given beside the verb; each field is the option of its name."""

    state_dir: str | None = None
    config: str | None = None
    passphrase_file: str | None = None
    read_only: bool = False
    json: bool = False
    quiet: bool = False
    debug: bool = False
    color: str = "auto"
    demo: bool = False
    no_ui: bool = False
    run_for: str | None = None
    until: str | None = None
    events: str | None = None
    since: str | None = None
    content: bool = False
    fail_on_trip: bool = False
    theme: str | None = None
    ascii: bool = False
    no_mouse: bool = False
    p2p_listen: tuple[str, ...] = ()
    serve_boot: str | None = None
    boot_bind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One such option: its spelling, its help, and its value's name (empty for a flag)."""

    flag: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    dest: str = ""
    group: str = ""
    many: bool = False
    """Whether it may be given several times; then its value is a tuple."""

    @property
    def name(self) -> str:
        """The field of `Options` that it sets."""
        return self.dest or self.flag.removeprefix("--").replace("-", "_")


EVERYWHERE = (
    Option(flag="--state-dir", metavar="DIR", help="state directory (default: ~/.local/state/orlop)"),
    Option(flag="--config", metavar="FILE", help="configuration file (default: ~/.config/orlop/config.toml)"),
    Option(flag="--passphrase-file", metavar="FILE", help="file with the passphrase of the vault"),
    Option(flag="--read-only", help="refuse whatever changes anything"),
    Option(flag="--json", help="print one JSON document"),
    Option(flag="--quiet", help="say nothing on stderr but errors"),
    Option(flag="--debug", help="show where an error came from"),
)
"""Options that every command takes, before or behind its name."""

_SCREEN = "Screen"
_HEADLESS = "Headless"
_NETWORK = "Network"
_COLORS = ("auto", "always", "never")

FACE = (
    Option(flag="--demo", help="a room with tasks and agents to look at, kept in ./.demo", group=_SCREEN),
    Option(flag="--color", metavar="WHEN", choices=_COLORS, help="auto, always or never", group=_SCREEN),
    Option(flag="--theme", metavar="NAME", choices=("dark", "light"), help="dark or light", group=_SCREEN),
    Option(flag="--ascii", help="no character beyond ASCII in frames and marks", group=_SCREEN),
    Option(flag="--no-mouse", help="leave the mouse to the terminal", group=_SCREEN),
    Option(flag="--no-ui", help="no screen: events as JSON lines on stdout", group=_HEADLESS),
    Option(flag="--for", metavar="TIME", dest="run_for", help="stop after this long, such as 30s", group=_HEADLESS),
    Option(flag="--until", metavar="EXPR", help="stop at the first event that matches", group=_HEADLESS),
    Option(flag="--events", metavar="GLOBS", help="write only these types; !type leaves one out", group=_HEADLESS),
    Option(flag="--since", metavar="SEQ|TIME", help="replay the journal from there first", group=_HEADLESS),
    Option(flag="--content", help="with text of rooms, agents and output", group=_HEADLESS),
    Option(flag="--fail-on-trip", help="exit 8 when a breaker is open at the end", group=_HEADLESS),
    Option(
        flag="--p2p-listen",
        metavar="ADDR",
        help="let other nodes reach this one there; may be repeated; in place of p2p.listen",
        group=_NETWORK,
        many=True,
    ),
    Option(flag="--serve-boot", metavar="DIR", help="serve this release to machines that boot", group=_HEADLESS),
    Option(flag="--boot-bind", metavar="ADDR", help="where it is served (default: 127.0.0.1:8080)", group=_HEADLESS),
)
"""Options of `orlop` without a command."""


class Parser(argparse.ArgumentParser):
    """argparse whose errors are `UsageError`s: one line, and the nearest spelling."""

    def error(self, message: str) -> Never:
        """Raises instead of printing a usage text and leaving."""
        raise UsageError(message, hint=f"see {self.prog} --help")

    def unknown(self, text: str) -> UsageError:
        """The error for an option that does not exist."""
        flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        near = get_close_matches(text.partition("=")[0], flags, 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else f"see {self.prog} --help"
        return UsageError("unknown option", where=text, hint=hint)


def add_options(parser: argparse.ArgumentParser, table: Sequence[Option], title: str) -> None:
    """Adds a table of options to a parser.

    Args:
        parser: it.
        table: the options.
        title: the heading for options without a group of their own.
    """
    groups: dict[str, argparse._ArgumentGroup] = {}
    for item in table:
        heading = item.group or title
        if heading not in groups:
            groups[heading] = parser.add_argument_group(heading)
        if item.metavar:
            groups[heading].add_argument(
                item.flag,
                dest=item.name,
                metavar=item.metavar,
                choices=item.choices or None,
                action="append" if item.many else "store",
                default=argparse.SUPPRESS,
                help=item.help,
            )
        else:
            groups[heading].add_argument(
                item.flag, dest=item.name, action="store_true", default=argparse.SUPPRESS, help=item.help
            )


def takes_value(flag: str) -> bool:
    """Whether an option of these tables is followed by its value."""
    return any(item.flag == flag and item.metavar for item in (*EVERYWHERE, *FACE))


def options_of(*spaces: argparse.Namespace) -> Options:
    """The options that were parsed; a later namespace counts more.

    Args:
        spaces: what parsers returned; names that are no field of `Options` are passed over.
    """
    known = {field.name for field in fields(Options)}
    given: dict[str, object] = {}
    for space in spaces:
        given.update({name: value for name, value in vars(space).items() if name in known})
    return _build(given)


def _build(given: dict[str, object]) -> Options:
    given.update({name: tuple(value) for name, value in given.items() if isinstance(value, list)})
    return Options(**given)  # type: ignore[arg-type]  # argparse gave each name the type of its field
