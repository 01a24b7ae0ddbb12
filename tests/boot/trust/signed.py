"""Keys, roots and manifests for tests."""

import json
from dataclasses import replace
from typing import Any

from boot.trust.manifest import MANIFEST_DOMAIN, Artifact, signed_message
from boot.trust.root import Root, Trusted
from boot.trust.signing import Release, sign_manifest
from boot.trust.verifier import Times, Wanted
from runtime.canonical import encode
from runtime.identity import Identity

DAY_MS = 24 * 3_600_000
NOW_MS = 1_800_000_000_000
KEYS = tuple(Identity(bytes([number]) * 32) for number in range(1, 6))
"""Keys of nobody."""


def root(version: int = 1, threshold: int = 1, *keys: int, expires_ms: int | None = NOW_MS + 365 * DAY_MS) -> Root:
    return Root(version, threshold, tuple(KEYS[number].public_hex for number in keys or (0,)), expires_ms)


TRUSTED = Trusted(root())
RELEASE = Release(
    manifest_version=7,
    channel="stable",
    arch="x86_64",
    release="2026.11",
    cmdline="console=ttyS0 quiet",
    artifacts={
        "kernel": Artifact(14_200_000, "11" * 32),
        "initramfs": Artifact(9_400_000, "22" * 32),
        "rootfs": Artifact(48_500_000, "33" * 32),
    },
    created_ms=NOW_MS - DAY_MS,
    expires_ms=NOW_MS + 30 * DAY_MS,
)
WANTED = Wanted("stable", "x86_64", 7, Times(NOW_MS))


def manifest(*keys: int, **changed: Any) -> bytes:
    """A manifest, signed by keys by their numbers."""
    return sign_manifest(replace(RELEASE, **changed), [KEYS[number] for number in keys or (0,)])


def signed_by_hand(document: dict[str, Any], *keys: int) -> bytes:
    """As `manifest`, for what no honest signer would sign."""
    message = signed_message(document)
    made = [
        {"key": KEYS[number].public_hex, "signature": KEYS[number].sign(MANIFEST_DOMAIN, message).hex()}
        for number in keys or (0,)
    ]
    return encode({**document, "signatures": made})


def opened(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(raw)
    return found
