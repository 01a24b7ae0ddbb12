"""Input, output, arguments, environment and directories of real guests; readers that are slow or leave."""

import asyncio
import hashlib
import os
import socket
import threading
from pathlib import Path

import pytest

from runtime.canonical import encode
from runtime.errors import UnavailableError, UsageError
from runtime.events import JobOutput
from runtime.jobs.commitment import commit
from runtime.jobs.limits import JobLimits
from runtime.jobs.output import OutputFile, OutputRefusedError, pieces, read_stream
from runtime.jobs.receipt_form import read_receipt
from runtime.jobs.spec import DirGrant
from runtime.jobs.streams import Streams
from tests.hostile import job
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node, guest, opens, pipe, shows_argv, shows_env, writes

MIB = 1 << 20
WIDE = JobLimits.of(memory_bytes=64 * MIB, timeout_ms=60_000, max_output_bytes=64 * MIB)


def read_all(descriptor: int, into: list[bytes]) -> threading.Thread:
    """Reads a descriptor to its end, in a thread, and closes it."""

    def work() -> None:
        with os.fdopen(descriptor, "rb") as file:
            into.append(file.read())

    thread = threading.Thread(target=work)
    thread.start()
    return thread


async def outputs(node: Node, module: bytes, stdin: int | bytes | None = None, **fields: object) -> tuple[bytes, bytes]:
    end = await node.run(module, stdin, **fields)  # type: ignore[arg-type]
    assert end.exit_code == 0, end.reason
    kept = await node.jobs.output(end.job)
    assert (await node.receipts.verify(end.receipt)).ok is True
    return kept.stdout, kept.stderr


async def test_arguments_are_exactly_those_of_the_manifest(node: Node) -> None:
    out, _ = await outputs(node, shows_argv(), args=("", "-x", "ü €", "a\nb", "\x1b[0m"))
    assert out == "test.wasm\0\0-x\0ü €\0a\nb\0\x1b[0m\0".encode()


async def test_the_environment_is_exactly_what_was_given(node: Node) -> None:
    assert await outputs(node, shows_env()) == (b"", b"")
    out, _ = await outputs(node, shows_env(), env=("A=1", "B=", "C=x=y", "D=ü"))
    assert out == "A=1\0B=\0C=x=y\0D=ü\0".encode()


@pytest.mark.parametrize("size", [0, 1, 32_768, 32_769, 65_536, 65_537, 1_000_000])
async def test_input_of_any_size_arrives_whole(node: Node, size: int) -> None:
    given = os.urandom(size)
    assert await outputs(node, job("echo"), given, limits=WIDE) == (given, b"")


async def test_huge_input_from_a_pipe_streams_through(node: Node) -> None:
    reader, writer = pipe()
    block = bytes(range(256)) * 4096
    seen: list[str] = []

    def fill() -> None:
        with os.fdopen(writer, "wb") as file:
            for _ in range(20):
                file.write(block)

    thread = threading.Thread(target=fill)
    thread.start()
    end = await node.run(job("echo"), reader, limits=WIDE, on_started=seen.append)
    os.close(reader)
    thread.join()
    assert end.usage.stdout_bytes == 20 * MIB
    assert end.receipt_document is not None
    receipt = read_receipt(encode(end.receipt_document))
    digest = hashlib.sha256(block * 20).hexdigest()
    assert receipt.extra["orlop.stdin_sha256"] == digest
    assert receipt.commitment == commit(block * 20, b"").digest
    assert (await node.receipts.verify(end.receipt)).ok is True
    assert seen == [end.job]


async def test_input_comes_from_files_sockets_and_nothing(node: Node, tmp_path: Path) -> None:
    for size in (5, 3 * MIB):
        path = tmp_path / "in"
        path.write_bytes(b"z" * size)
        with path.open("rb") as file:
            assert await outputs(node, job("echo"), file.fileno(), limits=WIDE) == (b"z" * size, b"")
    mine, theirs = socket.socketpair()
    with theirs:
        with mine:
            mine.sendall(b"by socket")
        assert await outputs(node, job("echo"), theirs.fileno()) == (b"by socket", b"")
    assert await outputs(node, job("echo"), None) == (b"", b"")
    with open(os.devnull, "rb") as null:  # noqa: ASYNC230, PTH123 - a device is what is tested
        assert await outputs(node, job("echo"), null.fileno()) == (b"", b"")


