"""`agents try` through a core: an agent that takes its time takes nobody else's."""

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from console.call import Call
from console.verbs.trial import try_agent
from runtime.errors import FailedError
from tests.hostile import agent


@contextlib.contextmanager
def opened(folder: Path, name: str) -> Iterator[dict[str, int]]:
    """Descriptors of a hostile agent's module and manifest, as a client sends them."""
    words = {"name": "tried", "version": "1", "description": "", "author": "", "permissions": []}
    (folder / "module").write_bytes(agent(name))
    (folder / "manifest").write_text(json.dumps(words | {"wasmHash": sha256(agent(name)).hexdigest()}))
    files = {part: os.open(folder / part, os.O_RDONLY) for part in ("module", "manifest")}
    yield files
    for descriptor in files.values():
        os.close(descriptor)


@pytest.fixture
async def busy_pool() -> AsyncIterator[None]:
    """The pool that all commands share has no thread free as long as the test runs."""
    pool, released = ThreadPoolExecutor(1), threading.Event()
    asyncio.get_running_loop().set_default_executor(pool)
    held = pool.submit(released.wait)
    yield
    released.set()
    held.result()


def call(files: dict[str, int], ticks: int) -> Call:
    return Call(
        command="agents try",
        args={"module": "m.wasm", "manifest": "m.json", "ticks": str(ticks)},
        files=files,
        interrupted=asyncio.get_running_loop().create_future(),
        uid=os.geteuid(),
        face="test",
    )


@pytest.mark.usefixtures("busy_pool")
async def test_it_holds_no_thread_that_others_wait_for(tmp_path: Path) -> None:
    with opened(tmp_path, "trap_tick") as files:
        result = await try_agent(None, call(files, ticks=1))
    assert (result.ok, result.exit_code) == (False, 1)
    assert result.fault is not None
    assert result.fault.line.startswith("agents try: on_tick: ")


async def test_whoever_leaves_is_let_go_and_the_agent_ticks_no_more(tmp_path: Path) -> None:
    with opened(tmp_path, "spin_tick") as files:
        asked = call(files, ticks=10_000)
        trial = asyncio.ensure_future(try_agent(None, asked))
        while not (left := [thread for thread in threading.enumerate() if thread.name == "orlop-apart"]):
            await asyncio.to_thread(os.sched_yield)
        asked.interrupted.set_result(130)
        with pytest.raises(FailedError, match="interrupted"):
            await trial
    await asyncio.to_thread(left[0].join)  # all of its ticks would take half a day
