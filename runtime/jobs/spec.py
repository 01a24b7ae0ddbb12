"""What is to be run, and within what: requests, limits, and the signed job manifest (v1) whose hash is the job's id.

A request is checked when it is made, so that whatever holds one may rely on it. The manifest never names a host path.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
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
    "LIMITS",
    "DirGrant",
    "JobLimits",
    "JobRequest",
    "Limit",
    "LimitRefusedError",
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


@dataclass(frozen=True, slots=True)
class Limit:
    """One of a job's bounds: how people read it, and what a job can have at all.

    Attributes:
        name: its key in manifests, receipts, rows and answers, and its field in `JobLimits`.
        what: in words.
        low: the least that can be asked for.
        high: the most.
        words: writes a value for people.
    """

    name: str
    what: str
    low: int
    high: int
    words: Callable[[int], str]


_YEAR_MS: Final = 366 * 86_400_000
_FILES_MAX: Final = 1024
_ELEMENTS_MAX: Final = 10_000

LIMITS: Final = (
    Limit("memory_bytes", "memory limit", _PAGE, 1 << 32, format_size),
    Limit("fuel", "fuel limit", 1, INTEGER_MAX, str),
    Limit("timeout_ms", "time limit", 1, _YEAR_MS, format_duration_ms),
    Limit("max_output_bytes", "output limit", 1, 1 << 40, format_size),
    Limit("cpu_ms", "CPU time limit", 1, _YEAR_MS, format_duration_ms),
    Limit("stack_bytes", "stack limit", 64 << 10, _MIB, format_size),
    Limit("table_elements", "table limit", 1, _ELEMENTS_MAX, str),
    Limit("open_files", "limit of open files", 1, _FILES_MAX, str),
    Limit("dir_bytes", "directory quota", 1, 1 << 40, format_size),
)
"""Every bound of a run, in the order in which they are checked and shown."""


class LimitRefusedError(RefusedError):
    """A job that is not run because of a limit.

    Attributes:
        tripped: the limit's name, as in `JobLimits`; or `module_bytes`, `stdin_bytes`, `queue`, `queue_ms`, `expires`.
    """

    def __init__(self, tripped: str, why: str) -> None:
        super().__init__(f"{why} ({tripped})")
        self.tripped = tripped


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """The bounds of one run.

    Attributes:
        memory_bytes: of linear memory.
        fuel: units of the engine, roughly instructions.
        timeout_ms: on the clock, from the guest's start.
        max_output_bytes: of stdout, and as many of stderr.
        cpu_ms: CPU time of the worker; nothing that is not below the time limit can strike.
        stack_bytes: of the engine's stack, which is not the one in linear memory.
        table_elements: in each of its tables.
        open_files: at a time.
        dir_bytes: by which its writable directories may grow on the disk, all together.

    Raises:
        UsageError: a value outside what a job can have at all.
    """

    memory_bytes: int = 128 * _MIB
    fuel: int = 30 * FUEL_PER_SECOND
    timeout_ms: int = 30_000
    max_output_bytes: int = 8 * _MIB
    cpu_ms: int = 30_000
    stack_bytes: int = _MIB
    table_elements: int = _ELEMENTS_MAX
    open_files: int = 64
    dir_bytes: int = 256 * _MIB

    def __post_init__(self) -> None:
        """Checks each value against what the engine can do."""
        for limit in LIMITS:
            value: int = getattr(self, limit.name)
            if not limit.low <= value <= limit.high:
                why = f"{limit.words(value)} is outside {limit.words(limit.low)} to {limit.words(limit.high)}"
                raise UsageError(why, where=limit.what)

    @classmethod
    def of(
        cls,
        *,
        memory_bytes: int,
        timeout_ms: int,
        max_output_bytes: int,
        fuel: int | None = None,
        cpu_ms: int | None = None,
    ) -> Self:
        """Limits with the default budgets of fuel and CPU time for their time limit, unless they are named."""
        budget = max(1, timeout_ms * FUEL_PER_SECOND // 1000) if fuel is None else fuel
        return cls(
            memory_bytes=memory_bytes,
            fuel=budget,
            timeout_ms=timeout_ms,
            max_output_bytes=max_output_bytes,
            cpu_ms=timeout_ms if cpu_ms is None else cpu_ms,
        )

    @classmethod
    def read(cls, document: Mapping[str, Json]) -> Self:
        """Limits from what `document` made; what is missing or of another type has its default.

        Raises:
            UsageError: a value that a job cannot have.
        """
        known = {limit.name: document.get(limit.name) for limit in LIMITS}
        return cls(**{name: value for name, value in known.items() if type(value) is int})

    def above(self, ceilings: "JobLimits") -> LimitRefusedError | None:
        """What exceeds an operator's ceilings, in words with both figures; None when nothing does."""
        for limit in LIMITS:
            asked: int = getattr(self, limit.name)
            allowed: int = getattr(ceilings, limit.name)
            if asked > allowed:
                why = f"{limit.what} {limit.words(asked)} is above this node's {limit.words(allowed)}"
                return LimitRefusedError(limit.name, why)
        return None

    def document(self) -> dict[str, Json]:
        """The limits as JSON, the same in manifests, receipts, rows and answers."""
        return {limit.name: getattr(self, limit.name) for limit in sorted(LIMITS, key=lambda limit: limit.name)}


