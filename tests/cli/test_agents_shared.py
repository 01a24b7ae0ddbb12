"""Agents in a room of two orlops and a relay, each a process: who runs them, what leaving ends, who comes back."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import inside
from tests.cli.running import Running
from tests.cli.test_rooms_shared import harbor, join
from tests.hostile import agent

AGENT = "passing-agent"


def start(program: Running, wasm: Path) -> dict[str, Any]:
    """Uploads and activates the agent; what is said about its lease."""
    program.run("agents", "upload", "harbor", str(wasm), "--name", AGENT, "--grant", "all", "--unsigned")
    program.run("agents", "activate", AGENT)
    return program.until("agent.activated")


def row(program: Running) -> Any:
    [found] = program.run("agents", "list")["items"]
    return found


def refused(program: Running, *words: str) -> str:
    """What is said about a command about agents that fails."""
    ran = inside(program.home, ["agents", *words], cwd=program.home)
    assert ran.code == 1, (words, ran.code, ran.talk)
    return ran.talk


def count(program: Running, kind: str, **fields: object) -> int:
    """How often an event has come."""
    return sum(line["type"] == kind and fields.items() <= line.items() for line in program.lines)


def times(program: Running, wanted: int, kind: str, **fields: object) -> None:
    """Waits until an event has come so often."""
    program.wait(lambda: count(program, kind, **fields) >= wanted)


def traces(program: Running, words: list[bytes]) -> list[str]:
    """Files of the program's home in which one of these is found."""
    files = [file for file in program.home.rglob("*") if file.is_file()]
    return [f"{file}: {word!r}" for file in files for word in words if word in file.read_bytes()]


@pytest.fixture
def wasm(tmp_path: Path) -> Path:
    """A module that lies in nobody's home."""
    found = tmp_path / "guest.wasm"
    found.write_bytes(agent("counts_ticks"))
    return found


def test_leaving_hands_the_agents_on_and_who_comes_back_may_start_them_again(tmp_path: Path, wasm: Path) -> None:
    with harbor(tmp_path) as (_, ann, bob):
        keys = {
            one["displayName"] == "bob": one["identityKey"] for one in bob.run("rooms", "members", "harbor")["items"]
        }
        hers, his = keys[False], keys[True]
        start(bob, wasm)
        bob.until("agent.leased", own=True)
        start(ann, wasm)
        ann.until("agent.leased", own=False, runner=his)

        bob.run("rooms", "leave", "harbor", "--yes")
        assert row(bob)["state"] == "off"
        bob.until("agent.deactivated", agent=AGENT, reason="left")
        ann.until("agent.leased", own=True)
        assert "this node is in its room no more; join the room again first" in refused(bob, "activate", AGENT)
        again = ("upload", "harbor", str(wasm), "--grant", "all", "--unsigned")
        assert "this node is in the room no more; join the room again first" in refused(bob, *again)

        invitation = ann.run("rooms", "invite", "harbor")["invitation"]
        seen = count(bob, "room.presence", present=[hers])
        join(bob, invitation)
        times(bob, seen + 1, "room.presence", present=[hers])
        bob.run("agents", "activate", AGENT)
        bob.until("agent.leased", own=False, runner=hers)

        ann.run("rooms", "remove", "harbor", "bob", "--yes")
        times(bob, 2, "agent.deactivated", agent=AGENT, reason="left")
        assert row(bob)["state"] == "off"


def test_w11_agents_of_an_ephemeral_room_are_shared_and_nothing_of_them_is_on_a_disk(
    tmp_path: Path, wasm: Path
) -> None:
    with harbor(tmp_path, "--ephemeral") as (_, ann, bob):
        start(bob, wasm)
        bob.until("agent.leased", own=True)
        start(ann, wasm)
        ann.until("agent.leased", own=False, name_bytes=len("bob"))
        assert [one["ephemeral"] for one in bob.run("rooms", "list")["items"]] == [True]
        ann.run("agents", "logs", AGENT)
        digest = hashlib.sha256(wasm.read_bytes())
        words = [AGENT.encode(), wasm.read_bytes()[8:], digest.digest(), digest.hexdigest().encode()]
        for program in (ann, bob):
            assert traces(program, words) == []

        bob.run("rooms", "leave", "harbor", "--yes")
        ann.until("agent.leased", own=True)
        bob.until("agent.deleted", agent=AGENT)
        assert bob.run("agents", "list")["items"] == []

        ann.run("rooms", "burn", "harbor", "--yes")
        assert ann.run("agents", "list")["items"] == []
        for program in (ann, bob):
            program.close()
            assert traces(program, words) == []
            program.start()
            program.until("core.ready")
            assert program.run("agents", "list")["items"] == []