async def test_a_closed_descriptor_is_said_to_be_one(node: Node) -> None:
    reader, writer = pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(UnavailableError, match="Bad file descriptor"):
        await node.run(HELLO, reader)


async def test_input_that_nobody_reads_holds_nothing_up(node: Node) -> None:
    reader, writer = pipe()
    os.write(writer, b"x" * 5000)
    end = await node.run(job("returns"), reader)
    assert end.exit_code == 0
    os.close(reader)
    os.close(writer)
    assert (await node.run(job("returns"), b"y" * 5 * MIB)).exit_code == 0


async def test_both_streams_are_kept_apart_and_committed_in_order(node: Node) -> None:
    module = writes((2, b"e1"), (1, b"o1"), (2, b"e2"), (1, b"o2"))
    end = await node.run(module)
    kept = await node.jobs.output(end.job)
    assert (kept.stdout, kept.stderr) == (b"o1o2", b"e1e2")
    assert end.receipt_document is not None
    assert read_receipt(encode(end.receipt_document)).commitment == commit(b"o1o2", b"e1e2").digest


async def test_a_job_without_output_has_no_file(node: Node) -> None:
    end = await node.run(job("returns"))
    assert (await node.jobs.output(end.job)).stdout == b""
    assert names(node.state.output) == []
    assert (await node.receipts.verify(end.receipt)).steps[6].ok is True


@pytest.mark.parametrize(("name", "stream"), [("floods_stdout", 0), ("floods_stderr", 1)])
async def test_the_cap_keeps_exactly_so_many_bytes(node: Node, name: str, stream: int) -> None:
    for cap in (1, 65_536, 700_001):
        limits = JobLimits.of(memory_bytes=MIB, timeout_ms=20_000, max_output_bytes=cap)
        end = await node.run(job(name), limits=limits)
        assert (end.outcome, end.exit_code, end.truncated) == ("output", 134, True)
        kept = await node.jobs.output(end.job)
        assert len((kept.stdout, kept.stderr)[stream]) == cap
        assert kept.truncated
        assert end.receipt_document is not None
        receipt = read_receipt(encode(end.receipt_document))
        assert receipt.completion == "length"
        assert receipt.commitment == commit(kept.stdout, kept.stderr).digest


async def test_output_that_just_fits_is_not_cut(node: Node) -> None:
    limits = JobLimits.of(memory_bytes=16 * MIB, timeout_ms=20_000, max_output_bytes=100_000)
    end = await node.run(job("writes_100k"), limits=limits)
    assert (end.outcome, end.truncated, end.usage.stdout_bytes) == ("exit", False, 100_000)
    limits = JobLimits.of(memory_bytes=16 * MIB, timeout_ms=20_000, max_output_bytes=99_999)
    end = await node.run(job("writes_100k"), limits=limits)
    assert (end.outcome, end.truncated, end.usage.stdout_bytes) == ("output", True, 99_999)


async def test_much_stderr_is_committed_from_the_file(node: Node) -> None:
    limits = JobLimits.of(memory_bytes=MIB, timeout_ms=20_000, max_output_bytes=3 * MIB)
    end = await node.run(job("floods_stderr"), limits=limits)
    assert end.usage.stderr_bytes == 3 * MIB
    assert (await node.receipts.verify(end.receipt)).steps[6].ok is True


async def test_live_events_carry_every_byte_once(node: Node) -> None:
    end = await node.run(job("echo"), bytes(range(256)) * 1000, limits=LIMITS)
    await node.until(lambda e: getattr(e, "receipt", "") == end.receipt)
    told = [e for e in node.events if isinstance(e, JobOutput)]
    assert [e.offset for e in told] == [sum(e.length for e in told[:n]) for n in range(len(told))]
    assert sum(e.length for e in told) == 256_000
    assert max(e.length for e in told) <= 32_768


