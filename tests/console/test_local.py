"""The core on its thread: what a face can do with it, and how commands go through it."""

import asyncio
import contextlib
import os
import sys
import threading
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from console import registry
from console.call import Call
from console.client import Fault, Result
from console.commands import Arg, Command, Kind
from console.config import Config
from console.core import Core, CoreOptions
from console.local import LocalCore
from console.settings import CoreConfig
from runtime.errors import InUseError, OrlopError, RefusedError, UnavailableError, UsageError
from runtime.events import CommandDone, CoreError, CoreStopped, CoreStopping, Event, JobOutput, Record
from runtime.statedir import StateDir, acquire_owner, prepare
from runtime.vault import Vault

SECONDS = 30


class Handlers(types.ModuleType):
    """What the registry of these tests names."""

    running: threading.Event

    @staticmethod
    async def echo(_core: Core, call: Call) -> Result:
        return Result(ok=True, value={"args": {k: v if isinstance(v, str) else list(v) for k, v in call.args.items()}})

    @staticmethod
    async def who(_core: Core, call: Call) -> Result:
        return Result(ok=True, value=[call.uid, call.face, call.read_only, call.command])

    @staticmethod
    async def refuse(_core: Core, _call: Call) -> Result:
        raise RefusedError("is bad", where="thing", hint="do better")

    @staticmethod
    async def crash(_core: Core, _call: Call) -> Result:
        message = "secret detail"
        raise ZeroDivisionError(message)

    @staticmethod
    async def cat(_core: Core, call: Call) -> Result:
        return Result(ok=True, value=os.read(call.files["file"], 100).decode())

    @classmethod
    async def wait(cls, _core: Core, call: Call) -> Result:
        cls.running.set()
        return Result(ok=True, exit_code=await call.interrupted)

    @classmethod
    async def stubborn(cls, _core: Core, _call: Call) -> Result:
        cls.running.set()
        await asyncio.Event().wait()
        return Result(ok=True)


TEXT = Arg(name="text", kind=Kind.TEXT, help="")
IT = Arg(name="it", kind=Kind.TEXT, help="", required=True)
FILE = Arg(name="file", kind=Kind.PATH, help="", required=True)
TABLE = (
    Command(
        name="echo",
        help="",
        handler="played:echo",
        args=(
            Arg(name="one", kind=Kind.TEXT, help=""),
            Arg(name="rest", kind=Kind.TEXT, help="", many=True, most=3),
            Arg(name="choice", kind=Kind.CHOICE, help="", choices=("red", "green"), option=True),
        ),
    ),
    Command(name="need", help="", handler="played:echo", args=(IT,)),
    Command(name="who", help="", handler="played:who"),
    Command(name="change", help="", handler="played:echo", changes=True, args=(TEXT,)),
    Command(name="refuse", help="", handler="played:refuse", changes=True),
    Command(name="crash", help="", handler="played:crash", changes=True),
    Command(name="cat", help="", handler="played:cat", args=(FILE,)),
    Command(name="wait", help="", handler="played:wait"),
    Command(name="stubborn", help="", handler="played:stubborn"),
)


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> type[Handlers]:
    Handlers.running = threading.Event()
    monkeypatch.setitem(sys.modules, "played", Handlers)  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "COMMANDS", {command.name: command for command in TABLE})
    return Handlers


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@contextlib.contextmanager
def running(state: Path, **options: object) -> Iterator[LocalCore]:
    given: dict[str, object] = {"state_path": state, "owner": False, **options}
    core = LocalCore(CoreOptions(**given), face="test")  # type: ignore[arg-type]
    try:
        yield core
    finally:
        core.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def result(core: LocalCore, command: str, args: Mapping[str, str | Sequence[str]] | None = None) -> Result:
    return core.execute(command, args or {}).result.result(SECONDS)


