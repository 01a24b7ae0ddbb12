"""What goes out: control frames first, then each stream in its turn, as far as its credit goes."""

from net.yamux_frames import HEADER_BYTES, Flag, Kind, frame
from net.yamux_outbox import YamuxOutbox
from net.yamux_stream import MuxedStream


def stream(number: int, data: bytes, credit: int = 1 << 20) -> MuxedStream:
    made = MuxedStream(number, ours=True, window=1 << 18, left=1 << 18)
    made.pending, made.credit = memoryview(data), credit
    return made


def test_control_frames_go_first_and_streams_in_turns() -> None:
    emptied: list[int] = []
    out = YamuxOutbox(lambda each: emptied.append(each.id))
    one, two = stream(1, b"a" * 3000), stream(3, b"b" * 10)
    for each in (one, two, one):
        out.enqueue(each)
    out.say(Kind.PING, Flag.SYN, 0, 7)
    assert out.controls == 1
    first = out.take(1024 + HEADER_BYTES, now=5.0)
    size = 1024 - HEADER_BYTES
    assert first == frame(Kind.PING, Flag.SYN, 0, 7) + frame(Kind.DATA, Flag.NONE, 1, size) + b"a" * size
    assert out.take(1024, now=6.0) == frame(Kind.DATA, Flag.NONE, 3, 10) + b"b" * 10
    assert (emptied, out.take_sent(), out.take_sent()) == ([3], [3], [])
    assert (one.moved, two.moved) == (5.0, 6.0)
    assert out


def test_without_credit_a_stream_waits_outside() -> None:
    out = YamuxOutbox(lambda _: None)
    poor = stream(1, b"abc", credit=0)
    out.enqueue(poor)
    assert not out
    poor.credit = 2
    out.enqueue(poor)
    assert out.take(1024, now=0.0) == frame(Kind.DATA, Flag.NONE, 1, 2) + b"ab"
    assert not out
    assert out.take_sent() == []


def test_what_nobody_hears_is_dropped() -> None:
    out = YamuxOutbox(lambda _: None)
    out.say(Kind.PING, Flag.SYN, 0, 7)
    out.drop_controls()
    assert (out.controls, out.take(1024, now=0.0)) == (0, b"")
