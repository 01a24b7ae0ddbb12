"""Two people in one room, each at a screen of their own, with a relay between them: all of it as they have it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import assets
from tests.terminal.consoles import Console, RelayTerminal, consoles
from tests.terminal.tmux import PROGRAM

CURSOR = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"

pytestmark = pytest.mark.terminal

Two = tuple[RelayTerminal, Console, Console]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    """Ann, who made the room `harbor`, and Bob, who joined it by her invitation."""
    with consoles(tmp_path, "ann", "bob") as (relay, [ann, bob]):
        ann.command(f"rooms create harbor --relay {relay.url}")
        ann.wait("● harbor +0 +1/1")
        bob.join(ann.invitation())
        for console, other in ((ann, "bob"), (bob, "ann")):
            console.wait("● harbor +0 +2/2")
            console.member(other, "unproven")
        yield relay, ann, bob


def safety_number(console: Console, other: str) -> list[str]:
    """What the dialog shows that compares it; the number is marked as the same."""
    console.keys("BTab")
    console.wait("members and agents")
    console.keys("j")
    console.wait(rf"{CURSOR} ● {other}")
    console.keys("V")
    shown = console.wait("I compared them")
    console.keys("Right", "Enter")
    console.gone("Safety number")
    console.member(other, "verified")
    return re.findall(r"\b\d{5}\b", shown.split("Safety number")[1])


def test_two_people_meet_verify_each_other_talk_work_and_part(two: Two) -> None:
    _, ann, bob = two
    numbers = [safety_number(ann, "bob"), safety_number(bob, "ann")]
    assert len(numbers[0]) == 12
    assert numbers[0] == numbers[1]

    ann.say("hello from ann")
    bob.wait(r"ann +hello from ann")
    bob.say("hello from bob")
    ann.wait(r"bob +hello from bob")

    ann.say("/task Polish the bell | due: 2h | urgent")
    bob.wait(r"! open +Polish the bell")
    bob.say("/task Publish it | split into: sign, upload")
    ann.wait(r"open +▾ Publish it")
    ann.wait(r"open +upload")

    bob.keys("L")
    bob.wait("Leave 1 room")
    bob.keys("Right", "Enter")
    bob.gone("Leave 1 room")
    bob.wait(rf"{CURSOR}   harbor +4 +1 ")
    ann.wait(r"● harbor +4 +1/1")
    ann.gone(r"[●○] bob +(verified|unproven)")
    ann.say("between us")
    ann.wait("ann +between us")
    assert "between us" not in bob.screen


def test_one_runs_the_agent_and_the_other_takes_over(two: Two, tmp_path: Path) -> None:
    _, ann, bob = two
    key, module = signed(tmp_path)
    for console in (ann, bob):
        console.command(f"agents trust {key}")
        console.command(f"agents upload harbor {module} --manifest {module.with_suffix('.json')} --grant all")
        console.command("agents activate overdue")
        console.keys("2")
        console.wait(r"signed by [0-9a-f]{8}")
    runner, other = who_runs(ann, bob)

    runner.keys("q")
    runner.wait("ended with 0")
    other.wait(rf"RUNS AT +{other.name}")
    other.wait(r"● overdue +harbor +active")


def signed(folder: Path) -> tuple[str, Path]:
    """A key and a module that it has signed."""
    shutil.copytree(assets.path("agents/overdue"), folder / "made")
    manifest = str(folder / "made/overdue.json")
    outside("agents", "keygen", str(folder / "my.key"))
    signer = outside("agents", "sign", manifest, "--key", str(folder / "my.key"), "--out", manifest)["signer"]
    return signer, folder / "made/overdue.wasm"


def outside(*words: str) -> dict[str, str]:
    """What a command says that needs no console."""
    done = subprocess.run([str(PROGRAM), *words, "--json"], check=True, capture_output=True, text=True)
    said: dict[str, str] = json.loads(done.stdout)
    return said


def runs_at(console: Console, shown: str) -> bool:
    return re.search(rf"RUNS AT +{console.name} ", shown) is not None


def who_runs(*consoles: Console) -> tuple[Console, Console]:
    """The one of two that runs the agent, as both screens say, and the one that stands by."""
    found: list[Console] = []

    def agreed(_: str) -> bool:
        screens = {console: console.screen for console in consoles}
        running, waiting = (
            [console for console, shown in screens.items() if re.search(row, shown)]
            for row in ("● overdue +harbor +active", "◌ overdue +harbor +standby")
        )
        found[:] = [*running, *waiting]
        named = [console.name for console in running for shown in screens.values() if runs_at(console, shown)]
        return len(waiting) == 1 and len(named) == len(consoles)

    consoles[0].until(agreed, "one that runs and one that stands by")
    return found[0], found[1]


def test_both_come_back_after_the_relay_was_killed(two: Two) -> None:
    relay, ann, bob = two
    relay.kill()
    for console in (ann, bob):
        console.wait("○ harbor +0 +2 ")
        console.wait("not connected")
        console.say(f"{console.name} alone")
        console.wait(rf"{console.name} +{console.name} alone")
    assert "bob alone" not in ann.screen

    relay.serve()
    for console, other in ((ann, "bob"), (bob, "ann")):
        console.wait("● harbor +0 +2/2")
        console.wait(rf"{other} +{other} alone")
        console.member(other, "unproven")
    ann.say("all of us again")
    bob.wait("ann +all of us again")
