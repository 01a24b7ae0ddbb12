"""What may be booted: every refusal of the table, and what is no reason to refuse."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.errors import BootRefusedError
from boot.trust.manifest import Artifact
from boot.trust.root import Trusted
from boot.trust.verifier import STEPS, Step, Times, Verified, Wanted, verify_manifest
from runtime.canonical import CanonicalError, encode
from tests.boot.trust.signed import (
    DAY_MS,
    KEYS,
    NOW_MS,
    RELEASE,
    TRUSTED,
    WANTED,
    manifest,
    opened,
    root,
    signed_by_hand,
)


def verified(raw: bytes, trusted: Trusted = TRUSTED, wanted: Wanted = WANTED) -> Verified:
    return verify_manifest(trusted, raw, wanted)


def refused(raw: bytes, trusted: Trusted = TRUSTED, wanted: Wanted = WANTED) -> str:
    with pytest.raises(BootRefusedError) as caught:
        verify_manifest(trusted, raw, wanted)
    assert caught.value.line() == f"boot: refused: {caught.value.step}: {caught.value.why}"
    assert caught.value.why.isprintable()
    return caught.value.step


def changed(change: Callable[[dict[str, Any]], object], raw: bytes | None = None) -> bytes:
    """A manifest that somebody changed after it was signed."""
    document = opened(raw or manifest())
    change(document)
    return json.dumps(document).encode()


def signed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A manifest that was changed before it was signed: the key's holder is careless, or worse."""
    document = opened(manifest())
    change(document)
    return signed_by_hand(document)


def test_a_true_manifest_is_what_was_signed_and_every_step_is_told() -> None:
    told: list[Step] = []
    found = verify_manifest(TRUSTED, manifest(), WANTED, told.append)
    assert found.manifest.artifacts == RELEASE.artifacts
    assert (found.manifest.manifest_version, found.manifest.release, found.manifest.cmdline) == (
        7,
        "2026.11",
        "console=ttyS0 quiet",
    )
    assert tuple(step.name for step in found.steps) == STEPS
    assert tuple(told) == found.steps
    assert found.notes == ()


def test_11_4_a_manifest_with_three_artifacts_verifies_a_thousand_times_out_of_a_thousand() -> None:
    raw = manifest()
    for number in range(1000):
        document = opened(raw)
        items = list(document["payload"]["artifacts"].items())
        document["payload"]["artifacts"] = dict(items[number % 3 :] + items[: number % 3])
        verified(json.dumps(document, indent=number % 4 or None).encode())


TAMPERED: dict[str, tuple[bytes, str]] = {
    "payload changed": (changed(lambda d: d["payload"].update(cmdline="init=/bin/sh")), "bad-signature"),
    "artifact exchanged": (
        changed(lambda d: d["payload"]["artifacts"]["kernel"].update(sha256="44" * 32)),
        "bad-signature",
    ),
    "version raised": (changed(lambda d: d["payload"].update(manifest_version=99)), "bad-signature"),
    "life made longer": (changed(lambda d: d.update(expires_at="2099-01-01T00:00:00Z")), "bad-signature"),
    "signature of zeros": (changed(lambda d: d["signatures"][0].update(signature="00" * 64)), "bad-signature"),
    "key substituted": (
        changed(lambda d: d["signatures"][0].update(key=KEYS[1].public_hex)),
        "unknown-key",
    ),
    "signed by a stranger": (manifest(1), "unknown-key"),
    "outer field not signed": (changed(lambda d: d.update(artifacts={})), "malformed"),
    "field of an artifact not known": (
        signed(lambda d: d["payload"]["artifacts"]["kernel"].update(url="http://192.0.2.1/")),
        "malformed",
    ),
    "no kernel": (signed(lambda d: d["payload"]["artifacts"].pop("kernel")), "malformed"),
    "no initramfs": (signed(lambda d: d["payload"]["artifacts"].pop("initramfs")), "malformed"),
    "no expiry": (changed(lambda d: d.pop("expires_at")), "malformed"),
    "ends before it begins": (signed(lambda d: d.update(expires_at=d["created_at"])), "malformed"),
    "another schema": (signed(lambda d: d.update(schema_version=2)), "schema"),
    "true for one": (signed(lambda d: d.update(schema_version=True)), "schema"),
    "a job's manifest": (signed(lambda d: d["payload"].update(kind="job")), "malformed"),
    "other channel": (manifest(channel="nightly"), "channel"),
    "other architecture": (manifest(arch="arm64"), "arch"),
    "expired": (manifest(created_ms=NOW_MS - 31 * DAY_MS, expires_ms=NOW_MS), "expired"),
    "not yet valid": (manifest(created_ms=NOW_MS + DAY_MS + 1), "not-yet-valid"),
    "rollback": (manifest(manifest_version=6), "rollback"),
    "too large": (manifest() + b" " * (64 << 10), "too-large"),
    "truncated": (manifest()[:-40], "malformed"),
    "empty": (b"", "malformed"),
    "not UTF-8": (b'{"a": "\xff"}', "malformed"),
    "duplicate key": (b'{"schema_version": 1, "schema_version": 1}', "malformed"),
    "a fraction": (b'{"schema_version": 1.0}', "malformed"),
    "no object": (b"[]", "malformed"),
    "nested without end": (b"[" * 30_000, "malformed"),
    "upper-case signature": (
        changed(lambda d: d["signatures"][0].update(signature=d["signatures"][0]["signature"].upper())),
        "malformed",
    ),
    "signature with blanks": (
        changed(lambda d: d["signatures"][0].update(signature=" " + d["signatures"][0]["signature"][1:])),
        "malformed",
    ),
    "no signature": (changed(lambda d: d.update(signatures=[])), "malformed"),
    "too many signatures": (changed(lambda d: d.update(signatures=d["signatures"] * 33)), "malformed"),
    "command line with a line break": (signed(lambda d: d["payload"].update(cmdline="quiet\ninit=/x")), "malformed"),
}


