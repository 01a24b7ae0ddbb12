"""Programs, libraries and kernel modules of a few hundred bytes: as much of ELF as those who read them look at."""

import struct
from collections.abc import Sequence

X86_64, ARM64 = 62, 183
_BASE = 0x400000


def linked(needed: Sequence[str] = (), interpreter: str = "", machine: int = X86_64) -> bytes:
    """A file with program headers and a dynamic section."""
    count = 3 if interpreter else 2
    at = 64 + 56 * count
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    begins = [1 + sum(len(name) + 1 for name in needed[:number]) for number in range(len(needed))]
    dynamic = b"".join(struct.pack("<qQ", 1, begin) for begin in begins)
    dynamic += struct.pack("<qQqQ", 5, _BASE + at, 0, 0)
    loader = interpreter.encode() + b"\0"
    whole = at + len(strings) + len(dynamic) + len(loader)
    segments = [
        struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, whole, whole, 4096),
        struct.pack("<IIQQQQQQ", 2, 6, at + len(strings), 0, 0, len(dynamic), len(dynamic), 8),
    ]
    if interpreter:
        begin = at + len(strings) + len(dynamic)
        segments.append(struct.pack("<IIQQQQQQ", 3, 4, begin, 0, 0, len(loader), len(loader), 1))
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, count, 64, 0, 0)
    return head + b"".join(segments) + strings + dynamic + loader


def module(**said: str | tuple[str, ...]) -> bytes:
    """A kernel module that says things of itself in `.modinfo`."""
    items = [(name, each) for name, value in said.items() for each in ((value,) if isinstance(value, str) else value)]
    info = b"".join(f"{name}={value}".encode() + b"\0" for name, value in items)
    names = b"\0.modinfo\0.shstrtab\0"
    table = 64 + len(info) + len(names)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 1, X86_64, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)
    sections = [
        bytes(64),
        struct.pack("<IIQQQQIIQQ", 1, 1, 2, 0, 64, len(info), 0, 0, 1, 0),
        struct.pack("<IIQQQQIIQQ", 10, 3, 0, 0, 64 + len(info), len(names), 0, 0, 1, 0),
    ]
    return head + info + names + b"".join(sections)
