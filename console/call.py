"""One call of a command: its arguments, checked against the registry, and who made it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING

from console.client import Args, Result
from console.commands import Arg, Command
from runtime.errors import UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["Call", "Handler", "checked_args", "refuse_bad_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a handler gets beside the core.

    `files` holds descriptors by argument name (`stdin`, `module`; `dir.0`, `dir.1` … for an argument that may be
    repeated; `talk` for what is said while the command goes on); they belong to the call and are closed when the
    handler ends. `interrupted` is done, with the exit code that the caller will end with (130, 143, or 137 when the
    caller went away), when the command should end early.
    """

    command: str
    args: Args
    files: Mapping[str, int]
    interrupted: asyncio.Future[int]
    uid: int
    face: str
    """`cli`, `ui`, `headless`, or what a client of the socket said it is."""
    read_only: bool = False

    def text(self, name: str) -> str | None:
        """The value of an argument, or None when it was not given."""
        value = self.args.get(name)
        if value is None or isinstance(value, str):
            return value
        raise UsageError(f"`{name}` is given more than once")

    def need(self, name: str) -> str:
        """The value of an argument that must be there.

        Raises:
            UsageError: it is not.
        """
        value = self.text(name)
        if value is None:
            raise UsageError(f"`{name}` is missing")
        return value

    def many(self, name: str) -> tuple[str, ...]:
        """The values of an argument that may be repeated; empty when it was not given."""
        value = self.args.get(name)
        if value is None:
            return ()
        return (value,) if isinstance(value, str) else tuple(value)

    def flag(self, name: str) -> bool:
        """Whether a flag was given."""
        return self.args.get(name) == "true"


Handler = Callable[["Core", Call], Awaitable[Result]]
"""What `Command.handler` names."""


def checked_args(command: Command, args: Args, files: Mapping[str, int]) -> Args:
    """The arguments, once they fit the command's table.

    Whoever calls (a key, a script, a stranger's program on the socket) is held to the same table. The *meaning* of a
    value (a size, a name) is checked by the handler.

    Args:
        command: the registry's entry.
        args: as given.
        files: descriptors that came along; an argument of a file kind may be given as one only.

    Raises:
        UsageError: unknown, missing, repeated or not one of the choices.
    """
    known = {arg.name: arg for arg in command.args}
    refuse_bad_text(args)
    for name in args:
        if name not in known:
            raise UsageError(f"unknown argument `{clean(name, 60)}`", hint=_nearest(name, known))
    for name in files:
        if name not in _STREAMS and name.partition(".")[0] not in known:
            raise UsageError(f"unexpected descriptor `{clean(name, 60)}`")
    for name, arg in known.items():
        if name in args:
            _check_value(arg, args[name])
        elif arg.required and not _passed(name, files):
            raise UsageError(f"`{name}` is missing")
    return MappingProxyType(dict(args))


def refuse_bad_text(args: Args) -> None:
    """Refuses arguments that are no Unicode text, such as a command line in another encoding.

    Raises:
        UsageError: a lone surrogate, which stands for a byte that could not be decoded.
    """
    for name, value in args.items():
        for text in (name, value) if isinstance(value, str) else (name, *value):
            if not text.isascii():
                try:
                    text.encode()
                except UnicodeEncodeError:
                    raise UsageError(f"`{clean(text, 60)}` is not UTF-8", where=clean(name, 60)) from None


_STREAMS = frozenset({"stdin", "stdout", "stderr", "talk", "passphrase"})


def _passed(name: str, files: Mapping[str, int]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for key in files)


def _check_value(arg: Arg, value: str | Sequence[str]) -> None:
    if not arg.many and not isinstance(value, str):
        raise UsageError(f"`{arg.name}` is given more than once")
    items = (value,) if isinstance(value, str) else value
    if arg.most is not None and len(items) > arg.most:
        raise UsageError(f"`{arg.name}` is given {len(items)} times", hint=f"{arg.most} times at most")
    for item in items:
        if arg.choices and item not in arg.choices:
            hint = _nearest(item, arg.choices) or f"one of {', '.join(arg.choices)}"
            raise UsageError(f"`{clean(item, 60)}` is not a value of `{arg.name}`", hint=hint)


def _nearest(text: str, among: Iterable[str]) -> str:
    near = get_close_matches(text, tuple(among), 1)
    return f"did you mean `{near[0]}`?" if near else ""
