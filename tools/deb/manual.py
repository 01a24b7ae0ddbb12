"""Manual pages, made from the registry: one of the program, one for each first word of a command."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from console import exit_codes, registry
from console.cmdline.helptext import usage_of
from console.cmdline.options import EVERYWHERE, FACE, Option
from console.cmdline.verbline import spelled
from console.commands import Arg, Command

__all__ = ["pages"]

_WHAT = "a terminal console for sandboxed agents, jobs in limits and their signed receipts"


def pages(version: str, epoch: int) -> Iterator[tuple[str, str]]:
    """The name of each page (`orlop-jobs`) and its source, for section 1.

    Args:
        version: of the program.
        epoch: the time that the pages bear, in seconds.
    """
    yield "orlop", _program(_title("orlop", version, epoch))
    for word, text in _words().items():
        inner = [command for name, command in registry.COMMANDS.items() if name.partition(" ")[0] == word]
        yield f"orlop-{word}", _title(f"orlop-{word}", version, epoch) + _group(f"orlop-{word}", text, inner)


def _words() -> dict[str, str]:
    """The first words of all commands, each with its sentence: groups, then commands of one word."""
    alone = {name: command.help for name, command in registry.COMMANDS.items() if " " not in name}
    return {**registry.GROUPS, **{name: text for name, text in alone.items() if name not in registry.GROUPS}}


def _title(name: str, version: str, epoch: int) -> str:
    day = datetime.fromtimestamp(epoch, UTC).date().isoformat()
    return f'.TH {_plain(name.upper())} 1 "{day}" "orlop {version}" "orlop"\n'


def _program(title: str) -> str:
    parts = [
        f"{title}.SH NAME\norlop \\- {_plain(_WHAT)}\n",
        ".SH SYNOPSIS\n.B orlop\n[options]\n.br\n.B orlop\nCOMMAND ...\n",
        ".SH DESCRIPTION\nWithout a command it opens the screen, with\n.B \\-\\-no\\-ui\nit writes its events as lines of JSON.\n",
        ".SH COMMANDS\n",
        *(_item(f"orlop-{word}(1)", text) for word, text in _words().items()),
        ".SH OPTIONS\n",
        *(_option(option) for option in (*FACE, *EVERYWHERE)),
        ".SH EXIT STATUS\n",
        *(_item(str(int(code)), code.name.lower().replace("_", " ")) for code in sorted(exit_codes.ExitCode)),
        ".SH FILES\n",
        _item("~/.local/state/orlop", "The state directory."),
        _item("~/.config/orlop/config.toml", "The configuration."),
        _item("/var/lib/orlop", "The state directory of the service."),
        _item("/etc/orlop/config.toml", "The configuration of the service."),
    ]
    return "".join(parts)


def _group(name: str, text: str, commands: Sequence[Command]) -> str:
    parts = [f".SH NAME\n{_plain(name)} \\- {_plain(_phrase(text))}\n.SH SYNOPSIS\n"]
    parts += [f".B {_plain(usage_of(command))}\n.br\n" for command in commands]
    parts.append(".SH DESCRIPTION\n")
    for command in commands:
        parts += [f".SS {_plain(command.name)}\n{_text(command.help)}"]
        parts += [f".PP\n{_text(command.detail)}"] if command.detail else []
        parts += [_argument(arg) for arg in command.args]
        parts += [".PP\nExamples:\n.PP\n.nf\n", *map(_text, command.examples), ".fi\n"] if command.examples else []
    parts.append(".SH SEE ALSO\n.BR orlop (1)\n")
    return "".join(parts)


def _phrase(text: str) -> str:
    return (text[:1].lower() + text[1:]).rstrip(".")


def _argument(arg: Arg) -> str:
    shown = f"{spelled(arg)} {arg.metavar}".strip() if arg.option else arg.metavar or arg.name.upper()
    return _item(shown, f"{arg.help}: {', '.join(arg.choices)}" if arg.choices else arg.help)


def _option(option: Option) -> str:
    return _item(f"{option.flag} {option.metavar}".strip(), option.help)


def _item(term: str, text: str) -> str:
    return f".TP\n.B {_plain(term)}\n{_text(text)}"


def _text(text: str) -> str:
    """A line of text; one that begins like a request of roff is none."""
    shown = _plain(text)
    return f"\\&{shown}\n" if shown.startswith((".", "'")) else f"{shown}\n"


def _plain(text: str) -> str:
    shown = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return (
        shown.replace('"', "\\(dq")
        .replace("'", "\\(aq")
        .replace("`", "\\(ga")
        .replace("^", "\\(ha")
        .replace("~", "\\(ti")
    )
