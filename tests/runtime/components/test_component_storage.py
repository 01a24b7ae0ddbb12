"""What components store: sealed, apart from one another, within their quota."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.clock import ManualClock
from runtime.columns import RowDamagedError
from runtime.components import storage
from runtime.components.errors import CaseError
from runtime.components.storage import Page, Place, Sealing, Usage
from runtime.store import Store
from runtime.vault import Vault

OURS = Place("acme/mirror", "mirror:state", 4000)
OTHER = Place("acme/other", "mirror:state", 4000)


class Desk:
    """A store, and the component that uses it."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path / "orlop.db", ManualClock(), owner=True)
        self.sealing = Sealing(Vault(Vault.new_key()))

    def set(self, key: str, value: bytes, place: Place = OURS) -> None:
        self.store.write(lambda tx: self.sealing.set(tx, place, key, value)).result(60)

    def swap(self, key: str, expected: bytes | None, value: bytes) -> bool:
        wanted = None if expected is None else hashlib.sha256(expected).hexdigest()
        return self.store.write(lambda tx: self.sealing.compare_and_set(tx, OURS, key, wanted, value)).result(60)

    def get(self, key: str, place: Place = OURS) -> bytes | None:
        return self.store.read_now(lambda db: self.sealing.get(db, place, key))

    def raw(self, sql: str) -> None:
        self.store.write(lambda tx: tx.execute(sql)).result(60)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(CaseError) as caught:
        work()
    return caught.value.case


def test_a_value_is_there_until_it_is_deleted(desk: Desk) -> None:
    assert desk.get("k") is None
    desk.set("k", b"one")
    desk.set("k", b"two")
    assert desk.get("k") == b"two"
    assert desk.store.write(lambda tx: storage.delete(tx, OURS, "k")).result(60)
    assert not desk.store.write(lambda tx: storage.delete(tx, OURS, "k")).result(60)
    assert (desk.get("k"), desk.store.read_now(lambda db: storage.exists(db, OURS, "k"))) == (None, False)


def test_no_component_reads_what_another_stored_under_the_same_name(desk: Desk) -> None:
    desk.set("k", b"ours")
    assert desk.get("k", OTHER) is None
    desk.raw("UPDATE component_storage SET component = 'acme/other'")  # nor where somebody moves the row
    assert refused(lambda: desk.get("k", OTHER)) == "io-error"


def test_a_shared_namespace_is_one_for_all(desk: Desk) -> None:
    ours, other = Place("acme/mirror", "shared:tides", 4000), Place("acme/other", "shared:tides", 4000)
    desk.set("k", b"ours", ours)
    assert desk.get("k", other) == b"ours"


def test_an_older_value_cannot_be_put_back(desk: Desk) -> None:
    desk.set("k", b"old")
    desk.raw("CREATE TABLE kept AS SELECT sealed FROM component_storage")
    desk.set("k", b"new")
    desk.raw("UPDATE component_storage SET sealed = (SELECT sealed FROM kept)")
    assert refused(lambda: desk.get("k")) == "io-error"


def test_nothing_of_a_value_lies_open_in_the_file(desk: Desk, tmp_path: Path) -> None:
    desk.set("k", b"the plan of the harbor")
    desk.store.close()
    assert all(b"plan of the harbor" not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_swap_writes_only_what_it_expects(desk: Desk) -> None:
    assert desk.swap("k", None, b"first")
    assert not desk.swap("k", None, b"again")
    assert not desk.swap("k", b"other", b"again")
    assert desk.swap("k", b"first", b"second")
    assert desk.get("k") == b"second"


def test_the_quota_counts_keys_and_values_and_what_a_write_replaces(desk: Desk) -> None:
    desk.set("k", bytes(3000))
    assert refused(lambda: desk.set("other", bytes(2000))) == "quota-exceeded"
    desk.set("k", bytes(3999))
    assert refused(lambda: desk.set("k", bytes(4000))) == "quota-exceeded"
    assert desk.store.read_now(lambda db: storage.usage(db, OURS)) == Usage(4000, 4000, 1)
    assert desk.get("k") == bytes(3999)


@pytest.mark.parametrize("key", ["", "x" * 513, "a\0b", "\udc80"])
def test_what_is_no_key_is_refused(desk: Desk, key: str) -> None:
    assert refused(lambda: desk.set(key, b"")) == "invalid-key"
    assert refused(lambda: desk.get(key)) == "invalid-key"
    assert refused(lambda: desk.store.read_now(lambda db: storage.exists(db, OURS, key))) == "invalid-key"


def test_a_value_has_its_bound(desk: Desk) -> None:
    assert refused(lambda: desk.set("k", bytes(storage.VALUE_MAX + 1), Place("a/b", "b:c", 1 << 30))) == "too-large"


def test_keys_come_in_pages_in_the_order_of_their_bytes(desk: Desk) -> None:
    place = Place("a/b", "b:c", 1 << 20)
    keys = [f"k{number:04}" for number in range(1500)] + ["ä", "Z"]

    def write(tx: object) -> None:
        for key in keys:
            desk.sealing.set(tx, place, key, b"")  # type: ignore[arg-type]

    desk.store.write(write).result(60)
    first = desk.store.read_now(lambda db: storage.list_keys(db, place, "", ""))
    assert first == Page(("Z", *keys[:999]), "k0998")
    assert desk.store.read_now(lambda db: storage.list_keys(db, place, "", "k0998")) == Page(
        (*keys[999:1500], "ä"), None
    )
    assert desk.store.read_now(lambda db: storage.list_keys(db, place, "k149", "")).keys == tuple(keys[1490:1500])


def test_what_a_component_leaves_behind_can_be_forgotten(desk: Desk) -> None:
    desk.set("k", b"x")
    desk.set("k", b"x", OTHER)
    desk.store.write(lambda tx: storage.forget(tx, OURS.component)).result(60)
    assert (desk.get("k"), desk.get("k", OTHER)) == (None, b"x")


def test_a_row_that_nobody_here_wrote_is_named(desk: Desk) -> None:
    desk.set("k", b"x")
    desk.raw("UPDATE component_storage SET writes = 'many'")
    with pytest.raises(RowDamagedError, match="component_storage"):
        desk.get("k")
