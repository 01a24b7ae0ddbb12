"""The command line of the kernel: what of it is meant for orlop, and what of it the second kernel gets. Pure.

Whoever sits at the boot menu can write it. An `orlop.*` word that is not understood refuses to boot, because a machine
must not guess in which mode it is; a word of another owner is passed over, and only a few of those are carried on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final, cast

from boot.errors import BootRefusedError
from boot.fetch.http import HttpError, Location
from boot.modes import MODES, Mode
from boot.stage1.handover import FAILS_MAX, ON_FAIL, OnFail
from boot.trust.manifest import CHANNELS, Channel
from runtime.sanitise import clean

__all__ = ["COMMAND_LINE_MAX", "CommandLine", "parse_command_line", "second_command_line"]

COMMAND_LINE_MAX: Final = 2048
"""Bytes that the kernel takes, the zero at the end included."""

_PREFIX: Final = "orlop."
_START: Final = re.compile(r"/ip[46]/[0-9A-Fa-f:.]{2,45}/udp/[0-9]{1,5}/quic-v1/p2p/[1-9A-HJ-NP-Za-km-z]{40,64}")
_STARTS_MAX: Final = 16
_CARRIED: Final = re.compile(r"console=[A-Za-z0-9,.:_-]{1,40}|quiet|no_timer_check|panic=-?[0-9]{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """What whoever started the machine wants.

    Attributes:
        mode: in which it runs.
        channel: which line of releases; None for the image's own.
        provider: URL of the one server that is asked; empty to look for servers.
        cache: whether orlop's cache partition and the seed are used.
        nowrite: whether disks stay as they are in every mode.
        report: whether the server is told about the steps.
        bootstrap: multiaddresses with which the DHT is begun; none for the image's own.
        onfail: what happens after a failure.
        fails: how often it failed before.
    """

    mode: Mode
    channel: Channel | None = None
    provider: str = ""
    cache: bool = True
    nowrite: bool = False
    report: bool = True
    bootstrap: tuple[str, ...] = ()
    onfail: OnFail = "reboot"
    fails: int = 0


def parse_command_line(text: str) -> CommandLine:
    """Reads the words for orlop; of one that stands twice, the later counts.

    Args:
        text: as the kernel got it.

    Raises:
        BootRefusedError: `cmdline`: no mode, or a word or value that is not known.
    """
    found: dict[str, object] = {}
    for word in text.split():
        if '"' in word and _PREFIX in word:
            raise _refused("quotes around a word of orlop are not understood")
        if word.startswith(_PREFIX):
            key, _, value = word.removeprefix(_PREFIX).partition("=")
            reader = _READERS.get(key)
            if reader is None:
                raise _refused(f"orlop.{clean(key, 40)} is no key; there are {', '.join(_READERS)}")
            found[key] = reader(key, value)
    if "mode" not in found:
        raise _refused(f"orlop.mode is missing; it is one of {', '.join(MODES)}")
    return CommandLine(**found)  # type: ignore[arg-type]  # each reader gives its field's type


def second_command_line(first: str, signed: str, fails: int) -> str:
    """What the second kernel gets: a few words of the first, in forms that cannot hide another, then those signed.

    Args:
        first: that of this kernel, which was parsed.
        signed: of the manifest.
        fails: how often booting failed by now.

    Raises:
        BootRefusedError: `cmdline`: it is too long.
    """
    words = [
        word
        for word in first.split()
        if _CARRIED.fullmatch(word) or (word.startswith(_PREFIX) and not word.startswith("orlop.fails="))
    ]
    line = " ".join([*words, f"orlop.fails={min(fails, FAILS_MAX)}", *([signed] if signed else [])])
    if len(line.encode()) >= COMMAND_LINE_MAX:
        raise _refused(f"that of the second kernel has {len(line)} bytes, {COMMAND_LINE_MAX - 1} are possible")
    return line


# --- values -----------------------------------------------------------------------------------------------------------


def _refused(why: str) -> BootRefusedError:
    return BootRefusedError("cmdline", why)


def _word(key: str, value: str, words: tuple[str, ...]) -> str:
    if value not in words:
        raise _refused(f"orlop.{key}={clean(value, 40)} is none of {', '.join(words)}")
    return value


def _switch(key: str, value: str) -> bool:
    return _word(key, value, ("on", "off")) == "on"


def _provider(key: str, value: str) -> str:
    try:
        if not value.isascii():
            raise HttpError("is no URL of http or https")
        Location.parse(value)
    except HttpError as error:
        raise _refused(f"orlop.{key} {error.why}") from None
    return value


def _starts(key: str, value: str) -> tuple[str, ...]:
    starts = tuple(value.split(","))
    if len(starts) > _STARTS_MAX:
        raise _refused(f"orlop.{key} has more than {_STARTS_MAX} addresses")
    for start in starts:
        if not _START.fullmatch(start):
            raise _refused(f"orlop.{key}: {clean(start, 80)} is not /ip4/ADDRESS/udp/PORT/quic-v1/p2p/PEERID")
    return starts


def _fails(key: str, value: str) -> int:
    return int(_word(key, value, tuple(str(number) for number in range(FAILS_MAX + 1))))


_READERS: Final[Mapping[str, Callable[[str, str], object]]] = {
    "mode": lambda key, value: cast("Mode", _word(key, value, MODES)),
    "channel": lambda key, value: cast("Channel", _word(key, value, CHANNELS)),
    "provider": _provider,
    "cache": _switch,
    "nowrite": _switch,
    "report": _switch,
    "bootstrap": _starts,
    "onfail": lambda key, value: cast("OnFail", _word(key, value, ON_FAIL)),
    "fails": _fails,
}
assert set(_READERS) == {one.name for one in fields(CommandLine)}  # noqa: S101 - of the source, not of its input
