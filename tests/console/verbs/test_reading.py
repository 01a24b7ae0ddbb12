"""Reading what a client's descriptors give: all of it, never too much, and not a moment longer than wanted."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from console.verbs.reading import hash_all, read_all, read_sync, reading
from runtime.errors import FailedError, RefusedError, UnavailableError

DIGEST_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def run(work: Callable[["asyncio.Future[int]"], Awaitable[object]]) -> object:
    async def main() -> object:
        return await work(asyncio.get_running_loop().create_future())

    return asyncio.run(main())


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_files_and_pipes_are_read_whole(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 3_000_000)
    with (tmp_path / "f").open("rb") as file:
        content = run(lambda asked: read_all(file.fileno(), limit=3_000_000, what="f", interrupted=asked))
    assert content == b"x" * 3_000_000
    reader, writer = os.pipe()
    os.write(writer, b"abc")
    os.close(writer)
    assert hash_all(reader, what="f") == DIGEST_OF_ABC
    os.close(reader)


def test_more_than_was_agreed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    with (tmp_path / "f").open("rb") as file, pytest.raises(RefusedError, match="f: larger than 4B"):
        read_sync(file.fileno(), limit=4, what="f")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(UnavailableError, match="f: is a directory"):
        run(lambda asked: read_all(folder, limit=4, what="f", interrupted=asked))
    os.close(folder)
    with pytest.raises(UnavailableError, match="f: bad file descriptor"):
        read_sync(folder, limit=4, what="f")


def test_a_pipe_that_says_nothing_is_let_go_when_the_caller_leaves() -> None:
    reader, writer = os.pipe()

    async def leave(asked: "asyncio.Future[int]") -> None:
        os.write(writer, b"so far")
        asyncio.get_running_loop().call_later(0.01, asked.set_result, 130)
        await read_all(reader, limit=100, what="module", interrupted=asked)

    with pytest.raises(FailedError, match="module: interrupted"):
        run(leave)
    assert "orlop-reading" not in threads()
    os.write(writer, b"typed later")
    assert os.read(reader, 100) == b"typed later"
    os.close(reader)
    os.close(writer)


def test_a_task_that_is_given_up_leaves_no_reader_behind() -> None:
    reader, writer = os.pipe()

    async def give_up(asked: "asyncio.Future[int]") -> None:
        task = asyncio.ensure_future(read_all(reader, limit=100, what="module", interrupted=asked))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(give_up)
    assert "orlop-reading" not in threads()
    os.close(reader)
    os.close(writer)


def test_many_slow_descriptors_hold_nothing_else_up() -> None:
    pipes = [os.pipe() for _ in range(40)]

    async def wait_for_all(asked: "asyncio.Future[int]") -> object:
        readings = [
            asyncio.ensure_future(read_all(reader, limit=9, what="m", interrupted=asked)) for reader, _ in pipes
        ]
        beside = await asyncio.to_thread(lambda: "done")
        for _, writer in pipes:
            os.close(writer)
        assert await asyncio.gather(*readings) == [b""] * len(pipes)
        return beside

    assert run(wait_for_all) == "done"
    for reader, _ in pipes:
        os.close(reader)


def test_what_the_work_raises_is_raised() -> None:
    def fails(_stop: int) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(lambda asked: reading(asked, fails))
