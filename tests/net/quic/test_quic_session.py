"""Two ends, without a network: who is refused, what flows, what ends."""

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from net.errors import ConnectionLostError, PeerFaultError, UnreachableError, WrongPeerError
from net.limits import NetLimits
from net.quic.events import Address, Arrived, Ended, Established, Misbehaved, Opened, Stopped, StreamLost
from net.quic.session import SEND_MOST, Session
from tests.net.quic.certificates import FLAWS, HARMLESS, NOW_MS, SOUND, Recipe
from tests.net.quic.wire import DIALLER, HERE, LISTENER, THERE, Wire, peer, terms

WINDOW = 262_144


def connected(**options: Any) -> Wire:
    wire = Wire(**options).settle()
    assert wire.left.session.established
    assert wire.there.session.established
    return wire


def pump(wire: Wire, stream: int, data: bytes, *, end: bool = True) -> int:
    """Sends as much of it as is taken in ten seconds; says how much that was."""
    rest = memoryview(data)
    session = wire.left.session
    until = wire.now + 10
    while rest and wire.now < until:
        taken = bytes(rest[: max(0, session.room(stream))])
        if taken:
            session.send(stream, taken)
            rest = rest[len(taken) :]
        wire.settle(0.05)
    if end and not rest:
        session.send(stream, b"", end=True)
    wire.settle()
    return len(data) - len(rest)


# --- who is there -----------------------------------------------------------------------------------------------------


def test_both_ends_prove_who_they_are() -> None:
    wire = connected()
    assert wire.left.peer == peer(LISTENER)
    assert wire.there.peer == peer(DIALLER)


def test_whoever_answers_is_taken_when_nobody_is_expected() -> None:
    session = Session.dial(terms(DIALLER), THERE, None, 0.0)
    wire = Wire()
    wire.left.session = session
    assert wire.settle().left.peer == peer(LISTENER)


def test_another_peer_than_expected_is_refused_by_the_dialler() -> None:
    wire = Wire(expected=peer(DIALLER)).settle()
    assert isinstance(wire.left.error, WrongPeerError)
    assert wire.left.error.score == 0
    assert (wire.left.error.expected, wire.left.error.found) == (str(peer(DIALLER)), str(peer(LISTENER)))
    assert wire.left.peer is None
    assert wire.there.peer is None
    assert isinstance(wire.there.error, UnreachableError)


def test_our_own_key_at_the_other_end_is_refused() -> None:
    wire = Wire(listener=terms(DIALLER), expected=peer(DIALLER)).settle()
    assert isinstance(wire.left.error, PeerFaultError)
    assert (wire.left.error.rule, wire.left.error.score) == ("own-key", 0)


@pytest.mark.parametrize(("recipe", "why"), FLAWS.values(), ids=FLAWS)
def test_a_listener_that_proves_nobody_is_refused(recipe: Recipe, why: str) -> None:
    wire = Wire(listener=terms(LISTENER, recipe.credentials(LISTENER))).settle()
    assert isinstance(wire.left.error, PeerFaultError)
    assert why in wire.left.error.why
    assert wire.left.error.score == 50
    assert wire.left.peer is None
    assert not wire.there.session.established


@pytest.mark.parametrize(("recipe", "why"), FLAWS.values(), ids=FLAWS)
def test_a_dialler_that_proves_nobody_is_refused_and_learns_it(recipe: Recipe, why: str) -> None:
    wire = Wire(dialler=terms(DIALLER, recipe.credentials(DIALLER))).settle()
    assert isinstance(wire.there.error, PeerFaultError)
    assert why in wire.there.error.why
    assert wire.there.error.score == 50
    # TLS told it that it was connected; it did not believe that.
    assert wire.left.peer is None
    assert isinstance(wire.left.error, UnreachableError)
    assert "refused the connection (0x12a)" in wire.left.error.why


@pytest.mark.parametrize("recipe", HARMLESS.values(), ids=HARMLESS)
def test_what_libp2p_allows_is_taken(recipe: Recipe) -> None:
    connected(dialler=terms(DIALLER, recipe.credentials(DIALLER)))