def journalled(core: LocalCore) -> list[Event]:
    result(core, "who")  # everything before is committed when a later write is
    core._core.store.write(lambda _: None).result(SECONDS)
    return [record.event for record in core.history.read(0, limit=1000)]


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("handlers")
def test_a_command_gets_its_arguments_and_who_asked(state: Path) -> None:
    with running(state) as core:
        value = {"args": {"one": "1", "rest": ["a", "b"]}}
        assert result(core, "echo", {"one": "1", "rest": ("a", "b")}) == Result(ok=True, value=value)
        assert result(core, "who").value == [os.geteuid(), "test", False, "who"]


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("command", "args", "words"),
    [
        ("eccho", {}, "no command `eccho`"),
        ("echo", {"on": "1"}, "unknown argument `on`; did you mean `one`?"),
        ("echo", {"one": ("1", "2")}, "`one` is given more than once"),
        ("echo", {"rest": ("1", "2", "3", "4")}, "`rest` is given 4 times; 3 times at most"),
        ("echo", {"choice": "reed"}, "`reed` is not a value of `choice`; did you mean `red`?"),
        ("echo", {"choice": "12345"}, "one of red, green"),
        ("echo", {"one": "\udcff"}, "is not UTF-8"),
        ("need", {}, "`it` is missing"),
    ],
)
def test_what_does_not_fit_the_table_is_a_usage_fault(
    state: Path, command: str, args: dict[str, str | Sequence[str]], words: str
) -> None:
    with running(state) as core:
        fault = result(core, command, args).fault
    assert fault is not None
    assert fault.code == "usage"
    assert words in fault.line


@pytest.mark.usefixtures("handlers")
def test_a_refusal_keeps_its_parts(state: Path) -> None:
    with running(state) as core:
        assert result(core, "refuse") == Result(
            ok=False, fault=Fault("refused", "is bad", "refuse", "thing", "do better")
        )


@pytest.mark.usefixtures("handlers")
def test_an_unexpected_exception_is_a_fault_without_details_and_an_event_with_them(state: Path) -> None:
    with running(state) as core:
        fault = result(core, "crash").fault
        events = journalled(core)
    assert fault is not None
    assert fault.code == "failed"
    assert "secret" not in fault.line
    assert "Traceback" not in fault.line
    errors = [event for event in events if isinstance(event, CoreError)]
    assert [(e.where, e.error) for e in errors] == [("crash", "unexpected ZeroDivisionError: secret detail")]


@pytest.mark.usefixtures("handlers")
def test_every_changing_command_is_journalled_with_its_outcome_and_without_its_text(state: Path) -> None:
    with running(state) as core:
        for command, args in (("change", {"text": "private"}), ("refuse", {}), ("crash", {}), ("echo", {})):
            result(core, command, args)
        done = [event for event in journalled(core) if isinstance(event, CommandDone)]
    assert [(e.command, e.ok, e.error, e.face) for e in done] == [
        ("change", True, "", "test"),
        ("refuse", False, "refused", "test"),
        ("crash", False, "failed", "test"),
    ]
    assert {e.uid for e in done} == {os.geteuid()}
    assert all(e.args is None and e.withheld for e in done)
    assert b"private" not in (state / "orlop.db").read_bytes()


@pytest.mark.usefixtures("handlers")
def test_read_only_refuses_what_changes_and_nothing_else(state: Path) -> None:
    with running(state, read_only=True) as core:
        fault = result(core, "change").fault
        assert fault is not None
        assert fault.code == "read-only"
        assert result(core, "echo").ok


def test_read_only_refuses_every_changing_command_that_exists(state: Path) -> None:
    changing = [command for command in registry.COMMANDS.values() if command.changes]
    assert changing
    with running(state, read_only=True) as core:
        for command in changing:
            fault = result(core, command.name).fault
            assert fault is not None
            assert fault.code == "read-only", command.name


@pytest.mark.usefixtures("handlers")
def test_descriptors_are_duplicated_and_closed(state: Path) -> None:
    with running(state) as core:
        result(core, "who")
        before = open_descriptors()
        reads, writes = os.pipe()
        os.write(writes, b"ahoy")
        execution = core.execute("cat", {}, {"file": reads})
        os.close(reads)
        os.close(writes)
        assert execution.result.result(SECONDS).value == "ahoy"
        unexpected = core.execute("who", {}, {"other": 0}).result.result(SECONDS)
        assert unexpected.fault is not None
        assert unexpected.fault.text == "unexpected descriptor `other`"
        assert open_descriptors() == before


@pytest.mark.usefixtures("handlers")
def test_an_interrupt_reaches_the_handler(state: Path) -> None:
    with running(state) as core:
        execution = core.execute("wait", {})
        execution.interrupt(130)
        execution.interrupt(143)
        assert execution.result.result(SECONDS).exit_code == 130


