"""Proof bundles and attestations: everything in one document, checked offline, and nothing in them is trusted."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from runtime import keys
from runtime.canonical import Json, encode
from runtime.errors import RefusedError
from runtime.identity import Identity
from runtime.jobs.attestation import PAYLOAD_TYPE, PREDICATE_TYPE, attest, pre_authentication
from runtime.jobs.bundle import OUTPUT_MAX, make_bundle, parse_bundle
from runtime.jobs.evidence import Evidence
from runtime.jobs.receipt_form import ReceiptRefusedError, parse_receipt
from runtime.jobs.verify import exit_status, verify
from tests.runtime.jobs.test_verify import FULL, MANIFEST, ME, STRANGER, oks, receipt

RECEIPT = json.loads(receipt())
NEXT, OTHER = Identity(b"n" * 32), Identity(b"o" * 32)
TURN = keys._signed(ME, NEXT, 1, 1000)
BUNDLE = make_bundle(RECEIPT, manifest=MANIFEST.document, statements=(TURN,), outputs=(b"orlop\n", b"error"))
ALONE = Evidence(key=ME.public_hex)


def bent(*path: str | int, value: Json) -> bytes:
    document: Any = json.loads(encode(BUNDLE))
    inside = document
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return encode(document)


def test_a_bundle_is_all_that_the_eight_steps_need() -> None:
    verification = verify(encode(BUNDLE), ALONE)
    assert oks(verification) == dict.fromkeys(oks(verification), True) | {"module": True}
    assert (verification.ok, exit_status(verification)) == (True, 0)
    assert verify(json.dumps(BUNDLE, indent=2).encode(), ALONE).ok is True


def test_it_adds_no_trust() -> None:
    verification = verify(encode(BUNDLE), Evidence())
    assert (verification.ok, oks(verification)["key"]) == (None, None)
    assert oks(verify(encode(BUNDLE), Evidence(key=STRANGER.public_hex)))["key"] is False


def test_a_key_before_or_after_a_rotation_is_the_nodes_too() -> None:
    believed = verify(encode(BUNDLE), Evidence(key=NEXT.public_hex))
    assert believed.ok is True
    assert believed.steps[2].detail == "1 signed rotation from the key that was given"
    assert verify(encode(BUNDLE), Evidence(accepts=NEXT.public_hex.__eq__)).ok is True
    without = make_bundle(RECEIPT, manifest=None, statements=())
    assert oks(verify(encode(without), Evidence(key=NEXT.public_hex)))["key"] is False


def test_what_is_left_out_is_not_checked() -> None:
    small = make_bundle(RECEIPT, manifest=None, statements=())
    assert set(small) == {"bundle_version", "receipt", "key"}
    verification = verify(encode(small), ALONE)
    assert verification.ok is True
    assert {name for name, ok in oks(verification).items() if ok is None} == {"job_id", "module", "commitment"}


def test_what_the_operator_gives_counts_before_what_the_bundle_brings() -> None:
    assert oks(verify(encode(BUNDLE), replace(ALONE, stdout=b"other", stderr=b"")))["commitment"] is False
    assert oks(verify(encode(BUNDLE), replace(ALONE, manifest=b"junk")))["job_id"] is False


@pytest.mark.parametrize(
    ("path", "value", "step"),
    [
        (("outputs", "stdout"), base64.b64encode(b"0rlop\n").decode(), "commitment"),
        (("outputs", "stderr"), "", "commitment"),
        (("manifest", "signature"), "00" * 64, "job_id"),
        (("manifest", "payload", "module_cid"), "sha256:" + "0" * 64, "job_id"),
        (("receipt", "signature"), "00" * 64, "signature"),
        (("receipt", "completed_at"), "2026-01-01T00:00:00Z", "signature"),
    ],
)
def test_what_does_not_belong_together_is_false(path: tuple[str, ...], value: Json, step: str) -> None:
    verification = verify(bent(*path, value=value), ALONE)
    assert (exit_status(verification), oks(verification)[step]) == (4, False)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("bundle_version",), 2, "bundle_version: expected 1, found 2"),
        (("more",), 1, "more: is not a field"),
        (("receipt",), [], "receipt: expected an object"),
        (
            ("receipt", "result", "metrics", "extra", "exit_code"),
            0,
            "receipt: result.metrics.extra.exit_code: expected",
        ),
        (("key", "public"), STRANGER.public_hex, "key.public: another key than the receipt's"),
        (("key", "statements", 0, "number"), 2, "key.statements[0]: signature: does not fit"),
        (("key", "statements", 0, "old"), None, "key.statements[0].old: expected 64"),
        (("outputs", "stdout"), "%", "outputs.stdout: is not base64"),
        (("outputs", "stdout"), "YQ", "outputs.stdout: is not base64"),
        (("outputs", "stdout"), "YR==", "outputs.stdout: is not base64 in its one spelling"),
        (("outputs",), {}, "outputs.std"),
    ],
)
def test_what_is_no_bundle_is_refused_by_its_path(path: tuple[str | int, ...], value: Json, said: str) -> None:
    raw = bent(*path, value=value)
    with pytest.raises(ReceiptRefusedError) as caught:
        parse_bundle(json.loads(raw))
    assert said in caught.value.why
    verification = verify(raw, ALONE)
    assert (exit_status(verification), oks(verification)["schema"]) == (4, False)


@given(st.data())
def test_no_changed_byte_leaves_a_bundle_with_eight_true_steps(data: st.DataObject) -> None:
    raw = bytearray(encode(BUNDLE))
    at, change = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(1, 255))
    raw[at] ^= change
    assert verify(bytes(raw), ALONE).ok is not True


def test_too_much_output_is_refused() -> None:
    with pytest.raises(RefusedError, match="32 MiB of output"):
        make_bundle(RECEIPT, manifest=None, statements=(), outputs=(bytes(OUTPUT_MAX), b"x"))


def test_an_attestation_is_checked_by_any_dsse_verifier() -> None:
    envelope: Any = attest(NEXT_OF_ME, RECEIPT, manifest=MANIFEST.document, statements=(TURN,))
    assert set(envelope) == {"payload", "payloadType", "signatures"}
    assert envelope["payloadType"] == PAYLOAD_TYPE == "application/vnd.in-toto+json"
    payload = base64.b64decode(envelope["payload"], validate=True)
    # As the specification of DSSE words it: SP separates, lengths are ASCII decimal.
    signed = b"DSSEv1 28 application/vnd.in-toto+json " + str(len(payload)).encode() + b" " + payload
    (signature,) = envelope["signatures"]
    key = bytes.fromhex(signature["keyid"])
    Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature["sig"]), signed)
    assert pre_authentication(PAYLOAD_TYPE, payload) == signed


NEXT_OF_ME = Identity(b"n" * 32, past=(ME.public_hex,))


def test_a_statement_says_what_ran_and_carries_the_receipt_whole() -> None:
    envelope: Any = attest(ME, RECEIPT, manifest=MANIFEST.document, statements=())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    read = parse_receipt(RECEIPT)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == PREDICATE_TYPE == "orlop-receipt:v1"
    assert {item["name"]: item["digest"]["sha256"] for item in statement["subject"]} == {
        "module": read.extra["module_hash"].removeprefix("sha256:"), "manifest": MANIFEST.job, "receipt": read.id,
    }  # fmt: skip
    assert verify(encode(statement["predicate"]["receipt"]), FULL).ok is True
    assert statement["predicate"]["manifest"] == MANIFEST.document


def test_nobody_attests_the_receipts_of_others() -> None:
    with pytest.raises(RefusedError, match="only this node's own"):
        attest(OTHER, RECEIPT, manifest=None, statements=())


def test_the_example_of_the_dsse_specification() -> None:
    assert pre_authentication("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
