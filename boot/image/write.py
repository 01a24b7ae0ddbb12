"""Writing an image to a stick: everything that speaks against it first, then the bytes, then reading them back.

What is known of a device comes from sysfs and from the tables of mounts and swaps; that is looked at before the device
is opened, and the kernel is asked again by an exclusive open, which fails for whatever is in use.
"""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.image.gpt import SECTOR, TABLE_SECTORS, read_table
from runtime import durable
from runtime.errors import FailedError, RefusedError, UnavailableError, UsageError
from runtime.quantities import format_size
from runtime.sanitise import clean

__all__ = ["Progress", "Written", "open_image", "write_image"]

Progress = Callable[[str, int, int], None]
"""Hears of what is done, `writing` or `reading`, and of how many bytes out of how many."""

_PART: Final = 4 << 20
_BLKFLSBUF: Final = 0x1261
_QCOW2: Final = b"QFI\xfb"
_ISO_AT: Final = 0x8001
_ISO: Final = b"CD001"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        size: bytes.
        sha256: of them, hexadecimal.
    """

    size: int
    sha256: str


@contextmanager
def open_image(path: Path) -> Iterator[tuple[int, int]]:
    """Opens an image that can be written to a stick.

    Args:
        path: a regular file.

    Yields:
        Its descriptor and its size in bytes.

    Raises:
        UsageError: there is none, it is empty, or no image of a disk.
        RefusedError: it is no regular file.
    """
    where = clean(str(path), 300)
    descriptor = durable.open_regular(path)
    if descriptor is None:
        raise UsageError("no such file", where=where)
    try:
        size = os.fstat(descriptor).st_size
        if not size:
            raise UsageError("is empty", where=where)
        if size % SECTOR:
            raise UsageError(f"has {size} bytes, not whole sectors: it was cut off", where=where)
        _check_form(descriptor, size, where)
        yield descriptor, size
    finally:
        os.close(descriptor)


def write_image(image: int, size: int, device: Path, progress: Progress) -> Written:
    """Writes an image to a device, and reads it back; blocks for minutes.

    Args:
        image: a descriptor of the image, at its beginning.
        size: of the image, bytes.
        device: a block device that nothing uses.
        progress: is told.

    Returns:
        What the device holds now.

    Raises:
        UsageError: it is in use after all.
        FailedError: what was read back is something else.
        UnavailableError: it cannot be written or read.
    """
    try:
        target = os.open(device, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise UsageError("is in use", where=str(device), hint="unmount everything that is on it") from None
        raise durable.unavailable(device, error) from error
    try:
        if os.lseek(target, 0, os.SEEK_END) < size:
            raise UsageError("is smaller than the image", where=str(device))
        os.lseek(target, 0, os.SEEK_SET)
        digests, sha256 = _write(image, target, size, progress)
        _forget(target)
        _compare(target, digests, size, device, progress)
    except OSError as error:
        raise durable.unavailable(device, error) from error
    finally:
        os.close(target)
    return Written(size, sha256)


def _write(image: int, target: int, size: int, progress: Progress) -> tuple[list[bytes], str]:
    os.lseek(image, 0, os.SEEK_SET)
    digests, whole = list[bytes](), hashlib.sha256()
    for at in range(0, size, _PART):
        part = os.read(image, min(_PART, size - at))
        if len(part) != min(_PART, size - at):
            raise UnavailableError("the image became shorter while it was read")
        digests.append(hashlib.sha256(part).digest())
        whole.update(part)
        _write_all(target, part)
        # Each part, so that progress is that of the stick and not of memory.
        os.fsync(target)
        progress("writing", at + len(part), size)
    return digests, whole.hexdigest()


def _write_all(target: int, part: bytes) -> None:
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(target, rest) :]


def _forget(target: int) -> None:
    """Has the kernel drop what it remembers of the device: what is read then comes from the device."""
    os.fsync(target)
    os.posix_fadvise(target, 0, 0, os.POSIX_FADV_DONTNEED)
    if stat.S_ISBLK(os.fstat(target).st_mode):
        fcntl.ioctl(target, _BLKFLSBUF, 0)


def _compare(target: int, digests: list[bytes], size: int, device: Path, progress: Progress) -> None:
    os.lseek(target, 0, os.SEEK_SET)
    for number, digest in enumerate(digests):
        at = number * _PART
        part = os.read(target, min(_PART, size - at))
        if hashlib.sha256(part).digest() != digest:
            why = f"what was read back at {format_size(at) if at else 'its beginning'} is not what was written"
            raise FailedError(why, where=str(device), hint="the device is broken, or smaller than it says")
        progress("reading", at + len(part), size)


def _check_form(descriptor: int, size: int, where: str) -> None:
    head = os.pread(descriptor, TABLE_SECTORS * SECTOR, 0)
    if head.startswith(_QCOW2):
        raise UsageError("is a disk for virtual machines (qcow2)", where=where, hint="take the .usb.img")
    if os.pread(descriptor, len(_ISO), _ISO_AT) == _ISO:
        return
    tail = os.pread(descriptor, (TABLE_SECTORS - 1) * SECTOR, max(0, size - (TABLE_SECTORS - 1) * SECTOR))
    try:
        read_table(head, tail, size // SECTOR)
    except RefusedError as error:
        raise UsageError(f"is no image of a disk: {error.why}", where=where) from None
