"""What the first stage tells the second: `/handover.json`, the last file of the initrd that was loaded.

It never goes by the command line, which whoever sits at the menu can write. Nothing in it is secret.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

from boot.errors import BootRefusedError
from boot.modes import MODES, Mode
from boot.trust.documents import Fields, read_document
from boot.trust.manifest import ARCHES, CHANNELS, Arch, Channel
from runtime.canonical import Json, encode

__all__ = ["FAILS_MAX", "HANDOVER", "ON_FAIL", "Handover", "OnFail"]

HANDOVER: Final = "/handover.json"
FAILS_MAX: Final = 9
"""The counter of failed boots goes no further."""

_FIELDS: Final = frozenset(
    {
        "mode",
        "channel",
        "arch",
        "release",
        "manifest_version",
        "manifest_hash",
        "provider",
        "session",
        "report",
        "cache",
        "fails",
        "onfail",
        "bootstrap",
    }
)
OnFail = Literal["reboot", "poweroff", "hold"]
ON_FAIL: Final[tuple[OnFail, ...]] = ("reboot", "poweroff", "hold")
_VERSION_MAX: Final = 2**53 - 1
_PARTUUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"
_START: Final = re.compile(r"/[!-~]{1,300}", re.ASCII)
_STARTS_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What was booted, and how.

    Attributes:
        mode: in which.
        channel: of the manifest.
        arch: of the machine.
        release: name of the release.
        manifest_version: of the manifest.
        manifest_hash: of the manifest, 64 hexadecimal characters.
        provider: URL of the server, or empty where the release came from a disk.
        session: the nonce by which the server knows this machine, or empty.
        report: whether the server is told anything.
        cache: PARTUUID of the partition that may be written, or empty.
        fails: how many boots failed one after another before this one.
        onfail: what happens after a failure.
        bootstrap: multiaddresses with which the DHT is begun; none for the image's own.
    """

    mode: Mode
    channel: Channel
    arch: Arch
    release: str
    manifest_version: int
    manifest_hash: str
    provider: str = ""
    session: str = ""
    report: bool = False
    cache: str = ""
    fails: int = 0
    onfail: OnFail = "reboot"
    bootstrap: tuple[str, ...] = ()

    def document(self) -> bytes:
        """As it stands in the initrd."""
        value: dict[str, Json] = {name: getattr(self, name) for name in sorted(_FIELDS)}
        value["bootstrap"] = list(self.bootstrap)
        return encode(value) + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> "Handover":
        """Reads it.

        Raises:
            BootRefusedError: `malformed` or `too-large`.
        """
        fields = Fields(read_document(raw, "handover"), "handover", _FIELDS)
        report = fields.raw("report")
        if not isinstance(report, bool):
            raise BootRefusedError("malformed", "handover.report: true or false is needed")
        return cls(
            mode=cast("Mode", fields.text("mode", "|".join(MODES), f"one of {', '.join(MODES)}")),
            channel=cast("Channel", fields.text("channel", "|".join(CHANNELS), f"one of {', '.join(CHANNELS)}")),
            arch=cast("Arch", fields.text("arch", "|".join(ARCHES), f"one of {', '.join(ARCHES)}")),
            release=fields.text("release", "[A-Za-z0-9._+~-]{1,64}", "a name of 1 to 64 letters, digits and . _ + ~ -"),
            manifest_version=fields.integer("manifest_version", 1, _VERSION_MAX),
            manifest_hash=fields.text("manifest_hash", "[0-9a-f]{64}", "64 lower-case hexadecimal characters"),
            provider=fields.text("provider", "[!-~]{0,2048}", "an URL, or nothing"),
            session=fields.text("session", "[0-9a-f]{32}|", "32 lower-case hexadecimal characters, or nothing"),
            report=report,
            cache=fields.text("cache", _PARTUUID, "a PARTUUID in lower case, or nothing"),
            fails=fields.integer("fails", 0, FAILS_MAX),
            onfail=cast("OnFail", fields.text("onfail", "|".join(ON_FAIL), f"one of {', '.join(ON_FAIL)}")),
            bootstrap=_starts(fields.raw("bootstrap")),
        )


def _starts(value: Json) -> tuple[str, ...]:
    starts = value if isinstance(value, list) else [None]
    if len(starts) > _STARTS_MAX or not all(isinstance(one, str) and _START.fullmatch(one) for one in starts):
        raise BootRefusedError("malformed", f"handover.bootstrap: at most {_STARTS_MAX} multiaddresses are needed")
    return tuple(str(one) for one in starts)
