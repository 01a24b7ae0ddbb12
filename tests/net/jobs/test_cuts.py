"""Connections that break at every step, workers that begin anew, and requesters that do not come back."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from net.errors import UnreachableError
from net.jobs.frames import Kind
from net.jobs.messages import Accepted, Alive, Cancel, Rejected, Request, Result, Resume, Resumed, Started
from net.jobs.reasons import InvalidRequest
from net.jobs.terms import PROTOCOL
from net.jobs.worker import JobWorker
from net.memory import MemoryConnection
from net.stream import READ_MOST, Connection, Stream
from runtime.clock import SystemClock
from runtime.sandbox.compile import Compiler
from tests.hostile import data
from tests.net.jobs.job_peers import (
    CALM,
    CAT,
    FOREVER,
    PATIENT,
    ROOMY,
    Peers,
    Talk,
    manifest,
    offer,
    open_peers,
    open_worker,
)
from tests.net.nodes import until
from tests.runtime.jobs.jobs_node import HELLO, guest

TALKS = guest(
    "(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 5))"
    "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"
    "(drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))"
    "(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))"
    "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))",
    "fd_write",
    "fd_read",
    decls=data(64, b"hello"),
)
"""Writes `hello` to both streams, waits for a byte or the end of its input, and writes to stdout once more."""


class Fragile:
    """A connection that is cut when a counter of uses, shared by all of a job's streams, has run down."""

    def __init__(self, inner: MemoryConnection, used: Callable[[], None]) -> None:
        self._inner = inner
        self._used = used

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def open(self, protocol: str, *, bulk: bool = False) -> Stream:
        return FragileStream(await self._inner.open(protocol, bulk=bulk), self._used)


class FragileStream:
    """One of its streams."""

    def __init__(self, inner: Stream, used: Callable[[], None]) -> None:
        self.protocol = PROTOCOL
        self._inner = inner
        self._used = used

    async def read(self, most: int = READ_MOST) -> bytes:
        self._used()
        return await self._inner.read(most)

    async def write(self, data: bytes | memoryview) -> None:
        self._used()
        await self._inner.write(data)
        self._used()

    async def end(self) -> None:
        await self._inner.end()

    def reset(self) -> None:
        self._inner.reset()


def breaking(peers: Peers, after: int) -> Callable[[], Awaitable[Connection]]:
    """A dial whose connection breaks once, at its so-and-so-manieth use."""
    left = after

    async def dial() -> Connection:
        connection = await peers.dial()
        assert isinstance(connection, MemoryConnection)

        def used() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                connection.cut()

        return Fragile(connection, used)  # type: ignore[return-value]

    return dial


def leaving(peers: Peers) -> tuple[asyncio.Event, Callable[[], Awaitable[Connection]]]:
    """A dial that finds nobody any more once the event is set."""
    gone = asyncio.Event()

    async def dial() -> Connection:
        if gone.is_set():
            raise UnreachableError("no route")
        return await peers.dial()

    return gone, dial


def returning(peers: Peers) -> tuple[asyncio.Event, Callable[[], Awaitable[Connection]]]:
    """A dial that finds somebody a second time once the event is set."""
    back = asyncio.Event()

    async def dial() -> Connection:
        if peers.connections:
            await back.wait()
        return await peers.dial()

    return back, dial


@pytest.mark.parametrize("named", [True, False], ids=["input that is named", "input through a pipe"])
async def test_cut_anywhere_the_job_runs_once_and_its_end_comes(peers: Peers, named: bool) -> None:
    text = os.urandom(20_000)
    for after in range(1, 26):
        carry = peers.client.carrier(peers.worker_id, breaking(peers, after))
        if named:
            end = await peers.run(CAT, text, carry=carry)
        else:
            reading, writing = os.pipe()
            os.write(writing, text)
            os.close(writing)
            end = await peers.run(CAT, reading, carry=carry)
            os.close(reading)
        assert (after, end.outcome, end.reason) == (after, "exit", "")
        assert (await peers.requester.jobs.output(end.job)).stdout == text
    assert len(await peers.worker_node.jobs.rows()) == 25
    assert peers.blamed() == []


