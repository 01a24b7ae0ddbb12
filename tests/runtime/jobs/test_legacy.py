"""Version 0.1: written as its readers expect, read strictly, and never taken for a proof."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.canonical import Json, encode
from runtime.errors import RefusedError
from runtime.jobs.evidence import Evidence
from runtime.jobs.legacy import is_legacy, legacy_receipt, parse_legacy_receipt, read_legacy_manifest
from runtime.jobs.receipt_form import ReceiptRefusedError
from runtime.jobs.verify import exit_status, verify
from tests.runtime.jobs.test_verify import FULL, ME, MODULE, STRANGER, changed, oks, receipt

MANIFEST: dict[str, Json] = {
    "version": "0.1", "module_hash": MODULE, "cpu_cores": 1, "memory_mb": 128, "timeout_seconds": 30,
}  # fmt: skip


def old() -> bytes:
    return legacy_receipt(json.loads(changed("completed_at", "2023-11-14T22:13:20Z")), ME)


def test_it_is_written_as_its_readers_expect() -> None:
    document = json.loads(old())
    assert list(document) == [
        "version", "module_hash", "exit_code", "wall_time_ms", "timestamp", "node_pubkey", "signature",
    ]  # fmt: skip
    assert [document[name] for name in ("version", "exit_code", "wall_time_ms", "timestamp")] == [
        "0.1", 3, 42, 1_700_000_000,
    ]  # fmt: skip
    assert document["signature"] == (
        "06b43aa8c3c5ca77cf472d800873baf36fd9840a271d3d3bb63fcfb001f5e445"
        "c33e4cc1491d453b8d0ecb0f0e3a7b044d3047490cc472faa172564aa72cf20c"
    )


def test_only_the_key_that_signed_a_receipt_signs_its_older_form() -> None:
    with pytest.raises(RefusedError, match="present key"):
        legacy_receipt(json.loads(receipt()), STRANGER)


def test_what_is_written_is_read_again() -> None:
    read = parse_legacy_receipt(json.loads(old()))
    assert (read.module, read.worker, read.signature_fits) == (MODULE, ME.public_hex, True)
    assert len(read.message) == 91
    assert is_legacy(json.loads(old()))
    assert not is_legacy(json.loads(receipt()))
    assert not is_legacy(["version"])


def test_its_best_verdict_is_unchecked_whatever_is_given() -> None:
    for evidence in (FULL, replace(FULL, manifest=None), Evidence(key=ME.public_hex, module=MODULE)):
        verification = verify(old(), evidence)
        assert (verification.ok, verification.verdict, exit_status(verification)) == (None, "unchecked", 1)
        assert verification.steps[0].detail.startswith("receipt version 0.1, which proves little")
        assert oks(verification) == {
            "schema": None, "canonical": None, "key": True, "signature": True, "job_id": None, "module": True,
            "commitment": None, "chain": None,
        }  # fmt: skip


def test_a_strangers_key_is_not_checked_and_a_wrong_one_is_false() -> None:
    assert oks(verify(old(), Evidence()))["key"] is None
    assert exit_status(verify(old(), Evidence(key=STRANGER.public_hex))) == 4


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"exit_code": 0}, "signature"),
        ({"wall_time_ms": 43}, "signature"),
        ({"timestamp": 1_700_000_001}, "signature"),
        ({"module_hash": "sha256:" + "0" * 64}, "signature"),
        ({"version": "0.2"}, "signature"),
        ({"node_pubkey": STRANGER.public_hex}, "signature"),
        ({"signature": "00" * 64}, "signature"),
        ({"exit_code": 256}, "schema"),
        ({"exit_code": True}, "schema"),
        ({"wall_time_ms": -1}, "schema"),
        ({"node_pubkey": "placeholder_pubkey"}, "schema"),
        ({"signature": "placeholder_signature"}, "schema"),
        ({"note": 1}, "schema"),
    ],
)
def test_a_changed_one_is_bad(change: dict[str, Json], step: str) -> None:
    verification = verify(encode(json.loads(old()) | change), Evidence(key=ME.public_hex))
    assert exit_status(verification) == 4
    assert oks(verification)[step] is False


def test_the_published_example_with_an_ecdsa_signature_is_refused() -> None:
    document = json.loads(old()) | {"signature": "3045022100" + "ab" * 66}
    with pytest.raises(
        ReceiptRefusedError, match="signature: expected 128 lower-case hexadecimal characters, found 142"
    ):
        parse_legacy_receipt(document)


def test_the_module_is_held_against_a_manifest_of_its_version() -> None:
    def module(manifest: bytes) -> bool | None:
        return oks(verify(old(), Evidence(key=ME.public_hex, manifest=manifest)))["module"]

    assert module(encode(MANIFEST)) is True
    assert module(encode(MANIFEST | {"module_hash": "sha256:" + "0" * 64})) is False
    assert module(b"junk") is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cpu_cores": 0}, "cpu_cores: expected an integer from 1 to 64, found 0"),
        ({"cpu_cores": 65}, "cpu_cores"),
        ({"memory_mb": 32_769}, "memory_mb: expected an integer from 1 to 32768"),
        ({"timeout_seconds": 3601}, "timeout_seconds"),
        ({"version": "1"}, "version: expected a version such as 0.1"),
        ({"module_hash": "0" * 71}, "module_hash"),
        ({"more": 1}, "more: is not a field"),
    ],
)
def test_manifests_have_bounds(change: dict[str, Json], said: str) -> None:
    assert read_legacy_manifest(encode(MANIFEST)) == MANIFEST
    with pytest.raises(ReceiptRefusedError, match=said):
        read_legacy_manifest(encode(MANIFEST | change))


@given(st.integers(0, 400), st.integers(1, 255))
def test_no_changed_byte_makes_it_more_than_unchecked(at: int, change: int) -> None:
    raw = bytearray(old())
    raw[at % len(raw)] ^= change
    assert verify(bytes(raw), FULL).ok is not True
