"""The input of a job that goes elsewhere: read once, and from any place that was read before."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from net.jobs.input_pipe import InputPipe
from net.jobs.input_spool import InputSpool, close_source
from net.jobs.job_input import JobInput
from runtime.blobs import Blobs
from runtime.errors import RefusedError


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


async def all_of(source: JobInput, at: int = 0) -> bytes:
    found = b""
    while data := await source.read(at + len(found), 4):
        found += data
    return found


async def test_bytes() -> None:
    source = JobInput(b"some text", 100)
    assert source.size == 9
    assert (await all_of(source), await all_of(source, 5)) == (b"some text", b"text")


async def test_a_file_from_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"skipped, read")
    with path.open("rb", buffering=0) as file:
        file.seek(9)
        source = JobInput(file.fileno(), 100)
        path.write_bytes(b"skipped, read and what came later")
        assert source.size == 4
        assert (await all_of(source), await all_of(source, 2)) == (b"read", b"ad")


async def test_a_pipe_can_be_read_again_as_far_as_it_was_read(ends: tuple[int, int]) -> None:
    reading, writing = ends
    source = JobInput(reading, 100)
    assert source.size is None
    os.write(writing, b"first ")
    assert await source.read(0, 100) == b"first "
    os.write(writing, b"second")
    os.close(writing)
    assert await source.read(2, 100) == b"rst "
    assert await all_of(source, 6) == b"second"
    assert await all_of(source) == b"first second"
    source.close()
    source.close()


async def test_what_can_be_neither_waited_for_nor_sought() -> None:
    descriptor = os.open("/dev/null", os.O_RDONLY)
    source = JobInput(descriptor, 100)
    assert await source.read(0, 10) == b""
    source.close()
    os.close(descriptor)


async def test_more_than_the_limit_is_refused(ends: tuple[int, int]) -> None:
    reading, writing = ends
    source = JobInput(reading, 5)
    os.write(writing, b"123456")
    os.close(writing)
    with pytest.raises(RefusedError, match="standard input: is larger than 5"):
        await source.read(0, 100)
    source.close()


async def test_the_workers_pipe_counts_what_its_job_took() -> None:
    pipe = InputPipe()
    await pipe.write(b"abc")
    assert (pipe.taken, pipe.ended, os.read(pipe.reader, 10)) == (3, False, b"abc")
    pipe.end()
    assert (pipe.ended, os.read(pipe.reader, 10)) == (True, b"")
    pipe.close()


async def test_a_job_that_reads_no_more_is_sent_nothing_but_wants_for_nothing() -> None:
    pipe = InputPipe()
    pipe.given()
    await pipe.write(b"x" * 200_000)
    assert (pipe.taken, pipe.ended) == (200_000, True)
    await pipe.write(b"y")
    assert pipe.taken == 200_001


@pytest.mark.parametrize("size", [0, 65_536, 65_537, 200_000])
async def test_an_input_that_is_taken_in_whole_lies_on_the_disk_only_when_it_is_large(
    tmp_path: Path, size: int
) -> None:
    text = os.urandom(size)
    spool = InputSpool(Blobs(tmp_path / "blobs"), 200_000)
    for at in range(0, size, 30_000):
        spool.write(text[at : at + 30_000])
    assert (spool.taken, spool.digest) == (size, sha256(text).hexdigest())
    source, blob = await spool.whole()
    assert (blob is not None) == isinstance(source, int) == (size > 65_536)
    assert (source if isinstance(source, bytes) else os.read(source, size + 1)) == text
    close_source(source)
    spool.close()


def test_an_input_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    spool = InputSpool(Blobs(tmp_path / "blobs"), 100_000)
    spool.write(bytes(70_000))
    spool.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
