"""Room on the disk: short below what is wanted, well again a little above it."""

from pathlib import Path

import pytest

from runtime.errors import UnavailableError
from runtime.space import Space, SpaceWatch, free_bytes


def looks(wanted: int, *free: int) -> list[tuple[bool, bool]]:
    left = iter(free)
    watch = SpaceWatch(lambda: next(left))
    return [(space.low, changed) for space, changed in (watch.look(wanted) for _ in free)]


def test_it_is_short_below_what_is_wanted() -> None:
    assert looks(1600, 1600, 1599) == [(False, False), (True, True)]
    assert SpaceWatch(lambda: 7).look(8) == (Space(free=7, wanted=8, low=True), True)


def test_it_is_well_again_a_sixteenth_above() -> None:
    assert looks(1600, 1000, 1600, 1699, 1700, 1600) == [
        (True, True), (True, False), (True, False), (False, True), (False, False),
    ]  # fmt: skip


def test_zero_switches_it_off() -> None:
    assert looks(0, 0, 0) == [(False, False), (False, False)]


def test_a_disk_has_room(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0


def test_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no such file or directory"):
        free_bytes(tmp_path / "none")
