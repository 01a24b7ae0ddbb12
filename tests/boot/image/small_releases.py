"""Releases of a few kilobytes, signed and whole: a kernel that is an EFI program, an initramfs that says what it is."""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from boot.image.cpio import archive, plain
from boot.image.gpt import CACHE_PARTUUID, SEED_PARTUUID
from boot.image.inventory import Inventory, Package, Wheel
from boot.image.loader import Loader
from boot.stage1.image import Image
from boot.trust.manifest import Arch, Artifact
from tests.boot.trust.signed import KEYS, NOW_MS, manifest

MACHINES = {"x86_64": 0x8664, "arm64": 0xAA64}
USB = "kernel/drivers/usb/storage/usb-storage.ko"
IMAGE = Image(
    arch="x86_64",
    channel="stable",
    floor=7,
    built_ms=NOW_MS - 2 * 24 * 3_600_000,
    release="2026.11",
    kernel="6.1.192-1",
    modules=("kernel/drivers/net/virtio_net.ko",),
    cache=CACHE_PARTUUID,
    seed=SEED_PARTUUID,
)
INVENTORY = Inventory(
    (Package("libc6", "2.36-9+deb12u14", "amd64", "ab" * 32), Package("netbase", "1:6.4", "all", "cd" * 32)),
    (Wheel("Some_Wheel", "1.2.3+local", "ef" * 32),),
    (("zstd", "1.5.4"),),
)
PACKAGE = Package("systemd-boot-efi", "252.39-1~deb12u2", "amd64", "12" * 32)


def efi_program(arch: Arch = "x86_64", content: bytes = b"\xf4" * 700, *, room: int = 8) -> bytes:
    """A PE file with one section, and room in its head for some more."""
    table = 0x80 + 24 + 240
    headers = (table + 40 * (1 + room) + 511) // 512 * 512
    size = (len(content) + 511) // 512 * 512
    coff = struct.pack("<HHIIIHH", MACHINES[arch], 1, 0, 0, 0, 240, 0x2022)
    optional = bytearray(240)
    struct.pack_into("<HBBIIIII", optional, 0, 0x20B, 0, 0, size, 0, 0, 0x1000, 0x1000)
    struct.pack_into("<QII", optional, 24, 0, 0x1000, 512)
    struct.pack_into("<IIIHHQQQQII", optional, 56, 0x1000 + size, headers, 0, 10, 0, 0, 0, 0, 0, 0, 16)
    section = struct.pack("<8sIIIIIIHHI", b".text", len(content), 0x1000, size, headers, 0, 0, 0, 0, 0x60000020)
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80)
    head = dos.ljust(0x80, b"\0") + b"PE\0\0" + coff + bytes(optional) + section
    return head.ljust(headers, b"\0") + content.ljust(size, b"\0")


def initramfs(image: Image = IMAGE, root: bytes | None = None) -> bytes:
    entries = [
        plain("etc/orlop/image.json", image.document()),
        plain("etc/orlop/root", root or f"{KEYS[0].public_hex}\n".encode()),
        plain("init", b"#!/usr/bin/python3.11 -IBS\n"),
    ]
    return b"".join(archive(entries))


def release(folder: Path, image: Image = IMAGE, files: Mapping[str, bytes] | None = None, **signed: Any) -> Path:
    """Writes a release and signs it; `files` take the place of those that belong to the image."""
    found: dict[str, bytes] = {
        "kernel": efi_program(image.arch),
        "initramfs": initramfs(image),
        "rootfs": b"hsqs" + bytes(range(256)) * 64,
        **(files or {}),
    }
    folder.mkdir(parents=True)
    for name, data in found.items():
        (folder / name).write_bytes(data)
    artifacts = {name: Artifact(len(data), hashlib.sha256(data).hexdigest()) for name, data in found.items()}
    said = {"release": image.release, "arch": image.arch, "channel": image.channel, "manifest_version": image.floor}
    (folder / "manifest.json").write_bytes(manifest(**{**said, "artifacts": artifacts, **signed}))
    (folder / "image.json").write_bytes(image.document())
    (folder / "inventory.json").write_bytes(INVENTORY.document())
    return folder


def full(image: Image = IMAGE) -> Image:
    """The same with a kernel that finds sticks."""
    return replace(image, modules=(*image.modules, USB))


def loader(arch: Arch) -> Loader:
    """A boot menu that does nothing."""
    return Loader(efi_program(arch, b"menu"), efi_program(arch, b"stub"), PACKAGE)
