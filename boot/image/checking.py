"""Reading disk images again after they were written: what is in them has to be what was verified."""

import hashlib
from pathlib import Path
from typing import Final

from boot.image.esp import UKI
from boot.image.gpt import TABLE_SECTORS, Table, read_table
from boot.image.programs import run
from boot.image.secure import SigningKey, is_signed
from boot.image.source import Source
from boot.image.uki import read_sections
from boot.modes import MODES
from runtime.errors import FailedError

__all__ = ["check_disk", "check_qcow2"]

_PART: Final = 1 << 20


def check_disk(image: Path, table: Table, source: Source, seed: Path, signer: SigningKey | None) -> None:
    """Holds a disk image against what it was made of; blocks.

    Args:
        image: the file.
        table: that it must have.
        source: whose kernel and initramfs it must start.
        seed: what its seed partition must begin with.
        signer: whose signature must be on all that starts; None for none.

    Raises:
        FailedError: something is not as it has to be.
    """
    with image.open("rb") as file:
        head = file.read(len(table.head()))
        file.seek(-len(table.tail()), 2)
        if read_table(head, file.read(), image.stat().st_size // (len(head) // TABLE_SECTORS)) != table:
            raise FailedError("its partitions are not those that were written", where=image.name)
        _, seed_at, _ = table.partitions
        file.seek(seed_at.offset)
        with seed.open("rb") as expected:
            while part := expected.read(_PART):
                if file.read(len(part)) != part:
                    raise FailedError("its seed is not the one that was written", where=image.name)
    drive = f"{image}@@{table.partitions[0].offset}"
    if signer is None:
        _check_entries(drive, image, source)
    else:
        _check_programs(drive, image, source, signer)


def check_qcow2(image: Path, qcow2: Path) -> None:
    """Holds a compressed image against the one that it was made of; blocks.

    Raises:
        FailedError: they differ.
    """
    run(["qemu-img", "compare", "-q", "-f", "raw", "-F", "qcow2", str(image), str(qcow2)])


def _check_entries(drive: str, image: Path, source: Source) -> None:
    arch = source.image.arch
    for name, path in (("kernel", f"vmlinuz-{arch}"), ("initramfs", f"initramfs-{arch}.img")):
        _check(name, _content(drive, path), image, source)


def _check_programs(drive: str, image: Path, source: Source, signer: SigningKey) -> None:
    for mode in MODES:
        program = _content(drive, f"{UKI}/{mode}.efi")
        if not is_signed(program, signer.certificate):
            raise FailedError(f"the signature of {mode}.efi does not fit", where=image.name)
        sections = {section.name: section.data for section in read_sections(program)}
        _check("kernel", sections[".linux"], image, source)
        _check("initramfs", sections[".initrd"], image, source)


def _check(name: str, content: bytes, image: Path, source: Source) -> None:
    if hashlib.sha256(content).hexdigest() != source.manifest.artifacts[name].sha256:
        raise FailedError(f"its {name} is not the one that was signed", where=image.name)


def _content(drive: str, path: str) -> bytes:
    return run(["mcopy", "-i", drive, f"::/{path}", "-"], MTOOLSRC="/dev/null", MTOOLS_SKIP_CHECK="1")
