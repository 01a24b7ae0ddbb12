"""The PHP and JavaScript clients in their mode remote: a real peer in another process runs the job and signs for it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import assets
from tests.sdk.interpreters import node, php

pytestmark = pytest.mark.sdk

PROGRAM = str(Path(sys.executable).parent / "orlop")
HELLO = str(assets.path("jobs/hello/hello.wasm"))


@dataclass(frozen=True, slots=True)
class Peer:
    """Where it is, with its PeerId, and the state directory of who may give it jobs."""

    place: str
    key: str
    home: str


def orlop(home: Path, *words: str) -> str:
    return subprocess.run(
        [PROGRAM, "--state-dir", str(home), *words], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    here, there = tmp_path_factory.mktemp("here") / "state", tmp_path_factory.mktemp("there") / "state"
    orlop(here, "init", "--yes")
    orlop(there, "init", "--yes")
    orlop(there, "peers", "trust", json.loads(orlop(here, "status", "--json"))["peer_id"], "--jobs")
    words = [PROGRAM, "--state-dir", str(there), "--no-ui", "--p2p-listen", "/ip4/127.0.0.1/tcp/0"]
    process = subprocess.Popen([*words, "--events", "net.listening"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    told = map(json.loads, iter(process.stdout.readline, b""))
    place: str = next(event["addrs"][0] for event in told if event["type"] == "net.listening")
    yield Peer(place, place.rpartition("/")[2], str(here))
    process.send_signal(signal.SIGTERM)
    process.stdout.close()
    process.wait()


def test_php_has_a_peer_run_it(peer: Peer) -> None:
    code = """
        $c = new Client(['mode' => 'remote', 'peer' => $argv[1], 'orlop_path' => $orlop, 'state_dir' => $argv[2],
            'key' => $argv[3]]);
        $r = $c->createJob($argv[4])->withMemory(64)->submit('Hello, pier')->wait();
        echo json_encode([$r->stdout(), $r->exitCode(), $r->outcome(), $r->verify($argv[3])]);
    """
    assert json.loads(php(code, peer.place, peer.home, peer.key, HELLO)) == ["reip ,olleH", 0, "exit", True]


def test_javascript_has_a_peer_run_it(peer: Peer) -> None:
    code = """
        const [, place, stateDir, key, hello] = process.argv;
        const c = new Client({mode: 'remote', peer: place, orlopPath: orlop, stateDir, key});
        const r = await c.createJob(hello).withMemory(64).submit('Hello, pier').wait();
        console.log(JSON.stringify([r.stdout, r.exitCode, r.outcome, await r.verify(key)]));
    """
    assert json.loads(node(code, peer.place, peer.home, peer.key, HELLO)) == ["reip ,olleH", 0, "exit", True]


def test_a_peer_that_cannot_be_reached_is_an_error_of_one_line(peer: Peer) -> None:
    nowhere = f"/ip4/127.0.0.1/tcp/1/p2p/{peer.key}"
    code = """
        $c = new Client(['mode' => 'remote', 'peer' => $argv[1], 'orlop_path' => $orlop, 'state_dir' => $argv[2]]);
        echo $caught(fn () => $c->createJob($argv[3])->submit()->wait());
    """
    assert "tcp/1" in php(code, nowhere, peer.home, HELLO)
    code = """
        const c = new Client({mode: 'remote', peer: process.argv[1], orlopPath: orlop, stateDir: process.argv[2]});
        console.log(await caught(() => c.createJob(process.argv[3]).submit().wait()));
    """
    assert "tcp/1" in node(code, nowhere, peer.home, HELLO)
