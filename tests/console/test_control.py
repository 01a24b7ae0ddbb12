"""The control socket: real sockets, a core that is played by a table of answers."""

import asyncio
import contextlib
import json
import os
import socket
import stat
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from pathlib import Path

import pytest

from console import connection, control, wire
from console.client import Args, Fault, Result, Sink, Snapshot, Subscription
from console.control import ControlServer
from console.remote import RemoteCore
from runtime.errors import InUseError, RefusedError, UnavailableError
from runtime.events import ClientAttached, ClientDetached, CoreError, CoreReady, Event, JobOutput, Record, StreamGap

SECOND = 10.0
HELLO = b'{"m":"hello","proto":1,"client":"x"}\n'


class Played:
    """A `Served` whose commands are named after what they do."""

    def __init__(self) -> None:
        self.journal: list[Record] = []
        self.sinks: list[Sink] = []
        self.noted: list[Event] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.interrupts: list[int] = []
        self.calls: list[tuple[str, Args, int, str, bool]] = []
        self.changed = asyncio.Event()
        self.servers: list[ControlServer] = []

    content_shut = False

    @property
    def history(self) -> "Played":
        return self

    def read(self, since: int, *, limit: int) -> Sequence[Record]:
        return [record for record in self.journal if record.seq > since][:limit]

    def subscribe(self, since: int, sink: Sink, *, content: bool) -> Subscription:  # noqa: ARG002 - the protocol's
        sink([record for record in self.journal if record.seq > since])
        self.sinks.append(sink)
        self.changed.set()
        return Unsubscribe(self, sink)

    def happen(self, *events: Event) -> None:
        records = [Record(len(self.journal) + n, 1000, event) for n, event in enumerate(events, 1)]
        self.journal.extend(records)
        for sink in self.sinks:
            sink(records)

    def server_hello(self) -> wire.ServerHello:
        return wire.ServerHello(
            proto=(1, 1), v=1, server="orlop 0", node="n", peer_id="p", seq=0, read_only=False, instance="i"
        )

    def note(self, event: Event) -> None:
        self.noted.append(event)
        self.changed.set()

    def spawn(self, work: Coroutine[object, object, None], where: str) -> None:  # noqa: ARG002 - as the core's
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def snapshot(self, topics: Sequence[str]) -> Snapshot:
        return Snapshot(7, {topic: [{"topic": topic}] for topic in topics})

    async def execute(
        self,
        command: str,
        args: Args,
        files: Mapping[str, int],
        *,
        interrupted: asyncio.Future[int],
        uid: int,
        face: str,
        read_only: bool,
    ) -> Result:
        self.calls.append((command, args, uid, face, read_only))
        self.changed.set()
        try:
            if command == "wait":
                code = await interrupted
                self.interrupts.append(code)
                self.changed.set()
                return Result(ok=True, exit_code=code)
            if command == "fail":
                return Result(ok=False, fault=Fault("refused", "why", "what", "where", "hint"))
            if command == "cat":
                data = os.read(files["stdin"], 100)
                os.write(files["stdout"], data.upper())
                return Result(ok=True, value=sorted(files))
            return Result(ok=True, value={name: list(v) if isinstance(v, tuple) else v for name, v in args.items()})
        finally:
            for descriptor in files.values():
                os.close(descriptor)


class Unsubscribe:
    def __init__(self, played: Played, sink: Sink) -> None:
        self._played, self._sink = played, sink

    def close(self) -> None:
        self._played.sinks.remove(self._sink)
        self._played.changed.set()


@pytest.fixture
async def played() -> Played:
    return Played()


@pytest.fixture
async def path(tmp_path: Path, played: Played) -> AsyncIterator[Path]:
    server = ControlServer(tmp_path / "control.sock")
    server.bind()
    server.serve(played)
    played.servers.append(server)
    yield tmp_path / "control.sock"
    server.close("shutdown")


