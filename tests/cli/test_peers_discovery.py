"""`orlop peers discover` and `jobs run --discover`: hints from the LAN and the DHT, proofs by dialling."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import ROOT, orlop
from tests.cli.running import Running

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")
QUIC = ("--p2p-listen", "/ip4/127.0.0.1/udp/0/quic-v1")
NOBODY = "12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"


def configured(home: Path, **settings: object) -> Path:
    """A home with these settings of `[p2p]`."""
    home.mkdir(exist_ok=True)
    folder = home / ".config/orlop"
    folder.mkdir(parents=True)
    folder.joinpath("config.toml").write_text(
        "[p2p]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    )
    return home


@pytest.fixture
def started() -> Iterator[list[Running]]:
    running: list[Running] = []
    yield running
    for one in running:
        one.close()


def begin(started: list[Running], home: Path, *words: str) -> Running:
    one = Running(home, "--no-ui", *words)
    started.append(one)
    one.until("core.ready")
    return one


def place_of(node: Running) -> str:
    return str(node.run("status")["listen"][0])


def test_without_settings_and_peers_there_is_nowhere_to_look(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "peers", "discover")
    assert (ran.code, "nowhere to look" in ran.talk, ran.talk.count("\n")) == (2, True, 2)


def test_p6_who_is_announced_on_the_lan_is_found_and_proven(started: list[Running], tmp_path: Path) -> None:
    ada = begin(started, configured(tmp_path / "ada", lan="127.0.0.1"), "--p2p-listen", "/ip4/127.0.0.1/tcp/0")
    her = ada.run("status")["peer_id"]
    home = configured(tmp_path / "bob", lan="127.0.0.1")
    for _ in range(10):  # an announcement takes a second or two, more where the machine is loaded
        found = orlop(home, "peers", "discover", "--wait", "5s", "--json").json
        if found["items"]:
            break
    (item,) = found["items"]
    assert (item["peer"], item["worker"], item["transport"]) == (her, False, "tcp")
    assert item["cpus"] >= 1
    assert item["slots_total"] >= 1
    (row,) = orlop(home, "peers", "list", "--json").json["items"]
    assert row["proven_ms"] is not None
    assert orlop(home, "peers", "show", her, "--json").json["places"][0]["source"] == "lan"


def test_p5_p6_a_provider_is_found_through_the_dht_and_runs_a_job(started: list[Running], tmp_path: Path) -> None:
    first = begin(started, configured(tmp_path / "first", dht=True), *QUIC)
    start = place_of(first)
    ada = begin(started, configured(tmp_path / "ada", bootstrap=start), *QUIC)
    her = ada.run("status")["peer_id"]
    home = configured(tmp_path / "bob", bootstrap=start)
    orlop(home, "init", "--yes")
    ada.run("peers", "trust", orlop(home, "status", "--json").json["peer_id"], "--jobs")
    for _ in range(20):  # she publishes once others have answered her
        found = orlop(home, "peers", "discover", "--wait", "0s", "--json").json
        if her in {item["peer"] for item in found["items"]}:
            break
    assert her in {item["peer"] for item in found["items"]}
    assert orlop(home, "peers", "show", her, "--json").json["places"][0]["source"] == "dht"
    ran = orlop(home, "jobs", "run", HELLO, "--stdin", "-", "--discover", stdin=b"nobody is trusted")
    assert (ran.code, "no trusted peer was found" in ran.talk, "--any-peer" in ran.talk) == (125, True, True)
    orlop(home, "peers", "trust", her)
    ran = orlop(home, "jobs", "run", HELLO, "--stdin", "-", "--discover", "--json", stdin=b"found")
    assert (ran.code, ran.json["where"], ran.json["stdout"]) == (0, her, "dnuof")


def test_who_is_known_and_gone_is_told_apart(started: list[Running], tmp_path: Path) -> None:
    ada = begin(started, tmp_path / "ada", "--p2p-listen", "/ip4/127.0.0.1/tcp/0")
    home = tmp_path / "bob"
    home.mkdir()
    assert orlop(home, "peers", "dial", place_of(ada)).code == 0
    assert len(orlop(home, "peers", "discover", "--json").json["items"]) == 1
    assert orlop(home, "peers", "discover", "--arch", "riscv64", "--json").json["unfit"] == 1
    ada.close()
    gone = orlop(home, "peers", "discover", "--json").json
    assert (gone["items"], len(gone["unproven"])) == ([], 1)


@pytest.mark.parametrize(
    ("settings", "code", "why"),
    [
        ({"lan": "203.0.113.9"}, 5, "is no address of this machine"),
        ({"bootstrap": "/ip4/127.0.0.1/tcp/1/p2p/" + NOBODY}, 2, "is no address of the DHT"),
        ({"bootstrap": "nonsense"}, 2, "p2p.bootstrap"),
    ],
)
def test_a_setting_that_is_wrong_is_said_in_one_line(
    tmp_path: Path, settings: dict[str, str], code: int, why: str
) -> None:
    home = configured(tmp_path / "home", **settings)
    orlop(home, "init", "--yes")
    for words in (("peers", "discover"), ("--no-ui", "--for", "1s", *QUIC), ("--no-ui", "--for", "1s")):
        ran = orlop(home, *words)
        assert (ran.code, why in ran.talk, ran.talk.count("\n")) == (code, True, 1), ran.talk


def test_options_that_go_together(tmp_path: Path) -> None:
    ran = orlop(tmp_path, "jobs", "run", HELLO, "--any-peer")
    assert (ran.code, "--discover" in ran.talk) == (125, True)
    ran = orlop(tmp_path, "jobs", "run", HELLO, "--discover", "--on", NOBODY)
    assert (ran.code, "--on" in ran.talk) == (125, True)
