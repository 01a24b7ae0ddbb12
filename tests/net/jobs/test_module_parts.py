"""Modules that came in part: whose they are, how long they stay, and how many."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from net.jobs.module_parts import ModuleParts
from runtime.blobs import Blobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def parts(folder: Path) -> Iterator[ModuleParts]:
    made = ModuleParts(Blobs(folder), 100, kept_s=10)
    yield made
    made.close()


def begun(parts: ModuleParts, who: str, digest: str, now: float = 0) -> None:
    part = parts.take(who, digest, now)
    part.write(b"abc")
    parts.put_back(part, now)


def files(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


def test_what_came_is_kept_for_whoever_sent_it_and_nobody_else(parts: ModuleParts) -> None:
    begun(parts, "me", "a")
    assert parts.take("you", "a", 1).size == 0
    assert parts.take("me", "b", 1).size == 0
    mine = parts.take("me", "a", 1)
    assert mine.size == 3
    mine.write(b"de")
    assert mine.incoming.digest == "36bbe50ed96841d10443bcb670d6554f0a34b761be67ec9c4a8ad2c0c44ca42c"


def test_nobody_sends_on_the_same_part_twice_at_once(parts: ModuleParts) -> None:
    begun(parts, "me", "a")
    assert (parts.take("me", "a", 1).size, parts.take("me", "a", 1).size) == (3, 0)


def test_it_goes_when_time_is_up(parts: ModuleParts, folder: Path) -> None:
    begun(parts, "me", "a")
    assert files(folder) == 1
    parts.expire(9.9)
    assert files(folder) == 1
    parts.expire(10)
    assert files(folder) == 0


def test_a_part_without_a_byte_is_not_kept(parts: ModuleParts, folder: Path) -> None:
    parts.put_back(parts.take("me", "a", 0), 0)
    assert files(folder) == 0


def test_few_of_one_sender_and_not_many_of_all(parts: ModuleParts, folder: Path) -> None:
    for number in range(6):
        begun(parts, "me", str(number))
    assert files(folder) == 4
    assert parts.take("me", "1", 0).size == 0
    for sender in range(40):
        begun(parts, str(sender), "a")
    assert files(folder) <= 33
