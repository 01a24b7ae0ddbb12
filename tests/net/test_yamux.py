"""yamux as a state machine: two ends on a string of bytes, and one end against somebody who breaks the rules."""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import PeerFaultError
from net.limits import NetLimits
from net.unread import Unread
from net.yamux import Yamux
from net.yamux_events import Blamed, Data, Eof, Event, Gone, Pong, Reset, StreamOpened
from net.yamux_frames import Flag, GoAway, Kind, frame

WINDOW = 262_144
MOST = 65_519


@dataclass
class End:
    """One end with a reader that keeps what it reads."""

    mux: Yamux
    now: float = 0.0
    got: dict[int, bytearray] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    """Bytes that were handed on and are not consumed."""
    ended: set[int] = field(default_factory=set)
    reset: set[int] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)

    def hear(self, data: bytes) -> None:
        for event in self.mux.receive(data, self.now):
            self.events.append(event)
            match event:
                case StreamOpened(id=number):
                    self.got[number] = bytearray()
                case Data(id=number, data=piece):
                    self.got.setdefault(number, bytearray()).extend(piece)
                    self.waiting[number] = self.waiting.get(number, 0) + len(piece)
                case Eof(id=number):
                    self.ended.add(number)
                case Reset(id=number):
                    self.reset.add(number)
                case _:
                    pass

    def consume(self, number: int, count: int | None = None) -> None:
        count = self.waiting.get(number, 0) if count is None else min(count, self.waiting.get(number, 0))
        self.mux.consume(number, count)
        self.waiting[number] = self.waiting.get(number, 0) - count

    def said(self) -> bytes:
        """All that it would send now."""
        out = bytearray()
        while piece := self.mux.take(MOST, self.now):
            out += piece
        return bytes(out)


def ends(limits: NetLimits | None = None) -> tuple[End, End]:
    table = limits or NetLimits()
    return End(Yamux(initiator=True, limits=table)), End(Yamux(initiator=False, limits=table))


def settle(left: End, right: End) -> None:
    """Carries bytes until neither has anything to say."""
    while True:
        out, back = left.said(), right.said()
        if not out and not back:
            return
        right.hear(out)
        left.hear(back)


def opened(limits: NetLimits | None = None) -> tuple[End, End, int]:
    left, right = ends(limits)
    number = left.mux.open()
    assert number is not None
    settle(left, right)
    return left, right, number


# --- the bytes -------------------------------------------------------------------------------------------------------


def test_opening_writing_and_ending_are_the_frames_of_the_specification() -> None:
    left, _ = ends()
    number = left.mux.open()
    assert number == 1
    assert left.mux.send(1, b"hello", 0.0) == 5
    left.mux.finish(1)
    opens = "00 01 0001 00000001 00000000"
    data = "00 00 0000 00000001 00000005 68656c6c6f"
    ends_it = "00 01 0004 00000001 00000000"
    assert left.said() == bytes.fromhex(opens + data + ends_it)


def test_a_bulk_stream_grants_its_larger_window_as_it_opens() -> None:
    left, right = ends()
    left.mux.open(bulk=True)
    assert left.said() == frame(Kind.WINDOW_UPDATE, Flag.SYN, 1, 1_048_576 - WINDOW)
    right.hear(frame(Kind.WINDOW_UPDATE, Flag.SYN, 1, 1_048_576 - WINDOW))
    assert right.mux.send(1, bytes(2_000_000), 0.0) == 2_000_000
    sent = sum(len(right.mux.take(MOST, 0.0)) for _ in range(40))
    assert 1_048_576 <= sent < 1_048_576 + 40 * 12


def test_the_listener_widens_a_stream_when_it_knows_what_it_is_for() -> None:
    left, right, number = opened()
    right.mux.widen(number)
    right.mux.widen(number)
    settle(left, right)
    left.mux.send(number, bytes(2_000_000), 0.0)
    settle(left, right)
    assert right.waiting[number] == 1_048_576


def test_the_listener_opens_even_numbers_that_rise() -> None:
    _, right = ends()
    assert [right.mux.open(), right.mux.open()] == [2, 4]


