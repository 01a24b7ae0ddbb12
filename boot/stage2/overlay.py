"""From the initramfs into the root file system that it carries: squashfs below, memory above, everything else freed.

Nothing of it touches a disk, in no mode: what the machine writes is in memory, at most half of it. The squashfs was
hashed in the first stage through the descriptor that was loaded, and by the kernel's purgatory after the jump.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from boot.modes import narrowed
from boot.stage1 import libc
from boot.stage1.disks import make_read_only
from boot.stage1.handover import Handover
from boot.stage1.image import Image
from boot.stage1.say import Say
from boot.stage2.loop import attach
from runtime.errors import UnavailableError

__all__ = ["KEPT", "ROOTFS", "SUPERVISOR", "Plan", "build", "enter", "free", "switch"]

ROOTFS: Final = "/rootfs.squashfs"
"""Where the initrd has it; that it is there tells the second stage from the first."""
SUPERVISOR: Final = (
    "/usr/bin/python3.11",
    "-IBS",
    "-c",
    "import sys; sys.path.insert(0, '/usr/lib/orlop'); from boot.stage2.main import main; main()",
)
"""What is executed in it."""
KEPT: Final = "/run/orlop"
"""Where what the first stage said is found afterwards."""

_MOVED: Final = ("proc", "sys", "dev", "run")


@dataclass(frozen=True, slots=True)
class Plan:
    """Where things are.

    Attributes:
        root: of the initramfs.
        lower: the root file system, mounted.
        memory: the tmpfs with what is written.
        new: where both are one.
    """

    root: Path = Path("/")
    lower: Path = Path("/lower")
    memory: Path = Path("/upper")
    new: Path = Path("/newroot")


def enter(image: Image, handover: Handover, say: Say) -> NoReturn:
    """Goes into the root file system; what runs then is another program.

    Args:
        image: what the image says of itself.
        handover: what the first stage said.
        say: hears of it.

    Raises:
        UnavailableError: it cannot be done.
        FailedError: a disk cannot be made read-only in a mode that writes nothing.
    """
    if narrowed(handover.mode, cache=bool(handover.cache)).block_devices == "read-only":
        make_read_only()
    plan = Plan()
    _mount_lower(plan)
    build(plan)
    _carry(plan.root / KEPT.lstrip("/"), image, handover)
    say.line(f"root file system of release {handover.release}, with memory over it")
    switch(plan)
    os.execv(SUPERVISOR[0], SUPERVISOR)  # noqa: S606 - a fixed path in a file system that was verified


def build(plan: Plan) -> None:
    """Puts memory over the root file system, which is mounted already, and what was said into it.

    Args:
        plan: where things are.

    Raises:
        UnavailableError: it cannot be done.
    """
    try:
        for folder in (plan.memory, plan.new):
            folder.mkdir(mode=0o755, exist_ok=True)
        libc.mount("tmpfs", str(plan.memory), "tmpfs", libc.MS_NODEV, "size=50%,mode=0755")
        upper, work = plan.memory / "u", plan.memory / "w"
        for folder in (upper, work):
            folder.mkdir(mode=0o755)
        options = f"lowerdir={plan.lower},upperdir={upper},workdir={work}"
        libc.mount("overlay", str(plan.new), "overlay", libc.MS_NODEV, options)
    except OSError as error:
        raise _unavailable("the overlay", error) from error


def switch(plan: Plan) -> None:
    """Makes it the root of this process and of all that come, and gives back the memory of the initramfs.

    Args:
        plan: where things are, built.

    Raises:
        UnavailableError: it cannot be done.
    """
    try:
        for name in _MOVED:
            target = plan.new / name
            target.mkdir(mode=0o755, exist_ok=True)
            libc.mount(str(plan.root / name), str(target), "", libc.MS_MOVE)
        free(plan.root)
        os.chdir(plan.new)
        libc.mount(".", str(plan.root), "", libc.MS_MOVE)
        os.chroot(".")
        os.chdir("/")
    except OSError as error:
        raise _unavailable("the new root", error) from error


def free(root: Path) -> None:
    """Removes every file of the file system that a folder is on, and follows no mount or link out of it.

    Args:
        root: the folder.
    """
    device = root.lstat().st_dev
    open_folders = [root]
    folders: list[Path] = []
    while open_folders:
        folder = open_folders.pop()
        folders.append(folder)
        for path in list(folder.iterdir()):
            facts = path.lstat()
            if facts.st_dev != device:
                continue
            if stat.S_ISDIR(facts.st_mode):
                open_folders.append(path)
            else:
                path.unlink()
    for folder in reversed(folders[1:]):
        try:
            folder.rmdir()
        except OSError:
            continue  # something is mounted in it, or on it


def _mount_lower(plan: Plan) -> None:
    try:
        plan.lower.mkdir(mode=0o755, exist_ok=True)
        node, device = attach(ROOTFS)
        try:
            libc.mount(node, str(plan.lower), "squashfs", libc.MS_RDONLY | libc.MS_NODEV)
        finally:
            os.close(device)
    except OSError as error:
        raise _unavailable("the root file system", error) from error


def _carry(kept: Path, image: Image, handover: Handover) -> None:
    """What the next program has to know goes where the switch leaves it."""
    try:
        kept.mkdir(mode=0o755, exist_ok=True)
        (kept / "image.json").write_bytes(image.document())
        (kept / "handover.json").write_bytes(handover.document())
    except OSError as error:
        raise _unavailable("the hand-over", error) from error


def _unavailable(what: str, error: OSError) -> UnavailableError:
    return UnavailableError(f"cannot be mounted: {(error.strerror or '?').lower()}", where=what)
