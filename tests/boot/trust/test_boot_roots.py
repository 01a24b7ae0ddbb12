"""How one root follows another."""

import json
from typing import Any

import pytest

from boot.errors import BootRefusedError
from boot.trust.root import Root, Trusted, advance, pinned
from boot.trust.signing import shortfall, sign_root, sign_root_again
from boot.trust.verifier import verify_manifest
from tests.boot.trust.signed import KEYS, NOW_MS, WANTED, manifest, opened, root


def signed(which: Root, *keys: int) -> bytes:
    return sign_root(which, [KEYS[number] for number in keys])


def refused(trusted: Trusted, raw: bytes) -> tuple[str, str]:
    with pytest.raises(BootRefusedError) as caught:
        advance(trusted, raw)
    return caught.value.step, caught.value.why


FIRST = pinned(KEYS[0].public_hex.encode() + b"\n")


def test_a_public_key_is_a_root_of_version_1_with_that_key_alone() -> None:
    assert Trusted(Root(1, 1, (KEYS[0].public_hex,), None)) == FIRST
    assert verify_manifest(FIRST, manifest(), WANTED)


@pytest.mark.parametrize("raw", [b"", b"xyz", KEYS[0].public_hex.upper().encode(), b"00" * 31])
def test_what_is_neither_key_nor_root_pins_nothing(raw: bytes) -> None:
    with pytest.raises(BootRefusedError):
        pinned(raw)


def test_keys_are_added_and_revoked_by_a_newer_root_alone() -> None:
    second = advance(FIRST, signed(root(2, 1, 0, 1), 0))
    third = advance(second, signed(root(3, 1, 1), 1))
    assert third.revoked == {KEYS[0].public_hex}
    assert verify_manifest(third, manifest(1), WANTED)
    with pytest.raises(BootRefusedError) as caught:
        verify_manifest(third, manifest(0), WANTED)
    assert caught.value.step == "revoked-key"


def test_a_key_that_comes_back_is_no_longer_revoked() -> None:
    third = advance(advance(FIRST, signed(root(2, 1, 0, 1), 0)), signed(root(3, 1, 1), 1))
    assert advance(third, signed(root(4, 1, 0, 1), 1)).revoked == frozenset()


def test_both_the_old_and_the_new_keys_have_to_sign() -> None:
    old = Trusted(root(1, 2, 0, 1))
    new = root(2, 2, 2, 3)
    assert advance(old, signed(new, 0, 1, 2, 3)).root == new
    assert refused(old, signed(new, 0, 2, 3))[0] == "root"
    assert refused(old, signed(new, 0, 1, 2))[0] == "root"
    assert refused(old, signed(new, 2, 3))[0] == "root"


@pytest.mark.parametrize("version", [1, 3, 2**31 - 1])
def test_only_the_next_version_follows(version: int) -> None:
    step, why = refused(FIRST, signed(root(version, 1, 0), 0))
    assert (step, why) == ("root", f"version {version} does not follow version 1")


def test_a_false_signature_of_a_known_key_refuses() -> None:
    document = opened(signed(root(2, 1, 0, 1), 0, 1))
    document["signatures"][0]["signature"] = "00" * 64
    assert refused(FIRST, json.dumps(document).encode())[0] == "bad-signature"


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0},
        {"threshold": 3},
        {"keys": []},
        {"keys": ["xy"]},
        {"version": True},
        {"expires_at": "soon"},
        {"more": 1},
        {"signatures": {}},
    ],
)
def test_a_root_of_another_form_is_malformed(change: dict[str, Any]) -> None:
    document = {**opened(signed(root(2, 1, 0, 1), 0)), **change}
    assert refused(FIRST, json.dumps(document).encode())[0] == "malformed"


def test_a_key_that_stands_twice_counts_once() -> None:
    document = opened(signed(root(2, 1, 0, 1), 0))
    document["keys"] = [KEYS[0].public_hex] * 2
    document["threshold"] = 2
    assert refused(FIRST, json.dumps(document).encode()) == (
        "malformed",
        "root.threshold: a whole number from 1 to 1 is needed",
    )


def test_a_root_document_can_be_pinned_if_its_own_keys_signed_it() -> None:
    assert pinned(signed(root(5, 2, 0, 1, 2), 0, 2)).root.version == 5
    with pytest.raises(BootRefusedError) as caught:
        pinned(signed(root(5, 2, 0, 1, 2), 0))
    assert caught.value.step == "root"


def test_several_holders_sign_one_after_another() -> None:
    old = Trusted(root(1, 2, 0, 1))
    raw = signed(root(2, 1, 2), 0)
    assert shortfall(old, raw) == (1, 1)
    raw, _ = sign_root_again(raw, [KEYS[2]])
    assert shortfall(old, raw) == (1, 0)
    raw, said = sign_root_again(raw, [KEYS[1]])
    assert (shortfall(old, raw), said.version) == ((0, 0), 2)
    assert advance(old, raw).root.keys == (KEYS[2].public_hex,)


def test_a_root_without_expiry_cannot_be_signed() -> None:
    with pytest.raises(ValueError, match="not signed"):
        sign_root(root(expires_ms=None), [KEYS[0]])
    assert NOW_MS
