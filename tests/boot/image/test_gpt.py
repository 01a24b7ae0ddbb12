"""The partition table: what is written is read again, and nothing damaged is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.image.gpt import (
    CACHE_PARTUUID,
    ESP_PARTUUID,
    ESP_SIZE,
    MIB,
    SECTOR,
    SEED_PARTUUID,
    SEED_SIZE,
    TABLE_SECTORS,
    Table,
    disk_table,
    read_table,
)
from runtime.errors import RefusedError


def _read(table: Table, head: bytes | None = None, tail: bytes | None = None) -> Table:
    return read_table(head or table.head(), tail or table.tail(), table.sectors)


@given(st.integers(800, 1 << 20))
def test_a_table_is_read_as_it_was_written_whatever_the_size_of_the_disk(mib: int) -> None:
    table = disk_table(mib * MIB)
    assert len(table.head()) == TABLE_SECTORS * SECTOR
    assert len(table.tail()) == (TABLE_SECTORS - 1) * SECTOR
    assert _read(table) == table


@given(st.integers(800, 1 << 20))
def test_11_3_partitions_follow_one_another_on_whole_mebibytes_and_leave_room_for_the_table(mib: int) -> None:
    table = disk_table(mib * MIB)
    esp, seed, cache = table.partitions
    assert (esp.offset, esp.size, seed.size) == (MIB, ESP_SIZE, SEED_SIZE)
    assert (seed.first, cache.first) == (esp.last + 1, seed.last + 1)
    assert not cache.offset % MIB
    assert not cache.size % MIB
    assert cache.last < table.sectors - TABLE_SECTORS + 1


def test_partitions_have_the_identifiers_that_stage_1_looks_for() -> None:
    assert [one.guid for one in disk_table(1024 * MIB).partitions] == [ESP_PARTUUID, SEED_PARTUUID, CACHE_PARTUUID]


def test_two_tables_for_one_size_are_the_same_bytes() -> None:
    assert disk_table(2048 * MIB).head() == disk_table(2048 * MIB).head()


@given(at=st.integers(SECTOR, TABLE_SECTORS * SECTOR - 1), flip=st.integers(1, 255))
def test_a_changed_byte_in_either_copy_is_found_or_means_nothing(at: int, flip: int) -> None:
    table = disk_table(1024 * MIB)
    head = bytearray(table.head())
    head[at] ^= flip
    if 92 <= at - SECTOR < SECTOR:  # what follows the header in its sector is reserved
        assert _read(table, bytes(head)) == table
    else:
        with pytest.raises(RefusedError, match="damaged"):
            _read(table, bytes(head))


def test_two_copies_that_differ_are_refused() -> None:
    one, other = disk_table(1024 * MIB), disk_table(1024 * MIB, seed=256 * MIB)
    with pytest.raises(RefusedError, match="differ"):
        read_table(one.head(), other.tail(), one.sectors)


@given(st.binary(max_size=64))
def test_bytes_that_are_no_table_are_refused(raw: bytes) -> None:
    with pytest.raises(RefusedError):
        read_table(raw.ljust(TABLE_SECTORS * SECTOR, b"x"), bytes((TABLE_SECTORS - 1) * SECTOR), 1 << 21)
    with pytest.raises(RefusedError, match="too short"):
        read_table(raw, raw, 1 << 21)
