"""The boot manifest: what a release is made of, for one channel and one architecture.

Signatures are over `phase-manifest:v1:` and the canonical JSON of its four other fields (see the contracts, section 7).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, cast

from boot.errors import BootRefusedError
from boot.trust.documents import Fields
from runtime.canonical import Json, encode

__all__ = [
    "ARCHES",
    "CHANNELS",
    "MANIFEST_DOMAIN",
    "SIZE_MAX",
    "Arch",
    "Artifact",
    "BootManifest",
    "Channel",
    "manifest_of",
    "signed_message",
]

MANIFEST_DOMAIN: Final = b"phase-manifest:v1:"
SCHEMA_VERSION: Final = 1

Channel = Literal["stable", "testing", "nightly"]
Arch = Literal["x86_64", "arm64"]
CHANNELS: Final[tuple[Channel, ...]] = ("stable", "testing", "nightly")
ARCHES: Final[tuple[Arch, ...]] = ("x86_64", "arm64")

OUTER: Final = frozenset({"schema_version", "payload", "created_at", "expires_at", "signatures"})
_PAYLOAD: Final = frozenset({"kind", "manifest_version", "channel", "arch", "release", "cmdline", "artifacts"})
_NEEDED: Final = ("kernel", "initramfs")
_ARTIFACTS_MAX: Final = 16
SIZE_MAX: Final = 8 << 30
_VERSION_MAX: Final = 2**53 - 1
_CMDLINE_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a file has to be.

    Attributes:
        size: bytes.
        sha256: 64 lower-case hexadecimal characters.
    """

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BootManifest:
    """What was signed.

    Attributes:
        manifest_version: rises with every release; the counter against roll-back.
        channel: which line of releases.
        arch: of the machine.
        release: name of the release.
        cmdline: for the second kernel.
        artifacts: by name, kernel and initramfs among them.
        created_ms: when it was signed, milliseconds since 1970.
        expires_ms: from when on it is of no use.
        hash: SHA-256 of the signed message, hexadecimal: what a machine says that it booted.
    """

    manifest_version: int
    channel: Channel
    arch: Arch
    release: str
    cmdline: str
    artifacts: Mapping[str, Artifact]
    created_ms: int
    expires_ms: int
    hash: str


def signed_message(document: Mapping[str, Json]) -> bytes:
    """The bytes that the signatures of a manifest are over, without the domain.

    Args:
        document: the manifest, with its five fields.
    """
    return encode({name: document[name] for name in OUTER - {"signatures"}})


def manifest_of(document: Mapping[str, Json]) -> BootManifest:
    """Reads what was signed; call it only with a document whose signatures are true.

    Args:
        document: the manifest.

    Raises:
        BootRefusedError: `malformed`.
    """
    outer = Fields(document, "manifest", OUTER)
    payload = Fields(document["payload"], "payload", _PAYLOAD)
    payload.text("kind", "boot", "the kind boot")
    created_ms, expires_ms = outer.time("created_at"), outer.time("expires_at")
    if expires_ms <= created_ms:
        raise BootRefusedError("malformed", "manifest.expires_at: it ends before it begins")
    return BootManifest(
        manifest_version=payload.integer("manifest_version", 1, _VERSION_MAX),
        channel=cast("Channel", payload.text("channel", "|".join(CHANNELS), f"one of {', '.join(CHANNELS)}")),
        arch=cast("Arch", payload.text("arch", "|".join(ARCHES), f"one of {', '.join(ARCHES)}")),
        release=payload.text("release", "[A-Za-z0-9._+~-]{1,64}", "a name of 1 to 64 letters, digits and . _ + ~ -"),
        cmdline=payload.text(
            "cmdline", f"[ -~]{{0,{_CMDLINE_MAX}}}", f"at most {_CMDLINE_MAX} printable ASCII characters"
        ),
        artifacts=MappingProxyType(_artifacts(payload.raw("artifacts"))),
        created_ms=created_ms,
        expires_ms=expires_ms,
        hash=hashlib.sha256(MANIFEST_DOMAIN + signed_message(document)).hexdigest(),
    )


def _artifacts(value: Json) -> dict[str, Artifact]:
    if not isinstance(value, Mapping) or len(value) > _ARTIFACTS_MAX:
        raise BootRefusedError("malformed", f"payload.artifacts: an object of at most {_ARTIFACTS_MAX} is needed")
    for name in _NEEDED:
        if name not in value:
            raise BootRefusedError("malformed", f"payload.artifacts: no {name}")
    return {name: _artifact(name, one) for name, one in value.items()}


def _artifact(name: str, value: Json) -> Artifact:
    Fields({"name": name}, "payload.artifacts", frozenset({"name"})).text(
        "name", "[a-z][a-z0-9._-]{0,62}", "a name of lower-case letters, digits and . _ -"
    )
    fields = Fields(value, f"payload.artifacts.{name}", frozenset({"size", "sha256"}))
    sha256 = fields.text("sha256", "[0-9a-f]{64}", "64 lower-case hexadecimal characters")
    return Artifact(fields.integer("size", 1, SIZE_MAX), sha256)