def test_control_frames_go_before_data_and_streams_take_turns() -> None:
    left, right = ends()
    numbers = [left.mux.open() for _ in range(3)]
    settle(left, right)
    for number in numbers:
        assert number is not None
        left.mux.send(number, bytes([number]) * 200_000, 0.0)
    first = left.mux.take(MOST, 0.0)
    left.mux.open()
    second = left.mux.take(MOST, 0.0)
    third = left.mux.take(MOST, 0.0)
    assert first[4:8] == b"\0\0\0\1"
    assert second[:12] == frame(Kind.WINDOW_UPDATE, Flag.SYN, 7, 0)
    assert second[16:20] == b"\0\0\0\3"
    assert third[4:8] == b"\0\0\0\5"
    assert len(second) == MOST, "control frames and data share a message, which is full"


def test_a_writer_is_told_when_the_last_of_its_bytes_is_in_a_frame() -> None:
    left, _right, number = opened()
    left.mux.send(number, bytes(MOST), 0.0)
    left.mux.take(MOST, 0.0)
    assert left.mux.take_sent() == []
    assert left.mux.send(number, b"more", 0.0) == 0, "one write at a time"
    left.mux.take(MOST, 0.0)
    assert left.mux.take_sent() == [number]
    assert left.mux.take_sent() == []
    assert left.mux.send(number, b"more", 0.0) == 4


# --- credit ----------------------------------------------------------------------------------------------------------


