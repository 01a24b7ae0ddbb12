"""Arguments that several commands share."""

from console.commands import Arg, Kind

__all__ = ["AGENT", "IN_ROOM", "JOB", "LIMIT", "ROOM", "flag", "option"]

ROOM = Arg(
    name="room", kind=Kind.ROOM, help="the room: its name, its id, or at least four characters of it", required=True
)
AGENT = Arg(name="agent", kind=Kind.AGENT, help="the agent's name, or a unique beginning of it", required=True)
IN_ROOM = Arg(
    name="room", kind=Kind.ROOM, help="the room, when an agent of that name is in several", option=True, metavar="ROOM"
)
JOB = Arg(name="job", kind=Kind.JOB, help="the job: its id, or at least four characters of it", required=True)
LIMIT = Arg(
    name="limit",
    kind=Kind.INTEGER,
    help="at most this many, the newest",
    option=True,
    default="1000",
    metavar="N",
    low=1,
    high=1000,
)


def flag(name: str, text: str, *, group: str = "Options", short: str = "") -> Arg:
    """An option without a value.

    Args:
        name: its name with `_` for `-`.
        text: its help.
        group: the heading under which help shows it.
        short: one letter that stands for it as well.
    """
    return Arg(name=name, kind=Kind.FLAG, help=text, option=True, group=group, short=short)


def option(
    name: str,
    kind: Kind,
    text: str,
    *,
    metavar: str,
    group: str = "Options",
    default: str | None = None,
    many: bool = False,
    required: bool = False,
    choices: tuple[str, ...] = (),
    low: int | None = None,
    high: int | None = None,
    most: int | None = None,
) -> Arg:
    """An option with a value; the arguments are the fields of `Arg`."""
    return Arg(
        name=name,
        kind=kind,
        help=text,
        option=True,
        metavar=metavar,
        group=group,
        default=default,
        many=many,
        required=required,
        choices=choices,
        low=low,
        high=high,
        most=most,
    )
