import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import PeerFaultError, WrongPeerError
from net.noise import Authenticated, NoiseHandshake, NoiseKey
from net.protobuf import encode_fields
from runtime.identity import Identity, verify
from tests.net.noise_ends import (
    DIALLER,
    KEYS,
    LISTENER,
    YAMUX,
    end,
    framed,
    other,
    peer_of,
    proof,
    shake,
)

EARLY = b"\x22\x0e\x12\x0c/yamux/1.0.0"
"""The extensions as they are written: field 4, and in it field 2."""


def transcript() -> tuple[bytes, bytes, bytes]:
    dialler, listener = end(DIALLER), end(LISTENER)
    first = dialler.take()
    listener.receive(first)
    second = listener.take()
    dialler.receive(second)
    return first, second, dialler.take()


def test_the_transcript_is_that_of_another_implementation() -> None:
    dialler, listener = other(DIALLER), other(LISTENER)
    first = dialler.write_message()
    listener.read_message(first)
    second = listener.write_message(proof(LISTENER, EARLY))
    dialler.read_message(second)
    third = dialler.write_message(proof(DIALLER, EARLY))
    listener.read_message(third)
    assert transcript() == (framed(first), framed(second), framed(third))

    here, there = shake(end(DIALLER), end(LISTENER))
    assert here.transport.seal(b"ping") == framed(dialler.encrypt(b"ping"))
    assert there.transport.seal(b"pong") == framed(listener.encrypt(b"pong"))


def test_the_sizes_are_those_of_the_format() -> None:
    dialler, listener = end(DIALLER, muxers=()), end(LISTENER, muxers=())
    first = dialler.take()
    listener.receive(first)
    second = listener.take()
    dialler.receive(second)
    assert [len(first), len(second), len(dialler.take())] == [2 + 32, 2 + 96 + 104, 2 + 64 + 104]


def test_our_dialler_and_their_listener() -> None:
    ours, theirs = end(DIALLER), other(LISTENER)
    theirs.read_message(ours.take()[2:])
    done = ours.receive(framed(theirs.write_message(proof(LISTENER))))
    assert done is not None
    assert bytes(theirs.read_message(ours.take()[2:])) == proof(DIALLER, EARLY)
    assert (done.peer, done.muxer, done.leftover) == (peer_of(LISTENER), None, b"")
    assert theirs.decrypt(bytes(done.transport.seal(b"ping"))[2:]) == b"ping"
    assert done.transport.receive(memoryview(framed(theirs.encrypt(b"pong")))) == [b"pong"]


def test_their_dialler_and_our_listener() -> None:
    ours, theirs = end(LISTENER), other(DIALLER)
    assert ours.receive(framed(theirs.write_message())) is None
    assert bytes(theirs.read_message(ours.take()[2:])) == proof(LISTENER, EARLY)
    sealed = framed(theirs.write_message(proof(DIALLER, b"\x1a\x03old\x28\x07")))  # fields that we do not know
    done = ours.receive(sealed + framed(theirs.encrypt(b"ping")))
    assert done is not None
    assert (done.peer, done.muxer) == (peer_of(DIALLER), None)
    assert done.transport.receive(memoryview(done.leftover)) == [b"ping"]
    assert theirs.decrypt(bytes(done.transport.seal(b"pong"))[2:]) == b"pong"


def test_it_may_be_cut_at_every_byte() -> None:
    first, second, third = transcript()
    for cut in range(len(first) + len(third) + 1):
        listener, coming = end(LISTENER), first + third
        early = listener.receive(coming[:cut])
        done = early or listener.receive(coming[cut:])
        assert done is not None
        assert done.peer == peer_of(DIALLER)
        assert listener.take() == second
    for cut in range(len(second) + 1):
        dialler, coming = end(DIALLER), second + b"more"
        early = dialler.receive(coming[:cut])
        done = early or dialler.receive(coming[cut:])
        assert done is not None
        assert done.leftover == (coming[cut:] and b"more" if cut < len(second) else b"")
        assert dialler.take() == first + third


def test_byte_by_byte() -> None:
    first, second, third = transcript()
    listener, dialler = end(LISTENER), end(DIALLER)
    heard = [listener.receive(bytes([byte])) for byte in first + third]
    told = [dialler.receive(bytes([byte])) for byte in second]
    assert heard[:-1] == [None] * (len(first + third) - 1)
    assert told[:-1] == [None] * (len(second) - 1)
    assert isinstance(heard[-1], Authenticated)
    assert isinstance(told[-1], Authenticated)


def flipped(raw: bytes) -> list[bytes]:
    return [raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :] for at in range(len(raw))]


