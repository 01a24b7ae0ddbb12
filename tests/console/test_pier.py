"""The demo's second node is another process, which runs jobs for the demo, signs for them, and ends with it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

import assets
from console import pier
from console.client import Snapshot
from console.core import Core, CoreOptions
from runtime.errors import FailedError
from runtime.events import Event, PeerDisconnected, PeerRan, Record

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    started = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True))
    yield started
    await started.stop("test")


def watched(core: Core) -> Callable[[type[Event]], "asyncio.Future[Event]"]:
    """Gives, for a type of event, what is done with the first that comes."""
    loop = asyncio.get_running_loop()
    waiting: dict[type[Event], asyncio.Future[Event]] = {}

    def settle(event: Event) -> None:
        future = waiting.get(type(event))
        if future is not None and not future.done():
            future.set_result(event)

    def take(records: Sequence[Record]) -> None:
        for record in records:
            loop.call_soon_threadsafe(settle, record.event)

    core.journal.subscribe(core.journal.last_seq(), take)

    def first(kind: type[Event]) -> "asyncio.Future[Event]":
        waiting[kind] = loop.create_future()
        return waiting[kind]

    return first


async def test_it_runs_a_job_and_signs_for_it(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pier, "_JOBS_S", ())
    monkeypatch.setattr(pier, "_JOBS_LATER_S", 0.01)
    first = watched(core)
    ran, gone = first(PeerRan), first(PeerDisconnected)
    living = asyncio.ensure_future(pier.live(core, assets.path("jobs/hello/hello.wasm").read_bytes()))
    event = await ran
    assert isinstance(event, PeerRan)
    assert event.proved
    shown: Snapshot = await core.snapshot(("peers", "jobs", "receipts"))
    rows = json.loads(json.dumps(shown.topics))
    (peer,) = rows["peers"]
    assert (peer["name"], peer["worker"], peer["submitter"]) == (pier.NAME, True, False)
    assert event.job in {job["job"] for job in rows["jobs"] if job["where"] == event.peer and job["state"] == "done"}
    assert {receipt["own"] for receipt in rows["receipts"]} == {False}
    living.cancel()
    await asyncio.wait({living})
    assert living.cancelled()
    await gone  # its process has ended: nobody else closes this connection
    assert (core.state.path / pier.FOLDER / "identity.key").exists()


async def test_a_node_that_does_not_come_up_is_said(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(_core: Core) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(sys.executable, "-c", "print('{}')", stdout=pipe)

    monkeypatch.setattr(pier, "_started", wrong)
    with pytest.raises(FailedError, match="the demo's second node did not come up"):
        await pier.live(core, b"")


def test_its_process_ends_with_its_parent_however_that_ended(tmp_path: Path) -> None:
    argv = [sys.executable, "-I", "-c", pier._PROGRAM, pier._ROOT, "PID", str(tmp_path / "pier")]
    parent = f"import os, subprocess, sys\nargv = {argv!r}\nargv[5] = str(os.getpid())\nsubprocess.run(argv)\n"
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "net.listening":
            break
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read()  # to its end: nobody holds the pipe any more
    process.stdout.close()
    assert b"core.stopped" in rest or rest == b""
    process.wait()