# --- life -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("exit_code", "seen"), [(143, 143), (130, 130), (0, 137)])
def test_a_stop_waits_then_interrupts_with_the_signals_code(
    state: Path, handlers: type[Handlers], exit_code: int, seen: int
) -> None:
    with running(state, config=Config(core=CoreConfig(drain_ms=0))) as core:
        execution = core.execute("wait", {})
        handlers.running.wait(SECONDS)
        core.stop("test", exit_code)
        assert execution.result.result(SECONDS).exit_code == seen


def test_what_does_not_listen_is_given_up_when_it_has_to_be_quick(state: Path, handlers: type[Handlers]) -> None:
    with running(state, config=Config(core=CoreConfig(drain_ms=3_600_000))) as core:
        execution = core.execute("stubborn", {})
        handlers.running.wait(SECONDS)
        core.stop("test")
        core.hurry()
        with pytest.raises(UnavailableError, match="stopped before"):
            execution.result.result(SECONDS)
        assert core.wait(SECONDS)


@pytest.mark.usefixtures("handlers")
def test_a_stopped_core_answers_with_an_error(state: Path) -> None:
    with running(state) as core:
        core.close()
        with pytest.raises(UnavailableError):
            core.execute("who", {}).result.result(SECONDS)
        with pytest.raises(UnavailableError):
            core.snapshot("node").result(SECONDS)


def test_a_start_that_fails_says_why_and_leaves_nothing_open(state: Path) -> None:
    prepared = prepare(state)
    Vault.load_or_create(prepared).wrap(prepared, b"pass")
    before = open_descriptors()
    with pytest.raises(RefusedError, match="passphrase"), running(state, owner=True):
        pass
    assert not prepared.control_socket.exists()
    assert open_descriptors() == before
    with running(state, owner=True, passphrase=b"pass") as core:
        assert core.snapshot("node").result(SECONDS)


def test_a_held_directory_is_refused(state: Path) -> None:
    with acquire_owner(prepare(state)), pytest.raises(InUseError), running(state, owner=False):
        pass


def test_an_owner_tells_of_its_start_and_end(state: Path) -> None:
    got: list[Record] = []
    with running(state, owner=True) as core:
        core.subscribe(core.first_seq, got.extend)
        assert StateDir(state).control_socket.exists()
        core.stop("because", 8)
    kinds = [record.event.TYPE for record in got]
    assert kinds[0] == "core.started"
    assert kinds[-2:] == ["core.stopping", "core.stopped"]
    stopping, stopped = got[-2].event, got[-1].event
    assert isinstance(stopping, CoreStopping)
    assert isinstance(stopped, CoreStopped)
    assert (stopping.reason, stopped.exit_code) == ("because", 8)


def test_content_reaches_only_those_who_ask_for_it(state: Path) -> None:
    output = JobOutput(job="j", stream="stdout", offset=0, length=1, data_b64="QQ==")
    plain: list[Record] = []
    full: list[Record] = []
    with running(state, owner=True) as core:
        core.subscribe(core.first_seq, plain.extend)
        core.subscribe(core.first_seq, full.extend, content=True)
        core._core.note(output)
    assert output in [record.event for record in full]
    bare = next(record.event for record in plain if isinstance(record.event, JobOutput))
    assert (bare.data_b64, bare.withheld) == (None, (("data_b64", 4),))


def test_an_unknown_topic_is_a_usage_error(state: Path) -> None:
    with running(state) as core, pytest.raises(UsageError, match="no topic `nods`"):
        core.snapshot("nods").result(SECONDS)


def test_the_node_says_what_it_is(state: Path) -> None:
    with running(state, read_only=True) as core:
        node = core.snapshot("node").result(SECONDS).topics["node"]
    assert isinstance(node, dict)
    assert node["read_only"] is True
    assert node["tick_interval_ms"] == 30_000
    assert str(node["peer_id"]).startswith("12D3KooW")


def test_only_demo_directories_tick_faster(state: Path) -> None:
    from console.settings import AgentsConfig

    quick = Config(agents=AgentsConfig(tick_interval_ms=5_000), origins={"agents.tick_interval": "test"})
    with pytest.raises(OrlopError, match="demo directories only"), running(state, owner=True, config=quick):
        pass