def test_any_change_of_the_first_message_is_found_by_the_dialler() -> None:
    first, _, _ = transcript()
    for changed in flipped(first):
        dialler, listener = end(DIALLER), end(LISTENER)
        try:
            listener.receive(changed)
        except PeerFaultError:
            assert listener.take() == b""
            continue
        answer = listener.take()
        if answer:  # else the length was changed, and the listener waits for more
            with pytest.raises(PeerFaultError):
                dialler.receive(answer)


def test_any_change_of_the_second_message_is_found_and_not_answered() -> None:
    first, second, _ = transcript()
    for changed in flipped(second):
        dialler = end(DIALLER)
        assert dialler.take() == first
        try:
            assert dialler.receive(changed) is None
            assert changed[:2] != second[:2]
        except PeerFaultError:
            pass
        assert dialler.take() == b""


def test_any_change_of_the_third_message_is_found() -> None:
    first, _, third = transcript()
    for changed in flipped(third):
        listener = end(LISTENER)
        listener.receive(first)
        try:
            assert listener.receive(changed) is None
            assert changed[:2] != third[:2]
        except PeerFaultError:
            pass


def test_who_was_not_dialled_is_not_told_who_we_are() -> None:
    dialler, listener = end(DIALLER, expected=peer_of(DIALLER)), end(LISTENER)
    listener.receive(dialler.take())
    with pytest.raises(WrongPeerError, match="answered with another key") as caught:
        dialler.receive(listener.take())
    assert (caught.value.expected, caught.value.found) == (str(peer_of(DIALLER)), str(peer_of(LISTENER)))
    assert (caught.value.score, dialler.take()) == (0, b"")


def test_who_was_dialled_is_taken() -> None:
    here, _ = shake(end(DIALLER, expected=peer_of(LISTENER)), end(LISTENER))
    assert here.peer == peer_of(LISTENER)


SIGNATURE = LISTENER.sign(b"noise-libp2p-static-key:", KEYS[LISTENER].public)
LOW_ORDER = b"\1" + bytes(31)


KEY = peer_of(LISTENER).protobuf
UNPROVEN = {
    "nothing": b"",
    "no signature": encode_fields([(1, KEY)]),
    "no key": encode_fields([(2, SIGNATURE)]),
    "another's key": encode_fields([(1, peer_of(DIALLER).protobuf), (2, SIGNATURE)]),
    "no signature but zeros": encode_fields([(1, KEY), (2, bytes(64))]),
    "a longer signature": encode_fields([(1, KEY), (2, SIGNATURE + b"\0")]),
    "signed for something else": encode_fields(
        [(1, KEY), (2, LISTENER.sign(b"orlop-record:v1:", KEYS[LISTENER].public))]
    ),
    "another static key": encode_fields([(1, KEY), (2, LISTENER.sign(b"noise-libp2p-static-key:", bytes(32)))]),
    "the bare key": encode_fields([(1, LISTENER.public), (2, SIGNATURE)]),
    "another encoding": encode_fields([(1, b"\x12\x20" + LISTENER.public + b"\x08\x01"), (2, SIGNATURE)]),
    "another kind of key": encode_fields([(1, b"\x08\0\x12\x20" + LISTENER.public), (2, SIGNATURE)]),
    "what fits every message": encode_fields([(1, b"\x08\1\x12\x20" + LOW_ORDER), (2, LOW_ORDER + bytes(32))]),
}


@pytest.mark.parametrize("payload", UNPROVEN)
@pytest.mark.parametrize("who", [LISTENER, DIALLER])
def test_a_key_that_is_not_proven_ends_it(payload: str, who: Identity) -> None:
    with pytest.raises(PeerFaultError, match="could not prove its key") as caught:
        hear(UNPROVEN[payload], who)
    assert (caught.value.rule, caught.value.score) == ("unproven-key", 50)


@pytest.mark.parametrize(
    "payload",
    [b"\x0a", proof(LISTENER)[:-1], proof(LISTENER) + b"\x22\x02\x12\x09"],
    ids=["begun", "cut", "extensions that are cut"],
)
def test_a_payload_that_is_no_protobuf_ends_it(payload: bytes) -> None:
    with pytest.raises(PeerFaultError, match="no protobuf") as caught:
        hear(payload, LISTENER)
    assert (caught.value.rule, caught.value.score) == ("handshake", 20)


def hear(payload: bytes, who: Identity) -> None:
    """Gives our other end a handshake that is sound but for its payload; nothing is answered to it."""
    theirs = other(who)
    ours = end(LISTENER if who is DIALLER else DIALLER)
    if who is DIALLER:
        ours.receive(framed(theirs.write_message()))
    theirs.read_message(ours.take()[2:])
    try:
        ours.receive(framed(theirs.write_message(payload)))
    finally:
        assert ours.take() == b""


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31), bytes.fromhex("ec" + "ff" * 30 + "7f")])
def test_a_point_that_makes_every_secret_zero_is_no_key(point: bytes) -> None:
    listener = end(LISTENER)
    with pytest.raises(PeerFaultError, match="could not prove its key") as caught:
        listener.receive(framed(point))
    assert (caught.value.score, listener.take()) == (50, b"")
    dialler = end(DIALLER)
    dialler.take()
    with pytest.raises(PeerFaultError, match="could not prove its key"):
        dialler.receive(framed(point + bytes(64)))
    assert dialler.take() == b""


