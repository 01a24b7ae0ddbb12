import os
import stat
from pathlib import Path

import pytest

from runtime.sandbox.cache import CompiledCache, entry_key
from runtime.sandbox.engine import SETTINGS

SECRET = b"s" * 32
KEY = entry_key("agent", "0" * 64)


class Shelf:
    """A cache and what it reported."""

    def __init__(self, folder: Path, secret: bytes = SECRET, capacity: int = 1 << 20) -> None:
        self.folder = folder
        self.reports: list[str] = []
        self.cache = CompiledCache(folder, secret, self.reports.append, capacity)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "cache" / "compiled")


def test_what_was_put_is_found(shelf: Shelf) -> None:
    assert shelf.cache.get(KEY) is None
    shelf.cache.put(KEY, b"code")
    assert shelf.cache.get(KEY) == b"code"
    assert shelf.reports == []
    shelf.cache.drop(KEY)
    shelf.cache.drop(KEY)
    assert shelf.cache.get(KEY) is None


def test_nobody_else_can_read_it(shelf: Shelf) -> None:
    shelf.cache.put(KEY, b"code")
    assert stat.S_IMODE(shelf.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((shelf.folder / KEY).stat().st_mode) == 0o600
    assert [entry.name for entry in shelf.folder.iterdir()] == [KEY]


@pytest.mark.parametrize("at", [0, 31, 32, 35])
def test_any_changed_byte_drops_the_entry(shelf: Shelf, at: int) -> None:
    shelf.cache.put(KEY, b"code")
    raw = bytearray((shelf.folder / KEY).read_bytes())
    raw[at] ^= 1
    (shelf.folder / KEY).write_bytes(raw)
    assert shelf.cache.get(KEY) is None
    assert not (shelf.folder / KEY).exists()
    assert shelf.reports == [f"compiled module {KEY[:12]} does not verify; it is dropped and compiled again"]


@pytest.mark.parametrize("content", [b"", b"short", bytes(32), bytes(64)])
def test_a_file_that_is_no_entry_is_dropped(shelf: Shelf, content: bytes) -> None:
    shelf.cache.put(KEY, b"code")
    (shelf.folder / KEY).write_bytes(content)
    assert shelf.cache.get(KEY) is None
    assert len(shelf.reports) == 1


def test_an_entry_of_another_module_or_secret_does_not_verify(shelf: Shelf) -> None:
    other = entry_key("job", "0" * 64)
    shelf.cache.put(other, b"code")
    (shelf.folder / other).rename(shelf.folder / KEY)
    assert shelf.cache.get(KEY) is None
    shelf.cache.put(KEY, b"code")
    assert Shelf(shelf.folder, b"t" * 32).cache.get(KEY) is None


def test_a_link_a_folder_and_a_pipe_are_no_entries(shelf: Shelf) -> None:
    shelf.cache.put(KEY, b"code")
    real = shelf.folder / KEY
    moved = real.rename(shelf.folder / "elsewhere")
    real.symlink_to(moved)
    assert shelf.cache.get(KEY) is None
    real.unlink()
    real.mkdir()
    assert shelf.cache.get(KEY) is None
    real.rmdir()
    os.mkfifo(real)
    assert shelf.cache.get(KEY) is None
    assert not real.exists()
    assert len(shelf.reports) == 3


def test_a_file_larger_than_any_entry_is_not_even_read(shelf: Shelf) -> None:
    shelf.cache.put(KEY, b"code")
    with (shelf.folder / KEY).open("r+b") as file:
        file.truncate(1 << 30)
    assert shelf.cache.get(KEY) is None
    assert not (shelf.folder / KEY).exists()


def test_a_folder_that_cannot_be_written_is_reported_and_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    shelf = Shelf(tmp_path / "file" / "compiled")
    shelf.cache.put(KEY, b"code")
    assert shelf.cache.get(KEY) is None
    assert [line.split(":")[0] for line in shelf.reports] == [
        f"compiled module {KEY[:12]} cannot be kept",
        f"compiled module {KEY[:12]} cannot be read",
    ]


def test_the_oldest_entries_go_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, capacity=3_000)
    for index in range(5):
        shelf.cache.put(f"{index:064x}", bytes(900))
        os.utime(tmp_path / f"{index:064x}", (1_000 + index, 1_000 + index))
    shelf.cache.put(KEY, bytes(900))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"{3:064x}", f"{4:064x}", KEY])


def test_the_newest_entry_stays_however_large(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, capacity=10)
    shelf.cache.put(KEY, bytes(900))
    assert shelf.cache.get(KEY) == bytes(900)


def test_what_a_killed_writer_left_is_cleared_away(shelf: Shelf) -> None:
    shelf.cache.put(KEY, b"code")
    old, young = shelf.folder / ".old.1.1.tmp", shelf.folder / ".young.1.1.tmp"
    old.write_bytes(b"")
    young.write_bytes(b"")
    os.utime(old, (1_000, 1_000))
    shelf.cache.put(KEY, b"code")
    assert (old.exists(), young.exists()) == (False, True)


def test_the_key_depends_on_module_kind_and_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {entry_key(kind, digit * 64) for kind in SETTINGS for digit in "01"}
    assert len(keys) == 2 * len(SETTINGS)
    monkeypatch.setattr("runtime.sandbox.cache.settings_digest", lambda _: "other")
    assert entry_key("agent", "0" * 64) not in keys
