"""What an image says of itself: `/etc/orlop/image.json`, written when it is built and trusted like its code."""

import re
from dataclasses import dataclass
from typing import Final, cast

from boot.errors import BootRefusedError
from boot.trust.documents import Fields, read_document
from boot.trust.manifest import ARCHES, CHANNELS, Arch, Channel
from runtime.canonical import Json, encode, timestamp

__all__ = ["IMAGE", "MODULES", "ROOT", "Image"]

IMAGE: Final = "/etc/orlop/image.json"
ROOT: Final = "/etc/orlop/root"
"""The pinned root: a document, or the bytes of a `root.pub`."""
MODULES: Final = "/lib/modules"
"""The folder that the names of modules are below."""

_FIELDS: Final = frozenset(
    {
        "arch",
        "channel",
        "floor",
        "build_time",
        "release",
        "kernel",
        "modules",
        "bootstrap",
        "debug_shell",
        "cache",
        "seed",
    }
)
_FLOOR_MAX: Final = 2**53 - 1
_MODULE: Final = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+/-]{0,200}\.ko", re.ASCII)
_START: Final = re.compile(r"/[!-~]{1,300}", re.ASCII)
_PARTUUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"
_LIST_MAX: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What is built into an image.

    Attributes:
        arch: of the machines that it is for.
        channel: that it takes where the command line names none.
        floor: the lowest manifest version that it boots: its own.
        built_ms: when it was built, milliseconds since 1970: it is never earlier than that.
        release: its name.
        kernel: the kernel package's version.
        modules: of the kernel, below `MODULES`, in the order in which they are loaded.
        bootstrap: multiaddresses with which the DHT is begun.
        debug_shell: whether it may start a shell on failure; no release may have it.
        cache: PARTUUID of orlop's own cache partition, or empty.
        seed: PARTUUID of the partition with a signed release, or empty.
    """

    arch: Arch
    channel: Channel
    floor: int
    built_ms: int
    release: str
    kernel: str
    modules: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()
    debug_shell: bool = False
    cache: str = ""
    seed: str = ""

    def document(self) -> bytes:
        """As it stands in the image."""
        value: dict[str, Json] = {
            "arch": self.arch,
            "channel": self.channel,
            "floor": self.floor,
            "build_time": timestamp(self.built_ms),
            "release": self.release,
            "kernel": self.kernel,
            "modules": list(self.modules),
            "bootstrap": list(self.bootstrap),
            "debug_shell": self.debug_shell,
            "cache": self.cache,
            "seed": self.seed,
        }
        return encode(value) + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> "Image":
        """Reads it.

        Raises:
            BootRefusedError: `malformed` or `too-large`.
        """
        fields = Fields(read_document(raw, "image"), "image", _FIELDS)
        shell = fields.raw("debug_shell")
        if not isinstance(shell, bool):
            raise BootRefusedError("malformed", "image.debug_shell: true or false is needed")
        return cls(
            arch=cast("Arch", fields.text("arch", "|".join(ARCHES), f"one of {', '.join(ARCHES)}")),
            channel=cast("Channel", fields.text("channel", "|".join(CHANNELS), f"one of {', '.join(CHANNELS)}")),
            floor=fields.integer("floor", 1, _FLOOR_MAX),
            built_ms=fields.time("build_time"),
            release=fields.text("release", "[A-Za-z0-9._+~-]{1,64}", "a name of 1 to 64 letters, digits and . _ + ~ -"),
            kernel=fields.text("kernel", "[A-Za-z0-9._+~:-]{1,64}", "a version of a package"),
            modules=_texts(fields.raw("modules"), "modules", _MODULE),
            bootstrap=_texts(fields.raw("bootstrap"), "bootstrap", _START),
            debug_shell=shell,
            cache=fields.text("cache", _PARTUUID, "a PARTUUID in lower case, or nothing"),
            seed=fields.text("seed", _PARTUUID, "a PARTUUID in lower case, or nothing"),
        )


def _texts(value: Json, name: str, form: re.Pattern[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _LIST_MAX:
        raise BootRefusedError("malformed", f"image.{name}: a list of at most {_LIST_MAX} is needed")
    for one in value:
        if not isinstance(one, str) or not form.fullmatch(one) or ".." in one:
            raise BootRefusedError("malformed", f"image.{name}: an entry of another form")
    return tuple(value)
