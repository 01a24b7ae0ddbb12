"""Bad input about peers on the command line: each is one clear line with its exit code, and leaves nothing."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from net.host import Host
from net.identify import IDENTIFY
from net.multiaddr import Multiaddr
from net.protobuf import encode_fields
from net.stream import Connection, Stream
from net.varint import encode_varint
from runtime.clock import SystemClock
from runtime.identity import Identity
from runtime.sanitise import clean
from tests.cli.program import ROOT, Ran, inside, orlop
from tests.cli.running import Running
from tests.net.nodes import PATIENT, Table

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")
NOBODY = "12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"
MALLORY = Identity(b"m" * 32)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node whose book stays empty whatever is said to it here."""
    folder = tmp_path_factory.mktemp("home")
    assert orlop(folder, "init", "--yes").code == 0
    return folder


def here(home: Path, *words: str) -> Ran:
    """One command of that node, in this process, which is faster."""
    return inside(home, words, cwd=home)


def refused(ran: Ran, code: int, *words: str) -> None:
    """One line that says all this, and nothing a terminal obeys."""
    assert (ran.code, ran.out, ran.talk.count("\n")) == (code, b"", 1), ran.talk
    assert clean(ran.talk.rstrip("\n")) == ran.talk.rstrip("\n")
    for word in words:
        assert word in ran.talk


# --- names, keys and addresses ---------------------------------------------------------------------------------------

NO_PEERS = {
    "a PeerId that is cut": NOBODY[:-1],
    "one with a letter too many": NOBODY + "a",
    "one in a wrong alphabet": NOBODY[:-2] + "0l",
    "a key that is cut": "ab" * 31,
    "a key on which every signature fits": "01" + "00" * 31,
    "another kind of key": "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
    "codes of a terminal": "\x1b]0;pwn\x07",
    "much": "a" * 5_000,
}


@pytest.mark.parametrize("name", NO_PEERS)
def test_what_is_no_peer_and_no_key_is_nobody(home: Path, name: str) -> None:
    for words in (("peers", "trust"), ("peers", "ban", "--yes"), ("peers", "ping"), ("peers", "show")):
        ran = here(home, *words, NO_PEERS[name])
        assert ran.code in {1, 2}, ran.talk
        refused(ran, ran.code)
    assert here(home, "peers", "list", "--json").json["items"] == []


NO_ADDRESSES = {
    "no port": "/ip4/127.0.0.1/tcp",
    "no number": "/ip4/127.0.0.1/tcp/http",
    "no address": "/ip4/127.0.0.256/tcp/1",
    "an IPv6 address that is none": "/ip6/:::1/tcp/1",
    "a web socket": "/ip4/127.0.0.1/tcp/1/ws",
    "too long": "/dns/" + "a" * 2_000 + "/tcp/1",
    "codes of a terminal": "/ip4/\x1b[2J/tcp/1",
    "two peers": f"/ip4/127.0.0.1/tcp/1/p2p/{NOBODY}/p2p/{NOBODY}",
    "a PeerId that is none": "/ip4/127.0.0.1/tcp/1/p2p/12D3KooW",
}


@pytest.mark.parametrize("name", NO_ADDRESSES)
def test_what_is_no_multiaddr_is_neither_dialled_nor_listened_on(home: Path, name: str) -> None:
    refused(here(home, "peers", "dial", NO_ADDRESSES[name]), 2)
    ran = here(home, "--no-ui", "--for", "0s", "--p2p-listen", NO_ADDRESSES[name])
    refused_to_start(ran, 2, "p2p.listen")


# --- listening --------------------------------------------------------------------------------------------------------


def refused_to_start(ran: Ran, code: int, place: str) -> None:
    assert (ran.code, ran.talk.count("\n"), place in ran.talk) == (code, 1, True), ran.talk