async def test_output_is_passed_on_unchanged_and_whole(node: Node) -> None:
    reader, writer = pipe()
    errors, errors_writer = pipe()
    got: list[bytes] = []
    threads = [read_all(reader, got)]
    given = os.urandom(2 * MIB)
    streams = Streams(stdin=given, stdout=writer, stderr=errors_writer)
    end = await node.run(job("echo"), streams=streams, limits=WIDE)
    for number in (writer, errors_writer, errors):
        os.close(number)
    for thread in threads:
        thread.join()
    assert end.exit_code == 0
    assert got == [given]


async def test_a_reader_who_does_not_read_holds_back_that_job_only(node: Node) -> None:
    reader, writer = pipe()
    slow = asyncio.ensure_future(
        node.run(job("echo"), streams=Streams(stdin=b"s" * 3 * MIB, stdout=writer), limits=WIDE)
    )
    running = await node.until_running()
    # The loop turns, other work is done: only this job waits, in its write.
    assert (await node.jobs.show(running))[0].state == "running"
    assert not slow.done()
    got: list[bytes] = []
    os.close(writer)
    thread = read_all(reader, got)
    assert (await slow).exit_code == 0
    thread.join()
    assert got == [b"s" * 3 * MIB]


async def test_a_job_whose_reader_does_not_read_can_be_cancelled(node: Node) -> None:
    reader, writer = pipe()
    task = asyncio.ensure_future(node.run(job("floods_stdout"), streams=Streams(stdout=writer), limits=WIDE))
    await node.until_output()
    assert await node.jobs.cancel(await node.until_running(), "signal:130") == "cancelled"
    assert (await task).exit_code == 130
    os.close(reader)
    os.close(writer)


async def test_a_reader_who_leaves_is_a_broken_pipe_to_the_guest(node: Node) -> None:
    reader, writer = pipe()
    os.close(reader)
    # Writes until an error number comes, then exits with it: 64 is a broken pipe.
    module = writes(
        then="(local $e i32) (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 4096))"
        "(loop (br_if 0 (i32.eqz (local.tee $e"
        "(call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))))"
        "(call $proc_exit (local.get $e))",
        wasi=("proc_exit",),
    )
    end = await node.run(module, streams=Streams(stdout=writer), limits=WIDE)
    os.close(writer)
    assert (end.outcome, end.exit_code, end.truncated) == ("exit", 64, True)
    assert (await node.receipts.verify(end.receipt)).ok is True


async def test_output_that_cannot_be_delivered_is_said_and_kept_all_the_same(node: Node) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    end = await node.run(writes((1, b"for a full disk")), streams=Streams(stdout=full))
    os.close(full)
    assert (end.outcome, end.exit_code, end.reason) == ("exit", 0, "")
    assert end.undelivered == "stdout could not be written: no space left on device"
    assert (await node.jobs.output(end.job)).stdout == b"for a full disk"


async def test_output_that_is_no_text_is_kept_byte_by_byte(node: Node) -> None:
    out, _ = await outputs(node, job("writes_escapes"))
    assert out == b"\x1b[2J\x1b]0;pwn\x07\xff\xfe\r\n"


async def test_what_was_written_before_a_trap_is_kept(node: Node) -> None:
    end = await node.run(job("writes_then_traps"))
    assert (end.outcome, end.exit_code) == ("trap", 134)
    assert (await node.jobs.output(end.job)).stdout == b"before\n"


async def test_output_that_cannot_be_kept_is_still_committed_to(node: Node) -> None:
    node.state.output.rmdir()
    end = await node.run(writes((1, b"lost to the disk")))
    assert (end.outcome, end.exit_code, end.truncated) == ("exit", 0, True)
    assert "could not be kept" in end.reason
    assert end.receipt_document is not None
    assert read_receipt(encode(end.receipt_document)).commitment == commit(b"lost to the disk", b"").digest


