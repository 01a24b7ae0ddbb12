"""A job on another node, from the offer to the stored end: two real nodes, real workers, real modules."""

import asyncio
import os
import tempfile

from runtime.canonical import encode
from runtime.events import JobSubmitted, ReceiptVerified
from runtime.jobs import JobLimits, Streams
from tests.hostile import data
from tests.net.jobs.job_peers import CAT, FOREVER, Peers
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, guest, shows_argv, shows_env, writes


async def test_a_job_runs_on_the_worker_and_its_receipt_is_believed(peers: Peers) -> None:
    end = await peers.run(HELLO, b"over there")
    assert (end.outcome, end.exit_code, end.state, end.reason) == ("exit", 0, "done", "")
    assert end.where == str(peers.worker_id)
    assert (await peers.requester.jobs.output(end.job)).stdout == b"ereht revo"
    assert end.verification is not None
    assert end.verification.ok
    assert end.receipt_document is not None
    assert end.receipt_document["worker_pubkey"] == peers.worker_node.identity.public_hex
    assert peers.blamed() == []


async def test_both_nodes_keep_it_under_one_id_and_the_worker_its_origin(peers: Peers) -> None:
    end = await peers.run()
    mine, _ = await peers.requester.jobs.show(end.job)
    theirs, _ = await peers.worker_node.jobs.show(end.job)
    assert (mine.where, mine.submitter, mine.state) == (str(peers.worker_id), "local", "done")
    assert (theirs.where, theirs.submitter) == ("local", peers.requester.identity.public_hex)
    assert mine.receipt == theirs.receipt == end.receipt
    submitted = await peers.requester.until(lambda e: isinstance(e, JobSubmitted))
    assert isinstance(submitted, JobSubmitted)
    assert submitted.where == str(peers.worker_id)
    assert peers.requester.states(end.job) == ["queued", "admitted", "running", "done"]


async def test_its_receipt_is_stored_as_a_foreign_one_with_its_verdict(peers: Peers) -> None:
    end = await peers.run()
    (record,) = await peers.requester.receipts.rows()
    assert (record.receipt, record.own, record.verdict, record.job) == (end.receipt, False, "valid", end.job)
    assert encode(await peers.requester.receipts.document(end.receipt)) == encode(end.receipt_document)
    await peers.requester.until(lambda e: isinstance(e, ReceiptVerified) and e.verdict == "valid")


async def test_the_chain_of_a_worker_is_its_own(peers: Peers) -> None:
    await peers.worker_node.run(HELLO)  # number 0 is not known here
    end = await peers.run()
    assert end.verification is not None
    chain = end.verification.steps[-1]
    assert (chain.name, chain.ok) == ("chain", None)
    assert (await peers.run()).verification.steps[-1].ok is True  # type: ignore[union-attr]


async def test_arguments_and_environment_reach_the_guest(peers: Peers) -> None:
    end = await peers.run(shows_argv(), args=("a", "ü b"))
    assert (await peers.requester.jobs.output(end.job)).stdout == "remote.wasm\0a\0ü b\0".encode()
    end = await peers.run(shows_env(), env=("K=V",))
    assert (await peers.requester.jobs.output(end.job)).stdout == b"K=V\0"


async def test_the_exit_code_is_the_guests(peers: Peers) -> None:
    end = await peers.run(writes((2, b"oh"), then="(call $proc_exit (i32.const 7))", wasi=("proc_exit",)))
    assert (end.outcome, end.exit_code) == ("exit", 7)
    assert (await peers.requester.jobs.output(end.job)).stderr == b"oh"


async def test_traps_deadlines_and_caps_end_as_they_do_here(peers: Peers) -> None:
    trap = await peers.run(guest("unreachable"))
    assert (trap.outcome, trap.exit_code) == ("trap", 134)
    late = await peers.run(FOREVER, limits=JobLimits.of(memory_bytes=16 << 20, timeout_ms=100, max_output_bytes=100))
    assert (late.outcome, late.exit_code, late.reason) == ("deadline", 124, "time limit of 100ms reached")
    limits = JobLimits.of(memory_bytes=16 << 20, timeout_ms=20_000, max_output_bytes=4)
    full = await peers.run(writes((1, b"12345")), limits=limits)
    assert (full.outcome, full.exit_code, full.truncated, full.tripped) == ("output", 134, True, "max_output_bytes")
    assert (await peers.requester.jobs.output(full.job)).stdout == b"1234"
    assert all(end.verification is not None and end.verification.ok for end in (trap, late, full))


