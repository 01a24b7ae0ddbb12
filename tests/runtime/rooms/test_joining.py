"""Invitations that wait: sealed, one for each room, not too many."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runtime.clock import ManualClock
from runtime.errors import RefusedError
from runtime.rooms.invite import Invite
from runtime.rooms.joining import JOINS_MAX, PendingJoin, PendingJoins
from runtime.store import Store
from runtime.vault import Vault


def invite(number: int, name: str = "harbor") -> Invite:
    return Invite(room=f"{number:032x}", relay="ws://127.0.0.1:8484", secret="5e" * 16, creator="c0" * 16, name=name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "orlop.db", ManualClock(), owner=True)
    yield store
    store.close()


@pytest.fixture
def joins(store: Store) -> PendingJoins:
    return PendingJoins(store, Vault(b"v" * 32))


def test_what_is_added_is_listed_until_it_is_removed(joins: PendingJoins) -> None:
    joins.add(PendingJoin(invite(2), "Ann")).result()
    joins.add(PendingJoin(invite(1))).result()
    assert joins.list() == [PendingJoin(invite(1)), PendingJoin(invite(2), "Ann")]

    assert joins.remove(invite(1).room).result()
    assert not joins.remove(invite(1).room).result()
    assert joins.list() == [PendingJoin(invite(2), "Ann")]


def test_a_second_invitation_to_a_room_takes_the_place_of_the_first(joins: PendingJoins) -> None:
    joins.add(PendingJoin(invite(1))).result()
    joins.add(PendingJoin(invite(1, "other"), "Ann")).result()

    assert joins.list() == [PendingJoin(invite(1, "other"), "Ann")]


def test_no_more_wait_than_are_looked_after(joins: PendingJoins) -> None:
    for number in range(JOINS_MAX):
        joins.add(PendingJoin(invite(number))).result()

    joins.add(PendingJoin(invite(0, "again"))).result()
    with pytest.raises(RefusedError, match="wait already"):
        joins.add(PendingJoin(invite(JOINS_MAX))).result()


def test_nothing_of_an_invitation_lies_in_the_clear(joins: PendingJoins, store: Store) -> None:
    joins.add(PendingJoin(invite(1, "quiet-harbor"), "Ann")).result()
    store.close()

    data = b"".join(path.read_bytes() for path in store.database.parent.iterdir())
    assert not [text for text in (b"quiet-harbor", b"8484", b"5e5e5e", b"Ann") if text in data]


def test_one_that_was_tampered_with_is_said(joins: PendingJoins, store: Store) -> None:
    joins.add(PendingJoin(invite(1))).result()
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("UPDATE secrets SET sealed = zeroblob(80) WHERE name GLOB 'join:*'")

    with pytest.raises(RefusedError, match="an invitation cannot be opened"):
        joins.list()


def test_one_is_not_taken_for_another(joins: PendingJoins, store: Store) -> None:
    joins.add(PendingJoin(invite(1))).result()
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("UPDATE secrets SET name = 'join:' || ? WHERE name GLOB 'join:*'", (invite(2).room,))

    with pytest.raises(RefusedError, match="an invitation cannot be opened"):
        joins.list()
