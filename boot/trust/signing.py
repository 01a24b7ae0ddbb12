"""Making signed documents: manifests and roots, on a machine that needs no network and no node."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from boot.trust.documents import Fields, read_document, signatures_of
from boot.trust.manifest import (
    MANIFEST_DOMAIN,
    OUTER,
    SCHEMA_VERSION,
    Arch,
    Artifact,
    BootManifest,
    Channel,
    manifest_of,
    signed_message,
)
from boot.trust.root import ROOT_DOMAIN, Root, Trusted, read_root, true_signers
from runtime.canonical import Json, encode, timestamp
from runtime.identity import Identity

__all__ = ["Release", "shortfall", "sign_again", "sign_manifest", "sign_root", "sign_root_again"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a manifest is to say; as `BootManifest`."""

    manifest_version: int
    channel: Channel
    arch: Arch
    release: str
    cmdline: str
    artifacts: Mapping[str, Artifact]
    created_ms: int
    expires_ms: int


def sign_manifest(release: Release, keys: Iterable[Identity]) -> bytes:
    """A new manifest.

    Args:
        release: what it says.
        keys: who sign it; each signs once.

    Returns:
        The document.

    Raises:
        BootRefusedError: `malformed`: no verifier would take it.
    """
    artifacts: dict[str, Json] = {
        name: {"size": one.size, "sha256": one.sha256} for name, one in release.artifacts.items()
    }
    document: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "payload": {
            "kind": "boot",
            "manifest_version": release.manifest_version,
            "channel": release.channel,
            "arch": release.arch,
            "release": release.release,
            "cmdline": release.cmdline,
            "artifacts": artifacts,
        },
        "created_at": timestamp(release.created_ms),
        "expires_at": timestamp(release.expires_ms),
        "signatures": [],
    }
    manifest_of(document)
    return encode(_with_signatures(document, MANIFEST_DOMAIN, signed_message(document), keys)) + b"\n"


def sign_again(raw: bytes, keys: Iterable[Identity]) -> tuple[bytes, BootManifest]:
    """Adds signatures to a manifest, as another holder of a key does.

    Args:
        raw: the document.
        keys: who sign it; one that signed already takes its own place.

    Returns:
        The document, and what it says.

    Raises:
        BootRefusedError: `too-large` or `malformed`.
    """
    document = read_document(raw, "manifest")
    Fields(document, "manifest", OUTER)
    manifest = manifest_of(document)
    return encode(_with_signatures(document, MANIFEST_DOMAIN, signed_message(document), keys)) + b"\n", manifest


def sign_root(root: Root, keys: Iterable[Identity]) -> bytes:
    """A root, signed by some of those who have to sign it; the others add theirs with `sign_root_again`.

    Args:
        root: with an expiry.
        keys: who sign it.

    Returns:
        The document, which is of no use before `shortfall` says so.
    """
    document = root.document()
    return encode(_with_signatures(document, ROOT_DOMAIN, encode(document), keys)) + b"\n"


def sign_root_again(raw: bytes, keys: Iterable[Identity]) -> tuple[bytes, Root]:
    """Adds signatures to a root.

    Args:
        raw: the document.
        keys: who sign it.

    Returns:
        The document, and what it says.

    Raises:
        BootRefusedError: `too-large` or `malformed`.
    """
    root, message, _ = read_root(raw)
    document = read_document(raw, "root")
    return encode(_with_signatures(document, ROOT_DOMAIN, message, keys)) + b"\n", root


def shortfall(trusted: Trusted, raw: bytes) -> tuple[int, int]:
    """How many signatures a root lacks before it can follow the newest.

    Args:
        trusted: the newest.
        raw: the document.

    Returns:
        Of the old keys, and of its own.

    Raises:
        BootRefusedError: it is no root, or one of its signatures is false.
    """
    root, message, signatures = read_root(raw)
    lacks = [
        one.threshold - len(true_signers(one.keys, ROOT_DOMAIN, message, signatures)) for one in (trusted.root, root)
    ]
    return max(0, lacks[0]), max(0, lacks[1])


def _with_signatures(
    document: Mapping[str, Json], domain: bytes, message: bytes, keys: Iterable[Identity]
) -> dict[str, Json]:
    before = _signatures_before(document)
    made = {key.public_hex: key.sign(domain, message).hex() for key in keys}
    entries: list[Json] = [{"key": key, "signature": made_by} for key, made_by in sorted({**before, **made}.items())]
    return {**document, "signatures": entries}


def _signatures_before(document: Mapping[str, Json]) -> dict[str, str]:
    if not document.get("signatures"):
        return {}
    fields = Fields({"signatures": document["signatures"]}, "manifest", frozenset({"signatures"}))
    return {key: made.hex() for key, made in signatures_of(fields, "manifest")}
