"""Disks: their tables read as anybody may have written them, and the kernel made to refuse every write, for real."""

import contextlib
import errno
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.image.gpt import CACHE_PARTUUID, ESP_PARTUUID, MIB, SEED_PARTUUID, disk_table
from boot.stage1.disks import disks, find_partition, make_read_only, writable_disks
from boot.stage1.partitions import Entry, NoTableError, read_entries
from runtime.errors import FailedError

SIZE = 8 * MIB
TABLE = disk_table(SIZE, esp=2 * MIB, seed=2 * MIB)
HEAD = TABLE.head()


def entries(raw: bytes, size: int = SIZE) -> tuple[Entry, ...]:
    return read_entries(lambda at, count: raw[at : at + count], 512, size)


# --- tables -----------------------------------------------------------------------------------------------------------


def test_the_table_that_orlop_writes_is_read() -> None:
    found = entries(HEAD)
    assert [one.partuuid for one in found] == [ESP_PARTUUID, SEED_PARTUUID, CACHE_PARTUUID]
    assert [(one.number, one.first, one.last) for one in found] == [
        (number, one.first, one.last) for number, one in enumerate(TABLE.partitions, 1)
    ]


def test_a_stick_that_is_larger_than_its_image_has_no_table_at_its_end_and_is_read_all_the_same() -> None:
    assert entries(HEAD, 100 * SIZE) == entries(HEAD)


@pytest.mark.parametrize("place", range(512, 512 + 92, 4))
def test_a_header_with_one_wrong_bit_is_none(place: int) -> None:
    raw = bytearray(HEAD)
    raw[place] ^= 0x10
    with pytest.raises(NoTableError):
        entries(bytes(raw))


def test_entries_with_one_wrong_bit_are_none() -> None:
    raw = bytearray(HEAD)
    raw[1024 + 200] ^= 1
    with pytest.raises(NoTableError, match="entries"):
        entries(bytes(raw))


@pytest.mark.parametrize("length", [0, 511, 512, 600, 1024, len(HEAD) - 512])
def test_a_disk_that_ends_early_has_none(length: int) -> None:
    with pytest.raises(NoTableError):
        entries(HEAD[:length])


@given(st.binary(max_size=4096), st.integers(0, 1 << 40), st.sampled_from([0, 512, 4096, 12345]))
def test_any_bytes_are_a_table_or_none(raw: bytes, size: int, sector: int) -> None:
    with pytest.raises(NoTableError):
        read_entries(lambda at, count: raw[at : at + count], sector, size)


@given(st.binary(min_size=92, max_size=92))
def test_any_header_is_a_table_or_none(header: bytes) -> None:
    raw = HEAD[:512] + b"EFI PART" + header[8:] + HEAD[604:]
    with contextlib.suppress(NoTableError):
        assert isinstance(entries(raw), tuple)


# --- disks as the kernel lists them ---------------------------------------------------------------------------------


