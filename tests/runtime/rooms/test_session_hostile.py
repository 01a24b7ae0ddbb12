"""Members in trouble, on real stores: another device with the same account, lost keys, a disk that is full."""

import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from runtime.account import MemberAccount
from runtime.errors import RefusedError, UnavailableError
from runtime.rooms.room import Rooms
from runtime.rooms.session_effects import Impostor
from runtime.rooms.transport import Join, NewMember, Outgoing
from runtime.store import Store
from runtime.vault import Vault
from tests.runtime.rooms.sim_member import SimMember
from tests.runtime.rooms.sim_world import Harm, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(0, tmp_path)
    found.harm = Harm(0, 0, 0, 0, 0, 0, 0)
    yield found
    found.close()


def house(world: World, count: int) -> list[SimMember]:
    """Members who are all there and in the log."""
    invite = world.invitation()
    world.members.extend(SimMember(world, f"m{number}", invite) for number in range(1, count))
    for member in world.members:
        world.begin(member)
        world.pass_time(2)
    world.pass_time(5)
    assert world.agreed()
    return world.members


def texts(member: SimMember) -> set[str]:
    return {message.text for message in member.rooms.state(member.world.room).messages}


def test_a_device_that_was_cloned_is_noticed_by_all_in_the_same_way(world: World) -> None:
    ann, bea, cid = house(world, 3)
    world.disconnect(bea)
    copy = world.folder / "copy"
    shutil.copytree(bea.folder, copy)
    clone = SimMember.__new__(SimMember)
    clone.__dict__.update(bea.__dict__)
    clone.folder, clone.life, clone.name = copy, 100, "m1-clone"
    clone.open()
    world.act(bea, lambda: bea.say("from the first"))
    world.act(clone, lambda: clone.say("from the second"))
    world.begin(clone)
    world.pass_time(5)
    world.disconnect(clone)
    world.begin(bea)
    world.pass_time(60)
    assert ann.rooms.roster(world.room).forked == cid.rooms.roster(world.room).forked == {bea.key}
    assert ann.rooms.log_state(world.room) == cid.rooms.log_state(world.room) == bea.rooms.log_state(world.room)
    assert texts(ann) == texts(cid) == set()  # neither of the two that contradict each other
    world.act(ann, lambda: ann.say("we go on"))
    world.pass_time(5)
    assert texts(cid) == {"we go on"}
    clone.close()


def test_two_devices_with_one_account_at_the_same_time_are_told(world: World) -> None:
    ann, bea = house(world, 2)
    joined = world.seen[bea.key]
    world.act(bea, lambda: bea.driver.receive(NewMember(joined)))
    assert Impostor(bea.key, "somebody else is there under this member's own key") in bea.said
    assert ann.joined


def test_who_has_lost_the_keys_comes_back_as_somebody_else(world: World) -> None:
    ann, bea = house(world, 2)
    world.act(bea, lambda: bea.say("before"))
    world.pass_time(2)
    world.disconnect(bea)
    bea.store.write(lambda tx: tx.execute("DELETE FROM secrets")).result()
    again = MemberAccount.load_or_create(bea.store, bea.vault)
    assert again.identity_key != bea.key
    bea.close()
    new = SimMember(world, "m5", world.invitation())
    world.members[1] = new
    world.begin(new)
    world.pass_time(10)
    assert world.agreed()
    assert ann.rooms.roster(world.room).members.keys() == {ann.key, bea.key, new.key}
    assert texts(new) == {"before"}


def test_without_the_right_key_of_the_vault_nothing_opens_and_nothing_changes(world: World) -> None:
    _, bea = house(world, 2)
    bea.close()
    before = (bea.folder / "orlop.db").read_bytes()
    with Store.open(bea.folder / "orlop.db", world.clock, owner=False) as store:
        wrong = Vault(b"w" * 32)
        with pytest.raises(RefusedError, match="the member account cannot be opened"):
            MemberAccount.load_or_create(store, wrong)
        rooms = Rooms(store, wrong, bea.account, bea.identity)
        with pytest.raises(RefusedError):
            rooms.state(world.room)
    assert (bea.folder / "orlop.db").read_bytes() == before
    bea.open()


def limit_pages(member: SimMember, pages: int) -> None:
    member.store.write(lambda tx: tx.execute(f"PRAGMA max_page_count={pages}").fetchone()).result()


def test_a_disk_that_is_full_loses_nothing_once_there_is_room_again(world: World) -> None:
    ann, bea = house(world, 2)
    pages = bea.store.read_now(lambda c: int(c.execute("PRAGMA page_count").fetchone()[0]))
    limit_pages(bea, pages)
    said = set()
    for number in range(30):
        said.add(f"{number} " + "x" * 4_000)
        world.act(ann, lambda number=number: ann.say(f"{number} " + "x" * 4_000))
        world.pass_time(0.2)
    world.pass_time(40)
    assert any("disk is full" in failure for failure in bea.failures)
    assert texts(bea) < said
    limit_pages(bea, 100_000)
    world.pass_time(60)
    assert texts(bea) == said
    assert world.agreed()


def test_nothing_is_answered_while_the_account_cannot_be_saved(world: World) -> None:
    ann, bea = house(world, 2)
    world.disconnect(bea)
    keep = bea.account._keep
    bea.account._keep = full_disk
    sent = len(world.sent)
    world.begin(bea)
    world.pass_time(20)
    assert [one for one in world.sent[sent:] if _sender(one) == bea.key] == []
    assert "the disk is full" in bea.failures
    bea.account._keep = keep
    world.disconnect(bea)
    world.begin(bea)
    world.act(ann, lambda: ann.say("at last"))
    world.pass_time(20)
    assert texts(bea) == {"at last"}


def full_disk(_: str) -> "Future[None]":
    future: Future[None] = Future()
    future.set_exception(UnavailableError("the disk is full"))
    return future


def _sender(message: Outgoing) -> str:
    return message.me.identity_key if isinstance(message, Join) else getattr(message, "sender", "")
