"""`RemoteCore` against servers that do not behave: played on a socket, line by line."""

import contextlib
import dataclasses
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console import wire
from console.client import Result
from console.remote import RemoteCore
from runtime.errors import UnavailableError

SECONDS = 20
HELLO = wire.ServerHello(
    proto=(1, 1), v=1, server="orlop 0", node="n", peer_id="p", seq=0, read_only=False, instance="i"
)

Work = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(path: Path, work: Work) -> Iterator[None]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        sock, _ = listener.accept()
        sock.settimeout(SECONDS)
        with sock, contextlib.suppress(OSError):
            work(sock)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join(SECONDS)
        listener.close()


def says(*lines: bytes, reads: int = 0) -> Work:
    """Says lines; before the last one it reads so many of the client's."""

    def work(sock: socket.socket) -> None:
        for line in lines[: len(lines) - 1]:
            sock.sendall(line)
        with sock.makefile("rb") as stream:
            for _ in range(reads):
                stream.readline()
        sock.sendall(lines[-1])

    return work


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.mark.parametrize(
    ("proto", "side"), [((2, 3), "update orlop on this side"), ((0, 0), "update orlop on the owner's side")]
)
def test_another_version_says_which_side_to_update(path: Path, proto: tuple[int, int], side: str) -> None:
    other = wire.encode(dataclasses.replace(HELLO, proto=proto))
    with server(path, says(other)), pytest.raises(UnavailableError, match=side):
        RemoteCore(path, client="test")


@pytest.mark.parametrize("line", [b"", b'{"m":"bye","reason":"x"}\n'])
def test_a_greeting_that_is_none(path: Path, line: bytes) -> None:
    with server(path, says(line)), pytest.raises(UnavailableError, match="ended the connection"):
        RemoteCore(path, client="test")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (wire.encode(wire.Bye(reason="shut\x1bdown")), r"the owner ended: shut\\x1bdown"),
        (wire.encode(wire.Trouble(code="protocol", text="no such thing")), "no such thing"),
        (b"nonsense\n", "cannot be read: not JSON"),
        (b'{"m":"done","id":1}\n', "cannot be read"),
        (b"half a line", "connection to the owner is closed"),
    ],
)
def test_whatever_ends_the_connection_is_why_commands_fail(path: Path, line: bytes, words: str) -> None:
    played = server(path, says(wire.encode(HELLO), line, reads=2))
    with played, contextlib.closing(RemoteCore(path, client="test")) as core:
        with pytest.raises(UnavailableError, match=words):
            core.execute("show", {}).result.result(SECONDS)
        with pytest.raises(UnavailableError):
            core.execute("show", {}, {"stdin": 0}).result.result(SECONDS)


def test_answers_to_nobody_are_passed_over_and_pings_answered(path: Path) -> None:
    seen: list[wire.Message] = []

    def work(sock: socket.socket) -> None:
        sock.sendall(wire.encode(HELLO))
        with sock.makefile("rb") as stream:
            stream.readline()
            for line in (
                *wire.done_lines(99, Result(ok=True)),
                wire.encode(wire.Ok(id=5)),
                wire.encode(wire.Ping(t=7)),
            ):
                sock.sendall(line)
            sock.sendall(wire.encode(wire.SnapshotPart(id=98, seq=1, topics={})))
            sock.sendall(wire.encode(wire.Gap(id=97, from_=1, to=2)))
            seen.append(wire.decode(stream.readline(), from_client=True))
            seen.append(wire.decode(stream.readline(), from_client=True))
            sock.sendall(b"".join(wire.done_lines(1, Result(ok=True, value="here"))))
            stream.read()

    with server(path, work), contextlib.closing(RemoteCore(path, client="test")) as core:
        execution = core.execute("show", {})
        assert execution.result.result(SECONDS).value == "here"
        execution.interrupt(130)  # too late, and harmless
    assert wire.Pong(t=7) in seen


def test_more_than_a_command_can_have_is_not_sent(path: Path) -> None:
    played = server(path, says(wire.encode(HELLO), b"", reads=1))
    with played, contextlib.closing(RemoteCore(path, client="test")) as core:
        long = core.execute("show", {"a": "x" * wire.LINE_MAX}).result.result(SECONDS)
        many = core.execute("show", {}, {f"dir.{n}": 0 for n in range(wire.DESCRIPTORS_MAX + 1)}).result.result(SECONDS)
    for result in (long, many):
        assert result.fault is not None
        assert result.fault.text == "more arguments or files than a command can have"


def test_what_waits_to_be_sent_keeps_no_descriptor_open(path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))

    def work(sock: socket.socket) -> None:
        sock.sendall(wire.encode(HELLO))
        sock.recv(1)

    with server(path, work), contextlib.closing(RemoteCore(path, client="test")) as core:
        reads, writes = os.pipe()
        for _ in range(5):
            core.execute("show", {"a": "x" * 500_000}, {"stdin": reads})
        os.close(reads)
        os.close(writes)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
