"""Discs of machines: files with orlop's partitions, made without root, and what became of them."""

import hashlib
import subprocess
from pathlib import Path

from boot.image.gpt import MIB, disk_table

__all__ = ["cache_disk", "cached", "digest", "drive", "repaired"]

_ESP = 40 * MIB
_SEED = MIB
_SIZE = 512 * MIB


def cache_disk(path: Path) -> Path:
    """A disc with orlop's table, an empty FAT in the ESP and an empty cache.

    Args:
        path: of the file, which takes little room.
    """
    table = disk_table(_SIZE, esp=_ESP, seed=_SEED)
    with path.open("wb") as file:
        file.write(table.head())
        file.seek(_SIZE - len(table.tail()))
        file.write(table.tail())
    esp, _, cache = table.partitions
    fat = ["mkfs.fat", "-F", "32", "-n", esp.name, "--offset", str(esp.first), str(path), str(esp.size // 1024)]
    ext4 = [
        "mkfs.ext4",
        "-q",
        "-F",
        "-L",
        cache.name,
        "-E",
        f"offset={cache.offset}",
        str(path),
        f"{cache.size // 1024}k",
    ]
    for command in (fat, ext4):
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path


def repaired(disc: Path, copy: Path) -> Path:
    """The cache partition of a disc, once it has taken what stands in its journal, as at the next mount.

    Args:
        disc: which.
        copy: a new file for the partition alone.
    """
    cache = disk_table(_SIZE, esp=_ESP, seed=_SEED).partitions[-1]
    where = [f"skip={cache.offset // MIB}", f"count={cache.size // MIB}"]
    command = ["dd", f"if={disc}", f"of={copy}", "bs=1M", "conv=sparse", *where]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    done = subprocess.run(["e2fsck", "-p", str(copy)], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode in {0, 1}, done.stdout  # clean, or clean now
    return copy


def cached(cache: Path, name: str) -> bytes:
    """A file of a cache partition; nothing where there is none.

    Args:
        cache: from `repaired`.
        name: within the partition.
    """
    command = ["debugfs", "-R", f"cat {name}", str(cache)]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def drive(path: Path, name: str = "d0", *, more: str = "") -> list[str]:
    """QEMU's words for a disc whose file the machine really writes to.

    Neither read-only nor a snapshot: of such a one it would prove nothing that it stayed as it was.

    Args:
        path: of the file.
        name: of the drive.
        more: further words of `-drive`.
    """
    return [
        *(
            "-drive",
            ",".join(one for one in (f"if=none,id={name},file={path},format=raw,cache=writethrough", more) if one),
        ),
        *("-device", f"virtio-blk-pci,drive={name}"),
    ]


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
