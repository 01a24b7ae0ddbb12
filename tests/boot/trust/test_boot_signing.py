"""Signing on several machines, and artifacts against what was signed."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.errors import BootRefusedError
from boot.trust.artifact import ArtifactCheck
from boot.trust.manifest import Artifact
from boot.trust.root import Trusted
from boot.trust.signing import sign_again
from boot.trust.verifier import verify_manifest
from tests.boot.trust.signed import KEYS, WANTED, manifest, opened, root


def test_a_second_holder_adds_a_signature_to_what_the_first_signed() -> None:
    trusted = Trusted(root(1, 2, 0, 1))
    raw, said = sign_again(manifest(0), [KEYS[1]])
    assert verify_manifest(trusted, raw, WANTED).manifest == said
    again, _ = sign_again(raw, [KEYS[1]])
    assert again == raw
    assert raw == manifest(0, 1)


def test_what_is_no_manifest_is_not_signed() -> None:
    for raw in (b"{}", b'{"schema_version": 1}', manifest()[:100]):
        with pytest.raises(BootRefusedError):
            sign_again(raw, [KEYS[1]])


def test_signatures_stand_in_the_order_of_their_keys() -> None:
    keys = [one["key"] for one in opened(manifest(3, 0, 2))["signatures"]]
    assert keys == sorted(keys)


def check(content: bytes, *parts: bytes) -> str:
    one = ArtifactCheck("kernel", Artifact(len(content), hashlib.sha256(content).hexdigest()))
    try:
        for part in parts:
            one.feed(part)
        one.finish()
    except BootRefusedError as refused:
        return refused.step
    return ""


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_an_artifact_may_come_in_any_parts(content: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    parts = [content[a:b] for a, b in pairwise(places)]
    assert check(content, *parts) == ""


def test_more_less_and_other_bytes_are_refused() -> None:
    assert check(b"abc", b"abcd") == "length"
    assert check(b"abc", b"abc", b"d") == "length"
    assert check(b"abc", b"ab") == "length"
    assert check(b"abc", b"abd") == "hash"
