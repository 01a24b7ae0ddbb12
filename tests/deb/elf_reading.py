"""As much of ELF as the question needs for which machine a file is, and which libraries it wants."""

import struct
from dataclasses import dataclass

__all__ = ["MACHINES", "Elf", "read_elf"]

MACHINES = {"amd64": 62, "arm64": 183}
_DYNAMIC, _NEEDED = 6, 1


@dataclass(frozen=True)
class Elf:
    """A shared library or program of 64 bits."""

    machine: int
    needed: frozenset[str]


def read_elf(content: bytes) -> Elf:
    """What an ELF file says of itself; its section headers have to be there."""
    assert content[:6] == b"\x7fELF\x02\x01", "64 bits, little end first"
    (machine,) = struct.unpack_from("<H", content, 18)
    (offset,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<HH", content, 58)
    # Of each section: name, kind, flags, address, offset, size, link, info, alignment, size of an entry.
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, offset + number * size) for number in range(count)]
    needed = set()
    for section in sections:
        if section[1] == _DYNAMIC:
            names = sections[section[6]][4]
            for tag, value in struct.iter_unpack("<QQ", content[section[4] : section[4] + section[5]]):
                if tag == _NEEDED:
                    start = names + value
                    needed.add(content[start : content.index(b"\0", start)].decode())
    return Elf(machine, frozenset(needed))
