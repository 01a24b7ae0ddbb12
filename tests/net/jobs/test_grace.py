"""Cancelled, a job is waited for as long as its worker deserves: hardly, when nobody is there."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from net.jobs.grace import Grace
from net.jobs.requester import JobRequester, Waiting
from net.jobs.terms import PROTOCOL, RequesterTerms
from net.memory import MemoryConnection
from net.stream import READ_MOST, Connection, Stream
from runtime.clock import SystemClock
from runtime.jobs import Streams
from runtime.sandbox.compile import Compiler
from tests.net.jobs.job_peers import FOREVER, PATIENT, Peers, open_peers
from tests.net.jobs.test_cuts import leaving
from tests.runtime.jobs.jobs_node import LIMITS, guest

UNHEARD = replace(PATIENT, cancel_heard_s=0.05, cancel_s=3600, silence_s=3600, start_s=3600)
"""Whoever waited for anything but the answer to a cancellation would wait for ever."""
MAY_GO_ON = "cancelled; the worker does not answer, and may go on until its lease ends, 5 minutes at most"

LOUD = guest(
    "(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 60000))"
    "(loop (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0))",
    "fd_write",
)
"""Writes without an end."""
LOUD_LIMITS = replace(LIMITS, max_output_bytes=8_000_000)


def grace(terms: RequesterTerms) -> tuple[Grace, "asyncio.Future[str]"]:
    cancelled: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return Grace(cancelled, terms), cancelled


async def test_what_is_not_cancelled_takes_the_time_that_it_takes() -> None:
    made, _ = grace(replace(PATIENT, cancel_heard_s=0, cancel_s=0))
    made.owe()
    assert await made.within(asyncio.sleep(0, "done")) == "done"


@pytest.mark.parametrize("owed", [True, False], ids=["kept there", "nothing of it there"])
async def test_who_does_not_answer_is_given_up(owed: bool) -> None:
    made, cancelled = grace(UNHEARD if owed else replace(PATIENT, cancel_heard_s=3600))
    if owed:
        made.owe()
    cancelled.set_result("command")
    with pytest.raises(TimeoutError):
        await made.within(asyncio.Event().wait())
    assert not made.heard


async def test_who_answers_has_more_time_for_the_result() -> None:
    made, cancelled = grace(replace(PATIENT, cancel_heard_s=3600, cancel_s=0.05))
    made.owe()

    async def work() -> None:
        cancelled.set_result("command")
        await asyncio.sleep(0)
        made.hear()
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await made.within(work())
    assert made.heard


async def test_what_has_come_is_looked_at_to_the_end() -> None:
    made, cancelled = grace(replace(PATIENT, cancel_heard_s=0, cancel_s=0))
    made.owe()

    async def work() -> str:
        made.settle()
        cancelled.set_result("command")
        for _ in range(5):
            await asyncio.sleep(0)
        made.hear()
        for _ in range(5):
            await asyncio.sleep(0)
        return "verified"

    assert await made.within(work()) == "verified"


class Frozen:
    """A connection that stands, and over which nothing goes any more once it is frozen."""

    def __init__(self, inner: MemoryConnection, frozen: asyncio.Event) -> None:
        self._inner = inner
        self._frozen = frozen

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def open(self, protocol: str, *, bulk: bool = False) -> Stream:
        if self._frozen.is_set():
            await asyncio.Event().wait()
        return FrozenStream(await self._inner.open(protocol, bulk=bulk), self._frozen)


class FrozenStream:
    """One of its streams."""

    def __init__(self, inner: Stream, frozen: asyncio.Event) -> None:
        self.protocol = PROTOCOL
        self._inner = inner
        self._frozen = frozen

    async def read(self, most: int = READ_MOST) -> bytes:
        data = await self._inner.read(most)
        if self._frozen.is_set():
            await asyncio.Event().wait()
        return data

    async def write(self, data: bytes | memoryview) -> None:
        if not self._frozen.is_set():
            await self._inner.write(data)

    async def end(self) -> None:
        await self._inner.end()

    def reset(self) -> None:
        self._inner.reset()


def freezing(peers: Peers) -> tuple[asyncio.Event, Callable[[], Awaitable[Connection]]]:
    """A dial whose connection freezes once the event is set."""
    frozen = asyncio.Event()

    async def dial() -> Connection:
        inner = await peers.dial()
        assert isinstance(inner, MemoryConnection)
        return Frozen(inner, frozen)  # type: ignore[return-value]

    return frozen, dial


async def test_a_worker_that_falls_asleep_is_not_waited_for(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, requester_terms=UNHEARD) as peers:
        frozen, dial = freezing(peers)
        task = asyncio.ensure_future(peers.run(FOREVER, carry=peers.client.carrier(peers.worker_id, dial)))
        job = await peers.requester.until_running()
        frozen.set()
        await peers.requester.jobs.cancel(job, "signal:143")
        end = await task
        assert (end.outcome, end.exit_code, end.reason) == ("cancelled", 143, MAY_GO_ON)


async def test_nor_is_one_to_which_a_way_is_still_looked_for(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, requester_terms=UNHEARD) as peers:
        dialling = asyncio.Event()

        async def dial() -> Connection:
            if peers.connections:
                dialling.set()
                await asyncio.Event().wait()
            return await peers.dial()

        task = asyncio.ensure_future(peers.run(FOREVER, carry=peers.client.carrier(peers.worker_id, dial)))
        job = await peers.requester.until_running()
        peers.connections[-1].cut()
        await dialling.wait()
        await peers.requester.jobs.cancel(job, "signal:130")
        end = await task
        assert (end.outcome, end.exit_code, end.reason) == ("cancelled", 130, MAY_GO_ON)


async def test_nor_is_a_reader_here_that_takes_nothing(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, requester_terms=replace(PATIENT, cancel_s=0.05)) as peers:
        reading, writing = os.pipe()
        task = asyncio.ensure_future(peers.run(LOUD, streams=Streams(stdout=writing), limits=LOUD_LIMITS))
        job = await peers.requester.until_running()
        await peers.requester.until_output()
        await peers.requester.jobs.cancel(job, "signal:143")
        end = await task
        assert (end.outcome, end.exit_code) == ("cancelled", 143)
        os.close(writing)
        os.close(reading)


async def test_before_it_has_a_lease_nobody_is_asked(peers: Peers) -> None:
    offered = asyncio.Event()

    async def mute(_: Connection, stream: Stream) -> None:
        await stream.read()
        offered.set()
        await asyncio.Event().wait()

    peers.serves.serve(PROTOCOL, mute)
    task = asyncio.ensure_future(peers.run(FOREVER))
    await offered.wait()
    (row,) = await peers.requester.jobs.rows()
    await peers.requester.jobs.cancel(row.job, "command")
    end = await task
    assert (end.outcome, end.exit_code, end.reason) == ("cancelled", 137, "cancelled before the worker took it")


async def test_who_waits_for_a_lost_worker_says_how_long_and_is_told_what_for(peers: Peers) -> None:
    gone, dial = leaving(peers)
    said: list[str] = []
    waiting = Waiting(resume_s=0.05, tell=said.append)
    carry = peers.client.carrier(peers.worker_id, dial, waiting=waiting)
    task = asyncio.ensure_future(peers.run(FOREVER, carry=carry))
    await peers.requester.until_running()
    gone.set()
    peers.connections[-1].cut()
    end = await task
    assert (end.outcome, end.exit_code, end.reason) == ("lost", 125, "the worker was lost: no route")
    (line,) = said
    assert line.startswith("the worker cannot be reached (")
    assert line.endswith("); looking for a way back for 0.05 s")


async def test_a_worker_that_is_lost_again_and_again_does_not_fill_a_screen(peers: Peers) -> None:
    said: list[str] = []
    resumed: asyncio.Queue[str] = asyncio.Queue()
    client = JobRequester(
        peers.requester.receipts,
        SystemClock(),
        terms=PATIENT,
        on_step=lambda _, step, detail: resumed.put_nowait(detail) if step == "resumed" else None,
    )
    carry = client.carrier(peers.worker_id, peers.dial, waiting=Waiting(tell=said.append))
    task = asyncio.ensure_future(peers.run(FOREVER, carry=carry))
    job = await peers.requester.until_running()
    for _ in range(8):
        cuts = len(peers.connections)
        peers.connections[-1].cut()
        await resumed.get()
        assert len(peers.connections) == cuts + 1
    await peers.requester.jobs.cancel(job, "command")
    await task
    assert 1 <= len(said) <= 3