def _with_two(session: Session) -> None:
    session._quic.tls.certificate_chain = [SOUND.credentials(DIALLER).certificate]


def _with_trailing_bytes(session: Session) -> None:
    class Longer:
        def public_bytes(self, _: Encoding) -> bytes:
            return SOUND.credentials(DIALLER).certificate.public_bytes(Encoding.DER) + b"\0"

    session._quic.tls.certificate = Longer()  # type: ignore[assignment]


TAMPERED: dict[str, tuple[Callable[[Session], None], str, str]] = {
    "several": (_with_two, "several certificates", "0x12a"),
    "trailing-bytes": (_with_trailing_bytes, "could not be parsed", "0x12a"),
}


@pytest.mark.parametrize(("tamper", "why", "code"), TAMPERED.values(), ids=TAMPERED)
def test_a_certificate_is_one_and_nothing_but_one(tamper: Callable[[Session], None], why: str, code: str) -> None:
    wire = Wire(tamper=tamper).settle()
    assert isinstance(wire.there.error, PeerFaultError)
    assert why in wire.there.error.why
    assert isinstance(wire.left.error, UnreachableError)
    assert code in wire.left.error.why


def test_a_dialler_without_a_certificate_is_refused() -> None:
    def tamper(session: Session) -> None:
        session._quic.tls.certificate = None

    wire = Wire(tamper=tamper).settle()
    assert isinstance(wire.there.error, PeerFaultError)
    assert "showed no certificate" in wire.there.error.why
    assert isinstance(wire.left.error, UnreachableError)
    assert "0x128" in wire.left.error.why


def test_who_speaks_something_else_is_refused() -> None:
    wire = Wire()
    wire.left.session = Session(terms(DIALLER), 0.0, expected=None, accepts=None)
    wire.left.session._quic.configuration.alpn_protocols = ["h3"]
    wire.left.session._quic.connect(THERE, now=0.0)
    wire.settle()
    assert isinstance(wire.left.error, UnreachableError)
    assert wire.left.error.why == "refused the connection (0x178)"
    assert not wire.there.session.established


def test_nobody_is_told_why_it_was_refused() -> None:
    wire = Wire(expected=peer(DIALLER)).settle()
    assert isinstance(wire.there.error, UnreachableError)
    assert wire.there.error.why == "refused the connection (0x12a)"


# --- what is not the peer's -------------------------------------------------------------------------------------------