async def test_a_module_goes_on_from_the_byte_that_it_was_cut_at(peers: Peers) -> None:
    big = HELLO + b"\0\xff\x3f\1x" + b"\0" * 8189  # a custom section of 8,191 bytes
    signed = manifest(peers.requester.identity, big)
    talk, connection = await _talk(peers)
    await talk.say(offer(signed, big))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    await talk.say(Request(accepted.job_id, accepted.lease))
    await talk.send(Kind.MODULE, big[:5000], end=False)
    while True:  # until the worker has taken what is on its way
        again = await peers.talk()
        await again.say(offer(signed, big))
        if await again.word() == Resumed("leased", 5000):
            break
    connection.cut()
    again = await peers.talk()
    await again.say(Resume(accepted.job_id, accepted.lease, 0, 0))
    assert await again.word() == Resumed("leased", 5000)
    await again.say(Request(accepted.job_id, accepted.lease))
    await again.send(Kind.MODULE, big[5000:])
    await again.send(Kind.STDIN, b"")
    result = await again.until(Result)
    assert isinstance(result, Result)
    assert result.outcome == "exit"


async def _talk(peers: Peers) -> tuple[Talk, MemoryConnection]:
    connection = peers.connect()
    return await peers.talk(connection=connection), connection


async def running(peers: Peers, module: bytes = FOREVER, *, stdin: bytes | None = None) -> tuple[Talk, Accepted]:
    """A job of which everything but its input was sent, and whose guest has started."""
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity, module, stdin=stdin), module, stdin_size=None))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    await talk.say(Request(accepted.job_id, accepted.lease))
    await talk.send(Kind.MODULE, module[accepted.have :])
    await talk.until(Started)
    return talk, accepted


async def test_output_goes_on_from_where_each_stream_was(peers: Peers) -> None:
    talk, accepted = await running(peers, TALKS)
    assert {await talk.next(), await talk.next()} == {(Kind.STDOUT, b"hello"), (Kind.STDERR, b"hello")}
    peers.connections[-1].cut()
    again = await peers.talk()
    await again.say(Resume(accepted.job_id, accepted.lease, 2, 5))
    assert await again.word() == Resumed("running", len(TALKS))
    assert await again.next() == (Kind.STDOUT, b"llo")
    await again.send(Kind.STDIN, b"")
    assert await again.next() == (Kind.STDOUT, b"hello")
    assert await again.next() == (Kind.STDOUT, b"")
    assert await again.next() == (Kind.STDERR, b"")
    result = await again.word()
    assert isinstance(result, Result)
    assert result.outcome == "exit"


async def test_after_its_end_output_and_result_still_come_as_often_as_asked(peers: Peers) -> None:
    talk, accepted = await running(peers, TALKS)
    await talk.send(Kind.STDIN, b"")
    first = await talk.until(Result)
    for _ in range(2):
        again = await peers.talk()
        await again.say(Resume(accepted.job_id, accepted.lease, 0, 5))
        assert await again.word() == Resumed("done", len(TALKS))
        await again.send(Kind.STDIN, b"what it does not want any more")
        assert await again.rest() == (b"hellohello", b"", first)


async def test_of_many_that_have_ended_few_are_kept_in_mind_and_all_are_told(
    tmp_path: Path, compiler: Compiler
) -> None:
    async with open_peers(tmp_path, compiler, terms=replace(CALM, ended=2)) as peers:
        told = []
        for _ in range(4):
            talk, accepted = await running(peers, TALKS)
            await talk.send(Kind.STDIN, b"")
            told.append((accepted, await talk.until(Result)))
            assert await talk.next() is None
        await until(lambda: len(peers.worker._held) == 2)
        for accepted, result in told:
            again = await peers.talk()
            await again.say(Resume(accepted.job_id, accepted.lease, 0, 5))
            resumed = await again.word()
            assert isinstance(resumed, Resumed)
            assert resumed.state == "done"
            assert await again.rest() == (b"hellohello", b"", result)