async def test_a_large_input_comes_through_a_pipe_as_the_guest_reads_it(peers: Peers) -> None:
    reading, writing = os.pipe()
    text = os.urandom(400_000)

    def fill() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(text)

    filling = asyncio.get_running_loop().run_in_executor(None, fill)
    end = await peers.run(CAT, reading)
    os.close(reading)
    await filling
    assert end.outcome == "exit"
    assert (await peers.requester.jobs.output(end.job)).stdout == text


async def test_a_large_file_is_sent_from_where_it_stands(peers: Peers) -> None:
    text = os.urandom(1 << 20) + b"behind"
    with tempfile.TemporaryFile() as file:
        file.write(b"before" + text)
        file.flush()
        os.lseek(file.fileno(), 6, os.SEEK_SET)
        limits = JobLimits.of(memory_bytes=64 << 20, timeout_ms=60_000, max_output_bytes=2 << 20)
        end = await peers.run(CAT, file.fileno(), limits=limits)
    assert (await peers.requester.jobs.output(end.job)).stdout == text


async def test_a_guest_that_reads_nothing_ends_whatever_is_still_to_be_sent(peers: Peers) -> None:
    reading, writing = os.pipe()  # nobody closes it before the end
    end = await peers.run(writes((1, b"no")), reading)
    os.close(reading)
    os.close(writing)
    assert end.outcome == "exit"


async def test_output_is_passed_on_while_the_job_runs(peers: Peers) -> None:
    reading, writing = os.pipe()
    module = guest(
        "(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 5))"
        "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"
        "(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))",
        "fd_write",
        "fd_read",
        decls=data(64, b"first"),
    )
    stdin_read, stdin_write = os.pipe()
    running = asyncio.ensure_future(peers.run(module, streams=Streams(stdin=stdin_read, stdout=writing)))
    assert await asyncio.to_thread(os.read, reading, 100) == b"first"
    assert not running.done()  # it waits for its input
    os.close(stdin_write)
    end = await running
    for descriptor in (reading, writing, stdin_read):
        os.close(descriptor)
    assert end.outcome == "exit"


async def test_a_reader_who_leaves_does_not_make_the_receipt_doubtful(peers: Peers) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    end = await peers.run(writes((1, b"x" * 300_000)), streams=Streams(stdout=writing))
    os.close(writing)
    assert (end.outcome, end.undelivered) == ("exit", "")
    assert len((await peers.requester.jobs.output(end.job)).stdout) == 300_000


async def test_cancelled_here_the_receipt_of_the_end_still_comes(peers: Peers) -> None:
    running = asyncio.ensure_future(peers.run(FOREVER))
    job = await peers.requester.until_running()
    assert await peers.requester.jobs.cancel(job, "signal:130") == "cancelled"
    end = await running
    assert (end.outcome, end.exit_code, end.reason) == ("cancelled", 130, "cancelled")
    assert end.receipt
    assert end.verification is not None
    assert end.verification.ok


async def test_cancelled_while_its_input_is_stuck(peers: Peers) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.write(writing, b"x" * 65_536)
    running = asyncio.ensure_future(peers.run(FOREVER, reading))
    job = await peers.requester.until_running()
    await peers.requester.jobs.cancel(job, "command")
    assert (await running).exit_code == 137
    os.close(reading)
    os.close(writing)


async def test_cancelled_on_the_worker_it_is_cancelled(peers: Peers) -> None:
    running = asyncio.ensure_future(peers.run(FOREVER))
    job = await peers.worker_node.until_running()
    await peers.worker_node.jobs.cancel(job, "command")
    end = await running
    assert (end.outcome, end.exit_code) == ("cancelled", 137)


async def test_a_module_that_no_node_would_run_is_not_sent(peers: Peers) -> None:
    end = await peers.run(b"\0asm\1\0\0\0not one")
    assert (end.outcome, end.exit_code, end.state) == ("refused", 125, "refused")
    assert peers.connections == []


async def test_a_peer_that_takes_no_jobs_refuses(peers: Peers) -> None:
    peers.serves.__init__()  # type: ignore[misc]
    end = await peers.run()
    assert (end.outcome, end.exit_code, end.reason) == ("refused", 125, "the peer takes no jobs")


async def test_several_jobs_at_once_each_get_their_own(peers: Peers) -> None:
    ends = await asyncio.gather(*(peers.run(HELLO, b"job %d" % number) for number in range(8)))
    for number, end in enumerate(ends):
        assert (await peers.requester.jobs.output(end.job)).stdout == (b"job %d" % number)[::-1]
        assert end.outcome == "exit"


async def test_what_is_above_the_frame_of_an_offer_is_refused_here(peers: Peers) -> None:
    end = await peers.run(HELLO, args=("x" * 64_700,))
    assert end.outcome == "refused"
    assert "65536 fit" in end.reason
    assert LIMITS.memory_bytes == end.limits.memory_bytes