@pytest.mark.parametrize(("raw", "step"), TAMPERED.values(), ids=list(TAMPERED))
def test_what_is_not_as_it_was_signed_or_not_for_this_machine_is_refused(raw: bytes, step: str) -> None:
    assert refused(raw) == step


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["payload"].update(artifacts=None),
        lambda d: d["payload"].update(manifest_version="9"),
        lambda d: d["payload"].update(manifest_version=0),
        lambda d: d["payload"].update(release=["x"]),
        lambda d: d["payload"]["artifacts"].update(kernel=[]),
        lambda d: d["payload"]["artifacts"]["kernel"].update(size=-1),
        lambda d: d["payload"]["artifacts"]["kernel"].update(size=True),
        lambda d: d["payload"]["artifacts"].update({"../kernel": {"size": 1, "sha256": "00" * 32}}),
        lambda d: d.update(expires_at=5),
        lambda d: d.update(expires_at="2027-13-40T00:00:00Z"),
        lambda d: d.update(payload=None),
    ],
)
def test_what_was_signed_can_still_be_wrong_and_never_more_than_refused(
    change: Callable[[dict[str, Any]], object],
) -> None:
    assert refused(signed(change)) == "malformed"


def test_s3_p9_11_4_only_what_is_signed_is_used() -> None:
    """S3: a body outside the signed bytes that says otherwise is not looked at, it refuses."""
    forged = opened(manifest())
    forged["payload_for_old_readers"] = {"artifacts": {"kernel": {"size": 1, "sha256": "00" * 32}}}
    assert refused(json.dumps(forged).encode()) == "malformed"


def test_the_threshold_counts_true_signatures_of_distinct_keys() -> None:
    trusted = Trusted(root(1, 2, 0, 1, 2))
    assert verified(manifest(0, 2), trusted).manifest.manifest_version == 7
    assert refused(manifest(1), trusted) == "threshold"
    twice = opened(manifest(1))
    twice["signatures"] *= 2
    assert refused(json.dumps(twice).encode(), trusted) == "threshold"
    assert refused(manifest(1, 4), trusted) == "threshold"  # the other is a stranger's


def test_signatures_of_strangers_are_passed_over_and_a_false_one_of_a_known_key_refuses() -> None:
    assert verified(manifest(0, 4))
    for one in (stranger := opened(manifest(0, 4)))["signatures"]:
        if one["key"] == KEYS[4].public_hex:
            one["signature"] = "00" * 64
    assert verified(json.dumps(stranger).encode())
    false = opened(manifest(0, 1))
    for one in false["signatures"]:
        if one["key"] == KEYS[1].public_hex:
            one["signature"] = "00" * 64
    assert refused(json.dumps(false).encode(), Trusted(root(1, 1, 0, 1))) == "bad-signature"


def test_a_revoked_key_is_named_as_that() -> None:
    trusted = Trusted(root(2, 1, 1), frozenset({KEYS[0].public_hex}))
    assert refused(manifest(0), trusted) == "revoked-key"
    assert verified(manifest(0, 1), trusted)


