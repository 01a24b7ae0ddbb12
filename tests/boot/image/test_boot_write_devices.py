"""`orlop boot write` to real block devices: loop devices of files."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from boot.image.gpt import MIB, disk_table
from tests.cli.program import Ran, inside
from tests.cli.terminal_session import session

pytestmark = pytest.mark.boot

SIZE = 12 * MIB


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path, table = tmp_path / "disk.img", disk_table(9 * MIB, esp=MIB, seed=MIB)
    middle = os.urandom(table.size - len(table.head()) - len(table.tail()))
    path.write_bytes(table.head() + middle + table.tail())
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A file and the name of the device that it is, such as `loop0`."""
    file = tmp_path / "disk"
    file.write_bytes(b"\xff" * SIZE)
    done = subprocess.run(["losetup", "--find", "--show", str(file)], capture_output=True, text=True, check=True)
    device = done.stdout.strip()
    try:
        yield file, Path(device).name
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def write(image: Path, name: str, *words: str) -> Ran:
    return inside(image.parent, ["boot", "write", str(image), f"/dev/{name}", *words], cwd=image.parent)


def kept(file: Path) -> bool:
    return file.read_bytes() == b"\xff" * SIZE


def test_a_disk_holds_the_image_then_and_what_is_behind_it_is_kept(image: Path, disk: tuple[Path, str]) -> None:
    file, name = disk
    ran = write(image, name, "--fixed-disk", "--yes-erase", name, "--json")
    assert (ran.code, ran.talk) == (0, "")
    assert ran.json["device"] == f"/dev/{name}"
    assert file.read_bytes() == image.read_bytes() + b"\xff" * (3 * MIB)


def test_a_link_to_the_disk_is_followed_and_its_real_name_is_asked_for(image: Path, disk: tuple[Path, str]) -> None:
    file, name = disk
    link = image.parent / "stick"
    link.symlink_to(f"/dev/{name}")
    words = ["boot", "write", str(image), str(link), "--fixed-disk", "--yes-erase", "stick"]
    ran = inside(image.parent, words, cwd=image.parent)
    assert ran.code == 2
    assert f"the disk is {name}, not stick" in ran.talk
    assert kept(file)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "is no removable disk; --fixed-disk"),
        (("--fixed-disk",), "there is no terminal; --yes-erase"),
        (("--fixed-disk", "--yes-erase", "sdz"), "not sdz; nothing was written"),
    ],
)
def test_a_disk_that_was_not_asked_for_by_its_name_is_kept(
    words: tuple[str, ...], why: str, image: Path, disk: tuple[Path, str]
) -> None:
    file, name = disk
    ran = write(image, name, *words)
    assert ran.code == 2
    assert why in ran.talk
    assert ran.talk.count("\n") == 1
    assert kept(file)


def test_a_disk_that_is_too_small_is_kept(image: Path, disk: tuple[Path, str]) -> None:
    file, name = disk
    table = disk_table(16 * MIB, esp=MIB, seed=MIB)
    image.write_bytes(table.head() + bytes(table.size - len(table.head()) - len(table.tail())) + table.tail())
    ran = write(image, name, "--fixed-disk", "--yes-erase", name)
    assert ran.code == 2
    assert "has 12MiB, the image has 16MiB" in ran.talk
    assert kept(file)


def test_a_disk_that_is_mounted_is_kept(image: Path, disk: tuple[Path, str], tmp_path: Path) -> None:
    file, name = disk
    subprocess.run(["mkfs.ext4", "-q", "-F", f"/dev/{name}"], check=True)
    place = tmp_path / "a place"
    place.mkdir()
    subprocess.run(["mount", "-o", "ro", f"/dev/{name}", str(place)], check=True)
    before = file.read_bytes()
    try:
        ran = write(image, name, "--fixed-disk", "--yes-erase", name)
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert ran.code == 2
    assert f"/dev/{name}: is mounted at {place}; unmount it" in ran.talk
    assert file.read_bytes() == before


def test_a_disk_that_another_program_holds_is_kept(image: Path, disk: tuple[Path, str]) -> None:
    file, name = disk
    held = os.open(f"/dev/{name}", os.O_RDONLY | os.O_EXCL)
    try:
        ran = write(image, name, "--fixed-disk", "--yes-erase", name)
    finally:
        os.close(held)
    assert ran.code == 2
    assert "is in use" in ran.talk
    assert kept(file)


def test_on_a_terminal_the_name_is_typed_and_another_one_writes_nothing(image: Path, disk: tuple[Path, str]) -> None:
    file, name = disk
    words = ("boot", "write", str(image), f"/dev/{name}", "--fixed-disk")
    code, said = session(image.parent, *words, answers=[(b"to go on: ", b"yes\n")])
    assert code == 2
    assert b"nothing was written" in said
    assert kept(file)
    code, said = session(image.parent, *words, answers=[(b"to go on: ", f"{name}\n".encode())])
    assert code == 0, said
    assert b"writing 100 %" in said
    assert b"reading 100 %" in said
    assert file.read_bytes().startswith(image.read_bytes())