async def remotely(path: Path, work: Callable[[RemoteCore], object], **options: object) -> object:
    """Runs what blocks on another thread, as a face would."""

    def run() -> object:
        core = RemoteCore(path, client="test", **options)  # type: ignore[arg-type]
        try:
            return work(core)
        finally:
            core.close()

    return await asyncio.to_thread(run)


async def until(played: Played, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECOND):
        while not condition():
            await played.changed.wait()
            played.changed.clear()


async def test_a_command_is_run_with_its_arguments_and_who_asked(path: Path, played: Played) -> None:
    result = await remotely(path, lambda core: core.execute("show", {"a": "1", "b": ("x", "y")}).result.result(SECOND))
    assert result == Result(ok=True, value={"a": "1", "b": ["x", "y"]})
    assert played.calls == [("show", {"a": "1", "b": ("x", "y")}, os.geteuid(), "test", False)]


async def test_a_refusal_keeps_every_part_of_its_line(path: Path) -> None:
    result = await remotely(path, lambda core: core.execute("fail", {}).result.result(SECOND), read_only=True)
    assert result == Result(ok=False, fault=Fault("refused", "why", "what", "where", "hint"))


async def test_descriptors_go_along(path: Path, played: Played) -> None:
    def work(core: RemoteCore) -> tuple[Result, bytes]:
        reads, writes = os.pipe()
        out_reads, out_writes = os.pipe()
        os.write(writes, b"ahoy")
        execution = core.execute("cat", {}, {"stdin": reads, "stdout": out_writes})
        for descriptor in (reads, writes, out_writes):
            os.close(descriptor)
        result = execution.result.result(SECOND)
        with os.fdopen(out_reads, "rb") as stream:
            return result, stream.read()

    assert await remotely(path, work) == (Result(ok=True, value=["stdin", "stdout"]), b"AHOY")


async def test_an_interrupt_reaches_the_command(path: Path) -> None:
    def work(core: RemoteCore) -> Result:
        execution = core.execute("wait", {})
        execution.interrupt(130)
        return execution.result.result(SECOND)

    assert await remotely(path, work) == Result(ok=True, exit_code=130)


async def test_a_client_that_goes_away_interrupts_its_commands(path: Path, played: Played) -> None:
    await remotely(path, lambda core: core.execute("wait", {}).result.running())
    await until(played, lambda: played.interrupts == [137])


async def test_commands_run_side_by_side(path: Path) -> None:
    def work(core: RemoteCore) -> list[Result]:
        waiting = core.execute("wait", {})
        others = [core.execute("show", {"n": str(n)}).result.result(SECOND) for n in range(20)]
        waiting.interrupt(143)
        return [*others, waiting.result.result(SECOND)]

    results = await remotely(path, work)
    assert isinstance(results, list)
    assert [r.value for r in results[:-1]] == [{"n": str(n)} for n in range(20)]
    assert results[-1].exit_code == 143


async def test_a_snapshot_comes_with_its_seq(path: Path) -> None:
    result = await remotely(path, lambda core: core.snapshot("jobs", "rooms").result(SECOND))
    assert result == Snapshot(7, {"jobs": [{"topic": "jobs"}], "rooms": [{"topic": "rooms"}]})


async def test_history_and_live_events_without_hole_or_double(path: Path, played: Played) -> None:
    played.happen(*[CoreReady(ms=n) for n in range(1500)])
    loop = asyncio.get_running_loop()
    got: list[Record] = []
    full = threading.Event()

    def sink(records: Sequence[Record]) -> None:
        got.extend(records)
        if got[-1].seq >= 1510:
            full.set()

    def work(core: RemoteCore) -> None:
        subscription = core.subscribe(3, sink)
        for n in range(10):
            loop.call_soon_threadsafe(played.happen, CoreReady(ms=n))
        assert full.wait(SECOND)
        subscription.close()

    await remotely(path, work)
    assert [record.seq for record in got] == list(range(4, 1511))
    await until(played, lambda: not played.sinks)
    kinds = [type(event) for event in played.noted]
    assert kinds == [ClientAttached, ClientDetached]


