"""Clients of the original in an open room: they are read and can read, and nothing of theirs gets into the log."""

import json
from typing import Any, cast

import pytest
from vodozemac import (
    Account,
    AnyOlmMessage,
    Curve25519PublicKey,
    GroupSession,
    InboundGroupSession,
    MegolmMessage,
    SessionKey,
)

from runtime.rooms.olm import from_base64, to_base64
from runtime.rooms.padding import pad, unpad
from runtime.rooms.session_effects import LegacyMessage, Rotated, Undecryptable
from runtime.rooms.transport import Encrypted, Join, KeyShare, MemberLeft, NewMember, OlmMessage, Received, Seen
from tests.runtime.rooms.session_members import Clock, Member, Way


class Original:
    """The original's client, as specified: Olm with the first one-time key, one Megolm session, no more."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.account = Account()
        self.account.generate_one_time_keys(5)
        self.key = self.account.curve25519_key.to_base64()
        self.links: dict[str, Any] = {}
        self.inbound: dict[str, InboundGroupSession] = {}
        self.outbound = GroupSession()
        self.heard: list[dict[str, Any]] = []
        self.driver = self

    def tick(self) -> None: ...

    def flush(self) -> None: ...

    def connect(self) -> None:
        self.way.members[self.key] = cast("Member", self)
        keys = {key_id: key.to_base64() for key_id, key in self.account.one_time_keys.items()}
        ed25519 = self.account.ed25519_key.to_base64()
        me = Seen(identity_key=self.key, ed25519_key=ed25519, display_name="old", one_time_keys=keys)
        self.way.send(cast("Member", self), Join(me=me))
        self.way.run()

    def receive(self, message: Received) -> None:
        match message:
            case KeyShare():
                self._share(message)
            case Encrypted():
                opened = self.inbound[message.sender].decrypt(MegolmMessage.from_base64(message.ciphertext))
                self.heard.append(json.loads(unpad(opened.plaintext)))
            case NewMember(member):
                key = Curve25519PublicKey.from_base64(min(member.one_time_keys.items())[1])
                identity = Curve25519PublicKey.from_base64(member.identity_key)
                self.links[member.identity_key] = self.account.create_outbound_session(identity, key)
                self._tell_key(member.identity_key)
            case _:
                pass

    def _share(self, share: KeyShare) -> None:
        message = AnyOlmMessage.from_parts(share.message.message_type, from_base64(share.message.ciphertext))
        first = message.to_pre_key()
        if share.sender in self.links:
            plain = self.links[share.sender].decrypt(message)
        else:
            assert first is not None
            sender = Curve25519PublicKey.from_base64(share.sender)
            self.links[share.sender], plain = self.account.create_inbound_session(sender, first)
            self._tell_key(share.sender)
        content = json.loads(plain)
        self.inbound[share.sender] = InboundGroupSession(SessionKey(content["sessionKey"]))

    def _tell_key(self, target: str) -> None:
        key = self.outbound.session_key.to_base64()
        share = {"sessionId": self.outbound.session_id, "sessionKey": key, "senderIdentityKey": self.key}
        kind, raw = self.links[target].encrypt(json.dumps(share).encode()).to_parts()
        message = KeyShare(target=target, sender=self.key, message=OlmMessage(kind, to_base64(raw)))
        self.way.send(cast("Member", self), message)

    def say(self, **fields: Any) -> None:
        plain = json.dumps({"text": "", "sender": self.key, "senderName": "old"} | fields).encode()
        ciphertext = self.outbound.encrypt(pad(plain)).to_base64()
        message = Encrypted(sender=self.key, session_id=self.outbound.session_id, ciphertext=ciphertext, timestamp_ms=0)
        self.way.send(cast("Member", self), message)
        self.way.run()


@pytest.fixture
def way() -> Way:
    return Way(Clock())


def test_a_client_of_the_original_reads_and_is_read_in_an_open_room(way: Way) -> None:
    ann = Member("ann", way.clock, way, admission="open")
    way.connect(ann)
    old = Original(way)
    old.connect()
    ann.say("hello there")
    way.run()
    assert old.heard[-1]["text"] == "hello there"
    assert (old.heard[-1]["sender"], old.heard[-1]["senderName"]) == (ann.key, "ann")
    old.say(text="hi", taskEvent=None)
    event = {"type": "task_created", "taskId": "t", "timestamp": 1.5}
    old.say(taskEvent=event)
    assert ann.told_of(LegacyMessage) == [
        LegacyMessage(old.key, "hi", None),
        LegacyMessage(old.key, "", event),
    ]
    assert ann.texts == {"hello there"}  # nobody has signed the other one


def test_a_task_is_shown_to_clients_of_the_original(way: Way) -> None:
    ann = Member("ann", way.clock, way, admission="open")
    way.connect(ann)
    old = Original(way)
    old.connect()
    entry = ann.write("task", {"type": "task_created", "taskId": "t", "task": {"title": "bread"}})
    way.run()
    assert old.heard[-1]["taskEvent"] == {
        "type": "task_created",
        "taskId": "t",
        "task": {"title": "bread"},
        "timestamp": entry.ts_ms,
        "actorId": ann.key,
    }


def test_a_member_that_joins_the_originals_client_is_greeted_by_it(way: Way) -> None:
    ann = Member("ann", way.clock, way, admission="open")
    old = Original(way)
    old.connect()
    way.connect(ann)
    old.say(text="I was first")
    assert ann.told_of(LegacyMessage) == [LegacyMessage(old.key, "I was first", None)]
    ann.say("welcome")
    way.run()
    assert old.heard[-1]["text"] == "welcome"


def test_in_a_room_by_invitation_it_gets_no_key_and_is_not_heard(way: Way) -> None:
    ann = Member("ann", way.clock, way)
    way.connect(ann)
    old = Original(way)
    with pytest.raises(KeyError, match="sessionKey"):
        old.connect()
    ann.say("for us")
    way.run()
    assert old.heard == []
    way.members.pop(old.key)


def test_w22_when_it_leaves_the_key_is_another(way: Way) -> None:
    ann = Member("ann", way.clock, way, admission="open")
    way.connect(ann)
    old = Original(way)
    old.connect()
    before = ann.session._state.outbound.session_id
    del way.members[old.key]
    way.seen.pop(old.key)
    ann.driver.receive(MemberLeft(old.key))
    assert ann.told_of(Rotated) == [Rotated("somebody has left")]
    assert ann.session._state.outbound.session_id != before
    assert not ann.told_of(Undecryptable)