def test_garbage_truncated_and_flipped_datagrams_change_nothing() -> None:
    wire = Wire()
    sent = 0

    def route(data: bytes, source: Address) -> list[tuple[bytes, Address]]:
        nonlocal sent
        sent += 1
        flipped = bytearray(data)
        flipped[sent * 7919 % len(data)] ^= 1 << sent % 8
        garbage = data[:9] + bytes(sent * byte % 251 for byte in range(200))
        return [(bytes(flipped), source), (data[: len(data) // 2], source), (garbage, source), (data, source)]

    wire.route = route
    wire.settle()
    assert wire.left.peer == peer(LISTENER)
    stream = wire.left.session.open()
    data = bytes(range(256)) * 100
    assert pump(wire, stream, data) == len(data)
    assert wire.there.received(stream) == data


@given(st.lists(st.binary(min_size=1, max_size=1300), max_size=8))
def test_any_bytes_at_all_change_nothing(rubbish: list[bytes]) -> None:
    wire = connected()
    for data in rubbish:
        for end, source in ((wire.left, THERE), (wire.there, HERE)):
            end.session.receive(data, source, wire.now)
            end.session.receive(end.session.cids[0][:0] + b"\x40" + end.session.cids[0] + data, source, wire.now)
    wire.settle()
    assert wire.left.session.established
    assert not wire.left.session.ended
    assert not wire.there.session.ended


def test_a_first_datagram_that_is_not_what_it_claims_leaves_nothing() -> None:
    (data, _), *_ = Session.dial(terms(DIALLER), THERE, None, 0.0).take(0.0)
    broken = data[:100] + bytes([data[100] ^ 1]) + data[101:]
    assert Session.accept(terms(LISTENER), (data[6:14], None), broken, HERE, 0.0) is None
    assert Session.accept(terms(LISTENER), (data[6:14], None), data, HERE, 0.0) is not None


def test_a_tls_message_that_is_kept_until_it_is_whole_has_a_bound() -> None:
    class Huge:
        def public_bytes(self, _: Encoding) -> bytes:
            return bytes(60_000)

    def tamper(session: Session) -> None:
        session._quic.tls.certificate = Huge()  # type: ignore[assignment]

    wire = Wire(tamper=tamper).settle()
    assert wire.right is None or not wire.right.session.established
    assert isinstance(wire.left.error or wire.there.error, (PeerFaultError, UnreachableError))


# --- streams ----------------------------------------------------------------------------------------------------------


def test_bytes_go_both_ways_and_ends_of_directions_too() -> None:
    wire = connected()
    left, right = wire.left.session, wire.there.session
    stream = left.open()
    left.send(stream, b"question", end=True)
    wire.settle()
    assert wire.there.of(Opened) == [Opened(stream)]
    assert wire.there.of(Arrived) == [Arrived(stream, b"question", end=True)]
    right.send(stream, b"answer", end=True)
    wire.settle()
    assert wire.left.of(Arrived) == [Arrived(stream, b"answer", end=True)]
    assert left.delivered(stream)
    assert right.delivered(stream)


def test_a_listener_that_speaks_first_is_heard_after_it_was_proven() -> None:
    wire = Wire()
    spoken = False

    def route(data: bytes, source: Address) -> list[tuple[bytes, Address]]:
        nonlocal spoken
        if wire.right is not None and wire.right.session.established and not spoken:
            spoken = True
            wire.right.session.send(wire.right.session.open(), b"first")
        return [(data, source)]

    wire.route = route
    wire.settle()
    kinds = [type(event) for event in wire.left.told if isinstance(event, (Established, Opened, Arrived))]
    assert kinds == [Established, Opened, Arrived]


def test_a_reset_ends_both_directions() -> None:
    wire = connected()
    stream = wire.left.session.open()
    wire.left.session.send(stream, b"part of it")
    wire.settle()
    wire.left.session.reset(stream)
    wire.settle()
    assert wire.there.of(StreamLost) == [StreamLost(stream)]
    assert wire.there.of(Stopped) == [Stopped(stream)]
    wire.there.session.reset(stream)
    wire.settle()
    assert (wire.left.session.stream_entries, wire.there.session.stream_entries) == (0, 0)


def test_a_thousand_streams_leave_no_entry() -> None:
    wire = connected()
    for _ in range(1000):
        stream = wire.left.session.open()
        wire.left.session.send(stream, b"x", end=True)
        wire.settle(0.02)
        wire.there.session.send(stream, b"y", end=True)
        wire.there.session.forget(stream)
        wire.settle(0.02)
        wire.left.session.forget(stream)
    wire.settle()
    assert len(wire.there.of(Opened)) == 1000
    assert (wire.left.session.stream_entries, wire.there.session.stream_entries) == (0, 0)


def test_an_unread_stream_stops_at_its_window_while_another_goes_on() -> None:
    wire = connected()
    wire.there.reading = False
    stuck, other = wire.left.session.open(), wire.left.session.open()
    pump(wire, stuck, bytes(2 * WINDOW), end=False)
    assert len(wire.there.received(stuck)) == WINDOW
    wire.there.reading = True
    assert pump(wire, other, bytes(1_000_000)) == 1_000_000
    assert len(wire.there.received(other)) == 1_000_000
    assert len(wire.there.received(stuck)) == WINDOW
    wire.there.session.read(stuck, WINDOW)
    pump(wire, stuck, b"")
    assert len(wire.there.received(stuck)) == WINDOW + SEND_MOST


def test_a_stranger_holds_no_more_than_its_share_however_many_streams_it_opens() -> None:
    wire = connected()
    wire.there.reading = False
    for _ in range(8):
        pump(wire, wire.left.session.open(), bytes(WINDOW), end=False)
    held = sum(len(event.data) for event in wire.there.of(Arrived) if isinstance(event, Arrived))
    assert held == NetLimits().unread_stranger


def test_a_listed_peer_may_send_more_ahead() -> None:
    wire = connected()
    wire.there.reading = False
    wire.there.session.trust()
    wire.settle()
    for _ in range(4):
        pump(wire, wire.left.session.open(), bytes(WINDOW), end=False)
    assert sum(len(e.data) for e in wire.there.of(Arrived) if isinstance(e, Arrived)) == 4 * WINDOW


def test_a_bulk_stream_may_be_sent_more_ahead() -> None:
    wire = connected()
    stream = wire.left.session.open()
    wire.left.session.send(stream, b"x")
    wire.settle()
    wire.there.session.trust()
    wire.there.session.widen(stream, bulk=True)
    wire.there.reading = False
    wire.settle()
    pump(wire, stream, bytes(2_000_000), end=False)
    assert len(wire.there.received(stream)) == 1 + NetLimits().window_bulk  # one was read


def test_a_sender_is_told_when_to_wait() -> None:
    wire = connected()
    stream = wire.left.session.open()
    assert wire.left.session.room(stream) == SEND_MOST
    wire.left.session.send(stream, bytes(SEND_MOST))
    assert wire.left.session.room(stream) == 0
    wire.settle()
    assert wire.left.session.room(stream) == SEND_MOST


def test_more_streams_than_are_allowed_wait_for_earlier_ones_to_end() -> None:
    limits = NetLimits(streams=4)
    wire = connected(listener=terms(LISTENER, limits=limits))
    streams = [wire.left.session.open() for _ in range(6)]
    for stream in streams:
        wire.left.session.send(stream, b"x", end=True)
    wire.settle()
    assert len(wire.there.of(Opened)) == 4
    for stream in streams[:4]:
        wire.there.session.send(stream, b"", end=True)
    wire.settle()
    assert len(wire.there.of(Opened)) == 6


def test_streams_that_are_opened_too_fast_are_reset_and_count() -> None:
    wire = connected(listener=terms(LISTENER, limits=NetLimits(opened_rate=10)))
    for _ in range(15):
        wire.left.session.send(wire.left.session.open(), b"x")
    wire.settle(0.05)
    assert len(wire.there.of(Opened)) == 10
    faults = [event.fault for event in wire.there.told if isinstance(event, Misbehaved)]
    assert [(fault.rule, fault.score) for fault in faults] == [("stream-flood", 2)] * 5
    assert len(wire.left.of(Stopped)) == 5


def test_streams_may_begin_in_any_order() -> None:
    wire = connected()
    held: list[tuple[bytes, Address]] = []
    wire.route = lambda data, source: held.append((data, source)) or []  # type: ignore[func-returns-value]
    streams = [wire.left.session.open() for _ in range(3)]
    for stream in streams:
        wire.left.session.send(stream, b"x", end=True)
        wire.settle(0)
    wire.route = lambda data, source: [(data, source)]
    for data, source in reversed(held):
        wire.there.session.receive(data, source, wire.now)
    wire.settle()
    assert sorted(event.stream for event in wire.there.told if isinstance(event, Opened)) == streams
    assert all(wire.there.received(stream) == b"x" for stream in streams)


@pytest.mark.parametrize("seed", range(8))
def test_lost_and_repeated_datagrams_lose_and_double_nothing(seed: int) -> None:
    wire = connected()
    chance = random.Random(seed)

    def route(data: bytes, source: Address) -> list[tuple[bytes, Address]]:
        return [] if chance.random() < 0.1 else [(data, source)] * chance.randint(1, 2)

    wire.route = route
    stream = wire.left.session.open()
    data = bytes(range(251)) * 200
    wire.left.session.send(stream, data, end=True)
    wire.settle(25)
    assert wire.there.received(stream) == data


# --- time -------------------------------------------------------------------------------------------------------------


def test_a_dialler_gives_up_when_nobody_answers() -> None:
    wire = Wire()
    wire.route = lambda *_: []
    wire.settle(9.9)
    assert wire.left.error is None
    wire.settle(0.2)
    assert isinstance(wire.left.error, UnreachableError)
    assert wire.left.error.why == "did not answer within 10 s"


def test_a_dialler_that_stops_halfway_is_dropped_and_pays_nothing_for_an_address_it_may_not_have() -> None:
    wire = Wire()
    wire.route = lambda data, source: [(data, source)] if source == HERE and not wire.right else []
    wire.settle(11)
    assert isinstance(wire.there.error, PeerFaultError)
    assert (wire.there.error.rule, wire.there.error.score) == ("handshake-timeout", 0)
    assert wire.there.session.next_at() is None


def test_a_quiet_connection_stays() -> None:
    wire = connected()
    wire.settle(600)
    assert not wire.left.session.ended
    assert not wire.there.session.ended


def test_routers_on_the_way_hear_of_both_ends_every_ten_seconds() -> None:
    wire = connected()
    wire.carried.clear()
    wire.settle(60)
    assert 5 <= sum(source == HERE for _, source in wire.carried) <= 30
    assert 5 <= sum(source == THERE for _, source in wire.carried) <= 30


def test_a_peer_that_vanished_is_noticed() -> None:
    wire = connected()
    wire.route = lambda *_: []
    wire.settle(41)  # the last keep-alive is waited for, too
    assert isinstance(wire.left.error, ConnectionLostError)
    assert wire.left.error.why == "nothing was heard for 30 s"
    assert isinstance(wire.there.error, ConnectionLostError)


def test_a_goodbye_is_heard_at_once() -> None:
    wire = connected()
    wire.left.session.close(wire.now)
    wire.settle(0)
    assert isinstance(wire.there.error, ConnectionLostError)
    assert wire.there.error.why == "the peer closed the connection (0x0)"
    assert isinstance(wire.left.told[-1], Ended)
    assert wire.left.session.take(wire.now) == []


# --- place ------------------------------------------------------------------------------------------------------------


def test_a_dialler_may_move_under_load() -> None:
    wire = connected()
    stream = wire.left.session.open()
    data = bytes(range(256)) * 2000
    rest = memoryview(data)
    moved: Address = ("198.51.100.7", 9999)
    while rest:
        taken = bytes(rest[: min(20_000, max(0, wire.left.session.room(stream)))])
        wire.left.session.send(stream, taken)
        rest = rest[len(taken) :]
        if len(rest) < len(data) // 2 and wire.source == HERE:
            wire.source = moved
            wire.left.session.ping()
        wire.settle(0.05)
    wire.settle()
    assert wire.there.received(stream) == data
    assert wire.there.session.address == moved


def test_a_stranger_that_repeats_a_datagram_does_not_move_anybody() -> None:
    wire = connected()
    wire.route = lambda data, source: [(data, source), (data, ("203.0.113.9", 1))]
    stream = wire.left.session.open()
    assert pump(wire, stream, bytes(50_000)) == 50_000
    assert wire.there.session.address == HERE


# --- limits of the whole ----------------------------------------------------------------------------------------------


def test_what_an_ended_connection_held_is_not_held_any_more() -> None:
    ours = terms(LISTENER)
    wire = connected(listener=ours)
    wire.there.reading = False
    pump(wire, wire.left.session.open(), bytes(100_000), end=False)
    assert ours.unread.total == 100_000
    wire.there.session.close(wire.now)
    assert ours.unread.total == 0


def test_the_terms_are_a_value() -> None:
    assert dataclasses.replace(terms(DIALLER)).clock.wall_ms() == NOW_MS
