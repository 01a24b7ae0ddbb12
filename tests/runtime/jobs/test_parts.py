"""The small parts by themselves: messages, places, feeds, tees, the pool's handling of a worker, words for ends."""

import asyncio
import base64
import fcntl
import hashlib
import os
import socket
from concurrent.futures import Future
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.events import JobOutput
from runtime.jobs.capture import Capture, _Live
from runtime.jobs.ending import COMPLETIONS, STATES, exit_code, reason
from runtime.jobs.feed import Feed, known_input
from runtime.jobs.limits import JobLimits
from runtime.jobs.places import Places
from runtime.jobs.pool import Pool, Worker
from runtime.jobs.tee import HIGH_WATER, Tee
from runtime.jobs.wire import Reply, RunMessage
from runtime.jobs.zygote_process import Ended, sealed_module
from runtime.sandbox.outcome import Outcome
from tests.runtime.jobs.jobs_node import pipe

counts = st.none() | st.integers(0, 2**63 - 1)


@given(
    st.builds(
        Reply,
        st.booleans(),
        st.builds(
            Outcome,
            st.sampled_from(["returned", "exit", "fuel", "deadline", "memory", "stack", "trap", "host"]),
            st.text("abc ", max_size=500),
            st.text("ABC_", max_size=40),
            st.none() | st.integers(0, 2**32 - 1),
            st.integers(0, 2**63 - 1),
        ),
        counts,
        counts,
        st.integers(0, 2**32 - 1),
    )
)
def test_replies_survive_the_way(reply: Reply) -> None:
    assert Reply.parse(reply.encode()) == reply


@given(st.binary(max_size=80))
def test_a_worker_that_was_taken_over_cannot_break_the_console(raw: bytes) -> None:
    reply = Reply.parse(raw)
    if reply is not None:
        assert reply.outcome.detail.isprintable()


def test_a_reply_with_escapes_is_made_harmless_and_figures_stay_in_bounds() -> None:
    raw = Reply(True, Outcome("trap", "\x1b[2J" * 400, "\x1b" * 60), 1, 2, 3).encode()
    parsed = Reply.parse(raw)
    assert parsed is not None
    assert parsed.outcome.detail.isprintable()
    assert Reply.parse(raw + b"x") is None
    assert Reply.parse(raw[:-1]) is None
    assert Reply.parse(Reply(True, Outcome("trap"), 2**64 - 1, 2, 3).encode()) is None


def test_messages_survive_the_way() -> None:
    message = RunMessage("h", ["a", "ü\x01"], ["K=V"], [("/in", True)], stdin=True, memory=1, fuel=2, timeout_ms=3)
    assert RunMessage.parse(message.encode()) == message


async def test_places_are_given_in_order_and_never_lost() -> None:
    places = Places(2)
    order: list[int] = []

    async def use(number: int) -> None:
        await places.take()
        order.append(number)

    tasks = [asyncio.ensure_future(use(number)) for number in range(5)]
    await asyncio.gather(*tasks[:2])
    assert order == [0, 1]
    tasks[2].cancel()
    await asyncio.gather(tasks[2], return_exceptions=True)
    places.give_back()
    tasks[3].cancel()  # just as the place comes
    await asyncio.gather(tasks[3], return_exceptions=True)
    await tasks[4]
    assert order == [0, 1, 4]
    places.give_back()
    places.give_back()
    await places.take()
    await places.take()


async def test_a_worker_that_says_nonsense_is_not_believed(tmp_path: Path) -> None:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.setblocking(False)
    worker = Worker(1, mine, tmp_path / "gone")
    message = RunMessage("h", [], [], [], False, 1, 1, 1)
    replied = worker.run(message, [])
    theirs.send(b"\xff" * 200)
    worker._answered()
    assert await replied is None
    theirs.close()
    assert await worker.run(message, []) is None
    worker.gone(Ended(1, 9, 20, 2048))
    worker.gone(None)
    assert str(worker.ended.result()) == "was ended by SIGKILL, after 20ms of CPU time, with 2MiB resident at most"
    assert str(Ended(1, 3 << 8, 0, 0)).startswith("ended with status 3")
    worker.kill()


async def test_compiled_modules_are_kept_up_to_a_bound(tmp_path: Path) -> None:
    pool = Pool(tmp_path, 1, 1 << 20, print)
    first = pool.keep_module("0", b"code")
    assert pool.keep_module("0", b"other") == first
    for number in range(1, 40):
        pool.keep_module(str(number), b"x" * number)
    assert pool.module("0") is None
    assert pool.module("39") is not None
    pool.keep_module("large", b"x" * (64 << 20))
    assert pool.module("39") is None
    assert pool.module("large") is not None
    await pool.close()


def test_compiled_code_cannot_be_changed_on_its_way() -> None:
    descriptor = sealed_module(b"native code")
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 1)
    assert os.pread(descriptor, 99, 0) == b"native code"
    os.close(descriptor)


def test_input_is_known_beforehand_when_it_is_at_hand(tmp_path: Path) -> None:
    assert known_input(None) == b""
    assert known_input(b"x") == b"x"
    path = tmp_path / "in"
    path.write_bytes(b"0123456789")
    with path.open("rb", buffering=0) as file:
        file.seek(4)
        assert known_input(file.fileno()) == b"456789"
    reader, writer = pipe()
    assert known_input(reader) == reader
    os.close(reader)
    os.close(writer)


