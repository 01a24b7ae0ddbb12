from collections.abc import Callable
from typing import Any

import pytest
from vodozemac import Account

from runtime.account import MemberAccount
from runtime.identity import Identity, public_of, verify
from runtime.rooms.cards import Card, CardError, card_from_json, key_bytes, make_card


def never(*_: object) -> Any:
    raise AssertionError


def account() -> MemberAccount:
    return MemberAccount(Account(), never, never)


ANN = account()
NODE = Identity(b"n" * 32)


def changed(card: Card, **fields: object) -> dict[str, Any]:
    return card.to_json() | fields


def test_a_card_is_read_as_it_was_written() -> None:
    card = make_card(ANN, NODE, "Ann")
    assert card_from_json(card.to_json()) == card
    assert (card.identity_key, card.ed25519_key, card.peer_id) == (ANN.identity_key, ANN.ed25519_key, NODE.peer_id)
    assert (card.name, card.shown_name) == ("Ann", "Ann")


def test_both_keys_sign_the_same_bytes_under_the_domain_of_members() -> None:
    card = make_card(ANN, NODE, "Ann")
    for public, signature in (
        (key_bytes(card.ed25519_key), card.sig_account),
        (public_of(card.peer_id), card.sig_node),
    ):
        assert verify(public, b"orlop-member:v1:", card.message(), bytes.fromhex(signature))
    assert card.message().startswith(b'{"ed25519Key":"')


OTHER = make_card(account(), Identity(b"o" * 32), "Bea")


@pytest.mark.parametrize("field", ["identityKey", "ed25519Key", "peerId", "name", "sig_account", "sig_node"])
def test_no_field_can_be_exchanged_for_anothers(field: str) -> None:
    with pytest.raises(CardError, match=r"the signature of its (account|node) does not fit"):
        card_from_json(changed(make_card(ANN, NODE, "Ann"), **{field: OTHER.to_json()[field]}))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda _: None, "must have exactly the fields"),
        (lambda card: [card], "must have exactly the fields"),
        (lambda card: card | {"more": "x"}, "must have exactly the fields"),
        (lambda card: {k: v for k, v in card.items() if k != "peerId"}, "must have exactly the fields"),
        (lambda card: card | {"name": 3}, "texts only"),
        (lambda card: card | {"identityKey": "A" * 42}, "is not a public key"),
        (lambda card: card | {"identityKey": "A" * 42 + "B"}, "is not a public key"),  # another spelling of the same
        (lambda card: card | {"ed25519Key": "é" * 43}, "is not a public key"),
        (lambda card: card | {"peerId": "12D3KooW"}, "is not the PeerId"),
        (lambda card: card | {"name": ""}, "must have 1 to 32 characters"),
        (lambda card: card | {"name": "x" * 33}, "must have 1 to 32 characters"),
        (lambda card: card | {"sig_node": card["sig_node"].upper()}, "signature of its node"),
        (lambda card: card | {"sig_account": ""}, "signature of its account"),
    ],
)
def test_what_is_no_card_is_refused_by_what_is_wrong(spoil: Callable[[dict[str, Any]], Any], why: str) -> None:
    with pytest.raises(CardError, match=f"^member card: .*{why}"):
        card_from_json(spoil(make_card(ANN, NODE, "Ann").to_json()))


@pytest.mark.parametrize(
    ("name", "shown"),
    [("  Ann ", "Ann"), ("x" * 50, "x" * 32), ("", "?"), ("a\x1b[31m", "a\\x1b[31m"), ("\u202eevil", "\\u202eevil")],
)
def test_own_names_are_cut_and_made_harmless(name: str, shown: str) -> None:
    card = make_card(ANN, NODE, name)
    assert (card.name, card.shown_name) == (shown, shown)
    assert card_from_json(card.to_json()) == card


def test_the_names_of_others_are_shown_harmless_whatever_they_signed() -> None:
    bare = Card(identity_key=ANN.identity_key, ed25519_key=ANN.ed25519_key, peer_id=NODE.peer_id, name="\x1b]0;x\x07")
    sig = {
        "sig_account": ANN.sign(b"orlop-member:v1:", bare.message()).hex(),
        "sig_node": NODE.sign(b"orlop-member:v1:", bare.message()).hex(),
    }
    assert card_from_json(bare.to_json() | sig).shown_name == "\\x1b]0;x\\x07"


def test_a_fingerprint_is_of_the_keys_and_not_of_the_name() -> None:
    first, second = make_card(ANN, NODE, "Ann"), make_card(ANN, NODE, "Anna")
    assert first.fingerprint == second.fingerprint != OTHER.fingerprint
    assert len(bytes.fromhex(first.fingerprint)) == 16
