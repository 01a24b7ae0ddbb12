"""What is known of a device before it is written to, and what speaks against it."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.image.gpt import SECTOR
from runtime.errors import UsageError
from runtime.quantities import format_size
from runtime.sanitise import clean

__all__ = ["Target", "numbered", "objection", "target_of"]

_SYS: Final = Path("/sys")
_PROC: Final = Path("/proc")
_ROOT: Final = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A block device.

    Attributes:
        name: as the kernel calls it, such as `sdb`.
        whole: whether it is a whole disk; else a partition.
        size: bytes.
        removable: whether it says that it can be taken out.
        read_only: whether it cannot be written.
        mounted: where it, or what lies on it, is mounted.
        swapped: whether it, or what lies on it, is swap.
        held: names of what lies on it and is set up, such as a decrypted disk.
        of_system: whether the running system lies on it.
    """

    name: str
    whole: bool
    size: int
    removable: bool
    read_only: bool
    mounted: tuple[str, ...] = ()
    swapped: bool = False
    held: tuple[str, ...] = ()
    of_system: bool = False


def target_of(device: Path, sys: Path = _SYS, proc: Path = _PROC) -> Target:
    """Looks at a device without opening it.

    Args:
        device: its node, such as `/dev/sdb`.
        sys: where sysfs is.
        proc: where procfs is.

    Raises:
        UsageError: it is no block device.
    """
    where = clean(str(device), 300)
    try:
        status = device.lstat()
    except OSError:
        raise UsageError("no such device", where=where) from None
    if not stat.S_ISBLK(status.st_mode):
        hint = "lsblk lists disks"
        raise UsageError("is no block device", where=where, hint=hint)
    return numbered(f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}", where, sys, proc)


def numbered(number: str, where: str, sys: Path, proc: Path) -> Target:
    """What the kernel says of the device with a number.

    Args:
        number: major and minor, with a colon.
        where: for errors.
        sys: where sysfs is.
        proc: where procfs is.

    Raises:
        UsageError: the kernel knows none.
    """
    folder = sys / "dev" / "block" / number
    if not folder.exists():
        raise UsageError("the kernel knows no such device", where=where)
    folder = folder.resolve()
    everything = tuple(_upwards(folder))
    mounts = _mounts(proc)
    numbers = {_number(one) for one in everything}
    mounted = tuple(sorted(place for at, place in mounts if at in numbers))
    return Target(
        name=folder.name,
        whole=not (folder / "partition").exists(),
        size=int(_text(folder / "size") or 0) * SECTOR,
        removable=_text(folder / "removable") == "1",
        read_only=_text(folder / "ro") == "1",
        mounted=mounted,
        swapped=bool(numbers & _swaps(proc)),
        held=tuple(sorted({one.name for one in everything} - {folder.name, *(one.name for one in _parts(folder))})),
        of_system=_ROOT in mounted,
    )


def objection(target: Target, size: int, *, fixed_disk: bool) -> UsageError | None:
    """Why an image must not be written to a device; None if nothing speaks against it.

    Args:
        target: the device.
        size: of the image, bytes.
        fixed_disk: whether it may be a disk that cannot be taken out.
    """
    for is_so, why, hint in (
        (not target.whole, "is a partition", "name the whole disk"),
        (target.of_system, "is the disk that this system runs from", ""),
        (target.mounted, f"is mounted at {clean(''.join(target.mounted[:1]), 200)}", "unmount it"),
        (target.swapped, "is in use as swap", "swapoff takes it away"),
        (target.held, f"is in use by {clean(''.join(target.held[:1]), 100)}", "close or stop that"),
        (target.read_only, "is read-only", "look for a switch on the stick"),
        (target.size < size, f"has {format_size(target.size)}, the image has {format_size(size)}", ""),
        (not target.removable and not fixed_disk, "is no removable disk", "--fixed-disk writes to it all the same"),
    ):
        if is_so:
            return UsageError(why, where=f"/dev/{target.name}", hint=hint)
    return None


def _upwards(folder: Path) -> Iterator[Path]:
    """A device, its partitions, and all that is set up on them, however many layers there are."""
    waiting, seen = [folder], set[Path]()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        yield one
        waiting += _parts(one)
        holders = one / "holders"
        if holders.is_dir():
            waiting += [holder.resolve() for holder in holders.iterdir()]


def _parts(folder: Path) -> list[Path]:
    return [one for one in folder.iterdir() if (one / "partition").exists()]


def _mounts(proc: Path) -> list[tuple[str, str]]:
    """Numbers of devices, and where they are mounted: from the table of mounts, and by what they are mounted of.

    Some file systems have numbers of their own; of those the source is looked up.
    """
    found = []
    for line in _text(proc / "self" / "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, source = before.split(" "), after.split(" ")
        place = _unescaped(fields[4])
        found.append((fields[2], place))
        if len(source) > 1 and source[1].startswith("/dev/"):
            found.append((_number_of_node(_unescaped(source[1])), place))
    return found


def _swaps(proc: Path) -> set[str]:
    lines = _text(proc / "swaps").splitlines()[1:]
    names = [_unescaped(line.split()[0]) for line in lines if line.strip()]
    return {_number_of_node(name) for name in names}


def _number_of_node(path: str) -> str:
    try:
        status = Path(path).stat()
    except OSError:
        return ""
    if stat.S_ISBLK(status.st_mode):
        return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    # A swap file: what counts is the disk under it.
    return f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"


def _number(folder: Path) -> str:
    return _text(folder / "dev")


def _unescaped(text: str) -> str:
    """Blanks, tabs, line ends and backslashes stand as octal numbers in these tables."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
