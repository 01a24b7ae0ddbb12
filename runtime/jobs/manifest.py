"""The signed job manifest (v1), whose hash is the job's id: written, signed, read. It never names a host path."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.canonical import CanonicalError, Json, decode, encode, parse_timestamp, timestamp
from runtime.errors import RefusedError, UsageError
from runtime.identity import Identity, verify
from runtime.jobs.schemas import SchemaRefusedError, check
from runtime.jobs.spec import JobRequest

__all__ = [
    "DOMAIN",
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

_MANIFEST_MAX: Final = 65_536


class ManifestRefusedError(RefusedError):
    """A job manifest that is not accepted.

    Attributes:
        check: which rule it broke: `schema`, `UnsupportedSchema`, `key`, `BadSignature` or `Expired`.
    """

    def __init__(self, check: str, why: str) -> None:
        super().__init__(why, where="job manifest")
        self.check = check


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
