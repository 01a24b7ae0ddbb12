"""The one verifier of boot manifests, on the node and in the initramfs: from bytes to what may be booted.

Each step that was taken is told, so that a screen or a serial console can show how trust was established. The order is
that of the package's rules; the first step that fails refuses, and nothing after it is looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from boot.errors import BootRefusedError
from boot.trust.documents import Fields, read_document, signatures_of
from boot.trust.manifest import (
    MANIFEST_DOMAIN,
    OUTER,
    SCHEMA_VERSION,
    BootManifest,
    manifest_of,
    signed_message,
)
from boot.trust.root import Trusted, true_signers
from runtime.canonical import Json, timestamp

__all__ = ["STEPS", "Step", "StepName", "Times", "Verified", "Wanted", "verify_manifest"]

StepName = Literal["form", "schema", "root", "signatures", "payload", "channel", "arch", "time", "version"]
STEPS: Final[tuple[StepName, ...]] = (
    "form",
    "schema",
    "root",
    "signatures",
    "payload",
    "channel",
    "arch",
    "time",
    "version",
)
_AHEAD_MS: Final = 24 * 3_600_000
_OUTER: Final = frozenset(OUTER)


@dataclass(frozen=True, slots=True)
class Times:
    """What is known of the time, in milliseconds since 1970.

    Attributes:
        clock_ms: of the machine's clock, which may stand at 1970.
        built_ms: when the image was built; 0 on a node.
        remembered_ms: `created_at` of the newest manifest that was ever verified; 0 of none.
    """

    clock_ms: int
    built_ms: int = 0
    remembered_ms: int = 0

    @property
    def clock_is_behind(self) -> bool:
        """Whether the clock says that the image has not been built yet: then nothing is judged by it alone."""
        return self.clock_ms < self.built_ms

    @property
    def now_ms(self) -> int:
        """The latest that is known."""
        return max(self.clock_ms, self.built_ms, self.remembered_ms)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a machine takes.

    Attributes:
        channel: which line of releases.
        arch: its own.
        floor: the lowest version; the higher of that in the image and of the one remembered.
        times: what it knows of the time.
    """

    channel: str
    arch: str
    floor: int
    times: Times


@dataclass(frozen=True, slots=True)
class Step:
    """One step that was passed, in words."""

    name: StepName
    detail: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A manifest that may be booted, and how that was established.

    Attributes:
        manifest: what it says.
        steps: all of `STEPS`.
        notes: what an operator should know and what refused nothing, such as a clock that is wrong.
    """

    manifest: BootManifest
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Passed:
    told: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)

    def passed(self, name: StepName, detail: str) -> None:
        step = Step(name, detail)
        self.steps.append(step)
        self.told(step)


def verify_manifest(
    trusted: Trusted, raw: bytes, wanted: Wanted, told: Callable[[Step], None] = lambda _: None
) -> Verified:
    """Decides whether a manifest may be booted.

    Args:
        trusted: the newest root.
        raw: the document as it came.
        wanted: what the machine takes.
        told: hears of each step as soon as it was passed.

    Returns:
        What was signed.

    Raises:
        BootRefusedError: it may not.
    """
    way = _Passed(told)
    document = read_document(raw, "manifest")
    way.passed("form", f"{len(raw)} bytes of JSON")
    _check_schema(document)
    way.passed("schema", f"version {SCHEMA_VERSION}")
    _check_root(trusted, wanted.times.now_ms)
    way.passed("root", f"version {trusted.root.version}, {trusted.root.threshold} of {len(trusted.root.keys)} keys")
    signers = _signers(trusted, document)
    way.passed("signatures", " ".join(key[:16] for key in sorted(signers)))
    manifest = manifest_of(document)
    way.passed("payload", f"release {manifest.release}, {len(manifest.artifacts)} artifacts")
    for name, found, asked in (("channel", manifest.channel, wanted.channel), ("arch", manifest.arch, wanted.arch)):
        if found != asked:
            raise BootRefusedError(name, f"the manifest is for {found}, this machine takes {asked}")
        way.passed("channel" if name == "channel" else "arch", found)
    notes = _check_time(trusted, manifest, wanted.times)
    way.passed("time", f"valid until {timestamp(manifest.expires_ms)}")
    if manifest.manifest_version < wanted.floor:
        why = f"version {manifest.manifest_version} is below {wanted.floor}, which was seen already"
        raise BootRefusedError("rollback", why)
    way.passed("version", f"{manifest.manifest_version}, not below {wanted.floor}")
    return Verified(manifest, tuple(way.steps), notes)


def _check_schema(document: dict[str, Json]) -> None:
    """The version first: of another one, nothing is known."""
    version = document.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise BootRefusedError("schema", f"schema_version is not {SCHEMA_VERSION}")
    Fields(document, "manifest", _OUTER)


def _check_root(trusted: Trusted, now_ms: int) -> None:
    expires_ms = trusted.root.expires_ms
    if expires_ms is not None and now_ms >= expires_ms:
        raise BootRefusedError("root", f"version {trusted.root.version} expired at {timestamp(expires_ms)}")


def _signers(trusted: Trusted, document: dict[str, Json]) -> set[str]:
    """The keys of the root that truly signed, at least as many as it asks for."""
    signatures = signatures_of(Fields(document, "manifest", _OUTER), "manifest")
    root, message = trusted.root, signed_message(document)
    true = true_signers(root.keys, MANIFEST_DOMAIN, message, signatures)
    if not true:
        revoked = [key for key, _ in signatures if key in trusted.revoked]
        if revoked:
            raise BootRefusedError("revoked-key", f"key {revoked[0][:16]} was revoked")
        raise BootRefusedError("unknown-key", f"key {signatures[0][0][:16]} is none of the root's")
    if len(true) < root.threshold:
        raise BootRefusedError("threshold", f"{len(true)} of {root.threshold} signatures that are needed")
    return true


def _check_time(trusted: Trusted, manifest: BootManifest, times: Times) -> tuple[str, ...]:
    """Judged by the latest time that is known; a clock that is wrong by itself refuses nothing."""
    notes: list[str] = []
    if times.clock_is_behind:
        notes.append(f"the clock says {timestamp(max(0, times.clock_ms))}, before this image was built")
    elif manifest.created_ms > times.clock_ms + _AHEAD_MS:
        raise BootRefusedError("not-yet-valid", f"created at {timestamp(manifest.created_ms)}, more than a day ahead")
    now_ms = max(times.now_ms, manifest.created_ms)
    if now_ms >= manifest.expires_ms:
        raise BootRefusedError("expired", f"at {timestamp(manifest.expires_ms)}; it is {timestamp(now_ms)}")
    _check_root(trusted, now_ms)
    return tuple(notes)
