"""Two orlops and a relay, each a process: invite, join, verify, talk, work, leave; and what kill -9 leaves."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import inside
from tests.cli.running import Running
from tests.cli.test_on_a_terminal import session


@contextmanager
def harbor(folder: Path, *words: str) -> Iterator[tuple[Running, Running, Running]]:
    """A relay, Ann who made a room on it (with these words), and Bob who has joined."""
    started: list[Running] = []
    try:
        relay = Running(folder / "relay", "rooms", "relay", "--bind", "127.0.0.1:0", "--json")
        started.append(relay)
        url = relay.until("relay.listening")["url"]
        relay.words = ("rooms", "relay", "--bind", url.removeprefix("ws://"), "--json")
        ann = Running(folder / "ann", "--no-ui")
        started.append(ann)
        bob = Running(folder / "bob", "--no-ui")
        started.append(bob)
        for program in (ann, bob):
            program.until("core.ready")
        ann.run("rooms", "create", "harbor", "--relay", url, "--history", "all", *words)
        invitation = ann.run("rooms", "invite", "harbor")["invitation"]
        join(bob, invitation)
        yield relay, ann, bob
    finally:
        for program in started:
            program.close()


def join(program: Running, invitation: str) -> None:
    """Joins as `bob` and waits until he is in: the command waits for a member a while only, and goes on without us."""
    assert program.run("rooms", "join", invitation, "--name", "bob")["state"] in {"joined", "waiting"}
    while True:
        seen = len(program.lines)
        shown = inside(program.home, ["rooms", "members", "harbor", "--json"], cwd=program.home)
        if shown.code == 0 and any(one["self"] for one in shown.json["items"]):
            return
        program.wait(lambda: len(program.lines) != seen)  # noqa: B023


def state(program: Running) -> tuple[list[Any], list[Any]]:
    """What both must agree on."""
    shown = program.run("rooms", "show", "harbor")
    tasks = sorted(json.dumps({key: task[key] for key in ("id", "title", "status")}) for task in shown["tasks"])
    return tasks, [(message["id"], message["text"]) for message in shown["messages"]]


def test_two_programs_share_a_room_from_the_invitation_to_leaving_it(tmp_path: Path) -> None:
    with harbor(tmp_path) as (_, ann, bob):
        ours = ann.run("rooms", "verify", "harbor", "bob")
        [creator] = [one["displayName"] for one in bob.run("rooms", "members", "harbor")["items"] if one["creator"]]
        theirs = bob.run("rooms", "verify", "harbor", creator, "--yes")
        assert (ours["numbers"], ours["verified"], theirs["verified"]) == (theirs["numbers"], False, True)
        question = b"is it the same at the other side? [y/N] "
        for answer, code, end in ((b"\n", 1, b"not confirmed, nothing was marked"), (b"y\n", 0, question + b"y")):
            words = ("rooms", "verify", "harbor", "bob")
            ended, shown = session(ann.home, *words, answers=[(question, answer)])
            assert (ended, ours["numbers"][0].encode() in shown) == (code, True)
            assert shown.rstrip().endswith(end)
        assert [one["verified"] for one in ann.run("rooms", "members", "harbor")["items"]] == [False, True]

        said = ann.run("rooms", "say", "harbor", "hello bob")["message"]
        bob.until("message.posted", id=said)
        bob.run("rooms", "task", "harbor", "--add", "Publish it")
        ann.until("task.changed", change="task_created")
        assert state(ann) == state(bob)

        bob.run("rooms", "leave", "harbor", "--yes")
        ann.until("member.left")
        assert len(ann.run("rooms", "members", "harbor")["items"]) == 1


def test_nothing_is_lost_when_a_member_and_the_relay_are_killed(tmp_path: Path) -> None:
    with harbor(tmp_path) as (relay, ann, bob):
        _killed_and_back(random.Random(4), relay, ann, bob)


@pytest.mark.rooms
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(20))
def test_members_converge_whoever_is_killed(tmp_path: Path, seed: int) -> None:
    with harbor(tmp_path) as (relay, ann, bob):
        _killed_and_back(random.Random(seed), relay, ann, bob)


def _killed_and_back(chance: random.Random, relay: Running, ann: Running, bob: Running) -> None:
    """Both go on while others are killed in an order of chance; in the end they have the same."""
    dying = chance.sample([relay, ann, bob], chance.randint(1, 3))
    for victim in dying:
        for program in (ann, bob):
            if chance.random() < 0.7:
                program.run("rooms", "task", "harbor", "--add", f"task {chance.random()}")
            if chance.random() < 0.7:
                program.run("rooms", "say", "harbor", f"words {chance.random()}")
        victim.kill()
        if chance.random() < 0.5:
            victim.start()
    for victim in dying:
        if not victim.running:
            victim.start()
    last = [program.run("rooms", "say", "harbor", f"the last {chance.random()}")["message"] for program in (ann, bob)]
    ann.until("message.posted", id=last[1])
    bob.until("message.posted", id=last[0])
    _same(ann, bob)


def _same(ann: Running, bob: Running) -> None:
    """What was said apart may come behind the last words; whenever something comes, it is looked at again."""
    while True:
        seen = len(ann.lines), len(bob.lines)
        if state(ann) == state(bob):
            return
        ann.wait(lambda: (len(ann.lines), len(bob.lines)) != seen)  # noqa: B023