async def test_content_is_sent_only_when_asked_for(path: Path, played: Played) -> None:
    played.happen(JobOutput(job="j", stream="stdout", offset=0, length=1, data_b64="QQ=="))

    def first(core: RemoteCore, *, content: bool) -> Record:
        got: list[Record] = []
        came = threading.Event()
        core.subscribe(0, lambda records: (got.extend(records), came.set())[1], content=content)
        assert came.wait(SECOND)
        return got[0]

    with_content = await remotely(path, lambda core: first(core, content=True))
    without = await remotely(path, lambda core: first(core, content=False))
    assert isinstance(with_content, Record)
    assert isinstance(without, Record)
    assert isinstance(with_content.event, JobOutput)
    assert isinstance(without.event, JobOutput)
    assert (with_content.event.data_b64, without.event.data_b64) == ("QQ==", None)
    assert without.event.withheld == (("data_b64", 4),)


async def test_a_subscriber_that_does_not_read_is_cut_and_told(path: Path, played: Played) -> None:
    sock = await asyncio.to_thread(raw, path)
    hello(sock)
    sock.sendall(wire.encode(wire.Sub(id=1, since=0, content=True)))
    await until(played, lambda: bool(played.sinks))
    output = JobOutput(job="j", stream="stdout", offset=0, length=1, data_b64="A" * 40_000)
    played.happen(*[output] * 600)
    await until(played, lambda: not played.sinks)
    assert any(isinstance(e, ClientDetached) and e.reason == "too slow" and e.dropped for e in played.noted)
    messages = await asyncio.to_thread(read_until, sock, "gap")
    seen = [fields["seq"] for message in messages if message["m"] == "ev" for fields in message["e"]]
    assert seen == list(range(1, len(seen) + 1))
    assert messages[-1]["from"] == len(seen) + 1
    sock.close()


async def test_the_remote_core_goes_on_after_a_gap(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    got: list[Record] = []
    done = threading.Event()

    def sink(records: Sequence[Record]) -> None:
        got.extend(records)
        if len(got) == 2:
            done.set()

    def server() -> list[wire.Message]:
        sock, _ = listener.accept()
        sock.sendall(wire.encode(Played().server_hello()))
        with sock, sock.makefile("rb") as stream:
            asked = [wire.decode(stream.readline(), from_client=True) for _ in range(2)]
            sock.sendall(wire.encode(wire.Gap(id=1, from_=5, to=9)))
            asked.append(wire.decode(stream.readline(), from_client=True))
            sock.sendall(
                b'{"m":"ev","id":1,"e":[{"v":1,"seq":10,"ts":"2026-01-01T00:00:00.000Z","type":"core.ready","ms":1}]}\n'
            )
            assert done.wait(SECOND)
            return asked

    serving = asyncio.to_thread(server)
    task = asyncio.ensure_future(serving)
    core = await asyncio.to_thread(lambda: RemoteCore(tmp_path / "s", client="test"))
    core.subscribe(4, sink)
    asked = await task
    await asyncio.to_thread(core.close)
    listener.close()
    assert asked[1:] == [wire.Sub(id=1, since=4), wire.Sub(id=1, since=9)]
    assert got[0].event == StreamGap(first=5, to=9, reason="too slow")
    assert got[1] == Record(10, 1767225600000, CoreReady(ms=1))


# --- strangers and nonsense -----------------------------------------------------------------------------------------


def raw(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(SECOND)
    sock.connect(str(path))
    return sock


def hello(sock: socket.socket) -> None:
    sock.sendall(wire.encode(wire.ClientHello(proto=1, client="raw")))


def read_until(sock: socket.socket, kind: str) -> list[dict[str, object]]:
    messages: list[dict[str, object]] = []
    # A server that closes with unread bytes resets the connection, behind what it sent.
    with contextlib.suppress(ConnectionResetError), sock.makefile("rb") as stream:
        for line in stream:
            messages.append(json.loads(line))
            if messages[-1]["m"] == kind:
                break
    return messages


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "protocol"),
        (b'{"m":"get","id":1,"topics":[]}\n', "protocol"),
        (b'{"m":"hello","proto":2,"client":"x"}\n', "version"),
        (b'{"m":"hello","proto":0,"client":"x"}\n', "version"),
        (HELLO + b'{"m":"nonsense"}\n', "protocol"),
        (HELLO + HELLO, "protocol"),
        (HELLO + b"[" * 5000 + b"\n", "protocol"),
        (
            b'{"m":"hello","proto":1,"client":"x"}\n{"m":"do","id":1,"command":"cat","args":{},"files":["stdin"]}\n',
            "protocol",
        ),
        (b"x" * (wire.LINE_MAX + 10), "too-long"),
        (b"y" * wire.LINE_MAX + b"\n", "too-long"),
    ],
    ids=range(10),
)
async def test_what_is_no_request_is_answered_and_the_connection_closed(path: Path, lines: bytes, code: str) -> None:
    sock = await asyncio.to_thread(raw, path)

    def talk() -> list[dict[str, object]]:
        with contextlib.suppress(OSError):
            sock.sendall(lines)
        return read_until(sock, "error")

    messages = await asyncio.to_thread(talk)
    sock.close()
    assert messages[-1]["m"] == "error"
    assert messages[-1]["code"] == code