def test_a_reader_that_does_not_read_stops_the_writer_at_the_window() -> None:
    left, right, number = opened()
    left.mux.send(number, bytes(1_000_000), 0.0)
    settle(left, right)
    assert right.waiting[number] == WINDOW
    right.consume(number, WINDOW // 2 - 1)
    settle(left, right)
    assert right.waiting[number] == WINDOW // 2 + 1, "less than half a window gives nothing back"
    right.consume(number, 1)
    settle(left, right)
    assert right.waiting[number] == WINDOW


def test_a_stream_without_credit_holds_no_other_up() -> None:
    left, right, number = opened()
    other = left.mux.open()
    assert other is not None
    left.mux.send(number, bytes(1_000_000), 0.0)
    settle(left, right)
    left.mux.send(other, b"through", 0.0)
    settle(left, right)
    assert bytes(right.got[other]) == b"through"


def test_nothing_is_given_back_while_too_much_is_unread() -> None:
    limits = NetLimits(unread_stranger=300_000)
    left, right, first = opened(limits)
    second = left.mux.open()
    assert second is not None
    for number in (first, second):
        left.mux.send(number, bytes(600_000), 0.0)
    settle(left, right)
    assert right.mux.unread == 2 * WINDOW
    assert right.mux.room == 0
    right.consume(first, WINDOW // 2)
    settle(left, right)
    assert right.mux.unread == WINDOW + WINDOW // 2, "no window has grown"
    right.consume(second, WINDOW)
    settle(left, right)
    assert right.mux.unread == WINDOW // 2 + WINDOW // 2 + WINDOW, "both got back what was withheld"


def test_a_listed_peer_may_have_more_unread_unless_the_process_is_full() -> None:
    limits = NetLimits(unread_process=1000)
    unread = Unread(limits)
    mux = Yamux(initiator=False, limits=limits, unread=unread)
    assert mux.room == limits.unread_stranger
    mux.listed = True
    assert mux.room == limits.unread_listed
    unread.total = 1001
    assert mux.room == limits.unread_stranger


def test_credit_is_counted_up_to_16_mib_and_more_is_no_fault() -> None:
    left, right, number = opened()
    for _ in range(3):
        left.hear(frame(Kind.WINDOW_UPDATE, Flag.NONE, number, 0xFFFF_FFFF))
    left.mux.send(number, bytes(17_000_000), 0.0)
    sent = 0
    while piece := left.mux.take(MOST, 0.0):
        sent += len(piece) - 12
    assert sent == 16_777_216
    assert not right.events[1:]


# --- ends ------------------------------------------------------------------------------------------------------------


def test_each_direction_ends_by_itself_and_then_nothing_is_left() -> None:
    left, right, number = opened()
    left.mux.finish(number)
    settle(left, right)
    assert right.ended == {number}
    right.mux.send(number, b"still", 0.0)
    right.mux.finish(number)
    settle(left, right)
    assert bytes(left.got[number]) == b"still"
    assert left.ended == {number}
    assert (len(left.mux), len(right.mux)) == (1, 0), "unread bytes keep a stream"
    left.consume(number)
    assert len(left.mux) == 0
    assert left.mux.unread == 0


def test_a_reset_ends_both_ways_and_what_was_on_its_way_is_dropped() -> None:
    left, right, number = opened()
    left.mux.send(number, bytes(100_000), 0.0)
    on_its_way = left.said()
    right.mux.reset(number)
    right.hear(on_its_way)
    assert right.waiting == {}
    left.hear(right.said())
    assert left.reset == {number}
    assert (len(left.mux), len(right.mux)) == (0, 0)


def test_bytes_for_a_reset_stream_end_where_its_credit_ended() -> None:
    _, right, number = opened()
    right.mux.reset(number)
    right.hear(frame(Kind.DATA, Flag.NONE, number, WINDOW) + bytes(WINDOW))
    with pytest.raises(PeerFaultError, match="credit"):
        right.hear(frame(Kind.DATA, Flag.NONE, number, 1))


def test_after_a_farewell_what_stands_goes_on_and_nothing_new_begins() -> None:
    left, right, number = opened()
    right.mux.go_away(GoAway.NORMAL)
    right.mux.go_away(GoAway.NORMAL)
    settle(left, right)
    assert left.events == [Gone(0)]
    assert left.mux.open() is None
    left.mux.send(number, b"on", 0.0)
    settle(left, right)
    assert bytes(right.got[number]) == b"on"
    left.hear(frame(Kind.GO_AWAY, Flag.NONE, 0, 0))
    assert left.events == [Gone(0)], "a second farewell says nothing"


def test_a_stream_opened_while_our_farewell_was_on_its_way_is_refused_at_no_cost() -> None:
    left, right = ends()
    left.mux.open()
    right.mux.go_away(GoAway.NORMAL)
    right.hear(left.said())
    assert right.events == []
    left.hear(right.said())
    assert left.reset == {1}


# --- life ------------------------------------------------------------------------------------------------------------


def test_a_ping_is_asked_every_15_seconds_and_answered() -> None:
    left, right = ends()
    assert left.mux.tick(14.9) == []
    assert left.said() == b""
    left.mux.tick(15.0)
    asked = left.said()
    assert asked == frame(Kind.PING, Flag.SYN, 0, 1)
    right.hear(asked)
    left.now = 15.25
    left.hear(right.said())
    assert left.events == [Pong(0.25)]


def test_three_pings_without_a_sound_and_the_peer_is_lost() -> None:
    left, _ = ends()
    for now in (15.0, 30.0, 45.0):
        left.mux.tick(now)
    with pytest.raises(PeerFaultError) as caught:
        left.mux.tick(60.0)
    assert (caught.value.rule, caught.value.score) == ("silent", 0)


def test_whoever_sends_anything_lives_and_silence_counts_only_while_we_listen() -> None:
    left, _ = ends()
    for turn in range(1, 20):
        left.mux.tick(turn * 15.0)
        left.hear(frame(Kind.PING, Flag.ACK, 0, 12345))
    deaf, _ = ends()
    for turn in range(1, 20):
        deaf.mux.tick(turn * 15.0, reading=False)


def test_a_peer_that_takes_nothing_for_a_minute_loses_the_stream_and_no_more() -> None:
    left, right, number = opened()
    left.mux.send(number, bytes(1_000_000), 0.0)
    settle(left, right)
    assert left.mux.tick(59.0) == []
    events = left.mux.tick(60.0)
    assert events[0] == Reset(number)
    assert isinstance(events[1], Blamed)
    assert (events[1].fault.rule, events[1].fault.score) == ("stalled", 5)
    settle(left, right)
    assert right.reset == {number}


def test_a_session_without_streams_knows_since_when() -> None:
    left, right = ends()
    assert left.mux.quiet_since == 0.0
    number = left.mux.open()
    assert number is not None
    assert left.mux.quiet_since is None
    left.now = right.now = 7.0
    settle(left, right)
    right.mux.reset(number)
    settle(left, right)
    assert left.mux.quiet_since == 7.0


# --- hostile peers ---------------------------------------------------------------------------------------------------

BREACHES: dict[str, tuple[bytes, str]] = {
    "another version": (b"\1" + bytes(11), "unknown-frame"),
    "an unknown kind": (frame(4, 0, 1, 0), "unknown-frame"),
    "data for the session": (frame(Kind.DATA, Flag.SYN, 0, 4), "no-stream"),
    "our parity": (frame(Kind.WINDOW_UPDATE, Flag.SYN, 2, 0), "bad-stream-number"),
    "a used number": (2 * frame(Kind.WINDOW_UPDATE, Flag.SYN, 3, 0), "bad-stream-number"),
    "a number that falls": (
        frame(Kind.WINDOW_UPDATE, Flag.SYN, 5, 0) + frame(Kind.WINDOW_UPDATE, Flag.SYN, 3, 0),
        "bad-stream-number",
    ),
    "a stream that nobody opened": (frame(Kind.DATA, Flag.NONE, 9, 4), "no-stream"),
    "one of ours that we did not open": (frame(Kind.DATA, Flag.NONE, 8, 4), "no-stream"),
    "more than its credit": (frame(Kind.DATA, Flag.SYN, 3, WINDOW + 1), "window-overflow"),
    "a frame of 4 GiB": (frame(Kind.DATA, Flag.SYN, 3, 0xFFFF_FFFF), "window-overflow"),
    "data after its end": (
        frame(Kind.DATA, Flag.SYN | Flag.FIN, 3, 1) + b"x" + frame(Kind.DATA, Flag.NONE, 3, 1),
        "window-overflow",
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_of_the_protocol_is_refused_at_the_header_and_costs_50(name: str) -> None:
    data, rule = BREACHES[name]
    _, right = ends()
    with pytest.raises(PeerFaultError) as caught:
        right.hear(data)
    assert (caught.value.rule, caught.value.score) == (rule, 50)
    assert right.said().endswith(frame(Kind.GO_AWAY, Flag.NONE, 0, GoAway.PROTOCOL_ERROR))


def test_more_than_256_streams_are_refused_one_by_one() -> None:
    limits = NetLimits(opened_rate=10_000)
    _, right = ends(limits)
    for number in range(1, 2 * 256 + 1, 2):
        right.hear(frame(Kind.WINDOW_UPDATE, Flag.SYN, number, 0))
    assert len(right.mux) == 256
    right.said()
    right.hear(frame(Kind.WINDOW_UPDATE, Flag.SYN, 513, 0))
    assert len(right.mux) == 256
    assert right.said() == frame(Kind.WINDOW_UPDATE, Flag.RST, 513, 0)
    blamed = right.events[-1]
    assert isinstance(blamed, Blamed)
    assert (blamed.fault.rule, blamed.fault.score) == ("stream-flood", 2)


def test_more_than_100_streams_a_second_are_refused() -> None:
    _, right = ends()
    for number in range(1, 2 * 101 + 1, 2):
        right.hear(frame(Kind.WINDOW_UPDATE, Flag.SYN, number, 0))
    assert len(right.mux) == 100
    right.now = 1.0
    right.hear(frame(Kind.WINDOW_UPDATE, Flag.SYN, 203, 0))
    assert len(right.mux) == 101


def test_rapid_resets_count_as_open_streams_for_ten_seconds() -> None:
    _, right = ends(NetLimits(opened_rate=10_000, streams=20))
    number = -1
    for _ in range(20):
        number += 2
        right.hear(frame(Kind.WINDOW_UPDATE, Flag.SYN, number, 0) + frame(Kind.WINDOW_UPDATE, Flag.RST, number, 0))
    assert len(right.mux) == 0
    right.hear(frame(Kind.WINDOW_UPDATE, Flag.SYN, number + 2, 0))
    assert len(right.mux) == 0
    right.now = 10.0
    right.hear(frame(Kind.WINDOW_UPDATE, Flag.SYN, number + 4, 0))
    assert len(right.mux) == 1


def _reset_flood(number: int) -> bytes:
    return frame(Kind.WINDOW_UPDATE, Flag.SYN, 2 * number + 1, 0) + frame(
        Kind.WINDOW_UPDATE, Flag.RST, 2 * number + 1, 0
    )


FLOODS: dict[str, tuple[Callable[[int], bytes], str]] = {
    "pings": (lambda _: frame(Kind.PING, Flag.SYN, 0, 7), "ping-flood"),
    "window updates": (lambda _: frame(Kind.WINDOW_UPDATE, Flag.NONE, 1, 1), "window-update-flood"),
    "empty data": (lambda _: frame(Kind.DATA, Flag.NONE, 1, 0), "window-update-flood"),
    "farewells": (lambda _: frame(Kind.GO_AWAY, Flag.NONE, 0, 0), "window-update-flood"),
    "answers that nobody asked for": (lambda _: frame(Kind.PING, Flag.ACK, 0, 7), "window-update-flood"),
    "resets": (_reset_flood, "reset-flood"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_what_costs_the_peer_nothing_ends_the_session_and_costs_10(name: str) -> None:
    make, rule = FLOODS[name]
    limits = NetLimits(opened_rate=1_000_000, streams=20, reset_counts_s=0.0, window_updates_burst=500)
    right = End(Yamux(initiator=False, limits=limits))
    right.hear(frame(Kind.WINDOW_UPDATE, Flag.SYN, 1, 0))

    def flood() -> None:
        for number in range(1, 2000):
            right.hear(make(number))
            right.said()

    with pytest.raises(PeerFaultError) as caught:
        flood()
    assert (caught.value.rule, caught.value.score) == (rule, 10)


def test_who_sends_and_does_not_read_our_answers_is_cut_off() -> None:
    _, right = ends()

    def ping_on() -> None:
        for second in range(1000):
            right.now = float(second)
            right.hear(10 * frame(Kind.PING, Flag.SYN, 0, 7))

    with pytest.raises(PeerFaultError) as caught:
        ping_on()
    assert (caught.value.rule, caught.value.score) == ("deaf", 5)
    assert len(right.said()) < 20_000


def test_a_small_piece_of_a_large_message_does_not_keep_the_message() -> None:
    _, right, number = opened()
    kept = right.mux.receive(frame(Kind.DATA, Flag.NONE, number, 3) + b"abc" + 50 * frame(Kind.DATA, 0, number, 0), 0.0)
    assert [type(event.data) for event in kept if isinstance(event, Data)] == [bytes]


def test_at_most_64_streams_wait_for_an_answer() -> None:
    left, right = ends()
    numbers = [left.mux.open() for _ in range(65)]
    assert numbers[63] is not None
    assert numbers[64] is None
    assert not left.mux.can_open
    settle(left, right)
    assert left.mux.can_open


# --- properties ------------------------------------------------------------------------------------------------------


def _script() -> bytes:
    left, right, number = opened()
    left.mux.send(number, b"one" * 30, 0.0)
    second = left.mux.open(bulk=True)
    assert second is not None
    left.mux.send(second, b"two" * 40, 0.0)
    left.mux.finish(second)
    left.mux.tick(15.0)
    said = left.said()
    left.mux.reset(number)
    left.mux.go_away(GoAway.NORMAL)
    del right
    return frame(Kind.WINDOW_UPDATE, Flag.SYN, 1, 0) + said + left.said()


def _heard(pieces: list[bytes]) -> tuple[dict[int, bytes], set[int], set[int], bytes]:
    right = End(Yamux(initiator=False, limits=NetLimits()))
    for piece in pieces:
        right.hear(piece)
    got = {number: bytes(data) for number, data in right.got.items()}
    return got, right.ended, right.reset, right.said()


def test_a_session_cut_at_every_byte_says_the_same() -> None:
    script = _script()
    whole = _heard([script])
    assert whole[0] == {1: b"one" * 30, 3: b"two" * 40}
    for at in range(1, len(script)):
        assert _heard([script[:at], script[at:]]) == whole
    assert _heard([script[at : at + 1] for at in range(len(script))]) == whole


@given(st.binary(max_size=200))
def test_garbage_gives_events_or_the_one_error(data: bytes) -> None:
    _, right = ends()
    with contextlib.suppress(PeerFaultError):
        right.hear(data)
    assert len(right.mux) <= len(data) // 12


@given(seed=st.integers(0, 2**32), steps=st.integers(50, 400))
def test_two_ends_lose_and_double_nothing_in_any_order_of_events(seed: int, steps: int) -> None:
    chance = random.Random(seed)
    left, right = ends(NetLimits(opened_rate=10_000, unread_stranger=400_000))
    game = Game(chance, left, right)
    for _ in range(steps):
        game.step()
        game.check()
    game.finish()


@dataclass
class Game:
    """Two ends, bytes under way between them, and writers and readers who do as chance has it."""

    chance: random.Random
    left: End
    right: End
    under_way: dict[int, bytearray] = field(default_factory=lambda: {0: bytearray(), 1: bytearray()})
    sent: dict[tuple[int, int], bytearray] = field(default_factory=dict)
    """By the end that wrote, and the stream."""
    offered: dict[tuple[int, int], bytes] = field(default_factory=dict)
    closed: set[tuple[int, int]] = field(default_factory=set)
    dead: set[int] = field(default_factory=set)

    @property
    def ends(self) -> tuple[End, End]:
        return self.left, self.right

    def streams(self) -> list[int]:
        return [number for number in {n for _, n in self.sent} if number not in self.dead]

    def step(self) -> None:
        moves = [self.open, self.write, self.write, self.write, self.speak, self.speak, self.speak, self.carry,
                 self.carry, self.carry, self.read, self.read, self.finish_one, self.kill]  # fmt: skip
        self.chance.choice(moves)()

    def open(self) -> None:
        side = self.chance.randrange(2)
        if len(self.streams()) < 6:
            number = self.ends[side].mux.open(bulk=self.chance.random() < 0.3)
            if number is not None:
                self.sent[side, number] = bytearray()
                self.sent[1 - side, number] = bytearray()

    def write(self) -> None:
        for number in self.chance.sample(self.streams(), min(1, len(self.streams()))):
            side = self.chance.randrange(2)
            key = (side, number)
            known = number in self.ends[side].got or (number % 2 == 1) == (side == 0)
            if known and key not in self.closed:
                data = self.chance.randbytes(self.chance.choice([1, 13, 4096, 70_000, 300_000]))
                if self.ends[side].mux.send(number, data, 0.0):
                    self.sent[key] += data

    def speak(self) -> None:
        side = self.chance.randrange(2)
        self.under_way[side] += self.ends[side].mux.take(self.chance.choice([1024, 20_000, MOST]), 0.0)

    def carry(self) -> None:
        side = self.chance.randrange(2)
        cut = self.chance.choice([1, 11, 12, 13, 5000, 1_000_000])
        piece = bytes(self.under_way[side][:cut])
        del self.under_way[side][:cut]
        self.ends[1 - side].hear(piece)

    def read(self) -> None:
        end = self.chance.choice(self.ends)
        waiting = [number for number, count in end.waiting.items() if count]
        if waiting:
            end.consume(self.chance.choice(waiting), self.chance.choice([1, 1000, 100_000, 10_000_000]))

    def finish_one(self) -> None:
        for number in self.chance.sample(self.streams(), min(1, len(self.streams()))):
            side = self.chance.randrange(2)
            if (number in self.ends[side].got or (number % 2 == 1) == (side == 0)) and self.chance.random() < 0.3:
                self.ends[side].mux.finish(number)
                self.closed.add((side, number))

    def kill(self) -> None:
        for number in self.chance.sample(self.streams(), min(1, len(self.streams()))):
            side = self.chance.randrange(2)
            if (number in self.ends[side].got or (number % 2 == 1) == (side == 0)) and self.chance.random() < 0.1:
                self.ends[side].mux.reset(number)
                self.dead.add(number)

    def check(self) -> None:
        for side, end in enumerate(self.ends):
            for number, got in end.got.items():
                whole = self.sent.get((1 - side, number), bytearray())
                assert whole.startswith(got)
            for stream in end.mux._streams.values():
                assert 0 <= stream.left <= stream.window
                assert stream.credit >= 0
                assert stream.unread + stream.consumed + stream.left <= stream.window
            assert end.mux.unread == sum(stream.unread for stream in end.mux._streams.values())
            assert end.mux.unread == end.mux._process.total

    def finish(self) -> None:
        """Everybody reads on: all that was sent on streams that nobody reset arrives."""
        while self.move_all():
            pass
        self.check()
        for (side, number), data in self.sent.items():
            other = self.ends[1 - side]
            if number not in self.dead:
                assert bytes(other.got.get(number, b"")) == bytes(data)
                assert (number in other.ended) == ((side, number) in self.closed)
        assert all(end.mux.unread == 0 for end in self.ends)

    def move_all(self) -> bool:
        """Carries and reads all that there is; whether that was anything."""
        moved = False
        for side, end in enumerate(self.ends):
            self.under_way[side] += end.said()
            moved = moved or bool(self.under_way[side])
            self.ends[1 - side].hear(bytes(self.under_way[side]))
            self.under_way[side].clear()
        for end in self.ends:
            for number in [number for number, count in end.waiting.items() if count]:
                moved = True
                end.consume(number)
        return moved
