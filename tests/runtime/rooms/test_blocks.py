"""Blocks: after a restore a node writes where it has never written, whatever the copy knew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.clock import ManualClock
from runtime.rooms.blocks import begin_block, current_block
from runtime.store import Store

YEAR_2020_MS = 1_577_836_800_000
BLOCK_MAX = 2**31 - 1


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now_ms=YEAR_2020_MS + 5_000)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with Store.open(tmp_path / "orlop.db", clock, owner=True) as found:
        yield found


def test_a_node_that_was_never_restored_writes_in_the_first_block(store: Store) -> None:
    assert store.write(current_block).result() == 0


def test_a_restore_begins_a_block_that_follows_from_the_time_and_is_kept(store: Store) -> None:
    assert store.write(begin_block).result() == 5
    assert store.write(current_block).result() == 5


def test_two_restores_in_the_same_second_begin_two_blocks(store: Store) -> None:
    first = store.write(begin_block).result()
    assert store.write(begin_block).result() == first + 1


def test_two_restores_of_one_backup_at_different_times_begin_different_blocks(
    tmp_path: Path, store: Store, clock: ManualClock
) -> None:
    first = store.write(begin_block).result()
    clock.advance(60)
    with Store.open(tmp_path / "again.db", clock, owner=True) as again:
        assert again.write(begin_block).result() > first


def test_a_block_that_is_known_to_be_used_is_not_begun_again(store: Store) -> None:
    assert store.write(lambda tx: begin_block(tx, above=900)).result() == 901
    assert store.write(lambda tx: begin_block(tx, above=3)).result() == 902


def test_a_clock_that_fell_leads_into_no_old_block(store: Store, clock: ManualClock) -> None:
    first = store.write(begin_block).result()
    clock.now_ms = YEAR_2020_MS - 1_000_000
    assert store.write(begin_block).result() == first + 1


def test_blocks_end_where_the_sequence_numbers_end(store: Store, clock: ManualClock) -> None:
    clock.now_ms = YEAR_2020_MS + 4_000_000_000_000
    assert store.write(begin_block).result() == BLOCK_MAX
