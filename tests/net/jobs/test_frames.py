"""Frames: what is written is read, however it is cut; what is none is refused at its head."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import PeerFaultError
from net.jobs.frames import DATA_MAX, MESSAGE_MAX, Frame, FrameReader, Kind, data_frames, frame

ALL = dict.fromkeys(Kind, DATA_MAX)
FRAMES = st.lists(st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=400)), max_size=8)


def written(frames: list[Frame]) -> bytes:
    return b"".join(frame(one.kind, one.data) for one in frames)


@given(FRAMES, st.lists(st.integers(1, 50), max_size=200))
def test_what_is_written_is_read_however_it_is_cut(frames: list[Frame], cuts: list[int]) -> None:
    raw, reader, found = written(frames), FrameReader(ALL), []
    for size in cuts:
        found += reader.receive(raw[:size])
        raw = raw[size:]
    assert found + reader.receive(raw) == frames
    assert reader.between


@given(st.binary(max_size=300))
def test_garbage_gives_frames_or_the_one_error(raw: bytes) -> None:
    found = received(raw)
    if isinstance(found, PeerFaultError):
        assert found.rule in {"bad-frame", "oversized-frame"}
    else:
        assert len(written(found)) <= len(raw)


def received(raw: bytes) -> list[Frame] | PeerFaultError:
    try:
        return FrameReader(ALL).receive(raw)
    except PeerFaultError as fault:
        return fault


def test_a_frame_byte_by_byte() -> None:
    assert frame(Kind.MODULE, b"x" * 300) == b"\1\xac\2" + b"x" * 300
    assert frame(Kind.STDIN, b"") == b"\2\0"


@pytest.mark.parametrize("size", [0, 1, DATA_MAX, DATA_MAX + 1, 3 * DATA_MAX])
def test_data_of_any_length_goes_in_frames_of_the_largest(size: int) -> None:
    data = bytes(size)
    found = FrameReader(ALL).receive(data_frames(Kind.STDOUT, data))
    assert b"".join(one.data for one in found) == data
    assert len(found) == -(-size // DATA_MAX)


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"\5\0", "bad-frame"),
        (b"\xff", "bad-frame"),
        (b"\0\x80\0", "bad-frame"),
        (b"\0\x81\x80\4", "oversized-frame"),
        (b"\0\xff\xff\xff\xff", "oversized-frame"),
        (b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "oversized-frame"),
    ],
)
def test_what_is_none_is_refused_before_its_bytes_come(raw: bytes, rule: str) -> None:
    with pytest.raises(PeerFaultError) as caught:
        FrameReader({Kind.MESSAGE: MESSAGE_MAX}).receive(raw)
    assert (caught.value.rule, caught.value.score) == (rule, 20)


def test_a_kind_that_may_not_come_is_none() -> None:
    with pytest.raises(PeerFaultError):
        FrameReader({Kind.MESSAGE: MESSAGE_MAX}).receive(b"\1")


def test_the_largest_frame_is_one() -> None:
    reader = FrameReader({Kind.MESSAGE: MESSAGE_MAX})
    (one,) = reader.receive(frame(Kind.MESSAGE, bytes(MESSAGE_MAX)))
    assert len(one.data) == MESSAGE_MAX
