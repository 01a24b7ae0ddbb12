"""Verification: the worked example, each step by itself, and what must never be valid."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.canonical import Json, encode
from runtime.errors import UsageError
from runtime.identity import Identity
from runtime.jobs.commitment import CHUNK, commit
from runtime.jobs.ending import Usage
from runtime.jobs.evidence import Evidence, pinned_key
from runtime.jobs.limits import JobLimits
from runtime.jobs.manifest import sign_manifest
from runtime.jobs.receipt_form import DOMAIN, FIRST_PREVIOUS, message, read_receipt, receipt_id
from runtime.jobs.spec import DirGrant, JobRequest
from runtime.jobs.statement import Statement, sign_receipt
from runtime.jobs.verify import STEPS, Verification, exit_status, verify

ME = Identity(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
STRANGER = Identity(bytes(32))
MODULE = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
JOB = "b8c7b8b1ad6f8c4180ba55ab21445b4f1dca5df9cfaac47603abc06993a9aa8e"
COMMITMENT = "d8d63e8a3b76ec791640bd3e86b244dd74b136bfeae67c938a50301505ce8df9"

EXAMPLE: dict[str, Json] = {
    "schema_version": 1,
    "job_id": JOB,
    "completed_at": "2025-01-02T03:04:06.250Z",
    "result": {
        "completion": "stop",
        "job_spec_hash": list(bytes.fromhex(JOB)),
        "metrics": {
            "completion_tokens": 0,
            "extra": {"exit_code": "3", "module_hash": MODULE},
            "prompt_tokens": 0,
            "total_duration_ms": 42,
        },
        "output_chunk_count": 1,
        "output_commitment": list(bytes.fromhex(COMMITMENT)),
        "resumption": None,
    },
    "worker_pubkey": ME.public_hex,
    "signature": "a22414ae78a1a857f7c53b8da7c47b922aca8cb78a60cbc725de1fb5c02cc412"
    "fe292b481f7db3cf15ee0e7271f6ef758d831b7078a111e83751eca35fdd1803",
}

REQUEST = JobRequest(name="hello.wasm", args=("a",), env=("K=V",), dirs=(DirGrant("/in"),))
MANIFEST = sign_manifest(ME, REQUEST, MODULE, nonce="0" * 32, created_ms=1000, stdin_sha256="a" * 64)
STATEMENT = Statement(
    job=MANIFEST.job,
    module=MODULE,
    nonce="0" * 32,
    argv=REQUEST.argv,
    env=REQUEST.env,
    dirs=("/in:ro",),
    stdin_sha256="a" * 64,
    limits=REQUEST.limits,
    outcome="exit",
    exit_code=0,
    guest_exit_code=None,
    usage=Usage(wall_ms=42, fuel=7, memory_peak_bytes=65_536, stdout_bytes=6),
    commitment=commit(b"orlop\n", b"error"),
    completed_ms=2000,
)


def receipt(number: int = 0, previous: str = FIRST_PREVIOUS, *, by: Identity = ME, **changes: object) -> bytes:
    return sign_receipt(by, replace(STATEMENT, **changes), number, previous).canonical  # type: ignore[arg-type]


def signed(document: dict[str, Json], by: Identity = ME) -> bytes:
    """A document with a signature that fits."""
    return encode(document | {"worker_pubkey": by.public_hex, "signature": by.sign(DOMAIN, message(document)).hex()})


def oks(verification: Verification) -> dict[str, bool | None]:
    return {step.name: step.ok for step in verification.steps}


FULL = Evidence(
    key=ME.public_hex, manifest=encode(MANIFEST.document), module=MODULE, stdout=b"orlop\n", stderr=b"error"
)


def test_worked_example() -> None:
    raw = json.dumps(EXAMPLE, indent=2).encode()
    read = read_receipt(raw)
    assert len(DOMAIN + read.message) == 690
    assert read.id == "3902a5046e095427fd8e6b13d8f0576179adb8374a6cd0fa290717ac30628142"
    assert receipt_id(EXAMPLE) == read.id
    assert ME.sign(DOMAIN, read.message).hex() == EXAMPLE["signature"]
    verification = verify(raw, Evidence(key=ME.public_hex, stdout=b"orlop\n", stderr=b"", module=MODULE))
    assert verification.ok is True
    assert oks(verification) == dict(zip(STEPS, (True, True, True, True, None, True, True, None), strict=True))


def test_what_is_stored_of_a_signed_receipt_is_its_document_in_canonical_json() -> None:
    made = sign_receipt(ME, STATEMENT, 0, FIRST_PREVIOUS)
    assert made.canonical == encode(made.document)
    assert made.id == receipt_id(made.document) == read_receipt(made.canonical).id
    assert read_receipt(made.canonical).canonical == made.canonical


def test_all_eight_steps_are_true_with_all_evidence() -> None:
    verification = verify(receipt(), FULL)
    assert tuple(step.name for step in verification.steps) == STEPS
    assert [step.ok for step in verification.steps] == [True] * 8
    assert (verification.ok, verification.verdict, exit_status(verification)) == (True, "valid", 0)
    assert verification.document()["ok"] is True
    steps = verification.document()["steps"]
    assert isinstance(steps, list)
    assert steps[0] == {"name": "schema", "ok": True, "detail": "receipt version 1"}


@given(st.data())
def test_no_changed_byte_leaves_a_receipt_valid(data: st.DataObject) -> None:
    raw = bytearray(receipt() + data.draw(st.sampled_from([b"", b"\n"])))
    at, change = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(1, 255))
    raw[at] ^= change
    verification = verify(bytes(raw), FULL)
    assert verification.ok is not True
    assert exit_status(verification) != 0


def test_every_position_changed_in_three_ways_is_invalid() -> None:
    raw = receipt() + b"\n"
    for at in range(len(raw)):
        for change in (1, 0x20, 0x2A):
            flipped = bytearray(raw)
            flipped[at] ^= change
            assert verify(bytes(flipped), FULL).ok is not True, (at, bytes(flipped[max(0, at - 9) : at + 9]))


@given(st.data())
def test_no_missing_byte_leaves_a_receipt_valid(data: st.DataObject) -> None:
    raw = receipt()
    at = data.draw(st.integers(0, len(raw) - 1))
    assert verify(raw[:at] + raw[at + 1 :], FULL).ok is not True
    assert verify(raw[:at], FULL).ok is not True


def test_layout_and_order_of_keys_do_not_matter() -> None:
    document = json.loads(receipt())
    for text in (json.dumps(document), json.dumps(document, indent=4), json.dumps(dict(reversed(document.items())))):
        assert verify(text.encode(), FULL).ok is True
        assert verify(text.encode() + b"\n", FULL).ok is True


@pytest.mark.parametrize("around", [b" %s", b"%s ", b"%s\n\n", b"\xef\xbb\xbf%s", b"%s{}", b"[%s]", b"%s\0", b"%s\r"])
def test_nothing_may_stand_around_a_receipt(around: bytes) -> None:
    assert verify(around % receipt(), FULL).ok is False


def test_a_strangers_key_is_never_valid_without_being_given() -> None:
    raw = receipt(by=STRANGER)
    unknown = verify(raw, replace(FULL, key=None))
    assert (unknown.ok, unknown.verdict, exit_status(unknown)) == (None, "unchecked", 1)
    assert oks(unknown)["key"] is None
    assert oks(unknown)["signature"] is True
    assert verify(raw, FULL).ok is False
    assert oks(verify(raw, FULL))["key"] is False
    assert verify(raw, replace(FULL, key=STRANGER.public_hex)).ok is True
    assert verify(raw, replace(FULL, key=None, accepts=STRANGER.public_hex.__eq__)).ok is True


def test_a_key_put_in_place_of_the_workers_does_not_help() -> None:
    document = json.loads(receipt(by=STRANGER)) | {"worker_pubkey": ME.public_hex}
    verification = verify(encode(document), FULL)
    assert oks(verification)["signature"] is False
    assert exit_status(verification) == 4


def changed(path: str, value: Json) -> bytes:
    """The example with one field replaced, or removed, and a signature that fits."""
    document = json.loads(json.dumps(EXAMPLE))
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[name]
    if value == "gone":
        del place[last]
    else:
        place[last] = value
    return signed(document) if path != "signature" else encode(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema_version", 2),
        ("schema_version", "1"),
        ("schema_version", True),
        ("note", "unsigned text"),
        ("result.note", 1),
        ("result.metrics.note", 1),
        ("job_id", JOB.upper()),
        ("job_id", JOB[:-2]),
        ("completed_at", "2025-01-02T03:04:06+00:00"),
        ("completed_at", "2025-02-30T03:04:06Z"),
        ("completed_at", 1),
        ("result.completion", "done"),
        ("result.completion", None),
        ("result.job_spec_hash", [0] * 31),
        ("result.job_spec_hash", [256] * 32),
        ("result.job_spec_hash", [True] * 32),
        ("result.job_spec_hash", "x" * 32),
        ("result.output_commitment", None),
        ("result.output_chunk_count", -1),
        ("result.output_chunk_count", True),
        ("result.resumption", {}),
        ("result.resumption", {"issuer": "x", "state": [0] * 257, "valid_until_unix_ms": 1}),
        ("result.resumption", {"issuer": 1, "state": [], "valid_until_unix_ms": 1}),
        ("result.metrics.total_duration_ms", "42"),
        ("result.metrics.prompt_tokens", None),
        ("result.metrics.extra", {}),
        ("result.metrics.extra", []),
        ("result.metrics.extra.exit_code", 3),
        ("result.metrics.extra.exit_code", "-1"),
        ("result.metrics.extra.exit_code", "03"),
        ("result.metrics.extra.module_hash", JOB),
        ("result.metrics.extra.orlop\x2eseq", "1"),
        ("signature", "gone"),
        ("signature", "A" * 128),
        ("signature", "3045022100" + "ab" * 66),
        ("worker_pubkey", "gone"),
    ],
)
def test_what_is_no_receipt_of_version_1_is_bad(path: str, value: Json) -> None:
    if path == "worker_pubkey":
        raw = encode({name: item for name, item in EXAMPLE.items() if name != path})
    elif path.startswith("result.metrics.extra.orlop"):
        document = json.loads(json.dumps(EXAMPLE))
        document["result"]["metrics"]["extra"]["orlop.seq"] = value
        raw = signed(document)
    else:
        raw = changed(path, value)
    verification = verify(raw, Evidence(key=ME.public_hex))
    assert oks(verification) == {"schema": False} | dict.fromkeys(STEPS[1:])
    assert exit_status(verification) == 4


def test_resumption_tickets_are_part_of_the_form() -> None:
    ticket: Json = {"issuer": "x", "state": [1, 2], "valid_until_unix_ms": 5}
    assert verify(changed("result.resumption", ticket), Evidence(key=ME.public_hex)).ok is True


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"[]", b"12", b'"x"', b"{", b"\xff\xfe", b'{"a":1,"a":1}', b"NaN", b"[" * 5000, b" " * 300_000],
)
def test_what_is_no_json_object_is_bad_and_nothing_else_is_checked(raw: bytes) -> None:
    verification = verify(raw, FULL)
    assert oks(verification) == {"schema": False} | dict.fromkeys(STEPS[1:])


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("2025-01-02T03:04:06Z", True),
        ("2025-01-02T03:04:06.250Z", True),
        ("2025-01-02T03:04:06.250001Z", True),
        ("2025-01-02T03:04:06.250001002Z", True),
        ("2025-01-02T03:04:06.000Z", False),
        ("2025-01-02T03:04:06.25Z", False),
        ("2025-01-02T03:04:06.250000Z", False),
    ],
)
def test_times_have_one_form(text: str, ok: bool) -> None:
    verification = verify(changed("completed_at", text), Evidence(key=ME.public_hex))
    assert oks(verification)["canonical"] is ok
    assert oks(verification)["signature"] is True


def test_the_two_job_ids_must_agree() -> None:
    assert oks(verify(changed("job_id", "0" * 64), FULL))["job_id"] is False
    assert oks(verify(receipt(), replace(FULL, manifest=None)))["job_id"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "1" * 32},
        {"argv": ("hello.wasm", "b")},
        {"env": ()},
        {"dirs": ("/in:rw",)},
        {"stdin_sha256": "b" * 64},
        {"limits": JobLimits(memory_bytes=1 << 30)},
        {"limits": JobLimits(timeout_ms=31_000)},
        {"limits": JobLimits(max_output_bytes=1 << 30)},
        {"limits": JobLimits(fuel=1 << 60)},
        {"job": "0" * 64},
    ],
)
def test_a_receipt_of_another_run_contradicts_the_manifest(changes: dict[str, object]) -> None:
    verification = verify(receipt(**changes), replace(FULL, module=None))
    assert oks(verification)["job_id"] is False
    assert exit_status(verification) == 4


def test_smaller_limits_than_the_manifest_allows_are_fine() -> None:
    smaller = JobLimits(memory_bytes=1 << 20, timeout_ms=1, max_output_bytes=1, fuel=1)
    assert oks(verify(receipt(limits=smaller), FULL))["job_id"] is True


def test_a_bad_manifest_is_a_false_step() -> None:
    for raw in (b"junk", encode(dict(MANIFEST.document) | {"signature": "00" * 64})):
        verification = verify(receipt(), replace(FULL, manifest=raw))
        assert oks(verification)["job_id"] is False
        assert "manifest is bad" in verification.steps[4].detail


def test_the_module_is_held_against_what_is_known() -> None:
    other = "sha256:" + "0" * 64
    cases = [
        (replace(FULL, module=other), False),
        (replace(FULL, module=None), True),
        (replace(FULL, module=None, manifest=None), None),
        (replace(FULL, manifest=None), True),
    ]
    for evidence, ok in cases:
        assert oks(verify(receipt(), evidence))["module"] is ok
    assert oks(verify(receipt(module=other), replace(FULL, module=None)))["module"] is False


def test_the_output_is_held_against_the_commitment() -> None:
    cases: list[tuple[bytes | None, bytes | None, bool | None]] = [
        (b"orlop\n", b"error", True),
        (b"orlop", b"error", False),
        (b"orlop\n", b"", False),
        (b"error", b"orlop\n", False),
        (b"orlop\n", None, None),
        (None, b"error", None),
        (None, None, None),
        (b"x" * 3 * CHUNK, None, False),
    ]
    for stdout, stderr, ok in cases:
        assert oks(verify(receipt(), replace(FULL, stdout=stdout, stderr=stderr)))["commitment"] is ok, (stdout, stderr)


def test_one_stream_is_enough_when_the_other_was_empty() -> None:
    raw = receipt(commitment=commit(b"orlop\n", b""))
    assert oks(verify(raw, replace(FULL, stderr=None)))["commitment"] is True
    assert oks(verify(raw, replace(FULL, stdout=b"other\n", stderr=None)))["commitment"] is False


def test_chains_are_checked_against_what_is_here() -> None:
    first = receipt()
    one = read_receipt(first).id
    second = receipt(1, one)
    known = {(ME.public_hex, 0): one, (ME.public_hex, 1): read_receipt(second).id}
    here = replace(FULL, chain=lambda worker, number: known.get((worker, number)))
    assert oks(verify(first, FULL))["chain"] is True
    assert oks(verify(second, FULL))["chain"] is None
    assert verify(second, FULL).ok is True
    assert oks(verify(second, here))["chain"] is True
    assert oks(verify(second, replace(FULL, previous=first)))["chain"] is True
    assert oks(verify(receipt(1, "ab" * 32), here))["chain"] is False
    assert oks(verify(receipt(0, exit_code=9), here))["chain"] is False
    assert oks(verify(receipt(1), FULL))["chain"] is False
    assert oks(verify(receipt(0, "ab" * 32), FULL))["chain"] is False
    for previous in (b"junk", second, receipt(by=STRANGER), receipt(exit_code=9)):
        assert oks(verify(second, replace(FULL, previous=previous)))["chain"] is False
    forged = encode(json.loads(first) | {"signature": "00" * 64})
    assert oks(verify(second, replace(FULL, previous=forged)))["chain"] is False


def test_keys_are_given_as_hex_or_peer_id() -> None:
    assert pinned_key(ME.public_hex.upper()) == ME.public_hex
    assert pinned_key(ME.peer_id) == ME.public_hex
    for bad in ("", "xyz", ME.peer_id[:-1], ME.public_hex[:-1]):
        with pytest.raises(UsageError):
            pinned_key(bad)


def test_exit_status_of_nothing_to_read() -> None:
    assert exit_status(None) == 2


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_no_json_makes_verification_fail(value: object) -> None:
    raw = json.dumps(value).encode()
    assert verify(raw, replace(FULL, manifest=raw, previous=raw)).ok is False
