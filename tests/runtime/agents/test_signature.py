"""Signatures of manifests: version 2 covers every byte of meaning, version 1 the hash only, by the original's table."""

import hashlib
import json
import os
import re
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.manifest import AgentManifest, ManifestRefusedError, parse_manifest, read_manifest
from runtime.agents.signature import (
    SignatureRefusedError,
    read_public_key,
    sign_manifest,
    signer_of,
    version_1_fits,
    version_1_refusal,
)
from runtime.canonical import encode
from runtime.errors import UsageError
from runtime.identity import Identity, peer_id_of

KEY = Identity(bytes(range(32)))
OTHER = Identity(b"\1" * 32)
DOCUMENT: dict[str, Any] = {
    "name": "echo",
    "version": "1.0.0",
    "description": "says it again, café",
    "author": "mara",
    "wasmHash": hashlib.sha256(b"wasm").hexdigest(),
    "permissions": ["read_tasks", "emit_events"],
    "stateVersion": 3,
    "homepage": {"url": "https://example.org", "ports": [1, 2]},
}
SIGNED = sign_manifest(parse_manifest(DOCUMENT), KEY)


def refused(document: Any) -> bool:
    """Whether nobody is found who signed this."""
    try:
        return signer_of(read_manifest(json.dumps(document).encode())) == ""
    except (ManifestRefusedError, SignatureRefusedError):
        return True


