"""What the catalogue is made of: a chain of receipts under fixed keys, and how one changes a place in a document."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runtime.canonical import encode
from runtime.identity import Identity
from runtime.jobs.commitment import commit
from runtime.jobs.evidence import Evidence, pinned_key
from runtime.jobs.verify import Verification, verify

Document = dict[str, Any]

WORKER: Final = Identity(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
STRANGER: Final = Identity(bytes(range(32)))
MODULE: Final = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
STDOUT: Final = b"harbor\n" * 20_000  # three chunks
STDERR: Final = b"\xff\x1b[31m not UTF-8"
RECEIPT_DOMAIN: Final = b"phase-receipt:v1:"
MANIFEST_DOMAIN: Final = b"phase-manifest:v1:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A receipt and what it is held against; the fields are those of `Evidence`."""

    name: str
    receipt: bytes
    key: str | None = WORKER.public_hex
    manifest: bytes | None = None
    module: str | None = None
    stdout: bytes | None = None
    stderr: bytes | None = None
    previous: bytes | None = None

    def verdict(self) -> Verification:
        """What Python says."""
        key = None if self.key is None else pinned_key(self.key)
        names = ("manifest", "module", "stdout", "stderr", "previous")
        return verify(self.receipt, Evidence(key=key, **{name: getattr(self, name) for name in names}))


def signed_receipt(document: Document, by: Identity = WORKER, domain: bytes = RECEIPT_DOMAIN) -> Document:
    """A receipt with a signature that fits what it says."""
    covered = {name: value for name, value in document.items() if name not in {"signature", "worker_pubkey"}}
    return covered | {"worker_pubkey": by.public_hex, "signature": by.sign(domain, encode(covered)).hex()}


def signed_manifest(document: Document, by: Identity = STRANGER) -> Document:
    """A manifest with a signature that fits what it says."""
    covered = {name: value for name, value in document.items() if name not in {"signature", "signer_pubkey"}}
    return covered | {"signer_pubkey": by.public_hex, "signature": by.sign(MANIFEST_DOMAIN, encode(covered)).hex()}


def job_of(manifest: Document) -> bytes:
    """The id of a manifest's job."""
    covered = {name: value for name, value in manifest.items() if name not in {"signature", "signer_pubkey"}}
    return hashlib.sha256(MANIFEST_DOMAIN + encode(covered)).digest()


def list_hash(items: list[str]) -> str:
    """As receipts state what the manifest lists."""
    return hashlib.sha256(encode(items)).hexdigest()


def make_manifest(**own: object) -> Document:
    """A signed manifest; `own` changes its object `orlop`."""
    extension = {
        "nonce": "0123456789abcdef0123456789abcdef",
        "argv": ["hello.wasm", "é😀", "--"],
        "env": ["K=V"],
        "dirs": [],
        "fuel": 9_007_199_254_740_993,  # a double cannot hold it
        "max_output_bytes": 8_388_608,
        "deterministic": False,
        "stdin_sha256": "a" * 64,
    }
    return signed_manifest(
        {
            "schema_version": 1,
            "created_at": "2025-01-02T03:04:05.250Z",
            "expires_at": "2025-02-02T03:04:05Z",
            "payload": {
                "kind": "wasm",
                "module_cid": MODULE,
                "input": [],
                "max_duration_ms": 30_000,
                "max_memory_bytes": 134_217_728,
                "orlop": extension | own,
            },
        }
    )


MANIFEST: Final = make_manifest()
LIMITS: Final = {
    "fuel": 9_007_199_254_740_993,
    "max_output_bytes": 8_388_608,
    "memory_bytes": 134_217_728,
    "timeout_ms": 30_000,
}


def make_receipt(
    number: int,
    previous: str,
    manifest: Document = MANIFEST,
    output: tuple[bytes, bytes] = (STDOUT, STDERR),
    **extra: str,
) -> Document:
    """A signed receipt of a manifest's job."""
    own = manifest["payload"]["orlop"]
    made = commit(*output)
    entries = {
        "exit_code": "0",
        "module_hash": MODULE,
        "orlop.outcome": "exit",
        "orlop.seq": str(number),
        "orlop.prev": previous,
        "orlop.nonce": own["nonce"],
        "orlop.fuel_used": "921",
        "orlop.engine": "wasmtime 50.0.1",
        "orlop.limits": encode(LIMITS).decode(),
        "orlop.environment": '{"arch":"x86_64","os":"linux"}',
        "orlop.stdin_sha256": own["stdin_sha256"],
        "orlop.argv_sha256": list_hash(own["argv"]),
        "orlop.env_sha256": list_hash(own["env"]),
        "orlop.dirs_sha256": list_hash(own["dirs"]),
    }
    job = job_of(manifest)
    return signed_receipt(
        {
            "schema_version": 1,
            "job_id": job.hex(),
            "completed_at": "2025-01-02T03:04:06.250Z",
            "result": {
                "job_spec_hash": list(job),
                "output_commitment": list(made.digest),
                "output_chunk_count": made.count,
                "completion": "stop",
                "resumption": None,
                "metrics": {
                    "total_duration_ms": 42,
                    "prompt_tokens": 0,
                    "completion_tokens": 0,
                    "extra": entries | extra,
                },
            },
        }
    )


def receipt_id(document: Document) -> str:
    """SHA-256 of the signed message."""
    covered = {name: value for name, value in document.items() if name not in {"signature", "worker_pubkey"}}
    return hashlib.sha256(RECEIPT_DOMAIN + encode(covered)).hexdigest()


FIRST: Final = make_receipt(0, "0" * 64)
RECEIPT: Final = make_receipt(1, receipt_id(FIRST))
OTHER_MANIFEST: Final = make_manifest(nonce="f" * 32)
FULL: Final = Case(
    name="genuine, everything given",
    receipt=encode(RECEIPT),
    manifest=encode(MANIFEST),
    module=MODULE,
    stdout=STDOUT,
    stderr=STDERR,
    previous=encode(FIRST),
)


# ── Changing documents ──────────────────────────────────────────────────────────────────────────────────────────────

Path = tuple[str | int, ...]


def places(value: object, at: Path = ()) -> Iterator[Path]:
    """Every place in a document; of long arrays the two ends."""
    if at:
        yield at
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from places(item, (*at, name))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1}) if value else ():
            yield from places(value[index], (*at, index))


def at_place(document: Any, path: Path) -> Any:
    """What is there."""
    for part in path:
        document = document[part]
    return document


def with_value(document: Any, path: Path, value: object) -> Any:
    """A copy with another value in a place."""
    if not path:
        return value
    copy = dict(document) if isinstance(document, Mapping) else list(document)
    copy[path[0]] = with_value(document[path[0]], path[1:], value)
    return copy


def without(document: Any, path: Path) -> Any:
    """A copy without a place."""
    inside = at_place(document, path[:-1])
    copy = dict(inside) if isinstance(inside, Mapping) else list(inside)
    del copy[path[-1]]
    return with_value(document, path[:-1], copy)


def flipped(value: object) -> Iterator[object]:
    """Other values for a place, near and far."""
    if isinstance(value, str):
        yield from (
            "",
            f"{value} ",
            f"{value}\n",
            value[:-1],
            value.upper(),
            ("1" if value[:1] == "0" else "0") + value[1:],
        )
    if isinstance(value, int):
        yield from (value + 1, -value, -1, 256, 2**63 - 1)
    yield from (None, True, 0, 1, "x", [], {}, [0], {"a": "b"})


def shown(path: Path) -> str:
    """A place in a document, for people."""
    return ".".join(str(part) for part in path)
