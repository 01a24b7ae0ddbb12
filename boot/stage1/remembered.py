"""What a machine remembers from boot to boot: the newest version of each line of releases, and the newest time.

It only ever rises. Whoever can write to the disk can lower it, which is why each image has a floor of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from boot.trust.documents import Fields, read_document
from boot.trust.manifest import ARCHES, CHANNELS, BootManifest
from runtime.canonical import Json, encode, timestamp

__all__ = ["Remembered", "line_of"]

_VERSION_MAX: Final = 2**53 - 1
_LINES: Final = frozenset(f"{channel}-{arch}" for channel in CHANNELS for arch in ARCHES)


def line_of(channel: str, arch: str) -> str:
    """The name of a line of releases: each has versions of its own."""
    return f"{channel}-{arch}"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was verified so far.

    Attributes:
        floors: the newest version, by line.
        created_ms: of the newest manifest of all, milliseconds since 1970: it is no earlier than that.
    """

    floors: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    created_ms: int = 0

    def floor(self, channel: str, arch: str) -> int:
        """The newest version of a line; 0 of none."""
        return self.floors.get(line_of(channel, arch), 0)

    def after(self, manifest: BootManifest) -> "Remembered":
        """With a manifest that was verified."""
        line = line_of(manifest.channel, manifest.arch)
        floors = {**self.floors, line: max(self.floors.get(line, 0), manifest.manifest_version)}
        return replace(self, floors=MappingProxyType(floors), created_ms=max(self.created_ms, manifest.created_ms))

    def document(self) -> bytes:
        """As it is kept."""
        floors: dict[str, Json] = dict(sorted(self.floors.items()))
        return encode({"floors": floors, "created_at": timestamp(self.created_ms)}) + b"\n"

    @classmethod
    def parse(cls, raw: bytes) -> "Remembered":
        """Reads it.

        Raises:
            BootRefusedError: `malformed` or `too-large`.
        """
        fields = Fields(read_document(raw, "memory"), "memory", frozenset({"floors", "created_at"}))
        floors = Fields(fields.raw("floors"), "memory.floors", frozenset(), _LINES)
        found = {line: floors.integer(line, 1, _VERSION_MAX) for line in sorted(_LINES) if floors.raw(line) is not None}
        return cls(MappingProxyType(found), fields.time("created_at"))
