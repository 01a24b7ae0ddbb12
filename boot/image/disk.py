"""The disk that a machine starts from: table, EFI partition, seed and cache, in a sparse file and without root."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from boot.image.esp import Content, write_esp
from boot.image.gpt import Partition, Table
from boot.image.programs import run

__all__ = ["write_disk", "write_qcow2"]

_CACHE_LABEL: Final = "ORLOP_CACHE"
_CACHE_UUID: Final = "6f726c6f-7000-4000-8000-000000000004"


def write_disk(out: Path, table: Table, esp: Mapping[str, Content], seed: Path, epoch: int) -> None:
    """Writes a disk image; blocks.

    Args:
        out: the file, which does not exist yet.
        table: how it is divided.
        esp: files of the EFI partition, by path.
        seed: a squashfs that fits its partition.
        epoch: the time of everything in it, in seconds since 1970.

    Raises:
        OrlopError: the files do not fit, or a program is missing or failed.
    """
    esp_at, seed_at, cache_at = table.partitions
    head, tail = table.head(), table.tail()
    with out.open("xb") as image:
        image.truncate(table.size)
        image.write(head)
        image.seek(table.size - len(tail))
        image.write(tail)
        image.seek(seed_at.offset)
        with seed.open("rb") as source:
            shutil.copyfileobj(source, image, 1 << 20)
    write_esp(out, esp_at.offset, esp_at.size, esp, epoch)
    _write_cache(out, cache_at, epoch)


def write_qcow2(image: Path, out: Path) -> None:
    """The same disk, compressed, for virtual machines; the bytes depend on the version of qemu-img.

    Args:
        image: a disk image.
        out: the file that is written.
    """
    run(["qemu-img", "convert", "-c", "-O", "qcow2", "-o", "compat=1.1", str(image), str(out)])


def _write_cache(image: Path, cache: Partition, epoch: int) -> None:
    # What is set up on first use otherwise would be written by the kernel behind our back.
    extended = f"hash_seed={_CACHE_UUID},offset={cache.offset},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0"
    with tempfile.TemporaryDirectory(dir=image.parent) as empty:
        Path(empty).chmod(0o755)
        names = ["-L", _CACHE_LABEL, "-U", _CACHE_UUID, "-E", extended]
        run(
            ["mkfs.ext4", "-q", "-F", "-m", "0", *names, "-d", empty, str(image), f"{cache.size // 1024}k"],
            epoch=epoch,
            MKE2FS_CONFIG="/dev/null",
        )
