"""Notifications as they happen: real programs, a real journal, and a clock that the tests move."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from console import config as configuration
from console.core import Core, CoreOptions
from console.notify import Notifier
from console.notify_command import Failure, run_command
from console.notify_rules import NotifyRule, read_rule
from runtime.clock import ManualClock
from runtime.events import AgentDeleted, CoreReady, Event, NotifyBell, NotifyFailed, NotifyLimited, Record
from runtime.journal import Journal
from runtime.store import Store

READY = CoreReady(ms=1)


class Watched:
    """A store with a notifier, and every event that it told."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock()
        self.store = Store.open(path / "orlop.db", self.clock, owner=True)
        self.journal = Journal(self.store)
        self.notifier = Notifier(self.journal, self.clock, self.store.emit, timeout_s=30)
        self.seen: asyncio.Queue[Record] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self.journal.subscribe(0, self._sink)

    def _sink(self, records: Sequence[Record]) -> None:
        for record in records:
            self._loop.call_soon_threadsafe(self.seen.put_nowait, record)

    async def happens(self, event: Event) -> int:
        """It, committed, published and told; its seq."""
        seq = await asyncio.wrap_future(self.store.write(lambda tx: tx.emit(event)))
        await asyncio.sleep(0)
        return seq

    async def next(self, kind: type[Event]) -> Record:
        while True:
            record = await self.seen.get()
            if isinstance(record.event, kind):
                return record

    async def told(self) -> list[Event]:
        """Everything about notifications, once the notifier has ended."""
        await self.notifier.close()
        await asyncio.wrap_future(self.store.write(lambda _: None))
        await asyncio.sleep(0)
        found = []
        while not self.seen.empty():
            event = self.seen.get_nowait().event
            if event.TYPE.startswith("notify."):
                found.append(event)
        return found


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    found = Watched(tmp_path)
    yield found
    await found.notifier.close()
    found.store.close()


@pytest.fixture
def stop() -> Iterator[int]:
    descriptor = os.eventfd(0)
    yield descriptor
    os.close(descriptor)


def rule(origin: str = "config.toml:1", **table: Any) -> NotifyRule:
    return read_rule({"events": ["core.ready"], **table}, origin)


def python(code: str, *args: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code, *args]


