import pytest
from vodozemac import GroupSession, InboundGroupSession, MegolmMessage, SessionKey

from runtime.rooms.megolm import InboundSessions, MegolmError, NoSessionError, Outbound
from runtime.rooms.olm import from_base64
from runtime.rooms.padding import pad, unpad
from runtime.rooms.plaintext import SharedKey

ANN, BEA = "A" * 43, "B" * 43


def heard_by(sessions: InboundSessions, outbound: Outbound, sender: str = ANN) -> None:
    assert sessions.add(sender, outbound.shared())


def test_what_is_said_is_heard_by_who_has_the_key() -> None:
    outbound, inbound = Outbound(), InboundSessions()
    heard_by(inbound, outbound)
    assert inbound.newest(ANN) == outbound.session_id
    assert inbound.decrypt(ANN, outbound.session_id, outbound.encrypt(b"hello")) == b"hello"


def test_w20_an_index_is_accepted_once_in_any_order() -> None:
    outbound, inbound = Outbound(), InboundSessions()
    heard_by(inbound, outbound)
    said = [outbound.encrypt(f"{n}".encode()) for n in range(20)]
    for n in (3, 0, 19, 1, 2, 7):
        assert inbound.decrypt(ANN, outbound.session_id, said[n]) == f"{n}".encode()
    for n in (3, 0, 19, 1, 2, 7):
        with pytest.raises(MegolmError, match="it was repeated"):
            inbound.decrypt(ANN, outbound.session_id, said[n])
    assert inbound.decrypt(ANN, outbound.session_id, said[4]) == b"4"


def test_w20_a_message_that_was_damaged_does_not_use_up_its_index() -> None:
    outbound, inbound = Outbound(), InboundSessions()
    heard_by(inbound, outbound)
    said = outbound.encrypt(b"hello")
    for spoiled in (said[:-4] + "AAAA", said[:60], "", "?", said[:-1]):
        with pytest.raises(MegolmError, match="damaged"):
            inbound.decrypt(ANN, outbound.session_id, spoiled)
    assert inbound.decrypt(ANN, outbound.session_id, said) == b"hello"


def test_w20_a_session_belongs_to_who_shared_it() -> None:
    outbound, inbound = Outbound(), InboundSessions()
    heard_by(inbound, outbound)
    with pytest.raises(NoSessionError):
        inbound.decrypt(BEA, outbound.session_id, outbound.encrypt(b"hello"))


def test_what_was_said_before_the_key_was_shared_stays_closed() -> None:
    outbound, inbound = Outbound(), InboundSessions()
    before = outbound.encrypt(b"before")
    heard_by(inbound, outbound)
    with pytest.raises(MegolmError, match="before the key was shared"):
        inbound.decrypt(ANN, outbound.session_id, before)


def test_sharing_again_forgets_nothing_of_what_was_seen() -> None:
    outbound, inbound = Outbound(), InboundSessions()
    first = outbound.shared()
    heard_by(inbound, outbound)
    said = outbound.encrypt(b"hello")
    inbound.decrypt(ANN, outbound.session_id, said)
    assert not inbound.add(ANN, first)
    assert not inbound.add(ANN, outbound.shared())
    with pytest.raises(MegolmError, match="it was repeated"):
        inbound.decrypt(ANN, outbound.session_id, said)


def test_old_sessions_of_one_sender_make_place_for_new_ones() -> None:
    inbound = InboundSessions()
    sessions = [Outbound() for _ in range(12)]
    for outbound in sessions:
        heard_by(inbound, outbound)
    assert inbound.newest(ANN) == sessions[-1].session_id
    assert inbound.decrypt(ANN, sessions[4].session_id, sessions[4].encrypt(b"x")) == b"x"
    with pytest.raises(NoSessionError):
        inbound.decrypt(ANN, sessions[3].session_id, sessions[3].encrypt(b"x"))
    inbound.drop(ANN)
    assert inbound.newest(ANN) == ""


@pytest.mark.parametrize("key", ["", "AgAAAAA", "é", "A" * 306])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(MegolmError, match="no valid key"):
        InboundSessions().add(ANN, SharedKey(session_id="A" * 43, session_key=key))


def test_a_key_under_another_sessions_name_is_refused() -> None:
    with pytest.raises(MegolmError, match="another session"):
        InboundSessions().add(
            ANN, SharedKey(session_id=Outbound().session_id, session_key=Outbound().shared().session_key)
        )


def test_each_outbound_session_is_another() -> None:
    assert len({Outbound().session_id for _ in range(10)}) == 10


# --- the original's forms, made by the library that it uses ----------------------------------------------------------


def test_the_originals_messages_and_keys_are_read() -> None:
    theirs, inbound = GroupSession(), InboundSessions()
    key = theirs.session_key.to_base64()
    assert len(from_base64(key)) == 229
    inbound.add(ANN, SharedKey(session_id=theirs.session_id, session_key=key))
    message = theirs.encrypt(pad(b'{"text":"hi"}'))
    assert message.to_bytes()[0] == 3
    assert unpad(inbound.decrypt(ANN, theirs.session_id, message.to_base64())) == b'{"text":"hi"}'


def test_the_original_reads_ours() -> None:
    ours = Outbound()
    theirs = InboundGroupSession(SessionKey(ours.shared().session_key))
    assert theirs.decrypt(MegolmMessage.from_base64(ours.encrypt(b"hello"))).plaintext == b"hello"
