"""Disks: switched to read-only where a mode writes nothing, and searched for orlop's own partitions, without a mount.

Read-only is what the kernel calls it: a device can still be opened for writing, and every write of it fails. It is no
border against root; it shows that orlop does not write. A disk that is plugged in later is not covered, so whoever
relies on it calls `make_read_only` again, just before the next kernel and first of all in it.
"""

import contextlib
import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.stage1.partitions import Entry, NoTableError, read_entries
from runtime.errors import FailedError
from runtime.sanitise import clean

__all__ = ["Disk", "Partition", "disks", "find_partition", "make_read_only", "writable_disks"]

_BLKROSET: Final = 0x125D
_IN_MEMORY: Final = ("loop", "ram", "zram")
_NOT_THERE: Final = (errno.ENOMEDIUM, errno.ENXIO, errno.ENODEV, errno.ENOENT)
_UNIT: Final = 512
"""Bytes in which the kernel counts, whatever the sectors of a disk are."""

SYSTEM: Final = Path("/sys/block")
DEVICES: Final = Path("/dev")


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk that the kernel knows.

    Attributes:
        name: the kernel's, such as `vda`.
        about: its folder in `/sys`.
        device: its node.
    """

    name: str
    about: Path
    device: Path

    @property
    def size(self) -> int:
        """Bytes; 0 where no medium is in it."""
        return _number(self.about / "size") * _UNIT

    @property
    def sector(self) -> int:
        """Bytes of a logical sector."""
        return _number(self.about / "queue" / "logical_block_size") or _UNIT

    @property
    def read_only(self) -> bool:
        """Whether the kernel refuses to write to it."""
        return _number(self.about / "ro") == 1


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of orlop's.

    Attributes:
        partuuid: by which it was found.
        disk: the kernel's name of its disk.
        device: its node.
    """

    partuuid: str
    disk: str
    device: Path


def disks(system: Path = SYSTEM, devices: Path = DEVICES) -> tuple[Disk, ...]:
    """Every disk, by name; those that are memory in truth are none.

    Args:
        system: the folder in which the kernel lists them.
        devices: the folder of their nodes.
    """
    try:
        names = sorted(path.name for path in system.iterdir())
    except FileNotFoundError:
        return ()
    real = (name for name in names if name.rstrip("0123456789") not in _IN_MEMORY)
    found = (Disk(name, system / name, devices / name.replace("!", "/")) for name in real)
    return tuple(disk for disk in found if not _number(disk.about / "hidden"))


def make_read_only(system: Path = SYSTEM, devices: Path = DEVICES) -> tuple[str, ...]:
    """Has the kernel refuse every write to every disk, its partitions included.

    Args:
        system: as for `disks`.
        devices: as for `disks`.

    Returns:
        Their names; a drive without a medium is not among them.

    Raises:
        FailedError: one of them could not be switched: then nothing may go on.
    """
    done: list[str] = []
    for disk in disks(system, devices):
        try:
            descriptor = os.open(disk.device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in _NOT_THERE and not disk.size:
                continue
            raise _failed(disk, error) from error
        try:
            fcntl.ioctl(descriptor, _BLKROSET, struct.pack("i", 1))
        except OSError as error:
            raise _failed(disk, error) from error
        finally:
            os.close(descriptor)
        done.append(disk.name)
    return tuple(done)


def writable_disks(system: Path = SYSTEM, devices: Path = DEVICES) -> tuple[str, ...]:
    """Disks that hold something and can be written; none, in a mode that writes nothing.

    Args:
        system: as for `disks`.
        devices: as for `disks`.
    """
    return tuple(disk.name for disk in disks(system, devices) if disk.size and not disk.read_only)


def find_partition(partuuid: str, system: Path = SYSTEM, devices: Path = DEVICES) -> Partition | None:
    """A partition by its identifier, which all of orlop's disks share.

    Args:
        partuuid: in lower case.
        system: as for `disks`.
        devices: as for `disks`.

    Returns:
        None where no disk has it.

    Raises:
        FailedError: two disks have it, so that nobody knows which one this machine was started from.
    """
    found = [
        Partition(partuuid, disk.name, devices / node)
        for disk in disks(system, devices)
        for entry in _entries(disk)
        if entry.partuuid == partuuid and (node := _node(disk, entry))
    ]
    if len(found) > 1:
        names = " and ".join(sorted({one.disk for one in found}))
        raise FailedError(f"{names} both have it", where=f"partition {partuuid}", hint="pull one of them out")
    return found[0] if found else None


def _entries(disk: Disk) -> tuple[Entry, ...]:
    """The table of a disk; none where it cannot be read or is none."""
    try:
        descriptor = os.open(disk.device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        return read_entries(lambda at, count: os.pread(descriptor, count, at), disk.sector, disk.size)
    except (NoTableError, OSError):
        return ()
    finally:
        os.close(descriptor)


def _node(disk: Disk, entry: Entry) -> str:
    """What the kernel calls a partition, where it sees it at the same place; else nothing."""
    for about in disk.about.iterdir():
        if _number(about / "partition") == entry.number:
            same = _number(about / "start") * _UNIT == entry.first * disk.sector
            return about.name.replace("!", "/") if same else ""
    return ""


def _number(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text("ascii"))
    return 0


def _failed(disk: Disk, error: OSError) -> FailedError:
    why = f"cannot be made read-only: {(error.strerror or '?').lower()}"
    return FailedError(why, where=f"disk {clean(disk.name, 60)}")