def test_a_udp_port_in_use_is_said_with_5(home: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"/ip4/127.0.0.1/udp/{taken.getsockname()[1]}/quic-v1"
        refused_to_start(here(home, "--no-ui", "--for", "0s", "--p2p-listen", place), 5, place)


@pytest.mark.parametrize("place", ["/ip4/192.0.2.1/tcp/0", "/ip4/192.0.2.1/udp/0/quic-v1", "/ip6/2001:db8::1/tcp/0"])
def test_an_address_of_somebody_else_is_not_listened_on(home: Path, place: str) -> None:
    refused_to_start(here(home, "--no-ui", "--for", "0s", "--p2p-listen", place), 5, place)


# --- where to begin ---------------------------------------------------------------------------------------------------

ANYWHERE = "/ip4/127.0.0.1/udp/0/quic-v1"
START = f"/ip4/127.0.0.1/udp/4001/quic-v1/p2p/{NOBODY}"
NO_STARTS = {
    "a thousand of them": " ".join([START] * 1000),
    "one without its key": START.partition("/p2p/")[0],
    "a name that must be looked up": START.replace("/ip4/127.0.0.1", "/dns4/boot.example"),
}


@pytest.mark.parametrize("name", NO_STARTS)
def test_sec09_where_the_dht_begins_is_bounded_named_by_key_and_asks_no_dns(
    home: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[p2p]\nbootstrap = {json.dumps(NO_STARTS[name])}\n")
    for words in (("peers", "discover", "--wait", "0s"), ("--no-ui", "--for", "0s", "--p2p-listen", ANYWHERE)):
        refused_to_start(here(home, "--config", str(file), *words), 2, "p2p.bootstrap")


# --- IPv6 alone -------------------------------------------------------------------------------------------------------


def test_over_ipv6_alone_a_peer_is_dialled_and_runs_a_job(tmp_path: Path) -> None:
    listens = [word for kind in ("tcp/0", "udp/0/quic-v1") for word in ("--p2p-listen", f"/ip6/::1/{kind}")]
    ada, bob = Running(tmp_path / "ada", "--no-ui", *listens), tmp_path / "bob"
    try:
        bob.mkdir()
        here(bob, "init", "--yes")
        ada.until("core.ready")
        ada.run("peers", "trust", here(bob, "status", "--json").json["peer_id"], "--jobs")
        places = ada.run("status")["listen"]
        assert [place.split("/")[1:4] for place in places] == [["ip6", "::1", "tcp"], ["ip6", "::1", "udp"]]
        for place in places:
            ran = orlop(bob, "jobs", "run", HELLO, "--on", place, "--stdin", "-", stdin=b"six")
            assert (ran.code, ran.out) == (0, b"xis"), ran.talk
    finally:
        ada.close()


# --- who is dialled says bad things -----------------------------------------------------------------------------------

BAD_WORDS: dict[str, tuple[bytes, str]] = {
    "another's key": (encode_fields([(1, b"\x08\x01\x12\x20" + bytes(32))]), "named another key"),
    "a hundred thousand addresses": (
        encode_fields([(2, Multiaddr.parse("/ip4/192.0.2.1/tcp/1").to_bytes())] * 100_000),
        "more than 16384 bytes",
    ),
    "no protobuf": (b"\xff" * 100, "no protobuf"),
}


@asynccontextmanager
async def liar(said: bytes) -> AsyncIterator[Multiaddr]:
    """Listens, proves its key, and says that of itself."""

    async def says(_: Connection, stream: Stream) -> None:
        await stream.write(encode_varint(len(said)) + said)

    host = Host(MALLORY, PATIENT, clock=SystemClock(), on_event=lambda _event: None, standing=Table())
    host.serve(IDENTIFY, says)
    try:
        yield await host.listen(Multiaddr.parse("/ip4/127.0.0.1/tcp/0", listening=True))
    finally:
        await host.aclose()


@pytest.mark.parametrize("name", BAD_WORDS)
async def test_row_14_who_says_nonsense_of_itself_is_refused_in_one_line(home: Path, name: str) -> None:
    said, why = BAD_WORDS[name]
    async with liar(said) as place:
        ran = await asyncio.to_thread(orlop, home, "peers", "dial", str(place))
        assert ran.code in {1, 5}, ran.talk
        refused(ran, ran.code, why)


async def test_row_14_sec10_what_a_peer_calls_itself_is_shown_harmless(tmp_path: Path) -> None:
    agent = b"\x1b]52;c;cm0gLXJm\x07" + "\u202e".encode() + b"orlop" + b"x" * 1000
    async with liar(encode_fields([(3, b"/\x1b[31m"), (5, b"\x1b[2J"), (6, agent)])) as place:
        dialled = await asyncio.to_thread(orlop, tmp_path, "peers", "dial", str(place))
    assert dialled.code == 0, dialled.talk
    named = [here(tmp_path, "peers", *words) for words in (("list",), ("show", str(MALLORY.peer_id)))]
    for ran in (dialled, *named):
        assert ran.code == 0, ran.talk
        shown = (ran.text + ran.talk).splitlines()
        assert shown == [clean(line, 2_000) for line in shown]
    assert any("orlop" in ran.text for ran in (dialled, *named))