async def test_a_sleep_until_a_point_in_time_lasts_until_then(node: Node) -> None:
    # Reads the clock, sleeps until 20 ms later by an absolute time, reads it again; exits 1 when that was too early.
    for clock in (0, 1):
        now = f"(drop (call $clock_time_get (i32.const {clock}) (i64.const 0) (i32.const 256)))"
        module = guest(
            now + f"(i32.store (i32.const 16) (i32.const {clock})) (i32.store16 (i32.const 40) (i32.const 1))"
            "(i64.store (i32.const 24) (i64.add (i64.load (i32.const 256)) (i64.const 20000000)))"
            "(if (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)) (then unreachable))"
            + now
            + "(call $proc_exit (i64.lt_u (i64.load (i32.const 256)) (i64.load (i32.const 24))))",
            "clock_time_get",
            "poll_oneoff",
            "proc_exit",
        )
        assert (await node.run(module)).exit_code == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shared"
    made.mkdir()
    (made / "in.txt").write_bytes(b"content")
    (tmp_path / "secret").write_bytes(b"secret")
    (made / "absolute").symlink_to(tmp_path / "secret")
    (made / "relative").symlink_to("../secret")
    return made


async def in_folder(node: Node, folder: Path, module: bytes, *, writable: bool) -> tuple[int, bytes]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        end = await node.run(module, streams=Streams(dirs=(descriptor,)), dirs=(DirGrant("/data", writable),))
    finally:
        os.close(descriptor)
    return end.exit_code, (await node.jobs.output(end.job)).stdout


async def test_a_directory_is_read(node: Node, folder: Path) -> None:
    assert await in_folder(node, folder, opens("in.txt", creates=False), writable=False) == (0, b"content")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_read_only_directory_stays_as_it_is(node: Node, folder: Path) -> None:
    before = names(folder)
    code, _ = await in_folder(node, folder, opens("new", creates=True), writable=False)
    assert code in {63, 69}  # operation not permitted, read-only file system
    assert names(folder) == before


async def test_a_writable_directory_is_written(node: Node, folder: Path) -> None:
    assert (await in_folder(node, folder, opens("new", creates=True), writable=True))[0] == 0
    assert (folder / "new").read_bytes() == b"made"


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "absolute", "relative", "a/../../secret"])
async def test_nothing_outside_a_directory_can_be_reached(node: Node, folder: Path, name: str) -> None:
    code, out = await in_folder(node, folder, opens(name, creates=False), writable=True)
    assert code != 0
    assert out == b""


async def test_without_directories_there_is_no_file_system(node: Node) -> None:
    end = await node.run(opens("in.txt", creates=False))
    assert end.exit_code == 8  # bad descriptor


async def test_a_job_with_directories_has_a_worker_of_its_own(node: Node, folder: Path) -> None:
    await node.run(HELLO, b"")
    before = set(node.jobs.process_ids)
    await in_folder(node, folder, opens("in.txt", creates=False), writable=False)
    await node.run(HELLO, b"")
    after = set(node.jobs.process_ids)
    assert len(before & after) <= 1 + 1  # the zygote, and a worker that nobody's directories were given to


async def test_what_is_no_directory_is_refused(node: Node, folder: Path) -> None:
    descriptor = os.open(folder / "in.txt", os.O_RDONLY)
    with pytest.raises(UsageError, match="/data: not a directory"):
        await node.run(HELLO, streams=Streams(dirs=(descriptor,)), dirs=(DirGrant("/data"),))
    os.close(descriptor)


def test_the_file_of_output_keeps_pieces_in_order(tmp_path: Path) -> None:
    path = tmp_path / "out"
    file = OutputFile(path)
    file.close()
    assert not path.exists()
    file.write("stdout", b"one")
    file.write("stderr", b"two")
    file.write("stdout", b"")
    file.close()
    file.close()
    assert list(pieces(path)) == [("stdout", b"one"), ("stderr", b"two"), ("stdout", b"")]
    assert path.stat().st_mode & 0o777 == 0o600
    raw = path.read_bytes()
    path.write_bytes(raw[:-6])
    assert read_stream(path, "stdout") + read_stream(path, "stderr") == b"onetw"
    path.write_bytes(b"something else")
    with pytest.raises(OutputRefusedError):
        read_stream(path, "stdout")
    path.write_bytes(raw[:8] + b"\x09\0\0\0\1x")
    with pytest.raises(OutputRefusedError):
        read_stream(path, "stdout")
    path.unlink()
    path.mkdir()
    with pytest.raises(UnavailableError):
        read_stream(path, "stdout")
