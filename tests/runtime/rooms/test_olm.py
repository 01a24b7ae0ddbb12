from typing import Any

import pytest
from vodozemac import Account, AnyOlmMessage, Curve25519PublicKey

from runtime.account import MemberAccount
from runtime.rooms.olm import OlmError, OlmLink, from_base64, to_base64
from runtime.rooms.plaintext import PlaintextError, SharedKey, shared_key
from runtime.rooms.transport import OlmMessage
from tests.runtime.rooms.session_members import new_account


def pair() -> tuple[MemberAccount, OlmLink, MemberAccount, OlmLink]:
    ann, bea = new_account(), new_account()
    return ann, OlmLink(ann, bea.identity_key), bea, OlmLink(bea, ann.identity_key)


def test_both_sides_speak_through_a_session_that_one_has_opened() -> None:
    _, to_bea, bea, to_ann = pair()
    to_bea.open(bea.fallback_key())
    first = to_bea.encrypt({"n": 1})
    assert (first.message_type, to_ann.decrypt(first)) == (0, {"n": 1})
    assert to_ann.answered
    assert not to_bea.answered
    answer = to_ann.encrypt({"n": 2})
    assert (answer.message_type, to_bea.decrypt(answer)) == (1, {"n": 2})
    assert to_bea.answered
    assert to_ann.decrypt(to_bea.encrypt({"n": 3})) == {"n": 3}


def test_messages_may_come_in_another_order() -> None:
    _, to_bea, bea, to_ann = pair()
    to_bea.open(bea.fallback_key())
    said = [to_bea.encrypt({"n": n}) for n in range(5)]
    assert [to_ann.decrypt(said[n]) for n in (3, 0, 4, 1, 2)] == [{"n": n} for n in (3, 0, 4, 1, 2)]


def test_sessions_that_both_open_at_the_same_time_are_both_heard() -> None:
    ann, to_bea, bea, to_ann = pair()
    to_bea.open(bea.fallback_key())
    to_ann.open(ann.fallback_key())
    one, other = to_bea.encrypt({"n": 1}), to_ann.encrypt({"n": 2})
    assert to_ann.decrypt(one) == {"n": 1}
    assert to_bea.decrypt(other) == {"n": 2}
    for n in range(3, 6):
        assert to_ann.decrypt(to_bea.encrypt({"n": n})) == {"n": n}
        assert to_bea.decrypt(to_ann.encrypt({"n": n})) == {"n": n}


def test_w20_a_message_that_is_repeated_is_refused() -> None:
    _, to_bea, bea, to_ann = pair()
    to_bea.open(bea.fallback_key())
    said = to_bea.encrypt({"n": 1})
    to_ann.decrypt(said)
    with pytest.raises(OlmError, match="repeated"):
        to_ann.decrypt(said)
    with pytest.raises(OlmError, match="has been used"):  # also when the sessions are forgotten
        OlmLink(bea, to_ann._identity_key).decrypt(said)


def test_w20_a_message_under_another_identity_is_refused() -> None:
    _, to_bea, bea, _ = pair()
    to_bea.open(bea.fallback_key())
    with pytest.raises(OlmError, match="identity key doesn't match"):
        OlmLink(bea, new_account().identity_key).decrypt(to_bea.encrypt({"n": 1}))


@pytest.mark.parametrize(
    "message",
    [OlmMessage(0, ""), OlmMessage(0, "!"), OlmMessage(1, "AAAA"), OlmMessage(2, "AAAA"), OlmMessage(-1, "AAAA")],
)
def test_what_is_no_message_is_refused(message: OlmMessage) -> None:
    _, _, _, to_ann = pair()
    with pytest.raises(OlmError, match="no Olm message"):
        to_ann.decrypt(message)


def test_a_damaged_message_is_refused_and_the_next_one_read() -> None:
    _, to_bea, bea, to_ann = pair()
    to_bea.open(bea.fallback_key())
    said = to_bea.encrypt({"n": 1})
    raw = bytearray(from_base64(said.ciphertext))
    raw[-3] ^= 1
    with pytest.raises(OlmError):
        to_ann.decrypt(OlmMessage(said.message_type, to_base64(bytes(raw))))
    assert to_ann.decrypt(to_bea.encrypt({"n": 2})) == {"n": 2}


def test_a_key_that_is_none_opens_nothing() -> None:
    _, to_bea, _, _ = pair()
    for key in ("", "!", "A" * 43):
        with pytest.raises(OlmError, match="its one-time key is none"):
            to_bea.open(key)
    assert not to_bea.usable


def test_lengths_are_hidden_within_256_bytes() -> None:
    _, to_bea, bea, _ = pair()
    to_bea.open(bea.fallback_key())
    lengths = {len(to_bea.encrypt({"text": "x" * n}).ciphertext) for n in range(100)}  # the message count grows too
    assert len(lengths) == 1


@pytest.mark.parametrize("plain", [b"", b"[]", b"{", b"\xff", b'{"a":1,"a":2}'])
def test_what_is_no_object_inside_is_refused(plain: bytes) -> None:
    ann, bea = Account(), new_account()
    key = Curve25519PublicKey.from_base64(bea.fallback_key())
    session = ann.create_outbound_session(Curve25519PublicKey.from_base64(bea.identity_key), key)
    kind, raw = session.encrypt(plain).to_parts()
    with pytest.raises(PlaintextError):
        OlmLink(bea, ann.curve25519_key.to_base64()).decrypt(OlmMessage(kind, to_base64(raw)))


def test_the_originals_share_is_read_and_the_original_reads_ours() -> None:
    """It sends plain JSON; what it does not know, and blanks behind the object, it passes over."""
    theirs, ours = Account(), new_account()
    identity = theirs.curve25519_key.to_base64()
    share = {"sessionId": "s", "sessionKey": "k", "senderIdentityKey": identity}
    key = Curve25519PublicKey.from_base64(ours.fallback_key())
    session = theirs.create_outbound_session(Curve25519PublicKey.from_base64(ours.identity_key), key)
    kind, raw = session.encrypt(
        b'{"sessionId":"s","sessionKey":"k","senderIdentityKey":"%s"}' % identity.encode()
    ).to_parts()
    assert raw[0] == 3
    link = OlmLink(ours, identity)
    content = link.decrypt(OlmMessage(kind, to_base64(raw)))
    assert (content, shared_key(content, identity)) == (share, SharedKey(session_id="s", session_key="k"))
    answer = link.encrypt({"sessionId": "t"})
    plain = session.decrypt(AnyOlmMessage.from_parts(answer.message_type, from_base64(answer.ciphertext)))
    import json

    assert json.loads(plain) == {"sessionId": "t"}


@pytest.mark.parametrize(
    "content",
    [{"sessionKey": 1, "sessionId": "s"}, {"sessionKey": "k"}, {"sessionKey": "k", "sessionId": "s"},
     {"sessionKey": "k", "sessionId": "s", "senderIdentityKey": "other"}],
)  # fmt: skip
def test_a_share_in_another_form_or_name_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(PlaintextError):
        shared_key(content, "me")
    assert shared_key({"orlop": {}}, "me") is None