@pytest.mark.parametrize("args", [{"a": 1}, {"a": ["x", 1]}, {"a": None}, {"a": {"b": "c"}}])
async def test_arguments_that_are_no_text_are_a_usage_fault(
    path: Path, args: dict[str, object], played: Played
) -> None:
    sock = await asyncio.to_thread(raw, path)
    hello(sock)
    sock.sendall(json.dumps({"m": "do", "id": 1, "command": "show", "args": args}).encode() + b"\n")
    messages = await asyncio.to_thread(read_until, sock, "done")
    sock.close()
    error = messages[-1]["error"]
    assert isinstance(error, dict)
    assert error["code"] == "usage"
    assert not played.calls


async def test_more_descriptors_than_a_command_can_have_end_the_connection(path: Path) -> None:
    before = open_descriptors()
    sock = await asyncio.to_thread(raw, path)
    hello(sock)
    reads, writes = os.pipe()
    with contextlib.suppress(OSError):
        for _ in range(3):
            socket.send_fds(sock, [b" "], [reads] * 10)
    messages = await asyncio.to_thread(read_until, sock, "the end")
    assert messages[-1]["code"] == "descriptors"
    for descriptor in (reads, writes):
        os.close(descriptor)
    sock.close()
    assert open_descriptors() == before


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_another_user_gets_no_byte(path: Path, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_peer", lambda _: control._Peer(1, 12345, frozenset({12345})))
    sock = await asyncio.to_thread(raw, path)
    assert await asyncio.to_thread(sock.recv, 1) == b""
    sock.close()
    assert [event for event in played.noted if isinstance(event, ClientDetached)] == [
        ClientDetached(client="uid 12345", reason="another user")
    ]


async def test_more_clients_than_there_should_be_are_turned_away(
    path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_CLIENTS_MAX", 1)
    first = await asyncio.to_thread(raw, path)
    assert await asyncio.to_thread(first.recv, 1)
    second = await asyncio.to_thread(raw, path)
    assert await asyncio.to_thread(second.recv, 1) == b""
    first.close()
    second.close()
    assert [event.reason for event in played.noted if isinstance(event, ClientDetached)] == ["too many clients"]


async def test_more_commands_than_there_should_be_are_refused_one_by_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_RUNNING_MAX", 2)

    def work(core: RemoteCore) -> list[bool]:
        waiting = [core.execute("wait", {}) for _ in range(2)]
        refused = core.execute("show", {}).result.result(SECOND)
        for execution in waiting:
            execution.interrupt(130)
        return [refused.ok, *(execution.result.result(SECOND).ok for execution in waiting)]

    assert await remotely(path, work) == [False, True, True]


async def test_a_client_that_takes_nothing_at_all_is_dropped(path: Path, played: Played) -> None:
    sock = await asyncio.to_thread(raw, path)
    hello(sock)
    await asyncio.to_thread(sock.sendall, wire.encode(wire.Do(id=1, command="show", args={"a": "x" * 900_000})))
    await until(played, lambda: bool(played.calls))
    client = next(iter(played.servers[0]._clients))
    assert client._channel.pending  # the answer is more than the kernel takes
    client.check_stall(asyncio.get_running_loop().time())
    assert not client._channel.closed
    client.check_stall(asyncio.get_running_loop().time() + 31)
    assert client._channel.closed
    sock.close()


async def test_history_that_cannot_be_read_ends_the_connection_and_is_told(
    path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(since: int, *, limit: int) -> Sequence[Record]:
        raise UnavailableError("no disk", where="here")

    monkeypatch.setattr(played, "read", broken)
    sock = await asyncio.to_thread(raw, path)
    hello(sock)
    sock.sendall(wire.encode(wire.Sub(id=1, since=0)))
    messages = await asyncio.to_thread(read_until, sock, "error")
    sock.close()
    assert messages[-1]["code"] == "unavailable"
    assert CoreError(where="control socket", error="here: no disk") in played.noted


async def test_a_command_line_in_another_encoding_is_refused_before_it_is_sent(path: Path, played: Played) -> None:
    result = await remotely(path, lambda core: core.execute("show", {"a": "\udcff"}).result.result(SECOND))
    assert isinstance(result, Result)
    assert result.fault is not None
    assert result.fault.code == "usage"
    assert not played.calls


# --- the socket itself ----------------------------------------------------------------------------------------------


async def test_the_socket_is_ours_alone_and_goes_with_its_server(tmp_path: Path, played: Played) -> None:
    path = tmp_path / "control.sock"
    server = ControlServer(path)
    server.bind()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.serve(played)
    server.close("shutdown")
    assert not path.exists()


async def test_the_socket_of_a_dead_owner_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    server = ControlServer(path)
    server.bind()
    server.close("shutdown")


async def test_a_socket_that_answers_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(InUseError):
            ControlServer(path).bind()
    assert path.exists()


async def test_a_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("mine")
    with pytest.raises(RefusedError, match="no socket"):
        ControlServer(path).bind()
    assert path.read_text() == "mine"


async def test_a_socket_that_another_server_made_meanwhile_is_not_removed(tmp_path: Path, played: Played) -> None:
    path = tmp_path / "control.sock"
    server = ControlServer(path)
    server.bind()
    server.serve(played)
    path.unlink()
    other = ControlServer(path)
    other.bind()
    server.close("shutdown")
    assert path.exists()
    other.close("shutdown")


async def test_a_directory_with_a_very_long_name(tmp_path: Path, played: Played) -> None:
    directory = tmp_path / ("d" * 200)
    directory.mkdir()
    server = ControlServer(directory / "control.sock")
    server.bind()
    server.serve(played)
    result = await remotely(directory / "control.sock", lambda core: core.execute("show", {}).result.result(SECOND))
    assert isinstance(result, Result)
    assert result.ok
    server.close("shutdown")


async def test_nobody_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        RemoteCore(tmp_path / "control.sock", client="test")


async def test_the_end_of_the_server_fails_what_waits_with_its_reason(tmp_path: Path, played: Played) -> None:
    path = tmp_path / "control.sock"
    server = ControlServer(path)
    server.bind()
    server.serve(played)
    core = await asyncio.to_thread(lambda: RemoteCore(path, client="test"))
    waiting = core.execute("wait", {})
    await until(played, lambda: bool(played.calls))
    server.close("shutdown")
    with pytest.raises(UnavailableError, match="the owner ended: shutdown"):
        await asyncio.wrap_future(waiting.result)
    with pytest.raises(UnavailableError):
        await asyncio.wrap_future(core.snapshot("jobs"))
    await asyncio.to_thread(core.close)
    await until(played, lambda: played.interrupts == [137])
