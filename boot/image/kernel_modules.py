"""Which modules of a kernel an image carries, and in which order they are loaded.

A kernel's package has no `modules.dep`: what each module needs is read from the module itself.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from runtime.errors import FailedError

__all__ = ["ModuleTree", "modinfo", "wanted_modules"]

_VIRTUAL: Final = (
    "virtio_pci", "virtio_mmio", "virtio_net", "virtio_blk", "virtio_scsi", "virtio_console", "virtio_rng",
    "vmxnet3", "ena", "nvme", "sd_mod", "evdev",
)  # fmt: skip
_REAL: Final = (
    "e1000", "e1000e", "igb", "igc", "r8169",
    "ohci_pci", "ehci_pci", "xhci_pci", "usb_storage", "uas", "ahci", "i6300esb", "iTCO_wdt",
)  # fmt: skip
_REAL_ARM: Final = ("e1000e", "igb", "r8169", "xhci_pci", "usb_storage", "uas", "ahci")
_BUTTON: Final = {"x86_64": ("button",)}
"""The power button, which evdev tells of; other kernels have it built in."""
_FILES: Final = ("squashfs", "overlay", "loop", "vfat", "nls_cp437", "nls_ascii", "nls_utf8", "crc32c_generic", "ext4")
_SECOND_STAGE: Final = ("squashfs", "overlay", "loop")


def wanted_modules(arch: str, kind: str, there: "ModuleTree") -> tuple[str, ...]:
    """Names of the modules that a machine may need before it has its second stage.

    Args:
        arch: one of ours.
        kind: `cloud` for Debian's kernel for virtual machines, `full` for that for real ones as well, or the operator's
            own, which has to have what the second stage needs, and of the rest has what it has.
        there: the modules of the kernel.
    """
    if kind == "cloud":
        return (*_VIRTUAL, *_BUTTON.get(arch, ()), *_FILES)
    every = (*_VIRTUAL, *_BUTTON.get(arch, ()), *(_REAL if arch == "x86_64" else _REAL_ARM), *_FILES)
    return every if kind == "full" else tuple(name for name in every if name in _SECOND_STAGE or there.has(name))


def modinfo(content: bytes) -> Mapping[str, tuple[str, ...]]:
    """What a module says of itself.

    Args:
        content: of a `.ko`, not compressed.

    Returns:
        Values by name, such as `depends` and `softdep`.

    Raises:
        FailedError: it is no module.
    """
    try:
        section = _section(content, b".modinfo")
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise FailedError(f"no kernel module: {error}") from None
    values: dict[str, tuple[str, ...]] = {}
    for item in section.split(b"\0"):
        name, equals, value = item.decode("utf-8", "replace").partition("=")
        if equals:
            values[name] = (*values.get(name, ()), value)
    return values


def _section(content: bytes, name: bytes) -> bytes:
    if content[:6] != b"\x7fELF\x02\x01":
        message = "not ELF of 64 bits"
        raise ValueError(message)
    (offset,) = struct.unpack_from("<Q", content, 40)
    size, count, names = struct.unpack_from("<HHH", content, 58)
    # Of each section: name, kind, flags, address, offset, size, link, info, alignment, size of an entry.
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, offset + number * size) for number in range(count)]
    table = sections[names][4]
    for section in sections:
        start = table + section[0]
        if content[start : content.index(b"\0", start)] == name:
            return content[section[4] : section[4] + section[5]]
    message = f"no section {name.decode()}"
    raise ValueError(message)


class ModuleTree:
    """The modules of one kernel.

    Args:
        folder: `lib/modules/VERSION` of its package.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths = {_plain(path.stem): path.relative_to(folder).as_posix() for path in folder.rglob("*.ko")}
        builtin = folder / "modules.builtin"
        lines = builtin.read_text().splitlines() if builtin.exists() else []
        self._builtin = {_plain(Path(line).stem) for line in lines}

    def has(self, name: str) -> bool:
        """Whether the kernel has a module, as a file or built in.

        Args:
            name: of the module.
        """
        return _plain(name) in self._paths or _plain(name) in self._builtin

    def order(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """The paths of modules and of all that they need, each after what it needs.

        Args:
            wanted: names; those that are built into the kernel are passed over.

        Raises:
            FailedError: the kernel has no such module, or two need one another.
        """
        order: dict[str, None] = {}
        for name in wanted:
            self._visit(_plain(name), order, ())
        return tuple(order)

    def read(self, path: str) -> bytes:
        """The bytes of a module.

        Args:
            path: one that `order` gave.
        """
        return (self._folder / path).read_bytes()

    def _visit(self, name: str, order: dict[str, None], above: Sequence[str]) -> None:
        if name in self._builtin and name not in self._paths:
            return
        if name in above:
            raise FailedError(f"{' and '.join((*above, name))} need one another", where="kernel modules")
        path = self._paths.get(name)
        if path is None:
            whose = f", which {above[-1]} needs" if above else ""
            raise FailedError(f"the kernel has no module {name}{whose}", where=self._folder.name)
        if path in order:
            return
        for other, needed in self._before(path):
            if needed or other in self._paths:
                self._visit(other, order, (*above, name))
        order[path] = None

    def _before(self, path: str) -> list[tuple[str, bool]]:
        """What has to be loaded first; a soft need is passed over where the kernel does not have it."""
        said = modinfo(self.read(path))
        hard = [name for value in said.get("depends", ()) for name in value.split(",") if name]
        soft = [name for value in said.get("softdep", ()) for name in _pre(value)]
        return [(_plain(name), False) for name in soft] + [(_plain(name), True) for name in hard]


def _pre(value: str) -> list[str]:
    """The names after `pre:`, up to another word with a colon."""
    names, taking = [], False
    for word in value.split():
        if word.endswith(":"):
            taking = word == "pre:"
        elif taking:
            names.append(word)
    return names


def _plain(name: str) -> str:
    return name.replace("-", "_")
