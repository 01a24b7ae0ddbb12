"""Pairs that are not looked at for ten minutes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from net.book.rows import PEERS_MOST, remember
from net.book.skipping import SKIP_MS, failed, skipped
from net.peer_id import PeerId
from runtime.clock import ManualClock
from runtime.identity import Identity
from runtime.store import Store

ADA, JO = (PeerId(Identity(bytes([number]) * 32).public) for number in (1, 2))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    made = Store.open(tmp_path / "orlop.db", clock, owner=True)
    yield made
    made.close()


def test_a_pair_is_skipped_for_ten_minutes_and_no_longer(store: Store, clock: ManualClock) -> None:
    store.write(lambda tx: failed(tx, ADA, "x86_64/wasm", "proved\x1b[2J nothing")).result()
    began = clock.wall_ms()
    for what, after, found in (
        ("x86_64/wasm", 0, {ADA}),
        ("x86_64/wasm", SKIP_MS - 1, {ADA}),
        ("x86_64/wasm", SKIP_MS, set()),
        ("x86_64/wasm", -1, set()),
        ("aarch64/wasm", 0, set()),
    ):
        assert set(store.read_now(lambda db, w=what, a=after: skipped(db, w, began + a))) == found, (what, after)
    (reason,) = store.read_now(lambda db: skipped(db, "x86_64/wasm", began)).values()
    assert "\x1b" not in reason


def test_old_pairs_do_not_pile_up(store: Store, clock: ManualClock) -> None:
    store.write(lambda tx: failed(tx, ADA, "x86_64/wasm", "gone")).result()
    clock.advance(SKIP_MS / 1000)
    store.write(lambda tx: failed(tx, JO, "x86_64/wasm", "gone")).result()
    assert store.read_now(lambda db: db.execute("SELECT peer FROM failed_providers").fetchall()) == [(str(JO),)]


def test_who_is_forgotten_takes_its_pairs_along(store: Store, clock: ManualClock) -> None:
    store.write(lambda tx: remember(tx, ADA)).result()
    store.write(lambda tx: failed(tx, ADA, "x86_64/wasm", "gone")).result()
    clock.advance(1)
    row = "INSERT INTO peers VALUES (?, '', '', NULL, NULL, '', NULL, '', ?, NULL, 0, 0, NULL, '')"
    others = [PeerId(Identity(number.to_bytes(32, "big")).public) for number in range(1000, 1000 + PEERS_MOST - 1)]
    store.write(lambda tx: [tx.execute(row, (str(one), tx.now_ms)) for one in others]).result()
    store.write(lambda tx: remember(tx, JO)).result()
    assert store.read_now(lambda db: db.execute("SELECT peer FROM failed_providers").fetchall()) == []
