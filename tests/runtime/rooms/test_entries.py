"""Signed entries: their bytes, their ids, and what is refused before anybody looks at signatures."""

import hashlib
from typing import Any

import pytest

from runtime.canonical import encode
from runtime.rooms.cards import CardError
from runtime.rooms.entries import (
    ENTRY_BYTES,
    NO_ENTRY,
    EntryError,
    SignedEntry,
    block_of,
    entry_from_json,
    number_of,
    place,
    sign_entry,
)
from runtime.rooms.members import agent_actor
from tests.runtime.people import Person

ROOM = "ab" * 16
ANN, BOB = Person("ann"), Person("bob")


def entry(**changes: Any) -> SignedEntry:
    fields: dict[str, Any] = {
        "room": ROOM,
        "seq": 1,
        "prev": NO_ENTRY,
        "ts_ms": 5,
        "actor": ANN.identity_key,
        "kind": "message",
        "content": {"text": "hello"},
    }
    return sign_entry(ANN, **(fields | changes))


def test_an_entry_travels_and_verifies_its_content_and_author() -> None:
    made = entry(actor=agent_actor(ROOM, "digest", ANN.identity_key), kind="task", content={"type": "x"})
    document = made.to_json()
    read = entry_from_json(document, ROOM)
    assert read == made
    signed = encode({key: value for key, value in document.items() if key != "sig"})
    assert made.message() == signed
    assert made.id == hashlib.sha256(signed).hexdigest()[:32]
    assert read.fits(ANN.ed25519_key)
    assert not read.fits(BOB.ed25519_key)


def test_a_changed_entry_has_another_id_and_no_author() -> None:
    made = entry()
    other = entry_from_json(made.to_json() | {"content": {"text": "Hello"}}, ROOM)
    assert other.id != made.id
    assert not other.fits(ANN.ed25519_key)


def test_places_have_a_block_and_a_number() -> None:
    assert (place(0, 1), place(3, 7)) == (1, 3 * 2**32 + 7)
    assert (block_of(place(3, 7)), number_of(place(3, 7))) == (3, 7)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"v": 2}, "another version"),
        ({"v": True}, "whole number"),
        ({"room": "cd" * 16}, "belongs to another room"),
        ({"author": BOB.identity_key}, "is not its author"),
        ({"author": "short", "actor": "short"}, "not a public key"),
        ({"actor": BOB.identity_key}, "is not its author"),
        ({"actor": agent_actor("cd" * 16, "x", ANN.identity_key)}, "is not its author"),
        ({"actor": agent_actor(ROOM, "x" * 200, ANN.identity_key)}, "is not its author"),
        ({"seq": 0}, "from 1 on"),
        ({"seq": 1 << 32}, "from 1 on"),
        ({"seq": 2**63}, "63 bits"),
        ({"seq": -1}, "whole number"),
        ({"seq": 2}, "the entry before it"),
        ({"prev": "ab" * 16}, "the entry before it"),
        ({"prev": "AB" * 16}, "the entry before it"),
        ({"ts": -1}, "whole number"),
        ({"ts": 10**16}, "whole number"),
        ({"ts": 1.5}, "float"),
        ({"kind": "Message"}, "lower-case"),
        ({"kind": ""}, "lower-case"),
        ({"content": []}, "must be an object"),
        ({"content": {"text": "\ud800"}}, "lone surrogate"),
        ({"content": {"text": "x" * ENTRY_BYTES}}, "larger than 32 KiB"),
        ({"sig": "ab"}, "128 hexadecimal"),
        ({"sig": "AB" * 64}, "128 hexadecimal"),
        ({"sig": 5}, "must be a string"),
        ({"more": 1}, "exactly the fields"),
    ],
)
def test_what_is_no_entry_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises((EntryError, CardError), match=why):
        entry_from_json(entry().to_json() | changes, ROOM)


@pytest.mark.parametrize("value", [None, [], "entry", {}, {"v": 1}])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(EntryError, match="exactly the fields"):
        entry_from_json(value, ROOM)


def test_nobody_signs_what_others_would_refuse_for_its_size() -> None:
    spare = ENTRY_BYTES - len(entry(content={"text": ""}).message())
    assert len(entry(content={"text": "x" * spare}).message()) == ENTRY_BYTES
    with pytest.raises(EntryError, match="larger than 32 KiB"):
        entry(content={"text": "x" * (spare + 1)})
