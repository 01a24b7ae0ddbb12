"""The shape of the registry: one `Command` for everything that an operator can do.

Keys, the `:` prompt, the palette, the command line, the control socket, help, completion and the reference page all
read the one table that `console.registry` makes of these. A handler is reached by no other way; it is named, not
imported, so reading the table loads nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Arg", "Command", "Confirm", "Kind"]


class Kind(StrEnum):
    """What an argument's text stands for: decides parsing, completion and who opens files."""

    ROOM = "room"
    AGENT = "agent"
    TASK = "task"
    JOB = "job"
    RECEIPT = "receipt"
    PEER = "peer"
    PATH = "path"
    """A file that the face opens for reading and passes as a descriptor; `-` is its standard input."""
    OUT = "out"
    """A file that the face writes after the command ended."""
    DIRECTORY = "directory"
    """`HOST:GUEST[:ro]`; the face opens HOST and passes the descriptor."""
    FOLDER = "folder"
    """A folder that the face opens and passes as a descriptor."""
    COMPONENT = "component"
    DURATION = "duration"
    SIZE = "size"
    INTEGER = "integer"
    TEXT = "text"
    """Content: never journalled."""
    NAME = "name"
    PAIR = "pair"
    """`KEY=VALUE`."""
    CHOICE = "choice"
    FLAG = "flag"


class Confirm(StrEnum):
    """What a face asks before it runs a command."""

    NONE = "none"
    ASK = "ask"
    TYPE_NAME = "type-name"
    CONSENT = "consent"
    """What it would allow is shown, and asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """One argument of a command; an option when `option` is true, else positional, in order."""

    name: str
    kind: Kind
    help: str
    required: bool = False
    many: bool = False
    option: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None
    """The value that holds when it is not given; filled in where the command runs."""
    metavar: str = ""
    low: int | None = None
    """Least value of a size (bytes), duration (ms) or integer."""
    high: int | None = None
    """Greatest value of a size (bytes), duration (ms) or integer."""
    most: int | None = None
    """How often an argument may be given that may be repeated; None for any number."""
    group: str = "Options"
    """Heading of an option in the help text."""
    short: str = ""
    """One letter that stands for an option as well: `f` for `-f`."""
    rest: bool = False
    """True for the positional that takes what stands behind `--`, and nothing else."""
    secret: bool = False
    """True for what gives access to whoever has it: `-` stands for it where a command line is shown or kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One operation. `handler` is `module:function`, a coroutine `(core, call) -> Result` (see `console.core`)."""

    name: str
    help: str
    handler: str
    args: tuple[Arg, ...] = ()
    changes: bool = False
    confirm: Confirm = Confirm.NONE
    needs: str = ""
    """The kind of row that it acts on in a pane: `room`, `agent`, `task`, `job`, `receipt`, `peer`, `component`, or
    empty."""
    state: bool = True
    """False: needs no state directory and never creates one."""
    grows: bool = False
    """New work that needs room on the disk: refused when less than `storage.min_free` is free."""
    detail: str = ""
    """Sentences for the help text, behind the one line."""
    examples: tuple[str, ...] = ()
    """Command lines for the help text."""
