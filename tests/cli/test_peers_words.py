"""`orlop peers dial|ping` and `--p2p-listen`, between real processes on the loopback."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import orlop
from tests.cli.running import Running

NOBODY = "12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"
LISTENING = ("--no-ui", "--p2p-listen", "/ip4/127.0.0.1/tcp/0", "--p2p-listen", "/ip4/127.0.0.1/udp/0/quic-v1")


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A node that listens."""
    found = Running(tmp_path_factory.mktemp("ada") / "home", *LISTENING)
    found.until("core.ready")
    yield found
    found.close()


@pytest.fixture(scope="module")
def places(ada: Running) -> dict[str, str]:
    """Her addresses by transport."""
    status = ada.run("status")
    return {"quic" if "/quic-v1/" in place else "tcp": place for place in status["listen"]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Somebody else's."""
    assert orlop(tmp_path, "init", "--yes").code == 0
    return tmp_path


@pytest.mark.parametrize("transport", ["tcp", "quic"])
def test_a_dialled_peer_proves_its_key(ada: Running, places: dict[str, str], home: Path, transport: str) -> None:
    me, her = orlop(home, "status", "--json").json["peer_id"], ada.run("status")["peer_id"]
    dialled = orlop(home, "peers", "dial", places[transport], "--json")
    assert dialled.code == 0, dialled.talk
    assert (dialled.json["peer"], dialled.json["transport"], dialled.json["dialled"]) == (her, transport, True)
    assert {"/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"} <= set(dialled.json["protocols"])
    pinged = orlop(home, "peers", "ping", her, "--count", "2", "--json")
    assert pinged.code == 0, pinged.talk
    assert len(pinged.json["rtts_us"]) == 2
    ada.until("peer.connected", peer=me, transport=transport, dialled=False)
    ada.until("peer.disconnected", peer=me)
    assert me in {row["peer"] for row in ada.run("peers", "list")["items"]}
    (row,) = orlop(home, "peers", "list", "--json").json["items"]
    assert row["peer"] == her
    assert row["rtt_us"] in pinged.json["rtts_us"]
    assert (row["worker"], row["submitter"]) == (False, False)


def test_two_that_run_stay_connected_and_a_ban_ends_it(ada: Running, places: dict[str, str], tmp_path: Path) -> None:
    jo = Running(tmp_path / "jo", "--no-ui")
    try:
        jo.until("core.ready")
        me, her = jo.run("status")["peer_id"], ada.run("status")["peer_id"]
        jo.run("peers", "dial", places["tcp"])
        (row,) = jo.run("peers", "list")["items"]
        assert (row["state"], row["transport"], row["dialled"]) == ("connected", "tcp", True)
        (here,) = [row for row in ada.run("peers", "list")["items"] if row["peer"] == me]
        assert (here["state"], here["dialled"]) == ("connected", False)
        ada.run("peers", "ban", me, "--yes")
        jo.until("peer.disconnected", peer=her)
        refused = orlop(jo.home, "peers", "ping", her)
        assert refused.code in {1, 5}, refused.talk
        ada.run("peers", "ban", me, "--remove", "--yes")
    finally:
        jo.close()


def test_who_proves_another_key_is_not_taken_for_the_one_that_was_meant(
    ada: Running, places: dict[str, str], home: Path
) -> None:
    her = ada.run("status")["peer_id"]
    for place in places.values():
        ran = orlop(home, "peers", "dial", place.replace(her, NOBODY))
        assert ran.code == 1, ran.talk
        assert f"answered with another key, {her}" in ran.talk
        assert NOBODY in ran.talk
    assert NOBODY not in {row["peer"] for row in orlop(home, "peers", "list", "--json").json["items"]}


def test_without_a_name_nobody_is_dialled_unless_one_says_so(places: dict[str, str], home: Path) -> None:
    bare = places["tcp"].partition("/p2p/")[0]
    ran = orlop(home, "peers", "dial", bare)
    assert (ran.code, "names nobody" in ran.talk, "--insecure-any" in ran.talk) == (2, True, True)
    ran = orlop(home, "peers", "dial", bare, "--insecure-any", "--json")
    assert (ran.code, ran.json["peer"]) == (0, places["tcp"].rpartition("/")[2])


@pytest.mark.parametrize(
    ("address", "code", "why"),
    [
        ("/ip4/127.0.0.1/tcp/70000/p2p/" + NOBODY, 2, "70000"),
        ("/ip4/127.0.0.1/udp/1/quic/p2p/" + NOBODY, 2, "quic"),
        ("/ip4/127.0.0.1/tcp/1/p2p/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", 2, "another kind of key"),
        ("/nonsense", 2, "nonsense"),
        ("nobody-at-all", 1, "no peer is called so"),
        (NOBODY, 2, "has no known address"),
    ],
)
def test_what_is_no_address_is_said_in_one_line(home: Path, address: str, code: int, why: str) -> None:
    ran = orlop(home, "peers", "dial", address)
    assert ran.code == code, ran.talk
    assert why in ran.talk
    assert ran.talk.count("\n") == 1


def test_where_nobody_answers_is_unreachable(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        ran = orlop(home, "peers", "dial", f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}/p2p/{NOBODY}")
    assert ran.code == 5, ran.talk
    assert ran.talk.count("\n") == 1


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x01\x02\x00", b""])
def test_who_speaks_something_else_is_a_fault_of_theirs(home: Path, words: bytes) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)

        import threading

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(words)

        thread = threading.Thread(target=answer)
        thread.start()
        ran = orlop(home, "peers", "dial", f"/ip4/127.0.0.1/tcp/{server.getsockname()[1]}/p2p/{NOBODY}")
        thread.join()
    assert ran.code in {1, 5}, ran.talk
    assert ran.talk.count("\n") == 1


def test_oneself_is_not_dialled(ada: Running, places: dict[str, str]) -> None:
    ran = orlop(ada.home, "peers", "dial", places["tcp"])
    assert (ran.code, "is this node itself" in ran.talk) == (2, True)


def test_a_port_in_use_is_said_with_5(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        place = f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}"
        ran = orlop(tmp_path, "--no-ui", "--for", "1s", "--p2p-listen", place)
    assert ran.code == 5, ran.talk
    assert place in ran.talk
    assert ran.talk.count("\n") == 1


def test_an_address_that_is_none_is_refused_with_the_place_where_it_stands(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "--no-ui", "--for", "1s", "--p2p-listen", "/ip4/127.0.0.1")
    assert (ran.code, "p2p.listen" in ran.talk) == (2, True)
    (tmp_path / "config.toml").write_text('[p2p]\nlisten = "/ip4/127.0.0.1/tcp/0 /ip4/x/tcp/1"\n')
    ran = orlop(tmp_path, "--no-ui", "--for", "1s", "--config", str(tmp_path / "config.toml"))
    assert ran.code == 2, ran.talk
    assert "config.toml:2" in ran.talk
    assert "/ip4/x/tcp/1" in ran.talk


def test_status_says_where_a_node_is_reached(ada: Running, places: dict[str, str]) -> None:
    said = orlop(ada.home, "status").text.splitlines()
    assert {line.split()[-1] for line in said if line.startswith("listens at")} == set(places.values())


def test_without_settings_nothing_listens(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "--no-ui", "--for", "0s")
    assert "net.listening" not in ran.text
    assert orlop(tmp_path, "status", "--json").json["listen"] == []
