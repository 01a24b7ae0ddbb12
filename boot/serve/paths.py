"""What a path asks for. Pure: a name out of a fixed set, or nothing; no part of a path ever becomes one of the disk."""

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote

__all__ = ["Asked", "resolve"]

Kind = Literal["greeting", "health", "status", "metrics", "manifest", "root", "artifact", "blob", "report", "receipts"]

_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_BLOB: Final = re.compile(r"([0-9a-f]{64})\.bin", re.ASCII)
_ROOT: Final = re.compile(r"([1-9][0-9]{0,8})\.json", re.ASCII)
_ARCHES: Final = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
_CHANNELS: Final = ("stable", "testing", "nightly")
_ALIASES: Final = {
    "vmlinuz": "kernel",
    "vmlinuz-arm64": "kernel",
    "bzImage": "kernel",
    "initramfs.img": "initramfs",
    "initrd": "initramfs",
    "initramfs-arm64.img": "initramfs",
    "rootfs.img": "rootfs",
    "rootfs.squashfs": "rootfs",
}
_PLAIN: Final[dict[str, Kind]] = {
    "health": "health",
    "status": "status",
    "metrics": "metrics",
    "report": "report",
    "receipts": "receipts",
    "manifest.json": "manifest",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    Attributes:
        kind: of thing.
        name: of an artifact, hash of a blob, version of a root; else empty.
        channel: that the path names, or empty.
        arch: that the path names, in the manifest's spelling, or empty.
    """

    kind: Kind
    name: str = ""
    channel: str = ""
    arch: str = ""


def resolve(target: str) -> Asked | None:
    """Reads the target of a request; each segment is decoded once, and then has to be a plain name.

    Args:
        target: as it came, still encoded; a query is passed over.
    """
    path = target.partition("?")[0]
    if path == "/":
        return Asked("greeting")
    first, *parts = [unquote(segment, errors="replace") for segment in path.split("/")]
    if first or not parts or not all(_SEGMENT.fullmatch(part) for part in parts):
        return None
    channel = arch = ""
    if len(parts) > 2 and parts[0] in _CHANNELS and parts[1] in _ARCHES:  # noqa: PLR2004 - channel, arch and a name
        channel, arch, parts = parts[0], _ARCHES[parts[1]], parts[2:]
    return _named(parts, channel, arch)


def _named(parts: list[str], channel: str, arch: str) -> Asked | None:
    match parts:
        case [name] if name in _PLAIN and (not channel or name == "manifest.json"):
            return Asked(_PLAIN[name], "", channel, arch)
        case [name]:
            return Asked("artifact", _ALIASES.get(name, name), channel, arch)
        case ["root", name] if match := _ROOT.fullmatch(name):
            return Asked("root", match[1], channel, arch)
        case ["blobs", prefix, name] if (match := _BLOB.fullmatch(name)) and match[1][:2] == prefix and not channel:
            return Asked("blob", match[1])
        case _:
            return None
