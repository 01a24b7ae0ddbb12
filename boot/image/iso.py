"""An image for optical media, and for machines that are given ISO files: EFI only, with the same files as a stick."""

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from boot.image.esp import Content, size_for, write_esp
from boot.image.programs import run

__all__ = ["write_iso"]

_ESP_TYPE: Final = "0xef"


def write_iso(out: Path, esp: Mapping[str, Content], epoch: int) -> None:
    """Writes an ISO image whose EFI partition is the whole of it; blocks.

    Args:
        out: the file.
        esp: files of the EFI partition, by path.
        epoch: the time of everything in it, in seconds since 1970.

    Raises:
        OrlopError: the files do not fit, or a program is missing or failed.
    """
    size = size_for(esp)
    time = datetime.fromtimestamp(epoch, UTC)
    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        fat, tree = Path(work, "esp.fat"), Path(work, "tree")
        tree.mkdir(mode=0o755)
        with fat.open("xb") as file:
            file.truncate(size)
        write_esp(fat, 0, size, esp, epoch)
        times = [f"--modification-date={time:%Y%m%d%H%M%S}00", "--set_all_file_dates", f"{time:%Y%m%d%H%M%S}00"]
        partition = ["-append_partition", "2", _ESP_TYPE, str(fat), "-partition_offset", "16"]
        boot = ["-e", "--interval:appended_partition_2:all::", "-no-emul-boot"]
        command = ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-V", "ORLOP", *times, *partition, *boot]
        run([*command, "-o", str(out), str(tree)], epoch=epoch)