async def test_a_second_stream_takes_the_place_of_the_first(peers: Peers) -> None:
    _, accepted = await running(peers, TALKS)
    again = await peers.talk()
    await again.say(Resume(accepted.job_id, accepted.lease, 0, 0))
    assert await again.word() == Resumed("running", len(TALKS))
    await again.send(Kind.STDIN, b"")
    assert isinstance(await again.until(Result), Result)
    assert (await peers.worker_node.jobs.show(accepted.job_id))[0].state == "done"


async def test_resumed_under_another_lease_nothing_is_told(peers: Peers) -> None:
    _, accepted = await running(peers, TALKS)
    again = await peers.talk()
    await again.say(Resume(accepted.job_id, "0" * 32, 0, 0))
    assert await again.word() == Rejected(accepted.job_id, InvalidRequest("there is no such job"))


@pytest.mark.parametrize("same_stream", [True, False])
async def test_cancelled_on_this_stream_or_another_the_result_follows_on_this(peers: Peers, same_stream: bool) -> None:
    talk, accepted = await running(peers)
    canceller = talk if same_stream else await peers.talk()
    if same_stream:
        await talk.send(Kind.STDIN, b"")
    await canceller.say(Cancel(accepted.job_id))
    result = await talk.until(Result)
    assert isinstance(result, Result)
    assert result.outcome == "cancelled"
    assert result.receipt is not None
    assert await canceller.next() is None


async def test_cancelled_before_its_module_is_whole(peers: Peers) -> None:
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity)))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    await talk.say(Cancel(accepted.job_id))
    assert await talk.until(Result) == Result(accepted.job_id, "cancelled", truncated=False, receipt=None)
    assert await peers.worker_node.jobs.rows() == []


async def test_without_its_requester_it_is_cancelled_and_keeps_its_receipt(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, terms=replace(CALM, keep_s=0.01)) as peers:
        _, accepted = await running(peers)
        peers.connections[-1].cut()
        record = await peers.worker_node.until_ended(accepted.job_id)
        assert record.state == "cancelled"
        assert record.receipt


async def test_a_requester_that_finds_no_way_back_says_lost(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, requester_terms=replace(PATIENT, resume_s=0.05)) as peers:
        gone, dial = leaving(peers)
        task = asyncio.ensure_future(peers.run(FOREVER, carry=peers.client.carrier(peers.worker_id, dial)))
        await peers.requester.until_running()
        gone.set()
        peers.connections[-1].cut()
        end = await task
        assert (end.outcome, end.exit_code) == ("lost", 125)
        assert end.reason == "the worker was lost: no route"


async def test_cancelled_while_there_is_no_way_back(peers: Peers) -> None:
    gone, dial = leaving(peers)
    task = asyncio.ensure_future(peers.run(FOREVER, carry=peers.client.carrier(peers.worker_id, dial)))
    job = await peers.requester.until_running()
    gone.set()
    peers.connections[-1].cut()
    await peers.requester.jobs.cancel(job, "signal:143")
    end = await task
    assert (end.outcome, end.exit_code) == ("cancelled", 143)


async def test_a_worker_that_ends_in_order_leaves_a_receipt_for_after_its_restart(
    tmp_path: Path, compiler: Compiler
) -> None:
    async with open_peers(tmp_path, compiler) as peers:
        back, dial = returning(peers)
        task = asyncio.ensure_future(peers.run(TALKS_FOREVER, carry=peers.client.carrier(peers.worker_id, dial)))
        await peers.requester.until_output()
        await peers.worker_node.until_output()
        peers.connections[-1].cut()
        await peers.worker_node.jobs.close(drain_s=0)
        peers.worker.close()
        async with open_worker(tmp_path / "worker", compiler, peers.faults) as (_, worker):
            peers.serves.serve(PROTOCOL, worker.serve)
            back.set()
            end = await task
        assert (end.outcome, end.reason) == ("cancelled", "cancelled")
        assert end.verification is not None
        assert end.verification.ok
        assert (await peers.requester.jobs.output(end.job)).stdout == b"hello"


