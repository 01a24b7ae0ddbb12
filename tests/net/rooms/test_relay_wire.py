"""The relay's protocol as text: what is written is read again, and nothing else is taken."""

import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.rooms.wire import (
    CIPHERTEXT_MAX,
    MESSAGE_MAX,
    REFUSALS,
    Answer,
    Refusal,
    WireError,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from runtime.rooms.transport import (
    Encrypted,
    Join,
    KeyShare,
    MemberLeft,
    MemberList,
    NewMember,
    OlmMessage,
    Outgoing,
    Purge,
    Seen,
)

KEY = "k" * 43

_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
_names = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), min_size=1, max_size=32)
_ciphertexts = st.text("ABCabc019+/", min_size=1, max_size=400)
_whole = st.builds(
    Seen,
    identity_key=_texts,
    ed25519_key=_texts,
    display_name=_names,
    one_time_keys=st.dictionaries(_texts, _texts, min_size=1, max_size=20),
    fallback_key=st.one_of(st.just(""), _texts),
)
_listed = st.builds(Seen, identity_key=_texts, ed25519_key=st.one_of(st.just(""), _texts), display_name=_names)
_forwarded = st.one_of(
    st.builds(
        KeyShare,
        target=_texts,
        sender=_texts,
        message=st.builds(OlmMessage, message_type=st.integers(0, 1), ciphertext=_ciphertexts),
    ),
    st.builds(
        Encrypted,
        sender=_texts,
        session_id=_texts,
        ciphertext=_ciphertexts,
        timestamp_ms=st.integers(-(2**53) + 1, 2**53 - 1),
    ),
)
_requests: st.SearchStrategy[Outgoing] = st.one_of(
    st.builds(Join, me=_whole, create=st.booleans(), ephemeral=st.booleans()),
    st.builds(Purge, identity_key=_texts),
    _forwarded,
)
_answers: st.SearchStrategy[Answer] = st.one_of(
    st.builds(MemberList, st.lists(_listed, max_size=50)),
    st.builds(NewMember, _whole),
    st.builds(MemberLeft, _texts),
    st.builds(Refusal, st.sampled_from(sorted(REFUSALS)), st.text("abc", max_size=20)),
    _forwarded,
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _join(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "type": "join",
        "identityKey": KEY,
        "ed25519Key": KEY,
        "oneTimeKeys": {"AAAA": KEY},
        "displayName": "ada",
    }
    return {**whole, **changes}


def _share(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "type": "key_share",
        "targetIdentityKey": KEY,
        "senderIdentityKey": KEY,
        "olmMessage": {"messageType": 0, "ciphertext": "abc"},
    }
    return {**whole, **changes}


def _group(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "type": "encrypted",
        "senderIdentityKey": KEY,
        "sessionId": "s" * 43,
        "ciphertext": "abc",
        "timestamp": 1_700_000_000_000,
    }
    return {**whole, **changes}


def _raw(value: object) -> bytes:
    return json.dumps(value).encode()


@given(_requests)
def test_what_a_client_writes_a_relay_reads(message: Outgoing) -> None:
    assert decode_request(encode_request(message).encode()) == message


@given(_answers)
def test_what_a_relay_writes_a_client_reads(message: Answer) -> None:
    assert decode_answer(encode_answer(message).encode()) == message


@given(st.sampled_from([_join(), _share(), _group(), {"type": "purge", "identityKey": KEY}]), st.data())
def test_any_value_in_any_field_is_a_message_or_refused(message: dict[str, object], data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(message)))
    changed = _raw({**message, field: data.draw(_json)})
    read: Outgoing | None = None
    with contextlib.suppress(WireError):
        read = decode_request(changed)
    assert read is None or decode_request(encode_request(read).encode()) == read


@given(st.one_of(_json.map(_raw), st.binary(max_size=200)))
@pytest.mark.parametrize("decoder", [decode_request, decode_answer])
def test_anything_else_is_refused_and_never_raises_otherwise(
    decoder: Callable[[bytes], Outgoing | Answer], raw: bytes
) -> None:
    with pytest.raises(WireError):
        decoder(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b'{"type":"purge","type":"purge","identityKey":"k"}',
        b'{"type":"purge","identityKey":NaN}',
        b'{"type":"purge","identityKey":"\\ud800"}',
        b"[" * 100_000,
        b'{"timestamp":1' + b"0" * 5_000 + b"}",
        b" " * (MESSAGE_MAX + 1),
    ],
)
def test_what_is_no_json_is_refused_as_that(raw: bytes) -> None:
    with pytest.raises(WireError) as caught:
        decode_request(raw)
    assert caught.value.close_code == 4002


