"""What speaks against writing to a disk, as sysfs and the tables of mounts and swaps tell it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from boot.image.target import Target, numbered, objection, target_of
from runtime.errors import UsageError

MIB = 1 << 20
STICK = Target(name="sdb", whole=True, size=8 * MIB, removable=True, read_only=False)

OBJECTIONS = {
    "a partition": (replace(STICK, name="sdb1", whole=False), "/dev/sdb1: is a partition; name the whole disk"),
    "the disk of this system": (replace(STICK, of_system=True, mounted=("/",)), "this system runs from"),
    "mounted": (replace(STICK, mounted=("/media/me",)), "is mounted at /media/me; unmount it"),
    "swap": (replace(STICK, swapped=True), "in use as swap"),
    "something set up on it": (replace(STICK, held=("dm-0",)), "in use by dm-0"),
    "read-only": (replace(STICK, read_only=True), "is read-only"),
    "too small": (replace(STICK, size=MIB), "has 1MiB, the image has 4MiB"),
    "not removable": (replace(STICK, removable=False), "--fixed-disk"),
}


@pytest.mark.parametrize(("target", "why"), OBJECTIONS.values(), ids=OBJECTIONS)
def test_a_disk_is_refused_with_one_line_when_it_is(target: Target, why: str) -> None:
    error = objection(target, 4 * MIB, fixed_disk=False)
    assert why in str(error)
    assert "\n" not in str(error)


def test_a_stick_that_nothing_uses_is_taken_and_a_fixed_disk_when_asked_for() -> None:
    assert objection(STICK, 8 * MIB, fixed_disk=False) is None
    assert objection(replace(STICK, removable=False), 8 * MIB, fixed_disk=True) is None


class Machine:
    """A machine's sysfs and procfs in a folder."""

    def __init__(self, folder: Path) -> None:
        self.sys, self.proc = folder / "sys", folder / "proc"
        (self.sys / "dev/block").mkdir(parents=True)
        (self.proc / "self").mkdir(parents=True)
        self.mounts("0:22 / /sys rw - sysfs sysfs rw")
        (self.proc / "swaps").write_text("Filename\tType\tSize\tUsed\tPriority\n")

    def device(self, path: str, number: str, size: int = 8 * MIB, **facts: str) -> Path:
        folder = self.sys / "devices" / path
        (folder / "holders").mkdir(parents=True)
        for name, text in {"dev": number, "size": str(size // 512), "removable": "1", "ro": "0", **facts}.items():
            (folder / name).write_text(f"{text}\n")
        (self.sys / "dev/block" / number).symlink_to(folder)
        return folder

    def mounts(self, *lines: str) -> None:
        text = "".join(f"{number} 1 {line.replace(' - ', ' shared:1 - ')}\n" for number, line in enumerate(lines, 20))
        (self.proc / "self/mountinfo").write_text(text)

    def target(self, number: str) -> Target:
        return numbered(number, "device", self.sys, self.proc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.device("usb1/sdb", "8:16")
    machine.device("usb1/sdb/sdb1", "8:17", partition="1")
    return machine


def test_a_stick_is_what_the_kernel_says(machine: Machine) -> None:
    assert machine.target("8:16") == STICK


def test_a_partition_is_no_whole_disk(machine: Machine) -> None:
    assert not machine.target("8:17").whole


def test_a_disk_is_mounted_when_a_partition_of_it_is(machine: Machine) -> None:
    machine.mounts(r"8:17 / /media/my\040stick rw - vfat /dev/sdb1 rw")
    assert machine.target("8:16").mounted == ("/media/my stick",)


def test_a_disk_is_the_systems_when_the_root_is_on_a_volume_on_a_decrypted_partition_of_it(machine: Machine) -> None:
    crypt = machine.device("virtual/dm-0", "254:0")
    volume = machine.device("virtual/dm-1", "254:1")
    (machine.sys / "devices/usb1/sdb/sdb1/holders/dm-0").symlink_to(crypt)
    (crypt / "holders/dm-1").symlink_to(volume)
    machine.mounts("254:1 / / rw - ext4 /dev/mapper/root rw")
    target = machine.target("8:16")
    assert target.of_system
    assert target.held == ("dm-0", "dm-1")


def test_what_is_set_up_on_a_disk_and_not_mounted_holds_it(machine: Machine) -> None:
    array = machine.device("virtual/md0", "9:0")
    (machine.sys / "devices/usb1/sdb/holders/md0").symlink_to(array)
    (array / "holders/sdb").symlink_to(machine.sys / "devices/usb1/sdb")  # never ends, for those who go round
    assert machine.target("8:16").held == ("md0",)


def test_a_disk_is_swap_when_a_swap_file_lies_on_it(machine: Machine, tmp_path: Path) -> None:
    swap = tmp_path / "swap file"
    swap.write_bytes(b"swap")
    number = f"{os.major(swap.stat().st_dev)}:{os.minor(swap.stat().st_dev)}"
    machine.device("usb1/sdc", number)
    head = "Filename\tType\tSize\tUsed\tPriority\n"
    (machine.proc / "swaps").write_text(f"{head}{str(swap).replace(' ', chr(92) + '040')} file 4 0 -2\n")
    assert machine.target(number).swapped
    assert not machine.target("8:16").swapped


def test_a_device_that_the_kernel_does_not_know_is_refused(machine: Machine) -> None:
    with pytest.raises(UsageError, match="knows no such device"):
        machine.target("8:32")


@pytest.mark.parametrize(("name", "why"), [("none", "no such device"), ("file", "no block device")])
def test_what_is_no_block_device_is_refused(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(UsageError, match=why):
        target_of(tmp_path / name)
