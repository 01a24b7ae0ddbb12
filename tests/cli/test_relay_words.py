"""`orlop rooms relay`: a server in the foreground that says where it is, ends by a signal and keeps nothing."""

import asyncio
import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from aiohttp import ClientSession

from console.cmdline.relay import parse_bind
from runtime.errors import UsageError
from tests.cli.program import command, environment, modules_of, orlop
from tests.net.rooms.peers import ROOM, Peer, join, said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_serves_until_a_signal_and_keeps_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with _started(tmp_path, "--json") as relay:
        assert relay.stdout is not None
        assert relay.stderr is not None
        first = json.loads(relay.stdout.readline())
        asyncio.run(_talk(first["url"]))
        relay.send_signal(number)
        lines = [json.loads(line) for line in relay.stdout]
        talk = relay.stderr.read()

    assert (first["v"], first["type"]) == (1, "relay.listening")
    assert [(line["type"], line["messages"]) for line in lines] == [("relay.stopped", 3)]
    assert (relay.wait(30), talk) == (code, b"")
    assert list(tmp_path.iterdir()) == []


def test_without_json_it_talks_on_stderr_and_names_nobody(tmp_path: Path) -> None:
    with _started(tmp_path) as relay:
        assert relay.stdout is not None
        assert relay.stderr is not None
        first = relay.stderr.readline().decode()
        asyncio.run(_talk(first.split()[5].rstrip(";")))
        relay.terminate()
        talk = first + relay.stderr.read().decode()
        assert relay.stdout.read() == b""

    assert talk.splitlines()[1:] == ["orlop: the relay has ended; 3 messages were taken"]
    assert not [word for word in ("ann", "bob", ROOM, "sealed") if word in talk]


def test_a_port_that_is_taken_is_exit_5(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = orlop(tmp_path, "rooms", "relay", "--bind", address)

    assert ran.code == 5
    assert ran.talk == (
        f"orlop: rooms relay: {address}: cannot be listened on: address already in use;"
        " name a free address with --bind, such as 127.0.0.1:0\n"
    )


@pytest.mark.parametrize("words", [["--bind", "8484"], ["--bind", "host:port"], ["--per-address", "0"]])
def test_an_address_or_a_number_that_is_none_is_exit_2(tmp_path: Path, words: list[str]) -> None:
    ran = orlop(tmp_path, "rooms", "relay", *words)

    assert (ran.code, ran.talk.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:8484", ("::1", 8484)),
        ("relay.example:65535", ("relay.example", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert parse_bind(text) == address


@pytest.mark.parametrize(
    "text", ["", ":80", "host", "host:", "host:-1", "host:65536", "::1:80", "[::1]", "a b:80", "h:²"]
)
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        parse_bind(text)


def test_a_console_does_not_serve_it(owned: Path) -> None:
    from console.remote import RemoteCore
    from runtime.statedir import StateDir

    core = RemoteCore(StateDir(owned / ".local/state/orlop").control_socket, client="cli")
    try:
        result = core.execute("rooms relay", {}).result.result(30)
    finally:
        core.close()
    assert result.fault is not None
    assert result.fault.line == (
        "rooms relay: serves until a signal ends it; start it in a shell of its own: orlop rooms relay"
    )


@pytest.mark.parametrize("words", [["--version"], ["rooms", "list"], ["status"]])
def test_one_command_does_not_load_the_network(tmp_path: Path, words: list[str]) -> None:
    assert not {name for name in modules_of(tmp_path, *words) if name.partition(".")[0] in {"aiohttp", "net"}}


def _started(home: Path, *words: str) -> "subprocess.Popen[bytes]":
    line = command("rooms", "relay", "--bind", "127.0.0.1:0", *words)
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(home), cwd=home)


async def _talk(url: str) -> None:
    """Three messages: two join, and one says something that arrives."""
    async with (
        ClientSession() as session,
        session.ws_connect(f"{url}/room/{ROOM}") as first,
        session.ws_connect(f"{url}/room/{ROOM}") as second,
    ):
        ann, bob = Peer(first), Peer(second)
        await ann.say(join("ann"))
        await ann.hear()
        await bob.say(join("bob"), said("bob"))
        assert (await ann.hear())["identityKey"] == "bob"
        assert (await ann.hear())["ciphertext"] == "sealed"
