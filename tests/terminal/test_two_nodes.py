"""Two nodes, each at a screen of its own: one dials the other, is let give jobs, and watches one come back signed."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import assets
from tests.terminal.consoles import Console
from tests.terminal.tmux import PROGRAM

pytestmark = pytest.mark.terminal

HELLO = assets.path("jobs/hello/hello.wasm")


def status(folder: Path) -> dict[str, object]:
    command = [str(PROGRAM), "--state-dir", str(folder / ".local/state/orlop"), "status", "--json"]
    found: dict[str, object] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Console, Console]]:
    """Ada, who listens, and Bob, who does not."""
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
    with Console(tmp_path / "ada", "ada") as ada, Console(tmp_path / "bob", "bob") as bob:
        ada.orlop("--p2p-listen", "/ip4/127.0.0.1/tcp/0")
        bob.orlop()
        ada.welcome()
        bob.welcome()
        yield ada, bob


def test_a_node_is_dialled_trusted_given_a_job_and_banned(two: tuple[Console, Console], tmp_path: Path) -> None:
    ada, bob = two
    listening = status(tmp_path / "ada")["listen"]
    assert isinstance(listening, list)
    (place,) = listening
    her, his = place.rpartition("/")[2], str(status(tmp_path / "bob")["peer_id"])
    for console in (ada, bob):
        console.keys("3")
    ada.wait(r"0 connected · listens at /ip4/127\.0\.0\.1/tcp/\d+|listens at 1 address|listens")
    bob.wait("No peers yet")

    bob.command(f"peers dial {place}")
    bob.wait("● .*connected")
    ada.wait("● .*connected")
    bob.command(f"peers name {her} ada")
    bob.wait("● ada +connected")
    ada.command(f"peers name {his} bob")
    ada.wait("● bob +connected")

    bob.keys("P")
    bob.wait("✓ peers ping")
    ada.keys("T")
    ada.wait("give this node jobs")
    ada.keys("Right", "Enter")
    ada.wait("✓ peers trust")
    ada.wait("gives jobs")
    bob.keys("t")
    bob.wait("✓ peers trust")
    bob.wait("runs jobs")

    bob.keys("r")
    bob.wait("Run a job")
    bob.wait(r"Peer +ada")
    bob.type(str(HELLO))
    bob.wait(r"orlop jobs run \S+hello\.wasm\s+--on ada")
    bob.keys("C-s")
    bob.gone("Run a job")
    bob.wait("the job is on its way")
    bob.keys("4")
    bob.wait(r"● \S+ +hello\.w\S* +done")
    bob.wait("✓ valid")
    ada.keys("5")
    ada.wait(r"#0 ")

    ada.keys("3")
    ada.wait("● bob +connected")
    ada.keys("b")
    ada.wait("neither dialled nor answered")
    ada.keys("Right", "Enter")
    ada.wait("bob +banned")
    bob.keys("3")
    bob.wait("ada +known")