class TestVersion2:
    def test_who_signed_is_found_and_nothing_else_is_changed(self) -> None:
        assert {name: value for name, value in SIGNED.items() if name not in {"signer", "signature"}} == DOCUMENT
        assert SIGNED["signer"] == KEY.public_hex
        assert re.fullmatch(r"v2:[A-Za-z0-9+/]{86}==", str(SIGNED["signature"]))
        assert signer_of(parse_manifest(SIGNED)) == KEY.public_hex

    def test_the_bytes_are_those_of_the_contract(self) -> None:
        unsigned = DOCUMENT | {"signer": KEY.public_hex}
        message = b"orlop-agent:v2:" + encode(unsigned)
        made = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).sign(message)
        assert SIGNED["signature"] == "v2:" + b64encode(made).decode()

    def test_a_manifest_without_a_signature_has_no_signer(self) -> None:
        assert signer_of(parse_manifest(DOCUMENT)) == ""

    def test_signing_again_takes_the_place_of_the_signature(self) -> None:
        again = sign_manifest(parse_manifest(SIGNED), OTHER)
        assert signer_of(parse_manifest(again)) == OTHER.public_hex
        assert sign_manifest(parse_manifest(again), KEY) == SIGNED

    def test_spelling_that_means_the_same_is_the_same(self) -> None:
        turned = dict(reversed(SIGNED.items()))
        for raw in (json.dumps(turned), json.dumps(SIGNED, indent=4), json.dumps(SIGNED, ensure_ascii=False)):
            assert signer_of(read_manifest(raw.encode())) == KEY.public_hex

    @pytest.mark.parametrize("field", [*DOCUMENT, "signer", "signature"])
    def test_w12_a_field_that_is_changed_or_taken_away_is_refused(self, field: str) -> None:
        value = SIGNED[field]
        others = {
            str: [f"{value} ", str(value).upper(), str(value)[:-1], ""],
            int: [4, 0, "3", 3.0],
            list: [[], ["read_tasks"], ["emit_events", "read_tasks"], ["read_tasks", "read_tasks", "emit_events"]],
            dict: [{}, {"url": "https://example.org", "ports": [2, 1]}],
        }[type(value)]
        changed = [SIGNED | {field: other} for other in others if other != value]
        without = {name: kept for name, kept in SIGNED.items() if name != field}
        for document in (*changed, without):
            assert refused(document), document

    def test_w12_a_field_that_is_added_is_refused(self) -> None:
        assert refused(SIGNED | {"admin": True})
        assert refused(SIGNED | {"": None})

    def test_w12_permissions_cannot_be_widened_under_a_signature(self) -> None:
        wider = SIGNED | {"permissions": ["read_tasks", "emit_events", "persist_state"]}
        with pytest.raises(SignatureRefusedError, match="Invalid module signature: it does not fit the manifest"):
            signer_of(parse_manifest(wider))

    @pytest.mark.parametrize("field", [*DOCUMENT, "signer", "signature"])
    def test_w12_a_field_that_stands_twice_is_refused(self, field: str) -> None:
        twice = json.dumps({field: SIGNED[field]})[:-1] + "," + json.dumps(SIGNED)[1:]
        with pytest.raises(ManifestRefusedError, match="occurs twice"):
            read_manifest(twice.encode())

    def test_w12_a_text_in_another_encoding_is_refused(self) -> None:
        assert refused(SIGNED | {"description": "says it again, cafe\u0301"})  # the accent as a character of its own
        with pytest.raises(ManifestRefusedError, match="UTF-8"):
            read_manifest(json.dumps(SIGNED, ensure_ascii=False).encode("latin-1"))

    def test_w12_a_signature_in_another_spelling_is_refused(self) -> None:
        raw = str(SIGNED["signature"]).removeprefix("v2:")
        spelled = [
            raw,
            f"V2:{raw}",
            f"v2:{raw.rstrip('=')}",
            f"v2:{raw}=",
            f"v2: {raw}",
            f"v2:{raw[:40]}\n{raw[40:]}",
            f"v2:{raw[:-3]}{chr(ord(raw[-3]) + 1)}==",  # the bits that base64 leaves over
            "v2:" + urlsafe_b64encode(b"\xff" * 64).decode(),
            "v2:" + bytes(64).hex(),
            "v2:",
        ]
        assert all(refused(SIGNED | {"signature": other}) for other in spelled)

    def test_w12_a_signer_in_another_spelling_is_refused(self) -> None:
        key = KEY.public_hex
        for other in (key.upper(), f"0x{key}", key[:-1], f"{key}0", peer_id_of(KEY.public), None, 7, [key]):
            assert refused(SIGNED | {"signer": other})

    def test_w12_the_signature_of_another_manifest_is_refused(self) -> None:
        other = sign_manifest(parse_manifest(DOCUMENT | {"name": "other"}), KEY)
        assert refused(SIGNED | {"signature": other["signature"]})
        assert refused(SIGNED | {"signer": OTHER.public_hex})

    def test_a_key_of_small_order_signs_nothing(self) -> None:
        for signer in ("00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f"):
            assert refused(SIGNED | {"signer": signer, "signature": "v2:" + b64encode(bytes(64)).decode()})

    def test_a_signer_without_a_signature_is_no_unsigned_manifest(self) -> None:
        with pytest.raises(SignatureRefusedError, match="names a signer and has no signature"):
            signer_of(parse_manifest(DOCUMENT | {"signer": KEY.public_hex}))

    def test_a_fraction_has_no_canonical_form_and_is_not_signed(self) -> None:
        with pytest.raises(ManifestRefusedError, match="Manifest cannot be signed"):
            sign_manifest(parse_manifest(DOCUMENT | {"ratio": 0.5}), KEY)
        with pytest.raises(SignatureRefusedError):
            signer_of(parse_manifest(SIGNED | {"ratio": 0.5}))

    @given(st.integers(0, 63), st.integers(1, 255))
    def test_w12_no_byte_of_the_signature_can_be_another(self, place: int, flip: int) -> None:
        from base64 import b64decode

        raw = bytearray(b64decode(str(SIGNED["signature"]).removeprefix("v2:")))
        raw[place] ^= flip
        assert refused(SIGNED | {"signature": "v2:" + b64encode(raw).decode()})

    @given(
        st.dictionaries(
            st.sampled_from([*DOCUMENT, "signer", "extra"]),
            st.text() | st.integers() | st.lists(st.text(max_size=12), max_size=4),
            min_size=1,
            max_size=3,
        )
    )
    def test_w12_no_other_document_has_this_signature(self, change: dict[str, Any]) -> None:
        document = SIGNED | change
        assert refused(document) == (document != SIGNED)


def v1_key() -> tuple[Ed25519PrivateKey, str]:
    private = Ed25519PrivateKey.generate()
    return private, b64encode(private.public_key().public_bytes_raw()).decode()


def v1_signed(private: Ed25519PrivateKey, wasm_hash: str) -> str:
    return b64encode(private.sign(wasm_hash.encode())).decode()


