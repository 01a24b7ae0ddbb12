import hashlib
from dataclasses import replace

import pytest

import assets
from runtime.rooms.cards import Card
from runtime.rooms.safety import safety

ANN = Card(identity_key="A" * 43, ed25519_key="a" * 43, peer_id="12D3KooWAnn", name="Ann")
BEA = Card(identity_key="B" * 43, ed25519_key="b" * 43, peer_id="12D3KooWBea", name="Bea")


def test_w20_both_sides_see_the_same_number() -> None:
    number = safety(ANN, BEA)
    assert number == safety(BEA, ANN)
    assert len(number.digits) == 12
    assert all(len(group) == 5 and group.isdigit() for group in number.digits)
    assert len(number.words) == 12


def test_the_number_is_stable() -> None:
    assert str(safety(ANN, BEA)) == "55470 21401 81124 64207 62344 91113 67474 96400 99589 10208 01854 85339"
    assert (
        " ".join(safety(ANN, BEA).words)
        == "sock artefact robot found problem disorder report divert profit sell much garage"
    )


@pytest.mark.parametrize("field", ["identity_key", "ed25519_key", "peer_id"])
def test_w20_another_key_gives_another_number(field: str) -> None:
    other = replace(BEA, **{field: getattr(BEA, field)[:-1] + "x"})
    assert safety(ANN, other).digits != safety(ANN, BEA).digits
    assert safety(ANN, other).words != safety(ANN, BEA).words


def test_a_name_does_not_count() -> None:
    assert safety(ANN, replace(BEA, name="Beatrix")) == safety(ANN, BEA)


def test_the_words_are_those_of_bip_39_and_told_apart_by_four_letters() -> None:
    raw = assets.path("words/english.txt").read_bytes()
    assert hashlib.sha256(raw).hexdigest() == "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    words = raw.decode().split()
    assert len({word[:4] for word in words}) == 2048
