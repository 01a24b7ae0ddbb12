"""Certificates name a PeerId and prove it, or prove nobody."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from net.errors import PeerFaultError
from net.peer_id import PeerId
from net.quic.certificate import EXTENSION, make_credentials, proven_peer
from runtime.identity import Identity
from tests.net.quic.certificates import FLAWS, HARMLESS, NOW, NOW_MS, SOUND, Recipe

WE = Identity(bytes([1]) * 32)
OURS = PeerId(WE.public)


def test_a_made_certificate_proves_its_maker() -> None:
    made = make_credentials(WE, NOW_MS)
    assert proven_peer(made.certificate, [], NOW_MS) == OURS


def test_it_is_what_libp2p_asks_for() -> None:
    certificate = make_credentials(WE, NOW_MS).certificate
    extension = certificate.extensions.get_extension_for_oid(EXTENSION)
    assert extension.oid.dotted_string == "1.3.6.1.4.1.53594.1.1"
    assert not extension.critical
    assert certificate.not_valid_before_utc == NOW - timedelta(hours=1)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=365)
    assert len(certificate.public_bytes(Encoding.DER)) < 500


def test_each_process_has_a_key_of_its_own() -> None:
    first, second = make_credentials(WE, NOW_MS), make_credentials(WE, NOW_MS)
    assert first.certificate.public_key() != second.certificate.public_key()


def test_it_is_made_anew_long_before_it_is_out_of_date() -> None:
    made = make_credentials(WE, NOW_MS)
    assert made.renew_ms > NOW_MS
    assert proven_peer(made.certificate, [], made.renew_ms + 100 * 86_400_000) == OURS


@pytest.mark.parametrize("recipe", HARMLESS.values(), ids=HARMLESS)
def test_what_says_nothing_wrong_is_taken(recipe: Recipe) -> None:
    assert proven_peer(recipe.credentials(WE).certificate, [], NOW_MS) == OURS


@pytest.mark.parametrize(("recipe", "why"), FLAWS.values(), ids=FLAWS)
def test_every_flaw_is_refused_and_counts(recipe: Recipe, why: str) -> None:
    with pytest.raises(PeerFaultError, match=why) as caught:
        proven_peer(recipe.credentials(WE).certificate, [], NOW_MS)
    assert (caught.value.rule, caught.value.score) == ("bad-certificate", 50)


def test_one_certificate_is_enough() -> None:
    made = SOUND.credentials(WE).certificate
    with pytest.raises(PeerFaultError, match="several certificates"):
        proven_peer(made, [made], NOW_MS)


@given(st.binary(max_size=140))
def test_no_other_bytes_in_the_extension_prove_anybody(value: bytes) -> None:
    with pytest.raises(PeerFaultError):
        proven_peer(Recipe(value=lambda *_: value).credentials(WE).certificate, [], NOW_MS)


@given(st.data())
def test_no_flipped_bit_in_the_extension_proves_anybody_else(data: st.DataObject) -> None:
    def flipped(value: bytes) -> bytes:
        at = data.draw(st.integers(0, len(value) * 8 - 1))
        return bytes(byte ^ (1 << at % 8 if index == at // 8 else 0) for index, byte in enumerate(value))

    recipe = Recipe(value=lambda *given: flipped(SOUND.value(*given) or b""))
    with pytest.raises(PeerFaultError):
        proven_peer(recipe.credentials(WE).certificate, [], NOW_MS)