class TestVersion1:
    """The sixteen cases of the original."""

    hash = str(DOCUMENT["wasmHash"])

    def manifest(self, signature: str | None) -> AgentManifest:
        return parse_manifest(DOCUMENT if signature is None else DOCUMENT | {"signature": signature})

    def test_a_valid_one_fits(self) -> None:
        private, public = v1_key()
        assert version_1_fits(self.hash, v1_signed(private, self.hash), public)

    def test_another_key_does_not(self) -> None:
        private, _ = v1_key()
        assert not version_1_fits(self.hash, v1_signed(private, self.hash), v1_key()[1])

    def test_a_hash_that_was_tampered_with_does_not(self) -> None:
        private, public = v1_key()
        assert not version_1_fits("00" * 32, v1_signed(private, self.hash), public)

    def test_bad_base64_does_not(self) -> None:
        assert not version_1_fits(self.hash, "not base64!", v1_key()[1])
        assert not version_1_fits(self.hash, b64encode(bytes(64)).decode(), "???")

    def test_a_short_key_does_not(self) -> None:
        private, _ = v1_key()
        assert not version_1_fits(self.hash, v1_signed(private, self.hash), b64encode(bytes(31)).decode())

    def test_a_short_signature_does_not(self) -> None:
        assert not version_1_fits(self.hash, b64encode(bytes(63)).decode(), v1_key()[1])

    def test_a_signature_has_64_bytes(self) -> None:
        private, public = v1_key()
        assert len(v1_signed(private, self.hash)) == 88
        assert not version_1_fits(self.hash, b64encode(bytes(65)).decode(), public)

    def test_the_same_is_signed_the_same(self) -> None:
        private, _ = v1_key()
        assert v1_signed(private, self.hash) == v1_signed(private, self.hash)

    def test_another_hash_is_signed_otherwise(self) -> None:
        private, public = v1_key()
        other = v1_signed(private, "11" * 32)
        assert other != v1_signed(private, self.hash)
        assert not version_1_fits(self.hash, other, public)

    def test_keys_have_32_bytes(self) -> None:
        assert len(v1_key()[1]) == 44

    def test_no_two_keys_are_the_same(self) -> None:
        assert v1_key()[1] != v1_key()[1]

    def test_without_a_trusted_key_anything_passes(self) -> None:
        for signature in (None, "", "nonsense", b64encode(os.urandom(64)).decode()):
            for require in (False, True):
                assert version_1_refusal(self.manifest(signature), None, require=require) == ""

    def test_an_absent_signature_passes_when_none_is_required(self) -> None:
        assert version_1_refusal(self.manifest(None), v1_key()[1]) == ""

    def test_an_absent_signature_that_is_required(self) -> None:
        said = version_1_refusal(self.manifest(None), v1_key()[1], require=True)
        assert said == "Module signature required but not provided"

    @pytest.mark.parametrize("signature", ["", "nonsense", b64encode(bytes(64)).decode(), "v2:x"])
    def test_a_wrong_or_malformed_one(self, signature: str) -> None:
        assert version_1_refusal(self.manifest(signature), v1_key()[1]) == "Invalid module signature"

    def test_a_right_one_passes(self) -> None:
        private, public = v1_key()
        signed = self.manifest(v1_signed(private, self.hash))
        assert version_1_refusal(signed, public, require=True) == ""
        assert signer_of(signed) == ""  # it says nothing about the manifest


class TestPublicKeys:
    @pytest.mark.parametrize(
        "text", [KEY.public_hex, KEY.public_hex.upper(), KEY.peer_id, b64encode(KEY.public).decode()]
    )
    def test_a_key_in_each_of_its_spellings(self, text: str) -> None:
        assert read_public_key(text) == KEY.public_hex

    @pytest.mark.parametrize("text", ["", "abc", "g" * 64, KEY.public_hex + "0", KEY.peer_id[:-1] + "0", "\x1b[2J"])
    def test_what_is_no_key_is_one_line(self, text: str) -> None:
        with pytest.raises(UsageError, match="is no public key") as error:
            read_public_key(text)
        assert "\x1b" not in str(error.value)
