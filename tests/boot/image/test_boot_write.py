"""An image is written as it is, and read back; a disk that keeps other bytes is found."""

import os
from pathlib import Path

import pytest

from boot.image import write
from boot.image.gpt import MIB, disk_table
from boot.image.write import open_image, write_image
from runtime.errors import FailedError, RefusedError, UnavailableError, UsageError


def silent(_what: str, _done: int, _of: int) -> None:
    """Nobody looks."""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A disk of 9 MiB: more than two parts of what is written at once."""
    path, table = tmp_path / "disk.img", disk_table(9 * MIB, esp=MIB, seed=MIB)
    middle = os.urandom(table.size - len(table.head()) - len(table.tail()))
    path.write_bytes(table.head() + middle + table.tail())
    return path


def written(image: Path, device: Path) -> str:
    with open_image(image) as (descriptor, size):
        return write_image(descriptor, size, device, silent).sha256


def test_a_larger_device_holds_the_image_then_and_keeps_what_is_behind_it(image: Path, tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.write_bytes(b"\xff" * (12 * MIB))
    written(image, device)
    assert device.read_bytes() == image.read_bytes() + b"\xff" * (3 * MIB)


def test_progress_ends_with_all_of_it_twice(image: Path, tmp_path: Path) -> None:
    (tmp_path / "device").write_bytes(bytes(9 * MIB))
    told: list[tuple[str, int, int]] = []
    with open_image(image) as (descriptor, size):
        write_image(descriptor, size, tmp_path / "device", lambda *one: told.append(one))
    assert told[2:3] + told[-1:] == [("writing", 9 * MIB, 9 * MIB), ("reading", 9 * MIB, 9 * MIB)]


def test_a_device_that_keeps_other_bytes_is_found_with_the_place(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "device"
    device.write_bytes(bytes(9 * MIB))

    def forgetful(target: int) -> None:
        os.pwrite(target, b"?", 5 * MIB)

    monkeypatch.setattr(write, "_forget", forgetful)
    with pytest.raises(FailedError, match="read back at 4MiB is not what was written"):
        written(image, device)


def test_a_smaller_device_is_not_touched(image: Path, tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.write_bytes(b"\xff" * (8 * MIB))
    with pytest.raises(UsageError, match="smaller"):
        written(image, device)
    assert device.read_bytes() == b"\xff" * (8 * MIB)


def test_a_device_that_is_not_there_is_unavailable(image: Path, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        written(image, tmp_path / "none")


def _refused(path: Path) -> str:
    with pytest.raises((UsageError, RefusedError)) as refused, open_image(path):
        pass
    return str(refused.value)


def test_what_is_no_image_of_a_disk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image"
    assert "no such file" in _refused(path)
    path.write_bytes(b"")
    assert "is empty" in _refused(path)
    path.write_bytes(b"x" * 1000)
    assert "not whole sectors" in _refused(path)
    path.write_bytes(b"QFI\xfb".ljust(65536, b"\0"))
    assert "qcow2" in _refused(path)
    path.write_bytes(bytes(1 << 20))
    assert "no image of a disk" in _refused(path)


def test_an_image_that_was_cut_off_is_refused(image: Path) -> None:
    os.truncate(image, 5 * MIB)
    assert "no image of a disk" in _refused(image)


def test_links_and_folders_are_refused(image: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(image)
    assert "symbolic link" in _refused(tmp_path / "link")
    assert "not a regular file" in _refused(tmp_path)


def test_an_iso_image_may_be_written_too(tmp_path: Path) -> None:
    path = tmp_path / "image.iso"
    path.write_bytes(bytes(0x8001) + b"CD001".ljust(65536 * 2 - 0x8001, b"\0"))
    with open_image(path) as (_, size):
        assert size == 65536 * 2
