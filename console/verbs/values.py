"""Values of arguments: text to numbers within the bounds that the registry states.

Faces check with it before they start anything, handlers read with it; both say the same.
"""

from console.client import Args
from console.commands import Arg, Command, Kind
from runtime.errors import UsageError
from runtime.quantities import DURATION_MAX_MS, SIZE_MAX, parse_count, parse_duration_ms, parse_size

__all__ = ["check_values", "number", "pairs"]

_NUMBERS = frozenset({Kind.SIZE, Kind.DURATION, Kind.INTEGER})
_COUNT_MAX = (1 << 63) - 1


def number(command: Command, args: Args, name: str) -> int | None:
    """A size in bytes, a duration in milliseconds or an integer.

    Args:
        command: the registry's entry, which holds the bounds and the default.
        args: what was given.
        name: the argument.

    Returns:
        The number, or None when nothing was given and there is no default.

    Raises:
        UsageError: not such a value, or out of its bounds.
    """
    arg = next(arg for arg in command.args if arg.name == name)
    given = args.get(name, arg.default)
    return _parse(arg, given) if isinstance(given, str) else None


def pairs(items: tuple[str, ...], what: str) -> tuple[tuple[str, str], ...]:
    """`K=V` texts as pairs; the first `=` divides.

    Args:
        items: the texts.
        what: the option, for the message.

    Raises:
        UsageError: one has no `=`, no key, or holds a NUL.
    """
    read: list[tuple[str, str]] = []
    for item in items:
        key, sign, value = item.partition("=")
        if not sign or not key or "\0" in item:
            raise UsageError(f"`{item[:60]!a}` is not K=V", where=what, hint="write NAME=VALUE")
        read.append((key, value))
    return tuple(read)


def check_values(command: Command, args: Args) -> None:
    """Refuses values that no handler would take, before anything is started for them.

    Args:
        command: the registry's entry.
        args: what was given.

    Raises:
        UsageError: the first bad value, with what is allowed.
    """
    for arg in command.args:
        value = args.get(arg.name)
        if value is None:
            continue
        items = (value,) if isinstance(value, str) else tuple(value)
        if arg.kind in _NUMBERS:
            for item in items:
                _parse(arg, item)
        elif arg.kind is Kind.PAIR:
            pairs(items, _shown(arg))


def _parse(arg: Arg, text: str) -> int:
    shown, low = _shown(arg), arg.low or 0
    if arg.kind is Kind.SIZE:
        return parse_size(text, minimum=low, maximum=arg.high or SIZE_MAX, what=shown)
    if arg.kind is Kind.DURATION:
        return parse_duration_ms(text, minimum=low, maximum=arg.high or DURATION_MAX_MS, what=shown)
    return parse_count(text, minimum=low, maximum=arg.high or _COUNT_MAX, what=shown)


def _shown(arg: Arg) -> str:
    return "--" + arg.name.replace("_", "-") if arg.option else arg.name
