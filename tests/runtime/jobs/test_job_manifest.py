"""Signed job manifests: the worked example, and everything that must be refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.canonical import Json, encode
from runtime.errors import UsageError
from runtime.identity import Identity
from runtime.jobs.limits import FUEL_PER_SECOND, JobLimits
from runtime.jobs.manifest import DOMAIN, ManifestRefusedError, module_name, new_nonce, read_manifest, sign_manifest
from runtime.jobs.spec import DirGrant, JobRequest

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
ME = Identity(SEED)
NONCE = "00112233445566778899aabbccddeeff"
EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

PAYLOAD: dict[str, Json] = {
    "kind": "wasm",
    "module_cid": EMPTY,
    "input": [0, 255],
    "max_duration_ms": None,
    "max_memory_bytes": 134217728,
}
EXAMPLE: dict[str, Json] = {
    "schema_version": 1,
    "payload": PAYLOAD,
    "signer_pubkey": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "signature": "d042faffcbd23ac5878205e270dc4118aef9732f507544c38a4b7263eaaa2b60"
    "fea51f694e9e5a4cec1390f4398e3b619b3cf331bb9382d5b7b0941b6e4b520c",
    "created_at": "2025-01-02T03:04:05Z",
}


def manifest(**fields: object) -> bytes:
    request = JobRequest(name="hello.wasm", **fields)  # type: ignore[arg-type]
    return encode(sign_manifest(ME, request, EMPTY, nonce=NONCE, created_ms=1_735_787_045_000).document)


def check_of(raw: bytes, **options: int) -> str:
    with pytest.raises(ManifestRefusedError) as caught:
        read_manifest(raw, **options)  # type: ignore[arg-type]
    return caught.value.check


def test_worked_example() -> None:
    read = read_manifest(json.dumps(EXAMPLE).encode())
    assert read.job == "b8c7b8b1ad6f8c4180ba55ab21445b4f1dca5df9cfaac47603abc06993a9aa8e"
    assert read.signer == ME.public_hex
    assert read.extension == {}
    message = encode({name: EXAMPLE[name] for name in ("created_at", "payload", "schema_version")})
    assert len(DOMAIN + message) == 255
    assert ME.sign(DOMAIN, message).hex() == EXAMPLE["signature"]


def test_a_manifest_holds_what_was_asked_for_and_no_host_path() -> None:
    limits = JobLimits.of(memory_bytes=1 << 20, timeout_ms=1500, max_output_bytes=10)
    request = JobRequest(
        name="/tmp/hello.wasm", args=("a",), env=("K=V",), dirs=(DirGrant("/in"), DirGrant("/out", True)), limits=limits
    )
    signed = sign_manifest(ME, request, EMPTY, nonce=NONCE, created_ms=1, stdin_sha256="0" * 64, expires_ms=61_001)
    assert signed.payload == {
        "kind": "wasm",
        "module_cid": EMPTY,
        "input": [],
        "max_duration_ms": 1500,
        "max_memory_bytes": 1 << 20,
        "orlop": {
            "nonce": NONCE,
            "argv": ["/tmp/hello.wasm", "a"],
            "env": ["K=V"],
            "fuel": 1500 * FUEL_PER_SECOND // 1000,
            "max_output_bytes": 10,
            "cpu_ms": 1500,
            "stack_bytes": 1 << 20,
            "table_elements": 10_000,
            "open_files": 64,
            "dir_bytes": 256 << 20,
            "dirs": ["/in:ro", "/out:rw"],
            "deterministic": False,
            "stdin_sha256": "0" * 64,
        },
    }
    assert signed.document["created_at"] == "1970-01-01T00:00:00.001Z"
    assert read_manifest(encode(signed.document), now_ms=61_001) == signed
    assert check_of(encode(signed.document), now_ms=61_002) == "Expired"


@pytest.mark.parametrize("expires_ms", [None, 2_000_000])
def test_what_is_stored_of_a_manifest_is_its_document_in_canonical_json(expires_ms: int | None) -> None:
    request = JobRequest(name="j\u00f6b \U0001f600", env=("A=\u00df",))
    name, nonce = module_name(b"wasm"), new_nonce()
    made = sign_manifest(ME, request, name, nonce=nonce, created_ms=1000, expires_ms=expires_ms)
    assert made.canonical == encode(made.document)
    spaced = json.dumps(made.document, indent=1).encode()
    assert read_manifest(spaced) == made


def test_each_run_has_a_job_id_of_its_own() -> None:
    ids = set()
    for _ in range(3):
        request = JobRequest(name="a")
        ids.add(sign_manifest(ME, request, EMPTY, nonce=new_nonce(), created_ms=1).job)
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"schema_version": 2}, "UnsupportedSchema"),
        ({"schema_version": 0}, "schema"),
        ({"schema_version": True}, "schema"),
        ({"signer_pubkey": "00" * 32}, "BadSignature"),
        ({"signer_pubkey": "AB" * 32}, "key"),
        ({"signature": "00" * 64}, "BadSignature"),
        ({"signature": "00" * 71}, "BadSignature"),
        ({"created_at": "2025-01-02T03:04:06Z"}, "BadSignature"),
        ({"payload": {"kind": "boot"}}, "BadSignature"),
        ({"extra": 1}, "BadSignature"),
        ({"expires_at": "2030-01-01T00:00:00Z"}, "BadSignature"),
    ],
)
def test_each_change_is_refused_by_its_own_check(change: dict[str, object], check: str) -> None:
    assert check_of(json.dumps(EXAMPLE | change).encode()) == check


def signed(change: dict[str, Json]) -> bytes:
    """The example with fields replaced, and a signature that fits."""
    fields = {name: value for name, value in (EXAMPLE | change).items() if not name.startswith("sign")}
    signature = ME.sign(DOMAIN, encode(fields)).hex()
    return encode(fields | {"signer_pubkey": ME.public_hex, "signature": signature})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"created_at": "2025-01-02T03:04:05.000Z"}, "not a time of the form"),
        ({"created_at": "2025-01-02T03:04:05+00:00"}, "created_at: expected a UTC time"),
        ({"expires_at": 1}, "expires_at: expected a UTC time"),
        ({"payload": {"kind": "boot"}}, "payload.kind: expected a job of kind wasm, or orlop-restore"),
        ({"payload": "wasm"}, "payload: expected an object, found 4 characters"),
        ({"payload": {"kind": "wasm"}}, "payload.input: is missing"),
        ({"extra": 1}, "extra: is not a field of this version"),
        (
            {"payload": PAYLOAD | {"orlop": {"nonce": NONCE, "fuel": 0}}},
            "payload.orlop.fuel: expected an integer from 1",
        ),
        ({"payload": PAYLOAD | {"orlop": {"nonce": NONCE, "env": ["x"]}}}, r"payload.orlop.env\[0\]: expected K=V"),
        ({"payload": PAYLOAD | {"max_duration_ms": "1"}}, "payload.max_duration_ms: expected null, or an integer"),
    ],
)
def test_what_is_signed_and_has_another_form_is_refused_by_its_path(change: dict[str, Json], said: str) -> None:
    with pytest.raises(ManifestRefusedError, match=said) as caught:
        read_manifest(signed(change))
    assert caught.value.check == "schema"


def test_nothing_is_read_before_the_signature_fits() -> None:
    unsigned = json.loads(signed({"payload": "wasm", "extra": 1})) | {"signature": "00" * 64}
    assert check_of(encode(unsigned)) == "BadSignature"
    assert check_of(signed({"payload": "wasm", "expires_at": "1999-01-01T00:00:00Z"}), now_ms=1 << 40) == "schema"


def test_what_is_no_manifest_is_refused() -> None:
    for raw in (b"", b"[]", b"nonsense", b'{"a":1,"a":2}', b"{}", b"\xff", b" " * 200_000):
        assert check_of(raw) == "schema"
    assert check_of(encode(dict.fromkeys(EXAMPLE, 1))) == "key"


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, change: int) -> None:
    raw = bytearray(manifest(args=("x",)))
    raw[at % len(raw)] ^= change
    with pytest.raises(ManifestRefusedError):
        read_manifest(bytes(raw))


def test_too_much_for_a_manifest_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="65536 fit"):
        manifest(args=("x" * 70_000,))


def test_modules_are_named_by_their_hash() -> None:
    assert module_name(b"") == EMPTY
