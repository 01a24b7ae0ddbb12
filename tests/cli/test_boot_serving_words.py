"""`orlop boot serve`, `fetch` and `discover` by the real program."""

import contextlib
import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import command, environment, inside

FETCH = "--root-key keys/root.pub --channel stable --arch x86_64 --out copy"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a key and a signed release."""
    (tmp_path / "release").mkdir()
    for name in ("kernel", "initramfs"):
        (tmp_path / "release" / name).write_bytes(name.encode() * 1000)
    for words in (
        "boot keygen --out keys",
        "boot sign release --key keys/root.key --channel stable --arch x86_64 --version 7",
    ):
        assert inside(tmp_path, words.split(), cwd=tmp_path).code == 0
    return tmp_path


def started(place: Path, *words: str) -> "subprocess.Popen[bytes]":
    line = command("boot", "serve", "release", "--bind", "127.0.0.1:0", *words)
    return subprocess.Popen(line, cwd=place, env=environment(place), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_p8_what_is_served_is_fetched_and_verified_and_then_kept(place: Path) -> None:
    with started(place, "--json") as server:
        assert server.stdout is not None
        assert server.stderr is not None
        first = json.loads(server.stdout.readline())
        url = first["urls"][0]
        ran = inside(place, f"boot fetch {url} {FETCH} --json".split(), cwd=place)
        other = inside(place, f"boot fetch {url} {FETCH.replace('stable', 'nightly')}2".split(), cwd=place)
        server.send_signal(signal.SIGTERM)
        types = [json.loads(line)["type"] for line in server.stdout]
        talk = server.stderr.read().decode()
    assert server.wait(60) == 143
    assert (first["type"], first["manifest_version"], first["announced"]) == ("boot.serving", 7, [])
    assert {"boot.request", "boot.machine"} <= set(types)
    assert types[-1] == "boot.stopped"
    assert "announced nowhere" in talk
    assert (ran.code, ran.json["manifest_version"], ran.json["provider"]) == (0, 7, url)
    assert (place / "copy" / "kernel").read_bytes() == b"kernel" * 1000
    assert other.code == 3
    assert other.talk.endswith(
        "orlop: boot: refused: channel: the manifest is for stable, this machine takes nightly\n"
    )
    assert list((place / "copy2").iterdir()) == []


def test_of_a_server_that_is_not_there_nothing_is_said_but_that(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        ran = inside(place, f"boot fetch http://127.0.0.1:{port}/ {FETCH} --timeout 1s".split(), cwd=place)
    assert ran.code == 5
    assert ran.talk.splitlines()[-1].startswith("orlop: boot: unavailable: ")


def test_a_port_in_use_is_exit_5(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = inside(place, ["boot", "serve", "release", "--bind", address], cwd=place)
    assert (ran.code, ran.talk.count("\n")) == (5, 1)
    assert "address already in use" in ran.talk


def test_s9_without_a_word_about_it_the_loopback_alone_is_served(place: Path) -> None:
    """Its port is taken here, or by somebody else on this machine: the line names what was to be listened on."""
    with socket.socket() as taken:
        with contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", 8080))
            taken.listen()
        ran = inside(place, ["boot", "serve", "release"], cwd=place)
    assert ran.code == 5
    assert "127.0.0.1:8080" in ran.talk


def test_a_release_that_is_not_as_it_was_signed_is_not_served(place: Path) -> None:
    (place / "release" / "kernel").write_bytes(b"?" * 6000)
    ran = inside(place, ["boot", "serve", "release", "--bind", "127.0.0.1:0"], cwd=place)
    assert (ran.code, ran.talk.count("\n")) == (3, 1)
    assert ran.talk.startswith("orlop: boot: refused: hash: kernel ")
    (place / "release" / "manifest.json").unlink()
    ran = inside(place, ["boot", "serve", "release", "--bind", "127.0.0.1:0"], cwd=place)
    assert (ran.code, ran.talk.count("\n")) == (5, 1)
    assert ran.talk.startswith("orlop: boot: unavailable: ")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (f"boot fetch {FETCH}", 2),
        (f"boot fetch ftp://x/ {FETCH} --timeout 1s", 5),
        (f"boot fetch http://127.0.0.1:1/ {FETCH.replace('root.pub', 'nowhere')}", 2),
        ("boot serve release --bind 8080", 2),
        ("boot discover --wait never", 2),
        ("boot discover --wait 1s --interface 192.0.2.77", 5),
    ],
)
def test_what_is_asked_wrongly_is_one_line(place: Path, words: str, code: int) -> None:
    ran = inside(place, [*words.split(), "--quiet"], cwd=place)
    assert ran.code == code
    assert ran.talk.count("\n") == 1


def test_servers_on_a_link_are_listed(place: Path) -> None:
    ran = inside(place, ["boot", "discover", "--wait", "100ms", "--interface", "127.0.0.1", "--json"], cwd=place)
    assert (ran.code, ran.json["v"], isinstance(ran.json["items"], list)) == (0, 1, True)


def test_a_core_without_a_screen_serves_a_release_and_tells_of_it(place: Path) -> None:
    line = command("--no-ui", "--serve-boot", "release", "--boot-bind", "127.0.0.1:0", "--events", "boot.*")
    with subprocess.Popen(
        line, cwd=place, env=environment(place), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as node:
        assert node.stdout is not None
        first = next(event for event in map(json.loads, node.stdout) if event["type"] == "boot.serving")
        ran = inside(place, f"boot fetch {first['urls'][0]} {FETCH} --json".split(), cwd=place)
        node.send_signal(signal.SIGTERM)
        types = [json.loads(line)["type"] for line in node.stdout]
    assert (first["type"], first["manifest_version"], ran.code) == ("boot.serving", 7, 0)
    assert {"boot.request", "boot.machine", "boot.stopped"} <= set(types)


def test_a_core_does_not_start_without_what_it_is_to_serve(place: Path) -> None:
    (place / "release" / "kernel").write_bytes(b"?" * 6000)
    bind = ["--boot-bind", "127.0.0.1:0"]
    ran = inside(place, ["--no-ui", "--serve-boot", "release", *bind], cwd=place)
    assert ran.code == 3
    assert "orlop: boot: refused: hash: kernel " in ran.talk
    ran = inside(place, ["--no-ui", "--serve-boot", "nowhere", *bind], cwd=place)
    assert ran.code == 5
    assert "boot: unavailable: " in ran.talk
    assert inside(place, ["--no-ui", *bind], cwd=place).code == 2
    assert inside(place, ["--serve-boot", "release"], cwd=place).code == 2