TALKS_FOREVER = guest(
    "(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 5))"
    "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (loop (br 0))",
    "fd_write",
    decls=data(64, b"hello"),
)


async def test_a_worker_that_crashed_says_lost_after_its_restart(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler) as peers:
        back, dial = returning(peers)
        task = asyncio.ensure_future(peers.run(FOREVER, carry=peers.client.carrier(peers.worker_id, dial)))
        await peers.requester.until_running()
        peers.connections[-1].cut()
        await peers.worker_node.jobs.close(drain_s=0)
        sql = "UPDATE jobs SET state = 'running', outcome = '', receipt = '', runner_pid = 1, runner_start = 'gone'"
        peers.worker_node.store.write(lambda tx: tx.execute(sql)).result()  # as a crash leaves it
        async with open_worker(tmp_path / "worker", compiler, peers.faults) as (node, worker):
            await node.jobs.recover()
            peers.serves.serve(PROTOCOL, worker.serve)
            back.set()
            end = await task
        assert (end.outcome, end.exit_code) == ("lost", 125)
        why = "the program that ran it ended before the job did"
        assert end.reason == f"the worker lost it: {why}; the job can be run again"


async def test_a_worker_that_restarts_before_the_module_came_does_not_know_the_job(
    tmp_path: Path, compiler: Compiler
) -> None:
    async with open_peers(tmp_path, compiler) as peers:
        talk = await peers.talk()
        await talk.say(offer(manifest(peers.requester.identity)))
        accepted = await talk.word()
        assert isinstance(accepted, Accepted)
        peers.worker.close()
        again = await peers.talk()
        await again.say(Resume(accepted.job_id, accepted.lease, 0, 0))
        assert isinstance(await again.word(), Rejected)


async def test_a_silent_job_says_that_it_lives(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, terms=replace(CALM, heartbeat_s=0.01)) as peers:
        talk, accepted = await running(peers)
        for _ in range(3):
            assert await talk.word() == Alive()
        await talk.send(Kind.STDIN, b"")
        await talk.say(Cancel(accepted.job_id))
        assert isinstance(await talk.until(Result), Result)


async def test_a_requester_that_does_not_read_holds_nobody_up(peers: Peers) -> None:
    loud = guest(
        "(local $n i32) (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 65000))"
        "(loop (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"
        "(local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if 0 (i32.lt_u (local.get $n) (i32.const 15))))",
        "fd_write",
    )
    talk, accepted = await running(peers, loud)
    await peers.worker_node.until_ended(accepted.job_id)  # although nothing of its output was read
    await talk.send(Kind.STDIN, b"")
    stdout, _, _ = await talk.rest()
    assert len(stdout) == 15 * 65_000


async def test_a_worker_that_refuses_late_says_why_also_afterwards(peers: Peers) -> None:
    junk = b"\0asm\1\0\0\0no module"
    talk = await peers.talk()
    await talk.say(offer(manifest(peers.requester.identity, junk), junk))
    accepted = await talk.until(Accepted)
    assert isinstance(accepted, Accepted)
    await talk.say(Request(accepted.job_id, accepted.lease))
    await talk.send(Kind.MODULE, junk)
    await talk.send(Kind.STDIN, b"")
    result = await talk.until(Result)
    assert isinstance(result, Result)
    assert (result.outcome, result.receipt) == ("refused", None)
    record, _ = await peers.worker_node.jobs.show(accepted.job_id)
    assert result.reason == record.reason != ""
    begun_anew = JobWorker(peers.worker_node.jobs, peers.worker_node.store, SystemClock(), measured=lambda: ROOMY)
    peers.serves.serve(PROTOCOL, begun_anew.serve)
    later = await peers.talk()
    await later.say(Resume(accepted.job_id, accepted.lease, 0, 0))
    assert await later.until(Result) == result
    begun_anew.close()
