"""What is to be run, and within what: requests, limits, and the signed job manifest (v1) whose hash is the job's id.

A request is checked when it is made, so that whatever holds one may rely on it. The manifest never names a host path.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from runtime.canonical import INTEGER_MAX, CanonicalError, Json, decode, encode, parse_timestamp, timestamp
from runtime.errors import RefusedError, UsageError
from runtime.identity import Identity, verify
from runtime.jobs.schemas import SchemaRefusedError, check
from runtime.quantities import format_duration_ms, format_size
from runtime.sanitise import clean

__all__ = [
    "CEILINGS",
    "DOMAIN",
    "FUEL_PER_SECOND",
    "DirGrant",
    "JobLimits",
    "JobRequest",
    "Manifest",
    "ManifestRefusedError",
    "module_name",
    "new_nonce",
    "read_manifest",
    "sign_manifest",
    "sign_payload",
]

DOMAIN: Final = b"phase-manifest:v1:"
"""What a manifest's signature and hash begin with; the name is that of the format, so that others can verify it."""

FUEL_PER_SECOND: Final = 20_000_000_000
"""The default budget of fuel for each second of the time limit: so much that time strikes first."""

_MIB: Final = 1 << 20
_PAGE: Final = 65_536
_MANIFEST_MAX: Final = 65_536
_DIRS_MAX: Final = 16
_LINE_ENDS: Final = ("\u2028", "\u2029")  # some languages escape them in JSON, and a signature over them breaks there