def test_an_expired_root_verifies_nothing() -> None:
    assert refused(manifest(), Trusted(root(expires_ms=NOW_MS))) == "root"
    late = manifest(created_ms=NOW_MS + DAY_MS // 2)  # by the manifest's own time the root is over
    assert refused(late, Trusted(root(expires_ms=NOW_MS + 1))) == "root"
    assert verified(manifest(), Trusted(root(expires_ms=None)))


class TestTime:
    def test_it_is_the_latest_that_is_known(self) -> None:
        expired = manifest(created_ms=NOW_MS - 40 * DAY_MS, expires_ms=NOW_MS - 10 * DAY_MS)
        at_1970 = Times(0, built_ms=1)
        assert verified(expired, wanted=replace(WANTED, times=at_1970))
        for times in (Times(0, built_ms=NOW_MS - 10 * DAY_MS), Times(0, 1, remembered_ms=NOW_MS - 10 * DAY_MS)):
            assert refused(expired, wanted=replace(WANTED, times=times)) == "expired"

    def test_a_clock_before_the_build_is_told_and_refuses_nothing(self) -> None:
        ahead = manifest(created_ms=NOW_MS + 3 * DAY_MS)
        found = verified(ahead, wanted=replace(WANTED, times=Times(0, built_ms=NOW_MS)))
        assert found.notes == ("the clock says 1970-01-01T00:00:00Z, before this image was built",)
        assert refused(ahead) == "not-yet-valid"

    def test_a_day_ahead_is_not_too_far(self) -> None:
        assert verified(manifest(created_ms=NOW_MS + DAY_MS))

    def test_a_manifest_ends_at_its_very_time(self) -> None:
        assert refused(manifest(expires_ms=NOW_MS)) == "expired"
        assert verified(manifest(expires_ms=NOW_MS + 1))


def test_the_floor_is_the_version_that_is_still_taken() -> None:
    assert verified(manifest(manifest_version=7))
    assert refused(manifest(manifest_version=7), wanted=replace(WANTED, floor=8)) == "rollback"


def test_the_first_fault_in_the_order_of_the_steps_is_the_one_that_is_told() -> None:
    wrong = {"channel": "nightly", "arch": "arm64", "manifest_version": 1, "expires_ms": NOW_MS}
    for step in ("channel", "arch", "expired", "rollback"):
        assert refused(manifest(**wrong)) == step
        wrong.pop({"expired": "expires_ms", "rollback": "manifest_version"}.get(step, step))
    assert verified(manifest(**wrong))


def test_the_hash_of_a_manifest_is_that_of_what_was_signed() -> None:
    first, second = manifest(0), manifest(0, 1)
    assert verified(first).manifest.hash == verified(second).manifest.hash
    assert verified(manifest(release="other")).manifest.hash != verified(first).manifest.hash


@given(st.binary(max_size=2000))
def test_any_bytes_give_a_manifest_or_a_refusal(raw: bytes) -> None:
    with pytest.raises(BootRefusedError):
        verified(raw)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PLACES = st.sampled_from(
    [
        ("schema_version",), ("payload",), ("created_at",), ("expires_at",), ("signatures",),
        ("payload", "kind"), ("payload", "manifest_version"), ("payload", "channel"), ("payload", "arch"),
        ("payload", "release"), ("payload", "cmdline"), ("payload", "artifacts"),
        ("payload", "artifacts", "kernel"), ("payload", "artifacts", "kernel", "size"), ("signatures", 0),
        ("signatures", 0, "key"), ("signatures", 0, "signature"),
    ]
)  # fmt: skip


@given(PLACES, VALUES, st.booleans())
def test_any_value_anywhere_signed_or_not_gives_a_manifest_or_a_refusal(
    place: tuple[str | int, ...], value: object, sign: bool
) -> None:
    document = opened(manifest())
    inside: Any = document
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = value
    try:
        raw = signed_by_hand(document) if sign else json.dumps(document).encode()
    except (ValueError, TypeError, CanonicalError):
        return  # it has no canonical form, so nobody can sign it
    try:
        found = verified(raw)
    except BootRefusedError:
        return
    assert isinstance(found, Verified)
    assert encode(opened(raw)["payload"]) == encode(document["payload"])


def test_what_no_verifier_would_take_is_not_signed() -> None:
    for wrong in ({"artifacts": {"kernel": Artifact(1, "00" * 32)}}, {"cmdline": "ä"}, {"manifest_version": 0}):
        with pytest.raises(BootRefusedError):
            manifest(**wrong)
