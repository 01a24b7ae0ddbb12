import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.errors import WireError
from runtime.components.worker import wire
from runtime.components.worker.wire import (
    Answer,
    Ask,
    Call,
    Ended,
    FrameReader,
    Gone,
    Load,
    Loaded,
    LoadLimits,
    MountPoint,
    NewPolicy,
    Refused,
    Stop,
    Tell,
    Unload,
    encode,
    read_from_worker,
    read_to_worker,
)

LIMITS = LoadLimits(1, 2, 3, 4, None, 5, 6, 7, 8, 9, 10, 11, 12, 13)
LOAD = Load(
    1, "acme", "mirror", "2.1.0", 0, "orlop:worlds/full", {"version": 3}, LIMITS,
    (MountPoint("/cache", "private", False),), 500, True, (443, 8000), None, True,
)  # fmt: skip
TO_WORKER = [
    LOAD,
    Call(1, 7, "execute", {"operation": "x\ud800", "input": "AAE="}, 5_000),
    NewPolicy(1, {"version": 4}),
    Stop(1),
    Unload(1),
    Answer(1, 9, {"value": None}),
    Answer(1, 9, None, failed=True),
]
ENDED = Ended(1, 7, "returned", "", "", {"ok": "AAE="}, 120, 300)
FROM_WORKER = [
    Loaded(1),
    Refused(1, "host", "does not link"),
    ENDED,
    Ask(1, 9, "storage.get", {"key": "a"}),
    Tell(1, "log", {"line": "\x1b[2J"}),
    Gone(1),
]


def body(frame: bytes) -> bytes:
    (whole,) = FrameReader().feed(frame)
    return whole


@pytest.mark.parametrize("message", TO_WORKER, ids=lambda message: type(message).__name__)
def test_what_the_core_says_arrives_as_it_was(message: wire.ToWorker) -> None:
    assert read_to_worker(body(encode(message))) == message


@pytest.mark.parametrize("message", FROM_WORKER, ids=lambda message: type(message).__name__)
def test_what_a_worker_says_arrives_as_it_was(message: wire.FromWorker) -> None:
    assert read_from_worker(body(encode(message))) == message


@given(st.integers(min_value=1, max_value=40))
def test_frames_come_out_whole_however_the_stream_is_cut(step: int) -> None:
    stream = b"".join(encode(message) for message in FROM_WORKER)
    reader, found = FrameReader(), []
    for at in range(0, len(stream), step):
        found += reader.feed(stream[at : at + step])
    assert [read_from_worker(one) for one in found] == FROM_WORKER


def test_a_frame_that_is_announced_too_large_is_refused_before_it_comes() -> None:
    with pytest.raises(WireError, match="2,097,153 bytes"):
        list(FrameReader().feed((wire.FRAME_MAX + 1).to_bytes(4, "big")))


def test_a_message_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(WireError, match="a frame holds"):
        encode(Tell(1, "log", {"line": "x" * wire.FRAME_MAX}))


def ended(**changes: object) -> bytes:
    return json.dumps({"frame": "ended", **dataclasses.asdict(ENDED), **changes}).encode()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "unknown kind"),
        (b'{"frame": "load"}', "unknown kind"),
        (b'{"frame": ["gone"], "slot": 1}', "unknown kind"),
        (b'{"frame": "gone"}', "is missing"),
        (b'{"frame": "gone", "slot": "1"}', "wrong field"),
        (b'{"frame": "gone", "slot": 1, "more": 2}', "is not known"),
        (b'{"frame": "gone", "slot": -1}', "out of range"),
        (b'{"frame": "gone", "slot": 9223372036854775808}', "out of range"),
        (b'{"frame": "ask", "slot": 1, "number": 1, "what": "%s", "fields": {}}' % (b"x" * 65), "too long"),
        (ended(outcome=1), "is not known"),
        (ended(kind="victory"), "outcome of an unknown kind"),
        (ended(cpu_us=-1), "out of range"),
        (ended(cpu_us=True), "wrong field"),
    ],
)
def test_what_is_no_message_of_a_worker_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(WireError, match=words):
        read_from_worker(raw)


@given(st.binary(max_size=64))
def test_noise_is_refused_and_nothing_else_happens(noise: bytes) -> None:
    for read in (read_from_worker, read_to_worker):
        with pytest.raises(WireError):
            read(noise)


@given(st.binary(max_size=100))
def test_bytes_travel_as_text(data: bytes) -> None:
    assert wire.bytes_of(wire.text_of(data)) == data


@pytest.mark.parametrize("text", [None, 5, "a", "%%%%", "é"])
def test_what_is_no_base64_is_refused(text: object) -> None:
    with pytest.raises(WireError):
        wire.bytes_of(text)