CEILINGS: Final = JobLimits(
    memory_bytes=1 << 32,
    fuel=INTEGER_MAX,
    timeout_ms=24 * 3_600_000,
    max_output_bytes=1 << 30,
    cpu_ms=24 * 3_600_000,
    stack_bytes=_MIB,
    table_elements=_ELEMENTS_MAX,
    open_files=_FILES_MAX,
    dir_bytes=1 << 40,
)
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
        deterministic: whether clock and random bytes follow from the nonce alone, so that it can be repeated.
        nonce: that of the job which it repeats, 32 hexadecimal characters; empty for a new one.

    Raises:
        UsageError: text that a guest cannot be given.
    """

    name: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    dirs: tuple[DirGrant, ...] = ()
    limits: JobLimits = field(default_factory=JobLimits)
    submitter: str = "local"
    deterministic: bool = False
    nonce: str = ""

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

    def seed(self, nonce: str) -> bytes:
        """What a deterministic job's clock and random bytes follow from: SHA-256 of its nonce; else nothing."""
        return hashlib.sha256(bytes.fromhex(nonce)).digest() if self.deterministic else b""

    def writable(self, directories: Sequence[int]) -> list[int]:
        """The descriptors of those directories that the guest may change, of one for each."""
        return [number for number, grant in zip(directories, self.dirs, strict=True) if grant.writable]


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
        canonical: the envelope in canonical JSON.
    """

    document: Mapping[str, Json]
    job: str
    signer: str
    canonical: bytes

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
        "cpu_ms": request.limits.cpu_ms,
        "stack_bytes": request.limits.stack_bytes,
        "table_elements": request.limits.table_elements,
        "open_files": request.limits.open_files,
        "dir_bytes": request.limits.dir_bytes,
        "dirs": [str(grant) for grant in request.dirs],
        "deterministic": request.deterministic,
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
    return _manifest(signed, message, identity.sign(DOMAIN, message).hex(), identity.public_hex)


def _manifest(signed: Mapping[str, Json], message: bytes, signature: str, signer: str) -> Manifest:
    """The envelope around what was signed; its other two fields sort behind those."""
    return Manifest(
        document={**signed, "signature": signature, "signer_pubkey": signer},
        job=hashlib.sha256(DOMAIN + message).hexdigest(),
        signer=signer,
        canonical=b'%s,"signature":"%s","signer_pubkey":"%s"}' % (message[:-1], signature.encode(), signer.encode()),
    )


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
    signed = {name: value for name, value in document.items() if name not in {"signature", "signer_pubkey"}}
    message = encode(signed)
    if not verify(signer, DOMAIN, message, signature):
        raise ManifestRefusedError("BadSignature", "the signature does not fit")
    expires_ms = _checked(document)
    if now_ms is not None and expires_ms is not None and expires_ms < now_ms:
        raise ManifestRefusedError("Expired", f"expired at {document['expires_at']}")
    return _manifest(signed, message, signature.hex(), signer.hex())


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