@pytest.mark.parametrize("who", [LISTENER, DIALLER])
def test_a_static_key_of_that_kind_is_none_either(who: Identity) -> None:
    theirs = other(who)
    ours = end(LISTENER if who is DIALLER else DIALLER)
    theirs.noise_protocol.handshake_state.s.public_bytes = bytes(32)
    if who is DIALLER:
        ours.receive(framed(theirs.write_message()))
    theirs.read_message(ours.take()[2:])
    with pytest.raises(PeerFaultError, match="could not prove its key"):
        ours.receive(framed(theirs.write_message(proof(who))))


@pytest.mark.parametrize("who", [LISTENER, DIALLER])
def test_a_message_that_is_too_long_is_refused_by_its_length_alone(who: Identity) -> None:
    assert end(who).receive((1250).to_bytes(2)) is None
    with pytest.raises(PeerFaultError, match="sent 1251 bytes before it proved its key") as caught:
        end(who).receive((1251).to_bytes(2))
    assert (caught.value.rule, caught.value.score) == ("oversized-frame", 20)


@pytest.mark.parametrize("size", [0, 31, 33, 96])
def test_a_first_message_has_one_size(size: int) -> None:
    listener = end(LISTENER)
    with pytest.raises(PeerFaultError, match=f"sent {size} bytes where a handshake has 32"):
        listener.receive(framed(b"\x09" * size))
    assert listener.take() == b""


def test_later_messages_have_a_least_size() -> None:
    dialler, listener = end(DIALLER), end(LISTENER)
    listener.receive(dialler.take())
    with pytest.raises(PeerFaultError, match="sent 63 bytes where a handshake has 64 or more"):
        listener.receive(framed(bytes(63)))
    with pytest.raises(PeerFaultError, match="sent 95 bytes where a handshake has 96 or more"):
        dialler.receive(framed(bytes(95)))


def test_two_diallers_find_out_and_nobody_is_blamed() -> None:
    one, two = end(DIALLER), NoiseHandshake(initiator=True, key=KEYS[LISTENER])
    with pytest.raises(PeerFaultError, match="dialled us while we dialled it") as caught:
        one.receive(two.take())
    assert (caught.value.rule, caught.value.score) == ("both-dialled", 0)


@pytest.mark.parametrize(
    ("dialler", "listener", "chosen"),
    [
        ([YAMUX], [YAMUX], YAMUX),
        (["/a", YAMUX, "/b"], ["/b", YAMUX], YAMUX),
        (["/a", "/b"], ["/b", "/a"], "/a"),
        ([], [YAMUX], None),
        ([YAMUX], [], None),
        (["/a"], ["/b"], None),
    ],
)
def test_the_first_muxer_of_the_dialler_that_the_listener_has(
    dialler: list[str], listener: list[str], chosen: str | None
) -> None:
    here, there = shake(end(DIALLER, muxers=dialler), end(LISTENER, muxers=listener))
    assert (here.muxer, there.muxer) == (chosen, chosen)


def test_muxers_of_odd_letters_are_nobodys() -> None:
    theirs, ours = other(LISTENER), end(DIALLER)
    theirs.read_message(ours.take()[2:])
    done = ours.receive(framed(theirs.write_message(proof(LISTENER, b"\x22\x04\x12\x02\xff\xfe"))))
    assert done is not None
    assert done.muxer is None


def test_a_process_has_one_static_key_and_every_process_another() -> None:
    keys = [NoiseKey.fresh(DIALLER) for _ in range(2)]
    assert keys[0].public != keys[1].public
    for key in keys:
        assert verify(DIALLER.public, b"noise-libp2p-static-key:", key.public, dict(key.proof)[2])


def test_two_handshakes_with_one_key_share_no_secret() -> None:
    transports = []
    for _ in range(2):
        dialler = NoiseHandshake(initiator=True, key=KEYS[DIALLER])
        listener = NoiseHandshake(initiator=False, key=KEYS[LISTENER])
        transports.append(shake(dialler, listener)[0].transport)
    assert transports[0].seal(b"x") != transports[1].seal(b"x")


@given(st.binary(max_size=200))
def test_garbage_is_awaited_or_refused(raw: bytes) -> None:
    for who in (DIALLER, LISTENER):
        try:
            assert end(who).receive(raw) is None
        except PeerFaultError as fault:
            assert re.fullmatch(r"[a-z-]+", fault.rule)  # noqa: PT017 - garbage may be awaited too