async def test_a_command_gets_the_event_as_one_json_line(watched: Watched, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    watched.notifier.use([rule(command=python(code, str(out)))])
    seq = await watched.happens(READY)
    assert await watched.told() == []
    text = out.read_text()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert {"v": 1, "seq": seq, "type": "core.ready", "ms": 1}.items() <= json.loads(text).items()


async def test_no_content_leaves_with_it(watched: Watched, tmp_path: Path) -> None:
    from runtime.events import MessagePosted

    out = tmp_path / "out"
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    watched.notifier.use([read_rule({"events": ["message.*"], "command": python(code, str(out))}, "c:1")])
    await watched.happens(MessagePosted(room="r", id="i", author="a", text="a secret"))
    assert await watched.told() == []
    assert "secret" not in out.read_text()


async def test_a_command_has_a_clean_environment_and_none_of_our_files(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORLOP_SECRET", "x")
    out = tmp_path / "out"
    code = (
        "import json, os, sys; d = sorted(os.listdir('/proc/self/fd'), key=int)\n"
        "s = [os.getcwd(), dict(os.environ), os.getsid(0) == os.getpid(), len(d), os.readlink('/proc/self/fd/1')]\n"
        "open(sys.argv[1], 'w').write(json.dumps(s))"
    )
    watched.notifier.use([rule(command=python(code, str(out)))])
    await watched.happens(READY)
    assert await watched.told() == []
    where, environ, alone, files, stdout = json.loads(out.read_text())
    assert (where, alone, stdout) == ("/", True, "/dev/null")
    assert set(environ) <= {"PATH", "LANG", "HOME", "LC_CTYPE"}
    assert files == 4, "three streams, and the listing itself"


@pytest.mark.parametrize(
    ("command", "reason", "said"),
    [
        (python("import sys; sys.exit('first\\n\\x1b[2J last')"), "exit status 1", "\\x1b[2J last"),
        (python("import os; os.kill(os.getpid(), 9)"), "ended by signal 9", ""),
        (["/nowhere/program"], "could not be run: no such file or directory", ""),
        (["orlop-no-such-program"], "could not be run: no such file or directory", ""),
        (["/dev/null"], "could not be run: permission denied", ""),
    ],
)
async def test_a_failure_is_an_event_that_names_its_cause(
    watched: Watched, command: list[str], reason: str, said: str
) -> None:
    watched.notifier.use([rule(command=command)])
    seq = await watched.happens(READY)
    found = await watched.told()
    assert found == [NotifyFailed(rule="config.toml:1", program=command[0], reason=reason, said=said, cause=seq)]


async def test_a_failure_is_told_by_no_command_and_to_no_end(watched: Watched) -> None:
    failing = {"events": ["*"], "command": ["/nowhere/program"]}
    watched.notifier.use(
        [read_rule(failing, "c:1"), read_rule(failing, "c:2"), read_rule({"events": ["*"], "bell": True}, "c:3")]
    )
    await watched.happens(READY)
    for _ in range(2):
        await watched.next(NotifyFailed)
    await watched.happens(AgentDeleted(room="r", agent="a"))
    found = await watched.told()
    assert {event.TYPE for event in found} <= {"notify.failed", "notify.bell"}


async def test_a_bell_is_an_event_for_screens(watched: Watched) -> None:
    watched.notifier.use([rule(bell=True)])
    seq = await watched.happens(READY)
    record = await watched.next(NotifyBell)
    assert record.event == NotifyBell(rule="config.toml:1", cause=seq)
    assert NotifyBell.LIVE_ONLY


async def test_so_many_a_minute_and_what_was_passed_over_is_counted(watched: Watched) -> None:
    watched.notifier.use([rule(bell=True, per_minute=2)])
    for _ in range(6):
        await watched.happens(READY)
    watched.clock.seconds += 59
    await watched.happens(READY)
    watched.clock.seconds += 1
    await watched.happens(READY)
    found = await watched.told()
    limited = [event.dropped for event in found if isinstance(event, NotifyLimited)]
    assert limited == [1, 4]
    assert sum(isinstance(event, NotifyBell) for event in found) == 3


async def test_each_rule_has_a_minute_of_its_own(watched: Watched) -> None:
    watched.notifier.use([rule("c:1", bell=True, per_minute=1), rule("c:2", bell=True, per_minute=3)])
    for _ in range(3):
        await watched.happens(READY)
    rung = [event.rule for event in await watched.told() if isinstance(event, NotifyBell)]
    assert (rung.count("c:1"), rung.count("c:2")) == (1, 3)


async def test_other_rules_count_from_the_next_event_on(watched: Watched) -> None:
    watched.notifier.use([rule("old", bell=True)])
    await watched.happens(READY)
    await watched.next(NotifyBell)
    watched.notifier.use([rule("new", bell=True)])
    await watched.happens(READY)
    assert (await watched.next(NotifyBell)).event == NotifyBell(rule="new", cause=await newest(watched, READY))
    watched.notifier.use([])
    await watched.happens(READY)
    assert await watched.told() == []


async def newest(watched: Watched, event: Event) -> int:
    return max(record.seq for record in watched.journal.read(0, limit=100) if record.event == event)


def test_one_that_hangs_is_killed(stop: int) -> None:
    failure = run_command(python("import time; time.sleep(1000)"), b"\n", environ={}, stop=stop, timeout_s=0.1)
    assert failure == Failure("took longer than 0.1s")


def test_one_that_is_killed_is_killed_with_what_it_started(tmp_path: Path, stop: int) -> None:
    """The child of the command holds a pipe; its end is seen when it is dead."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n    f = open(sys.argv[1], 'w'); f.write('here'); f.flush(); time.sleep(1000)\n"
        "time.sleep(1000)"
    )
    command = python(code, str(pipe))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_command, command, b"\n", environ={}, stop=stop, timeout_s=170)
        with pipe.open() as end:
            assert end.read(4) == "here"
            os.eventfd_write(stop, 1)
            assert end.read() == ""
        assert running.result() == Failure("orlop ended")


async def test_one_that_hangs_is_killed_when_orlop_ends(watched: Watched, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    watched.notifier.use(
        [rule(command=python("import sys, time; open(sys.argv[1], 'w'); time.sleep(1000)", str(pipe)))]
    )
    await watched.happens(READY)
    with await asyncio.to_thread(pipe.open):  # it runs
        watched.notifier.hurry()
        found = await watched.told()
    assert [(event.TYPE, getattr(event, "reason", "")) for event in found] == [("notify.failed", "orlop ended")]


def test_what_floods_its_standard_error_ends_and_is_kept_in_part(stop: int) -> None:
    code = "import sys; sys.stderr.write('x' * 3_000_000 + '\\nthe end\\n'); sys.exit(3)"
    assert run_command(python(code), b"\n", environ={}, stop=stop) == Failure("exit status 3", "the end")


def test_what_it_leaves_in_the_background_is_not_waited_for(tmp_path: Path, stop: int) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = "import os, sys\nif os.fork() == 0:\n    open(sys.argv[1]).read(); os._exit(0)"
    assert run_command(python(code, str(pipe)), b"\n", environ={}, stop=stop) is None
    with pipe.open("w"):
        pass


# --- in a core ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def owner(tmp_path: Path) -> AsyncIterator[Callable[[str], Awaitable[Core]]]:
    file = tmp_path / "config.toml"
    started: list[Core] = []

    async def start(text: str) -> Core:
        file.write_text(text)

        def read() -> configuration.Config:
            return configuration.load(file)

        options = CoreOptions(state_path=tmp_path / "state", owner=True, config=read(), reload=read)
        started.append(await Core.start(options))
        return started[0]

    yield start
    while started:
        await started.pop().stop("test")


def script(path: Path, out: Path) -> str:
    path.write_text(f"#!/bin/sh\nexec cat >> {out}\n")
    path.chmod(stat.S_IRWXU)
    return str(path)


async def test_an_owner_tells_its_start_and_its_stop(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = script(tmp_path / "tell", out)
    text = f'[[notify]]\nevents = ["core.started", "core.stopping", "core.stopped"]\ncommand = ["{program}"]\n'
    (tmp_path / "config.toml").write_text(text)
    config = configuration.load(tmp_path / "config.toml")
    core = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True, config=config))
    await core.stop("test")
    types = {json.loads(line)["type"] for line in out.read_text().splitlines()}
    assert types == {"core.started", "core.stopping"}


async def test_a_reload_brings_other_rules(owner: Callable[[str], Awaitable[Core]], tmp_path: Path) -> None:
    core = await owner("")
    bell = '[[notify]]\nevents = ["agent.deleted"]\nbell = true\n'
    (tmp_path / "config.toml").write_text(bell)
    keys, later = core.reload()
    assert (keys, later) == (("notify",), ())
    heard: asyncio.Queue[Event] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def sink(records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record.event, NotifyBell):
                loop.call_soon_threadsafe(heard.put_nowait, record.event)

    core.journal.subscribe(core.journal.last_seq(), sink)
    core.note(AgentDeleted(room="r", agent="a"))
    rung = await heard.get()
    assert isinstance(rung, NotifyBell)
    assert rung.rule == "config.toml:1"


async def test_a_command_of_one_shot_tells_nobody(tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = f'[[notify]]\nevents = ["*"]\ncommand = ["{script(tmp_path / "tell", out)}"]\n'
    (tmp_path / "config.toml").write_text(text)
    config = configuration.load(tmp_path / "config.toml")
    core = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=False, config=config))
    core.note(READY)
    await core.stop("test")
    assert not out.exists()