class Machine:
    """A `/sys/block` and a `/dev` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.system, self.devices = folder / "block", folder / "dev"
        self.system.mkdir()
        self.devices.mkdir()

    def add(self, name: str, content: bytes, *, size: int = SIZE, sector: int = 512, ro: int = 0) -> None:
        about = self.system / name
        (about / "queue").mkdir(parents=True)
        facts = {"size": size // 512, "ro": ro, "queue/logical_block_size": sector}
        for file, value in facts.items():
            (about / file).write_text(f"{value}\n")
        (self.devices / name).write_bytes(content)
        if content.startswith(HEAD):
            for number, one in enumerate(TABLE.partitions, 1):
                part = about / f"{name}{number}"
                part.mkdir()
                (part / "partition").write_text(f"{number}\n")
                (part / "start").write_text(f"{one.first}\n")

    def find(self, partuuid: str) -> str:
        found = find_partition(partuuid, self.system, self.devices)
        return found.device.name if found is not None else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_partition_is_found_on_the_one_disk_that_has_it(machine: Machine) -> None:
    machine.add("sda", b"nothing")
    machine.add("vdb", HEAD)
    assert machine.find(CACHE_PARTUUID) == "vdb3"
    assert machine.find(SEED_PARTUUID) == "vdb2"
    assert machine.find("00000000-0000-0000-0000-000000000000") == ""


def test_two_disks_with_it_are_two_too_many(machine: Machine) -> None:
    machine.add("sda", HEAD)
    machine.add("sdb", HEAD)
    with pytest.raises(FailedError, match="sda and sdb both have it"):
        machine.find(CACHE_PARTUUID)


def test_s7_a_partition_that_the_kernel_sees_elsewhere_is_not_taken(machine: Machine) -> None:
    machine.add("sda", HEAD)
    (machine.system / "sda/sda3/start").write_text("4096\n")
    assert machine.find(CACHE_PARTUUID) == ""


def test_memory_and_hidden_paths_are_no_disks(machine: Machine) -> None:
    for name in ("loop0", "ram1", "zram0", "nvme0n1", "nvme0c0n1", "cciss!c0d0"):
        machine.add(name.replace("!", "_") if "!" in name else name, b"")
    (machine.system / "nvme0c0n1/hidden").write_text("1\n")
    assert [disk.name for disk in disks(machine.system, machine.devices)] == ["cciss_c0d0", "nvme0n1"]


def test_a_machine_without_disks_has_none(tmp_path: Path) -> None:
    assert disks(tmp_path / "missing") == ()
    assert make_read_only(tmp_path / "missing") == ()


def test_what_can_still_be_written_is_named(machine: Machine) -> None:
    machine.add("sda", HEAD)
    machine.add("sdb", HEAD, ro=1)
    machine.add("sr0", b"", size=0)
    assert writable_disks(machine.system, machine.devices) == ("sda",)


def test_a_disk_that_cannot_be_switched_stops_everything(machine: Machine) -> None:
    machine.add("sda", HEAD)  # a file: the kernel knows no such call for it
    with pytest.raises(FailedError, match="disk sda: cannot be made read-only"):
        make_read_only(machine.system, machine.devices)


def test_a_drive_without_a_medium_has_nothing_to_switch(machine: Machine) -> None:
    machine.add("sr0", b"", size=0)
    (machine.devices / "sr0").unlink()
    assert make_read_only(machine.system, machine.devices) == ()


# --- a real device --------------------------------------------------------------------------------------------------


def has_devices() -> bool:
    """Whether this user may make devices here, and the kernel says something of them."""
    places = Path("/dev/loop-control"), Path("/sys/block")
    return os.geteuid() == 0 and all(place.exists() for place in places) and shutil.which("losetup") is not None


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path | None]:
    """A loop device with a disk of orlop's on it; None where this user or this machine has none."""
    image = tmp_path / "disk.img"
    image.write_bytes(HEAD + bytes(SIZE - len(HEAD)))
    words = ["losetup", "--find", "--show", str(image)]
    found = subprocess.run(words, capture_output=True, check=False, text=True) if has_devices() else None
    name = found.stdout.strip() if found is not None and found.returncode == 0 else ""
    yield Path(name) if name else None
    if name:  # the kernel keeps the switch for whoever gets the device next
        subprocess.run(["blockdev", "--setrw", name], check=True)
        subprocess.run(["losetup", "--detach", name], check=True)


def listed(folder: Path, device: Path) -> tuple[Path, Path]:
    """A `/sys/block` and a `/dev` with this device alone, which no rule leaves out by its name."""
    system, devices = folder / "block", folder / "dev"
    for made in (system, devices):
        made.mkdir()
    (system / "vda").symlink_to(Path("/sys/block") / device.name)
    (devices / "vda").symlink_to(device)
    return system, devices


def test_a_device_that_was_switched_opens_for_writing_and_takes_no_byte(device: Path | None, tmp_path: Path) -> None:
    if device is None:  # what a refusal does is tested above, and a disk of a machine by the suite that boots machines
        assert not has_devices()
        return
    places = listed(tmp_path, device)
    assert write_to(device) == 0
    assert make_read_only(*places) == ("vda",)
    assert writable_disks(*places) == ()
    assert write_to(device) == errno.EPERM
    assert make_read_only(*places) == ("vda",)


def write_to(device: Path) -> int:
    """Writes 8 bytes; gives the error's number, or 0."""
    descriptor = os.open(device, os.O_RDWR | os.O_SYNC)
    try:
        os.pwrite(descriptor, struct.pack("<Q", 7), SIZE - 8)
    except OSError as error:
        return error.errno or -1
    finally:
        os.close(descriptor)
    return 0
