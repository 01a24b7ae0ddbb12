"""The upgrade of a bare socket: both ends on strings of bytes, cut anywhere, and ends that are no such thing."""

import pytest

from net.errors import PeerFaultError, WrongPeerError
from net.limits import NetLimits
from net.multistream import Multistream
from net.noise import Authenticated, NoiseHandshake, NoiseKey
from net.peer_id import PeerId
from net.upgrade import Upgrade, Upgraded
from runtime.identity import Identity

ALICE, BOB, EVE = (Identity(bytes([seed]) * 32) for seed in (1, 2, 3))
LIMITS = NetLimits()


def key_of(identity: Identity) -> NoiseKey:
    return NoiseKey.fresh(identity, lambda size: bytes([7]) * size)


def end(who: Identity, *, dialler: bool, expected: Identity | None = None) -> Upgrade:
    peer = None if expected is None else PeerId(expected.public)
    return Upgrade(dialler=dialler, key=key_of(who), own=PeerId(who.public), expected=peer, limits=LIMITS)


def carry(left: Upgrade, right: Upgrade, size: int) -> tuple[Upgraded, Upgraded]:
    """Runs both to their ends, in pieces of so many bytes."""
    done: list[Upgraded | None] = [None, None]
    ends = (left, right)
    while not all(done):
        moved = False
        for side, upgrade in enumerate(ends):
            said = upgrade.take()
            moved = moved or bool(said)
            for at in range(0, len(said), size):
                other = 1 - side
                assert done[other] is None
                done[other] = ends[other].receive(said[at : at + size])
        assert moved, "both ends wait"
    first, second = done
    assert first is not None
    assert second is not None
    return first, second


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
def test_both_ends_know_each_other_however_the_bytes_are_cut(size: int) -> None:
    alice, bob = carry(end(ALICE, dialler=True, expected=BOB), end(BOB, dialler=False), size)
    assert (alice.peer, bob.peer) == (PeerId(BOB.public), PeerId(ALICE.public))
    assert {alice.leftover, bob.leftover, alice.sealed, bob.sealed} == {b""}
    assert bob.noise.receive(memoryview(alice.noise.seal(b"hello"))) == [b"hello"]
    assert alice.noise.receive(memoryview(bob.noise.seal(b"and you"))) == [b"and you"]


def by_hand(listener: Upgrade, *, behind: bytes) -> Upgraded:
    """Dials as implementations do that name no muxer with the handshake, and says the first of yamux in one go."""
    security = Multistream(dialler=True, names=["/noise"], limits=LIMITS)
    listener.receive(security.take())
    selected = security.receive(listener.take())
    assert selected is not None
    noise = NoiseHandshake(initiator=True, key=key_of(ALICE), muxers=[])
    listener.receive(noise.take())
    known = noise.receive(listener.take())
    assert isinstance(known, Authenticated)
    assert known.muxer is None
    muxer = Multistream(dialler=True, names=["/yamux/1.0.0"], limits=LIMITS)
    done = listener.receive(noise.take() + known.transport.seal(muxer.take() + behind))
    assert done is not None
    assert known.transport.receive(memoryview(listener.take())) != []
    return done


def test_a_peer_that_names_no_muxer_agrees_on_it_inside_and_its_first_bytes_are_kept() -> None:
    done = by_hand(end(BOB, dialler=False), behind=b"first of yamux")
    assert done.peer == PeerId(ALICE.public)
    assert done.leftover == b"first of yamux"


def test_another_key_than_was_dialled_is_refused_before_ours_is_told() -> None:
    left, right = end(ALICE, dialler=True, expected=EVE), end(BOB, dialler=False)
    right.receive(left.take())
    left.receive(right.take())
    right.receive(left.take())
    with pytest.raises(WrongPeerError) as caught:
        left.receive(right.take())
    assert (caught.value.expected, caught.value.found) == (EVE.peer_id, BOB.peer_id)
    assert left.take() == b""


def test_our_own_key_at_the_other_end_is_refused() -> None:
    left, right = end(ALICE, dialler=True), end(ALICE, dialler=False)
    with pytest.raises(PeerFaultError) as caught:
        carry(left, right, 1000)
    assert (caught.value.rule, caught.value.score) == ("own-key", 0)


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x.example\r\nUser-Agent: someone/1.0\r\nAccept: */*\r\n\r\n",
        bytes.fromhex("16030100c8010000c40303") + bytes(100),
        bytes(2000),
        b"\xff" * 2000,
    ],
    ids=["http", "tls", "zeros", "ones"],
)
def test_whoever_speaks_something_else_is_told_nothing_and_blamed(said: bytes) -> None:
    right = end(BOB, dialler=False)
    greeting = right.take()
    with pytest.raises(PeerFaultError) as caught:
        right.receive(said)
    assert (caught.value.rule, caught.value.score) == ("multistream", 20)
    assert greeting == b"\x13/multistream/1.0.0\n"


def test_a_listener_that_knows_no_noise_is_refused() -> None:
    left = end(ALICE, dialler=True)
    with pytest.raises(PeerFaultError, match="does not speak /noise"):
        left.receive(b"\x13/multistream/1.0.0\n\x03na\n")
