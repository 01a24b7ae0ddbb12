"""Rooms with several members: whole programs that meet through a relay, all of it real."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from console.verbs import sharing
from runtime.agents.lease import Lease
from runtime.events import (
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberVerified,
    RoomConnected,
    RoomDisconnected,
    RoomPresence,
    RoomRotated,
    RoomWarning,
)
from tests.console.programs import SECONDS, Program, RelayThread, programs


@pytest.fixture
def relay() -> Iterator[RelayThread]:
    relay = RelayThread()
    yield relay
    relay.close()


@pytest.fixture
def two(tmp_path: Path, relay: RelayThread) -> Iterator[tuple[Program, Program]]:
    """Ann, who made the room, and Bob, who joined it."""
    with programs(tmp_path, "ann", "bob") as (ann, bob):
        ann.run("rooms create", name="harbor", relay=relay.url)
        joined(ann, bob)
        yield ann, bob


def joined(ann: Program, bob: Program, **args: str) -> None:
    """Bob joins, and both see it; on a loaded machine the command answers before it happened, and it goes on."""
    assert bob.run("rooms join", invitation=ann.invitation(), **args)["state"] in {"joined", "waiting"}
    ann.until(lambda: len(ann.members()) == 2 and all(one["present"] for one in ann.members().values()))
    bob.until(lambda: bob.heard(MemberJoined))
    bob.until(lambda: len(bob.members()) == 2 and all(one["present"] for one in bob.members().values()))


def test_what_one_member_says_and_does_the_other_sees(two: tuple[Program, Program]) -> None:
    ann, bob = two
    ann.run("rooms say", room="harbor", text="hello bob")
    bob.until(lambda: "hello bob" in bob.said())
    bob.run("rooms say", room="harbor", text="/task Publish it | split into: sign, upload")
    ann.until(lambda: ann.titles() == {"Publish it", "sign", "upload"})

    [task] = [task["id"] for task in ann.show()["tasks"] if task["title"] == "sign"]
    ann.run("rooms task", room="harbor", done=task)
    bob.until(lambda: "completed" in {one["status"] for one in bob.show()["tasks"]})
    assert ann.show()["tasks"] == bob.show()["tasks"]


def test_members_are_known_by_name_and_to_be_there(two: tuple[Program, Program]) -> None:
    ann, bob = two
    seen = ann.members()

    assert list(seen) == ["ann", "bob"]
    assert seen["ann"]["creator"]
    assert seen["bob"]["vouched_by"] == seen["ann"]["identityKey"]
    assert {one["displayName"]: one["self"] for one in bob.members().values()} == {"ann": False, "bob": True}
    assert (ann.row()["link"], ann.row()["present"], ann.row()["members"]) == ("online", 1, 2)
    assert [event.key for event in ann.heard(MemberJoined)] == [seen["ann"]["identityKey"], seen["bob"]["identityKey"]]
    assert ann.heard(RoomConnected)


def test_a_member_is_seen_to_go_and_to_come_back(two: tuple[Program, Program]) -> None:
    ann, bob = two
    key = ann.members()["bob"]["identityKey"]
    bob.close()

    ann.until(lambda: not ann.members()["bob"]["present"])
    ann.until(lambda: ann.heard(RoomPresence)[-1].present == ())
    assert (ann.row()["present"], ann.row()["members"]) == (0, 2)
    ann.run("rooms say", room="harbor", text="while you were away")
    again = Program(bob.state, "bob")
    try:
        again.until(lambda: "while you were away" in again.said())
        ann.until(lambda: ann.members()["bob"]["present"])
        ann.until(lambda: ann.heard(RoomPresence)[-1].present == (key,))
    finally:
        again.close()


def test_w26_after_a_restart_of_the_relay_the_room_is_there_again(
    two: tuple[Program, Program], relay: RelayThread
) -> None:
    ann, bob = two
    relay.stop()
    for program in two:
        program.until(lambda program=program: program.row()["link"] == "offline")
    ann.run("rooms say", room="harbor", text="said apart by ann")
    bob.run("rooms say", room="harbor", text="said apart by bob")
    relay.start()

    for program in two:
        program.until(lambda program=program: {"said apart by ann", "said apart by bob"} <= set(program.said()))
        program.until(lambda program=program: program.row()["reestablishing"] == 0 and program.row()["present"] == 1)
    assert ann.show()["messages"] == bob.show()["messages"]
    reasons = {event.reason for event in ann.heard(RoomDisconnected)}
    assert reasons <= {"the connection to the relay has ended", "the relay cannot be reached: connection refused"}


def test_who_leaves_is_gone_for_all_and_reads_no_more(two: tuple[Program, Program]) -> None:
    ann, bob = two
    key = ann.members()["bob"]["identityKey"]
    assert bob.run("rooms leave", room="harbor") == {"v": 1, "room": ann.show()["room"], "left": True}

    ann.until(lambda: list(ann.members()) == ["ann"])
    assert [event.key for event in ann.heard(MemberLeft)] == [key]
    ann.run("rooms say", room="harbor", text="between us")
    assert bob.said() == []
    assert ann.show()["former"] == [{"identityKey": key, "displayName": "bob"}]
    assert "is not a member of it" in bob.fail("rooms say", room="harbor", text="still here?").line
    assert bob.show()["link"] is None


def test_w22_the_keys_change_when_a_member_is_removed(two: tuple[Program, Program]) -> None:
    ann, bob = two
    key = ann.members()["bob"]["identityKey"]
    known = bob.invitation()
    removed = ann.run("rooms remove", room="harbor", member="bob")

    assert (removed["member"], removed["name"]) == (key, "bob")
    assert [event.key for event in ann.heard(MemberRemoved)] == [key]
    ann.until(lambda: ann.heard(RoomRotated))
    ann.run("rooms say", room="harbor", text="between us")
    bob.until(lambda: bob.row()["link"] == "closed")
    assert bob.row()["problem"] == "this member is in the room no more"
    assert "between us" not in bob.said()
    assert ann.invitation() != known  # by the old one he could come back under another name
    assert bob.inside.rooms.settings(ann.row()["room"]).invite in known
    assert "is not a member" in ann.fail("rooms remove", room="harbor", member="bob").line


def test_only_the_creator_removes(two: tuple[Program, Program]) -> None:
    _, bob = two

    assert "only its creator can remove members" in bob.fail("rooms remove", room="harbor", member="ann").line


def test_w20_both_see_the_same_safety_number_and_mark_it(two: tuple[Program, Program]) -> None:
    ann, bob = two
    ours = ann.run("rooms verify", room="harbor", member="bob")
    theirs = bob.run("rooms verify", room="harbor", member="ann", numbers="true")
    assert (ours["numbers"], ours["words"]) == (theirs["numbers"], theirs["words"])
    assert (len(ours["numbers"]), len(ours["words"]), ours["verified"]) == (12, 12, False)
    assert not ann.members()["bob"]["verified"]

    assert ann.run("rooms verify", room="harbor", member="bob", yes="true")["verified"]
    assert ann.members()["bob"]["verified"]
    assert not bob.members()["ann"]["verified"]
    assert not ann.run("rooms verify", room="harbor", member="bob", off="true")["verified"]
    assert [event.verified for event in ann.heard(MemberVerified)] == [True, False]


def test_what_cannot_be_verified_is_said(two: tuple[Program, Program]) -> None:
    ann, _ = two

    assert "is yourself" in ann.fail("rooms verify", room="harbor", member="ann").line
    assert "is not a member" in ann.fail("rooms verify", room="harbor", member="eve").line
    assert "--yes stands alone" in ann.fail("rooms verify", room="harbor", member="bob", yes="true", off="true").line


def test_slash_commands_do_what_they_say(two: tuple[Program, Program]) -> None:
    ann, bob = two
    before = len(ann.heard(RoomRotated))

    assert ann.run("rooms say", room="harbor", text="/rotate")["rotated"]
    ann.until(lambda: len(ann.heard(RoomRotated)) > before)
    ann.run("rooms say", room="harbor", text="under another key")
    bob.until(lambda: "under another key" in bob.said())
    told = ann.run("rooms say", room="harbor", text="/help")["help"]
    assert [item["command"] for item in told] == ["/task", "/rotate", "/burn", "/help"]
    assert "orlop rooms burn" in ann.fail("rooms say", room="harbor", text="/burn").line
    assert ann.fail("rooms say", room="harbor", text="/dance").line == (
        "rooms say: /dance: no such slash command; there are /task, /rotate, /burn, /help"
    )


def test_a_name_of_ones_own_is_shown_to_the_others(tmp_path: Path, relay: RelayThread) -> None:
    with programs(tmp_path, "ann", "bob") as (ann, bob):
        ann.run("rooms create", name="harbor", relay=relay.url)
        joined(ann, bob, name="Bob of the harbor")

        assert list(ann.members()) == ["ann", "Bob of the harbor"]
        assert "has 1 to 32 characters" in bob.fail("rooms join", invitation=ann.invitation(), name=" b").line


@pytest.mark.parametrize(("history", "sees"), [("joined", False), ("all", True)])
def test_history_is_for_those_who_were_there_unless_the_room_says_otherwise(
    tmp_path: Path, relay: RelayThread, history: str, sees: bool
) -> None:
    with programs(tmp_path, "ann", "bob") as (ann, bob):
        ann.run("rooms create", name="harbor", relay=relay.url, history=history)
        ann.run("rooms say", room="harbor", text="before")
        ann.run("rooms task", room="harbor", add="of old")
        joined(ann, bob)
        ann.run("rooms say", room="harbor", text="after")

        bob.until(lambda: "after" in bob.said())
        bob.until(lambda: bob.titles() == {"of old"})
        assert ("before" in bob.said()) is sees


def test_an_old_invitation_lets_nobody_in_and_can_be_given_up(
    tmp_path: Path, relay: RelayThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    with programs(tmp_path, "ann", "bob") as (ann, bob):
        ann.run("rooms create", name="harbor", relay=relay.url)
        old = ann.invitation()
        assert ann.run("rooms invite", room="harbor", renew="true")["invitation"] != old
        monkeypatch.setattr(sharing, "_JOIN_S", 0.0)

        waits = bob.run("rooms join", invitation=old)
        assert (waits["state"], waits["notice"].endswith("it goes on while orlop runs")) == ("waiting", True)
        bob.until(lambda: [event.about for event in bob.heard(RoomWarning)] == ["refused"])
        assert list(ann.members()) == ["ann"]
        assert bob.run("rooms leave", room="harbor")["left"]
        assert bob.inside.online.status(ann.show()["room"]) is None
        assert "harbor" in bob.fail("rooms leave", room="harbor").line


def test_joining_goes_on_when_nobody_is_there_and_after_a_restart(
    tmp_path: Path, relay: RelayThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    with programs(tmp_path, "ann", "bob") as (ann, bob):
        ann.run("rooms create", name="harbor", relay=relay.url)
        invitation = ann.invitation()
        ann.close()
        monkeypatch.setattr(sharing, "_JOIN_S", 0.0)
        assert bob.run("rooms join", invitation=invitation)["state"] == "waiting"
        assert bob.run("rooms list")["items"] == []
        bob.close()

        with programs(tmp_path, "ann", "bob") as (ann_again, bob_again):
            ann_again.until(lambda: len(ann_again.members()) == 2)
            bob_again.until(lambda: bob_again.heard(MemberJoined) and len(bob_again.members()) == 2)


def test_who_left_comes_back_by_an_invitation(two: tuple[Program, Program]) -> None:
    ann, bob = two
    bob.run("rooms leave", room="harbor")
    ann.until(lambda: list(ann.members()) == ["ann"])
    ann.run("rooms say", room="harbor", text="while you were out")

    joined(ann, bob)
    bob.run("rooms say", room="harbor", text="back again")
    ann.until(lambda: "back again" in ann.said())


def test_one_is_in_a_room_once(two: tuple[Program, Program]) -> None:
    ann, bob = two
    line = "rooms join: harbor: this node is in the room already"

    assert ann.fail("rooms join", invitation=ann.invitation()).line == line
    assert bob.fail("rooms join", invitation=ann.invitation()).line == line


@pytest.mark.parametrize("text", ["", "orlop-room:2:x", "orlop-room:1:" + ":".join(["x"] * 5), "https://example"])
def test_what_is_no_invitation_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    with programs(tmp_path, "ann") as (ann,):
        fault = ann.fail("rooms join", invitation=text)

        assert fault.code == "refused"
        assert fault.line.startswith("rooms join: invitation: ")


def test_a_room_without_a_relay_invites_nobody_until_one_is_named(tmp_path: Path, relay: RelayThread) -> None:
    with programs(tmp_path, "ann", "bob") as (ann, bob):
        ann.run("rooms create", name="harbor")
        assert ann.fail("rooms invite", room="harbor").line == (
            "rooms invite: harbor: has no relay, so nobody can meet there; name one: --relay wss://relay.example"
        )
        assert "has no relay" in ann.fail("rooms rotate", room="harbor").line
        assert ann.row()["link"] == ""

        ann.run("rooms invite", room="harbor", relay=relay.url)
        joined(ann, bob)


def test_a_bad_relay_makes_no_room(tmp_path: Path) -> None:
    with programs(tmp_path, "ann") as (ann,):
        assert ann.fail("rooms create", name="harbor", relay="relay.example").code == "usage"
        assert ann.run("rooms list")["items"] == []


def test_an_open_room_is_joined_like_any_other(tmp_path: Path, relay: RelayThread) -> None:
    with programs(tmp_path, "ann", "bob") as (ann, bob):
        ann.run("rooms create", name="harbor", relay=relay.url, open="true")
        ann.run("rooms invite", room="harbor", renew="true")
        joined(ann, bob)


def test_what_one_command_writes_without_an_orlop_goes_out_with_the_next(
    tmp_path: Path, relay: RelayThread, two: tuple[Program, Program]
) -> None:
    ann, bob = two
    bob.close()
    alone = Program(bob.state, "bob", owner=False)
    notice = alone.run("rooms task", room="harbor", add="made alone")["notice"]
    alone.close()

    assert notice == "no orlop runs here; the other members get it from the next one that does"
    assert ann.titles() == set()
    again = Program(bob.state, "bob")
    try:
        ann.until(lambda: ann.titles() == {"made alone"})
    finally:
        again.close()


def test_without_an_orlop_a_room_of_ones_own_needs_no_note(tmp_path: Path) -> None:
    alone = Program(tmp_path / "state", "ann", owner=False)
    try:
        alone.run("rooms create", name="harbor")
        assert "notice" not in alone.run("rooms task", room="harbor", add="mine")
    finally:
        alone.close()


def test_joining_without_an_orlop_waits_for_the_next(tmp_path: Path, relay: RelayThread) -> None:
    with programs(tmp_path, "ann") as (ann,):
        ann.run("rooms create", name="harbor", relay=relay.url)
        alone = Program(tmp_path / "bob", "bob", owner=False)
        joins = alone.run("rooms join", invitation=ann.invitation())
        alone.close()
        assert (joins["state"], joins["notice"]) == ("waiting", "no orlop runs here; the next one that does joins")

        with programs(tmp_path, "bob") as (bob,):
            bob.until(lambda: bob.heard(MemberJoined) and len(bob.members()) == 2)
            ann.until(lambda: len(ann.members()) == 2)


def test_while_the_screen_is_locked_there_is_no_way_and_afterwards_there_is(two: tuple[Program, Program]) -> None:
    ann, bob = two
    bob.inside.lock.keeper.set("123456")
    bob.run("lock")

    ann.until(lambda: not ann.members()["bob"]["present"])
    ann.run("rooms say", room="harbor", text="behind the lock")
    unlocking = bob.inside.lock.unlock("123456")
    assert asyncio.run_coroutine_threadsafe(unlocking, bob.core._loop).result(SECONDS)
    bob.until(lambda: "behind the lock" in bob.said())


def test_w4_what_one_says_of_a_lease_reaches_the_others_agents(
    two: tuple[Program, Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = two
    heard: SimpleQueue[Lease] = SimpleQueue()
    monkeypatch.setattr(bob.inside.agents, "heard", heard.put)
    me = ann.members()["ann"]["identityKey"]
    lease = Lease(room=ann.show()["room"], agent="unblock", hash="ab" * 32, runner=me, term=3)
    assert ann.inside.agents.leases is not None
    ann.core._loop.call_soon_threadsafe(ann.inside.agents.leases, [lease])
    assert heard.get(timeout=SECONDS) == lease


def test_leaving_while_nobody_is_there_is_told_later(
    two: tuple[Program, Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    from console import room_link

    monkeypatch.setattr(room_link, "_TOLD_S", 0.5)
    ann, bob = two
    ann.close()
    bob.until(lambda: bob.row()["present"] == 0)
    assert bob.run("rooms leave", room="harbor")["notice"].startswith("nobody is there now")

    again = Program(ann.state, "ann")
    try:
        again.until(lambda: list(again.members()) == ["ann"])
        bob.until(
            lambda: [event.reason for event in bob.heard(RoomDisconnected)][-1:] == ["this member has left the room"]
        )
    finally:
        again.close()