@pytest.mark.parametrize(
    "message",
    [
        [],
        "join",
        {},
        {"type": "leave"},
        {"type": ["join"]},
        {"type": "member_left", "identityKey": KEY},
        _join(identityKey="k" * 65),
        _join(identityKey=""),
        _join(identityKey=7),
        _join(ed25519Key="k" * 65),
        _join(displayName=""),
        _join(displayName="n" * 33),
        _join(oneTimeKeys={}),
        _join(oneTimeKeys=[KEY]),
        _join(oneTimeKeys={f"id{n}": KEY for n in range(21)}),
        _join(oneTimeKeys={"i" * 65: KEY}),
        _join(oneTimeKeys={"id": "k" * 65}),
        _join(oneTimeKeys={"id": 1}),
        _join(fallbackKey=""),
        _join(fallbackKey=None),
        _join(fallbackKey="k" * 65),
        _join(create="yes"),
        _join(ephemeral=1),
        _share(targetIdentityKey="k" * 65),
        _share(senderIdentityKey=None),
        _share(olmMessage="abc"),
        _share(olmMessage={"messageType": 2, "ciphertext": "abc"}),
        _share(olmMessage={"messageType": True, "ciphertext": "abc"}),
        _share(olmMessage={"messageType": [0], "ciphertext": "abc"}),
        _share(olmMessage={"messageType": 0, "ciphertext": ""}),
        _share(olmMessage={"messageType": 0, "ciphertext": "c" * (CIPHERTEXT_MAX + 1)}),
        _group(ciphertext="c" * (CIPHERTEXT_MAX + 1)),
        _group(sessionId="s" * 65),
        _group(timestamp="now"),
        _group(timestamp=True),
        _group(timestamp=1e300),
        {"type": "purge"},
    ],
)
def test_what_breaks_the_schema_or_a_limit_is_refused_as_that(message: object) -> None:
    with pytest.raises(WireError) as caught:
        decode_request(_raw(message))
    assert caught.value.close_code == 4003


@pytest.mark.parametrize(
    "message",
    [
        _join(oneTimeKeys={f"id{n}": "k" * 64 for n in range(20)}, identityKey="k" * 64, displayName="n" * 32),
        _join(fallbackKey="f" * 64, create=True, ephemeral=True),
        _group(ciphertext="c" * CIPHERTEXT_MAX),
        _share(olmMessage={"messageType": 1, "ciphertext": "c" * CIPHERTEXT_MAX}),
        _group(timestamp=1.7e12),
    ],
)
def test_what_is_just_within_the_limits_is_read(message: object) -> None:
    decode_request(_raw(message))


def test_unknown_fields_are_left_out() -> None:
    read = decode_request(_raw(_group(secret="x", olmMessage={})))

    assert "secret" not in encode_request(read)


def test_a_name_is_cut_to_what_the_original_counts() -> None:
    def written(name: str) -> str:
        return str(json.loads(encode_request(_named(name)))["displayName"])

    assert written("😀" * 32) == "😀" * 16
    assert written("a" + "😀" * 16) == "a" + "😀" * 15
    assert written("") == "?"


def _named(name: str) -> Join:
    return Join(me=Seen(identity_key=KEY, ed25519_key=KEY, display_name=name, one_time_keys={"id": KEY}))


def test_a_list_of_the_originals_relay_is_read_without_further_keys() -> None:
    raw = _raw({"type": "member_list", "members": [{"identityKey": KEY, "displayName": "ada"}]})

    assert decode_answer(raw) == MemberList([Seen(identity_key=KEY, ed25519_key="", display_name="ada")])


@pytest.mark.parametrize(
    "message",
    [
        {"type": "member_list"},
        {"type": "member_list", "members": "ada"},
        {"type": "member_list", "members": ["ada"]},
        {"type": "member_list", "members": [{"identityKey": KEY}]},
        {"type": "join"},
        {"type": "new_member", "identityKey": KEY},
        {"type": "member_left"},
    ],
)
def test_a_client_takes_nothing_malformed_from_a_relay(message: object) -> None:
    with pytest.raises(WireError):
        decode_answer(_raw(message))