def test_a_feed_that_is_stopped_says_what_was_given() -> None:
    for source in (b"", b"small", b"x" * 40_000, b"x" * 300_000):
        feed = Feed(source)
        assert feed.stop() == hashlib.sha256(source).hexdigest()
    reader, writer = pipe()
    feed = Feed(reader)
    assert feed.stop() == hashlib.sha256().hexdigest()
    os.close(reader)
    os.close(writer)


async def test_a_tee_says_when_it_is_full_and_when_there_is_room_again() -> None:
    reader, writer = pipe()
    room = asyncio.Event()
    tee = Tee(writer, room.set, pytest.fail)
    os.close(writer)
    tee.write(b"a")
    assert tee.room
    tee.write(b"b" * HIGH_WATER)
    assert not tee.room
    got = bytearray()
    while len(got) < HIGH_WATER + 1:
        got += await asyncio.to_thread(os.read, reader, 65_536)
    await room.wait()
    tee.finish()
    await tee.done
    tee.abandon()
    assert got == b"a" + b"b" * HIGH_WATER
    assert os.read(reader, 1) == b""
    os.close(reader)


async def test_a_tee_leaves_the_flags_of_its_callers_pipe_alone() -> None:
    reader, writer = pipe()
    tee = Tee(writer, pytest.fail, pytest.fail)
    tee.write(b"x" * 1000)
    assert await asyncio.to_thread(os.read, reader, 65_536)
    assert os.get_blocking(writer)
    tee.finish()
    await tee.done
    os.close(writer)
    os.close(reader)


async def test_a_tee_takes_no_right_that_its_caller_did_not_give() -> None:
    reader, writer = pipe()
    tee = Tee(reader, pytest.fail, pytest.fail)
    assert fcntl.fcntl(tee._descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    tee.abandon()
    await tee.done
    os.close(reader)
    os.close(writer)


async def test_a_guest_that_writes_faster_than_its_output_is_told_waits(tmp_path: Path) -> None:
    asked: list[Future[None]] = []
    held, size = asyncio.Event(), 9 << 20

    def told() -> Future[None]:
        asked.append(Future())
        if len(asked) == 4:
            held.set()
        elif held.is_set():
            asked[-1].set_result(None)
        return asked[-1]

    capture = Capture(
        "0" * 64,
        tmp_path / "output",
        limit=size,
        emit=lambda _: None,
        told=told,
        watched=lambda: False,
        tees=(None, None),
        on_full=lambda: pytest.fail("it is not too much"),
    )
    writer = os.dup(capture.writers[0])
    capture.given()
    written = asyncio.ensure_future(asyncio.to_thread(_write_all, writer, b"x" * size))
    await held.wait()
    assert 4 << 20 <= capture.kept[0] < 5 << 20
    for future in asked:
        future.set_result(None)
    await written
    assert (await capture.finish()).count == size // 65_536
    assert capture.kept == (size, 0)


@pytest.mark.parametrize("watched", [True, False])
async def test_text_of_output_is_told_only_where_somebody_watches(tmp_path: Path, watched: bool) -> None:
    events: list[JobOutput] = []
    capture = Capture(
        "0" * 64,
        tmp_path / "output",
        limit=1 << 20,
        emit=events.append,
        told=Future,
        watched=lambda: watched,
        tees=(None, None),
        on_full=lambda: pytest.fail("it is not too much"),
    )
    written = b"0123456789abcdef" * 10_000
    writer = os.dup(capture.writers[0])
    capture.given()
    await asyncio.to_thread(_write_all, writer, written)
    await capture.finish()
    texts = [event.data_b64 for event in events]
    assert b"".join(map(base64.b64decode, filter(None, texts))) == (written if watched else b"")
    assert [event.offset for event in events] == list(accumulate((event.length for event in events[:-1]), initial=0))
    assert sum(event.length for event in events) == len(written)


async def test_output_is_told_without_a_gap_when_somebody_begins_to_watch(tmp_path: Path) -> None:
    events: list[JobOutput] = []
    watchers = iter((False, True, True, False))
    live = _Live("0" * 64, "stdout", events.append, lambda: next(watchers))
    for piece in (b"unseen", b"seen", b" too", b"unseen again"):
        live.add(piece)
    live.flush()
    told = [(event.offset, event.length, base64.b64decode(event.data_b64 or "")) for event in events]
    assert told == [(0, 6, b""), (6, 8, b"seen too"), (14, 12, b"")]


def _write_all(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]


async def test_a_tee_that_is_abandoned_stops_in_the_middle_of_a_write() -> None:
    reader, writer = pipe()
    tee = Tee(writer, pytest.fail, pytest.fail)
    os.close(writer)
    tee.write(b"x" * 200_000)
    tee.abandon()
    await tee.done
    os.close(reader)


def test_every_outcome_has_a_state_and_an_exit_code() -> None:
    limits = JobLimits()
    for outcome in STATES:
        assert exit_code(outcome) in {0, 124, 125, 134, 137}
        words = reason(outcome, limits, Outcome("trap", "detail", "UNREACHABLE"), None)
        assert "\n" not in words
    assert set(STATES) - set(COMPLETIONS) == {"refused", "lost", "unverified"}
    assert exit_code("exit", guest=2**32 - 1) == 255
    assert exit_code("cancelled", cancelled_by="signal:130") == 130