class ManifestRefusedError(RefusedError):
    """A job manifest that is not accepted.

    Attributes:
        check: which rule it broke: `schema`, `UnsupportedSchema`, `key`, `BadSignature` or `Expired`.
    """

    def __init__(self, check: str, why: str) -> None:
        super().__init__(why, where="job manifest")
        self.check = check


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """The bounds of one run; `max_output_bytes` counts for stdout and for stderr, each by itself.

    Raises:
        UsageError: a value outside what a job can have at all.
    """

    memory_bytes: int = 128 * _MIB
    fuel: int = 30 * FUEL_PER_SECOND
    timeout_ms: int = 30_000
    max_output_bytes: int = 8 * _MIB

    def __post_init__(self) -> None:
        """Checks each value against what the engine can do."""
        for what, value, low, high, words in (
            ("memory limit", self.memory_bytes, _PAGE, 1 << 32, format_size),
            ("fuel", self.fuel, 1, INTEGER_MAX, str),
            ("time limit", self.timeout_ms, 1, 366 * 86_400_000, format_duration_ms),
            ("output limit", self.max_output_bytes, 1, 1 << 40, format_size),
        ):
            if not low <= value <= high:
                raise UsageError(f"{words(value)} is outside {words(low)} to {words(high)}", where=what)

    @classmethod
    def of(cls, *, memory_bytes: int, timeout_ms: int, max_output_bytes: int, fuel: int | None = None) -> Self:
        """Limits with the default budget of fuel for their time limit, unless one is named."""
        budget = max(1, timeout_ms * FUEL_PER_SECOND // 1000) if fuel is None else fuel
        return cls(memory_bytes=memory_bytes, fuel=budget, timeout_ms=timeout_ms, max_output_bytes=max_output_bytes)

    def above(self, ceilings: "JobLimits") -> str:
        """What exceeds an operator's ceilings, in words with both figures; empty when nothing does."""
        for what, asked, allowed, words in (
            ("memory", self.memory_bytes, ceilings.memory_bytes, format_size),
            ("fuel", self.fuel, ceilings.fuel, str),
            ("time", self.timeout_ms, ceilings.timeout_ms, format_duration_ms),
            ("output", self.max_output_bytes, ceilings.max_output_bytes, format_size),
        ):
            if asked > allowed:
                return f"{what} limit {words(asked)} is above this node's {words(allowed)}"
        return ""

    def document(self) -> dict[str, Json]:
        """The limits as JSON, the same in manifests, receipts, rows and answers."""
        return {
            "fuel": self.fuel,
            "max_output_bytes": self.max_output_bytes,
            "memory_bytes": self.memory_bytes,
            "timeout_ms": self.timeout_ms,
        }


CEILINGS: Final = JobLimits(memory_bytes=1 << 32, fuel=INTEGER_MAX, timeout_ms=24 * 3_600_000, max_output_bytes=1 << 30)
"""What an operator who sets no ceilings allows."""


@dataclass(frozen=True, slots=True)
class DirGrant:
    """A directory that the guest sees; which one it is on the host comes along as a descriptor.

    Attributes:
        guest: the guest's absolute path.
        writable: whether the guest may change what is in it.
    """

    guest: str
    writable: bool = False

    def __post_init__(self) -> None:
        """Checks the guest's path."""
        _check_text(self.guest, "directory")
        parts = self.guest.split("/")
        if not self.guest.startswith("/") or ":" in self.guest or ".." in parts or not self.guest.isprintable():
            raise UsageError("a guest path is absolute, without `..` and `:`", where=clean(self.guest, 80))

    def __str__(self) -> str:
        """As the manifest writes it."""
        return f"{self.guest}:{'rw' if self.writable else 'ro'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """One run that somebody asks for; pure data, descriptors travel beside it.

    Attributes:
        name: what it is called on screen, usually the module's file name; also the guest's `argv[0]`.
        args: the guest's arguments after `argv[0]`.
        env: `K=V`, exactly what the guest sees.
        dirs: what it sees of the file system; as many descriptors come with the request.
        limits: its bounds.
        submitter: whose job it is: `local`, or a PeerId. A worker process serves one submitter.

    Raises:
        UsageError: text that a guest cannot be given.
    """

    name: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    dirs: tuple[DirGrant, ...] = ()
    limits: JobLimits = field(default_factory=JobLimits)
    submitter: str = "local"

    def __post_init__(self) -> None:
        """Checks every text."""
        for number, arg in enumerate(self.args, 1):
            _check_text(arg, f"argument {number}")
        for pair in self.env:
            _check_text(pair, "environment")
            if pair.find("=") < 1:
                raise UsageError("not of the form K=V", where=f"environment variable {clean(pair, 60)}")
        names = [grant.guest for grant in self.dirs]
        if len(set(names)) != len(names):
            raise UsageError("two directories have the same guest path")
        if len(names) > _DIRS_MAX:
            raise UsageError(f"more than {_DIRS_MAX} directories")

    @property
    def argv(self) -> tuple[str, ...]:
        """All of the guest's arguments; the name made harmless comes first."""
        return (clean(self.name, 100) or "job", *self.args)


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("not UTF-8", where=where) from None
    if "\0" in text or any(end in text for end in _LINE_ENDS):
        raise UsageError("a NUL character, U+2028 or U+2029 cannot be passed on and signed", where=where)


def module_name(module: bytes) -> str:
    """How manifests and receipts name a module: `sha256:` and 64 hexadecimal characters."""
    return f"sha256:{hashlib.sha256(module).hexdigest()}"


def new_nonce() -> str:
    """16 random bytes, as hexadecimal text."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A signed job manifest whose form and signature are right.

    Attributes:
        document: the envelope as it travels.
        job: its hash, the job's id.
        signer: the submitter's public key, 64 hexadecimal characters.
    """

    document: Mapping[str, Json]
    job: str
    signer: str

    @property
    def payload(self) -> Mapping[str, Json]:
        """The job specification."""
        payload = self.document["payload"]
        return payload if isinstance(payload, Mapping) else {}

    @property
    def extension(self) -> Mapping[str, Json]:
        """The object `orlop` of the specification; empty in manifests of other programs."""
        own = self.payload.get("orlop")
        return own if isinstance(own, Mapping) else {}


def sign_manifest(
    identity: Identity,
    request: JobRequest,
    module: str,
    *,
    nonce: str,
    created_ms: int,
    stdin_sha256: str | None = None,
    expires_ms: int | None = None,
) -> Manifest:
    """Writes and signs the manifest of a request.

    Args:
        identity: the submitter's.
        request: what is to be run.
        module: the module's hash as `module_name` writes it.
        nonce: 32 hexadecimal characters, never used before.
        created_ms: wall time.
        stdin_sha256: of the standard input, where it is known beforehand.
        expires_ms: wall time after which it is no longer accepted.

    Raises:
        UsageError: arguments and environment do not fit into a manifest.
    """
    own: dict[str, Json] = {
        "nonce": nonce,
        "argv": list(request.argv),
        "env": list(request.env),
        "fuel": request.limits.fuel,
        "max_output_bytes": request.limits.max_output_bytes,
        "dirs": [str(grant) for grant in request.dirs],
        "deterministic": False,
    }
    if stdin_sha256 is not None:
        own["stdin_sha256"] = stdin_sha256
    payload: dict[str, Json] = {
        "kind": "wasm",
        "module_cid": module,
        "input": [],
        "max_duration_ms": request.limits.timeout_ms,
        "max_memory_bytes": request.limits.memory_bytes,
        "orlop": own,
    }
    return sign_payload(identity, payload, created_ms=created_ms, expires_ms=expires_ms)


def sign_payload(
    identity: Identity, payload: Mapping[str, Json], *, created_ms: int, expires_ms: int | None = None
) -> Manifest:
    """Writes and signs a manifest of any payload; see `sign_manifest` for that of a job.

    Args:
        identity: the submitter's.
        payload: what the schema `job-manifest.v1` allows.
        created_ms: wall time.
        expires_ms: as in `sign_manifest`.

    Raises:
        UsageError: it does not fit into a manifest.
    """
    signed: dict[str, Json] = {"schema_version": 1, "payload": payload, "created_at": timestamp(created_ms)}
    if expires_ms is not None:
        signed["expires_at"] = timestamp(expires_ms)
    message = encode(signed)
    if len(message) > _MANIFEST_MAX:
        raise UsageError(f"arguments and environment make a manifest of {len(message)} bytes, {_MANIFEST_MAX} fit")
    document = signed | {
        "signer_pubkey": identity.public_hex,
        "signature": identity.sign(DOMAIN, message).hex(),
    }
    return Manifest(document, hashlib.sha256(DOMAIN + message).hexdigest(), identity.public_hex)


def read_manifest(raw: bytes, *, now_ms: int | None = None) -> Manifest:
    """Reads a manifest and checks it: size, version, key, signature, then what it says, then its expiry.

    Nothing in it is looked at, still less acted upon, before its signature is known to fit.

    Args:
        raw: its JSON.
        now_ms: wall time for the expiry; None does not look at it.

    Raises:
        ManifestRefusedError: any check failed; `check` says which.
    """
    try:
        document = decode(raw, limit=2 * _MANIFEST_MAX)
    except CanonicalError as error:
        raise ManifestRefusedError("schema", error.why) from None
    if not isinstance(document, Mapping):
        raise ManifestRefusedError("schema", "expected an object")
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ManifestRefusedError("schema", "schema_version: is not a version")
    if version > 1:
        raise ManifestRefusedError("UnsupportedSchema", f"schema_version: {version} is newer than 1")
    signer = _hex(document.get("signer_pubkey"), 32, "key", "signer_pubkey")
    signature = _hex(document.get("signature"), 64, "BadSignature", "signature")
    message = encode({name: value for name, value in document.items() if name not in {"signature", "signer_pubkey"}})
    if not verify(signer, DOMAIN, message, signature):
        raise ManifestRefusedError("BadSignature", "the signature does not fit")
    expires_ms = _checked(document)
    if now_ms is not None and expires_ms is not None and expires_ms < now_ms:
        raise ManifestRefusedError("Expired", f"expired at {document['expires_at']}")
    return Manifest(document, hashlib.sha256(DOMAIN + message).hexdigest(), signer.hex())


def _checked(document: Mapping[str, Json]) -> int | None:
    """Holds a signed document against its schema; gives its expiry."""
    try:
        check("job-manifest.v1", document)
        times = {
            name: parse_timestamp(str(document[name])) for name in ("created_at", "expires_at") if name in document
        }
    except SchemaRefusedError as error:
        raise ManifestRefusedError("schema", error.line) from None
    except CanonicalError as error:
        raise ManifestRefusedError("schema", error.why) from None
    return times.get("expires_at")


def _hex(value: Json, size: int, rule: str, name: str) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * size or value.strip("0123456789abcdef"):
        raise ManifestRefusedError(rule, f"{name}: expected {2 * size} lower-case hexadecimal characters")
    return bytes.fromhex(value)
