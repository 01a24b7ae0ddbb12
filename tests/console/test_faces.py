"""One core, three ways to it: every command gives the same result, every view the same rows."""

import contextlib
import dataclasses
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from console.client import CoreClient, Result
from console.core import CoreOptions
from console.local import LocalCore
from console.registry import COMMANDS
from console.remote import RemoteCore
from console.view import TOPICS, View
from runtime.events import Record
from runtime.statedir import StateDir

ROOT = Path(__file__).parents[2]
SECONDS = 60
AGENTS = ROOT / "assets/agents"
HELLO = ROOT / "assets/jobs/hello/hello.wasm"


@contextlib.contextmanager
def local(state: Path, *, owner: bool, **options: object) -> Iterator[LocalCore]:
    core = LocalCore(CoreOptions(state_path=state, owner=owner, **options), face="test")  # type: ignore[arg-type]
    try:
        yield core
    finally:
        core.close()


@contextlib.contextmanager
def remote(state: Path) -> Iterator[RemoteCore]:
    with contextlib.closing(RemoteCore(StateDir(state).control_socket, client="test")) as core:
        yield core


def run(core: CoreClient, command: str, args: dict[str, str | Sequence[str]] | None = None, **files: Path) -> Result:
    opened = {name: os.open(path, os.O_RDONLY) for name, path in files.items()}
    try:
        return core.execute(command, args or {}, opened).result.result(SECONDS)
    finally:
        for descriptor in opened.values():
            os.close(descriptor)


def fill(core: CoreClient) -> None:
    """A room with tasks, a quiet agent that is off, and a job with its receipt."""
    assert run(core, "rooms create", {"name": "harbor"}).ok
    assert run(core, "rooms task", {"room": "harbor", "add": "/task paint the boat urgent"}).ok
    assert run(core, "rooms say", {"room": "harbor", "text": "ahoy"}).ok
    upload = {"room": "harbor", "module": "unblock.wasm", "grant": "all"}
    files = {"module": AGENTS / "unblock/unblock.wasm", "manifest": AGENTS / "unblock/unblock.json"}
    assert run(core, "agents upload", upload, **files).ok
    assert run(core, "jobs run", {"module": "hello.wasm"}, module=HELLO).ok


READING: list[tuple[str, dict[str, str | Sequence[str]]]] = [
    ("rooms list", {}),
    ("rooms show", {"room": "harbor"}),
    ("rooms show", {"room": "nowhere"}),
    ("rooms tasks", {"room": "harbor"}),
    ("agents list", {}),
    ("agents list", {"room": "harbor"}),
    ("agents show", {"agent": "unblock"}),
    ("agents show", {"agent": "nobody"}),
    ("agents logs", {"agent": "unblock"}),
    ("jobs list", {}),
    ("jobs list", {"state": "done"}),
    ("jobs list", {"state": "dome"}),
    ("jobs show", {"job": "ffff"}),
    ("jobs show", {}),
    ("receipts list", {}),
    ("receipts show", {"receipt": "ffff"}),
    ("config", {}),
    ("schema", {}),
    ("completion", {"shell": "bash"}),
    ("no such", {}),
]


def test_reading_is_the_same_with_and_without_an_owner(tmp_path: Path) -> None:
    state = tmp_path / "state"

    def answers(core: CoreClient) -> list[Result]:
        return [run(core, command, args) for command, args in READING]

    with local(state, owner=True) as owner, remote(state) as other:
        fill(other)
        here = answers(owner)
        there = answers(other)
    with local(state, owner=False) as alone:
        without = answers(alone)
    for (command, args), *results in zip(READING, here, there, without, strict=True):
        assert results[0] == results[1] == results[2], (command, args)
    assert {result.ok for result in here} == {True, False}


@pytest.mark.parametrize("way", ["owner", "remote", "alone"])
def test_changing_works_every_way(tmp_path: Path, way: str) -> None:
    state = tmp_path / "state"
    with contextlib.ExitStack() as stack:
        if way == "alone":
            core: CoreClient = stack.enter_context(local(state, owner=False))
        else:
            core = stack.enter_context(local(state, owner=True))
            if way == "remote":
                core = stack.enter_context(remote(state))
        fill(core)
        done = [
            run(core, "agents activate", {"agent": "unblock"}),
            run(core, "agents deactivate", {"agent": "unblock"}),
            run(core, "agents grant", {"agent": "unblock", "permissions": "none"}),
            run(core, "agents activate", {"agent": "nobody"}),
            run(core, "agents probe", {"agent": "unblock"}),
            run(core, "agents delete", {"agent": "unblock"}),
            run(core, "rooms create", {"name": ""}),
            run(core, "config set", {"key": "ui.fps", "value": "5"}),
            run(core, "config set", {"key": "ui.fps", "value": "500"}),
            run(core, "jobs cancel", {"job": "ffff"}),
        ]
    assert [result.ok for result in done] == [True, True, True, False, False, True, False, True, False, False]
    assert [result.fault.code for result in done if result.fault] == ["unknown", "usage", "usage", "usage", "unknown"]


def test_read_only_clients_change_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with local(state, owner=True):
        client = RemoteCore(StateDir(state).control_socket, client="test", read_only=True)
        with contextlib.closing(client):
            for command in COMMANDS.values():
                if command.changes:
                    fault = run(client, command.name).fault
                    assert fault is not None
                    assert fault.code == "read-only", command.name


def test_the_same_rows_here_there_and_in_a_later_snapshot(tmp_path: Path) -> None:
    """T35: a snapshot and the events after it are what a snapshot says now."""
    state = tmp_path / "state"
    with local(state, owner=True) as owner, remote(state) as other:
        views = [followed(owner), followed(other)]
        fill(owner)
        run(owner, "agents activate", {"agent": "unblock"})
        run(owner, "agents deactivate", {"agent": "unblock"})
        run(other, "jobs run", {"module": "hello.wasm"}, module=HELLO)
        last = owner.history.last_seq()
        for view, reached in views:
            reached(last)
            view.load(owner.snapshot("rooms").result(SECONDS))
        now = View()
        now.load(owner.snapshot(*TOPICS).result(SECONDS))
        assert len(now.jobs) == len(now.receipts) == 2
        for view, _ in views:
            assert told(view) == told(now)


def followed(core: CoreClient) -> tuple[View, Callable[[int], None]]:
    view = View()
    snapshot = core.snapshot(*TOPICS).result(SECONDS)
    view.load(snapshot)
    changed = threading.Condition()

    def sink(records: Sequence[Record]) -> None:
        with changed:
            view.apply(records)
            changed.notify_all()

    def reached(seq: int) -> None:
        with changed:
            assert changed.wait_for(lambda: view.seq >= seq, SECONDS)

    core.subscribe(snapshot.seq, sink)
    return view, reached


def told(view: View) -> tuple[object, ...]:
    """What events tell exactly: times are those of the commit there and of the call here, words are in the store."""
    untold: dict[str, object] = {"last_ms": None, "p95_us": None}
    return (
        dict(view.rooms),
        {key: dataclasses.replace(row, **untold) for key, row in view.agents.items()},
        {key: dataclasses.replace(row, created_ms=0, started_ms=0, ended_ms=0) for key, row in view.jobs.items()},
        {key: dataclasses.replace(row, issued_ms=0) for key, row in view.receipts.items()},
        +view.agent_states,
        +view.job_states,
    )
