"""Which shared libraries a program needs, from its ELF header alone, inside an unpacked tree.

Never by `ldd`, which runs the loader, and only that of this machine. Links are followed by hand, because an absolute
one means the tree's root and not ours.
"""

import os
import struct
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from runtime.errors import FailedError

__all__ = ["MACHINES", "TRIPLETS", "Elf", "closure", "is_elf", "libraries_at", "loader_of", "read_elf", "resolve"]

MACHINES: Final = {62: "x86_64", 183: "arm64"}
"""Our name of each machine of an ELF header that we know."""
TRIPLETS: Final = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

_MAGIC: Final = b"\x7fELF"
_LITTLE_64: Final = b"\x02\x01"
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRINGS, _SONAME = 1, 5, 14
_LINKS_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Elf:
    """What a file says of itself.

    Attributes:
        machine: one of ours, or "" of another.
        needed: names of libraries, in order.
        interpreter: path of the loader, or "".
    """

    machine: str
    needed: tuple[str, ...]
    interpreter: str


def is_elf(content: bytes) -> bool:
    """Whether a file is one at all, by its first bytes."""
    return content[:4] == _MAGIC


def read_elf(content: bytes) -> Elf:
    """Reads a program or shared library of 64 bits, little end first.

    Args:
        content: of the file.

    Raises:
        FailedError: it is none, or damaged.
    """
    try:
        return _read(content)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise FailedError(f"no sound ELF file of 64 bits: {error}") from None


def _read(content: bytes) -> Elf:
    if content[:4] != _MAGIC or content[4:6] != _LITTLE_64:
        message = "another format"
        raise ValueError(message)
    (machine,) = struct.unpack_from("<H", content, 18)
    (offset,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    # Of each segment: kind, flags, offset, address, physical address, size in the file, size in memory, alignment.
    segments = [struct.unpack_from("<IIQQQQQQ", content, offset + number * size) for number in range(count)]
    interpreter, needed = "", tuple[str, ...]()
    for kind, _, start, _, _, length, _, _ in segments:
        if start + length > len(content):
            message = "it is cut off"
            raise ValueError(message)
        if kind == _INTERPRETER:
            interpreter = _text(content, start)
        elif kind == _DYNAMIC:
            entries = list(struct.iter_unpack("<qQ", content[start : start + length // 16 * 16]))
            needed = _names(content, segments, entries)
    return Elf(MACHINES.get(machine, ""), needed, interpreter)


def _names(content: bytes, segments: list[tuple[int, ...]], entries: list[tuple[int, ...]]) -> tuple[str, ...]:
    wanted = [value for tag, value in entries if tag == _NEEDED]
    if not wanted:
        return ()
    (address,) = (value for tag, value in entries if tag == _STRINGS)
    for kind, _, start, at, _, length, _, _ in segments:
        if kind == _LOAD and at <= address < at + length:
            return tuple(_text(content, start + address - at + value) for value in wanted)
    message = "its names are nowhere"
    raise ValueError(message)


def _text(content: bytes, start: int) -> str:
    return content[start : content.index(b"\0", start)].decode("ascii")


def resolve(tree: Path, path: str) -> Path | None:
    """The file that a path of a tree comes to, with links followed inside the tree.

    Args:
        tree: whose root `/` stands for.
        path: in it, with or without a leading slash.

    Returns:
        The file's place here, or None when there is none.
    """
    left = [part for part in PurePosixPath(path).parts if part != "/"][::-1]
    at: list[str] = []
    links = 0
    while left:
        part = left.pop()
        if part == "..":
            at = at[:-1]
            continue
        here = tree.joinpath(*at, part)
        if here.is_symlink():
            links += 1
            if links > _LINKS_MAX:
                return None
            target = PurePosixPath(os.readlink(here))  # noqa: PTH115 - as text: it is not a path of ours
            at = [] if target.is_absolute() else at
            left += [each for each in target.parts if each != "/"][::-1]
        elif here.exists():
            at.append(part)
        else:
            return None
    return tree.joinpath(*at)


def libraries_at(arch: str) -> tuple[str, ...]:
    """The folders that the loader searches without being told.

    Args:
        arch: one of ours.
    """
    triplet = TRIPLETS[arch]
    return (f"lib/{triplet}", f"usr/lib/{triplet}", "lib", "usr/lib")


def loader_of(arch: str) -> str:
    """Where programs look for their loader.

    Args:
        arch: one of ours.
    """
    return {"x86_64": "lib64/ld-linux-x86-64.so.2", "arm64": "lib/ld-linux-aarch64.so.1"}[arch]


def closure(
    tree: Path, arch: str, contents: Iterable[tuple[str, bytes]], brought: AbstractSet[str] = frozenset()
) -> Mapping[str, bytes]:
    """The libraries that programs need, and those that these need, and the loader.

    Args:
        tree: in which they are looked for.
        arch: that all of them have to be made for.
        contents: of the programs, each with a name for messages.
        brought: names of libraries that programs have beside them, where the loader is told to look.

    Returns:
        Content by path in the tree, links followed; the name of each is the one that is asked for.

    Raises:
        FailedError: one is missing or made for another machine.
    """
    found: dict[str, bytes] = {}
    waiting = list(contents)
    while waiting:
        name, content = waiting.pop()
        try:
            elf = read_elf(content)
        except FailedError as error:
            raise FailedError(error.why, where=name) from None
        if elf.machine != arch:
            raise FailedError(f"is made for {elf.machine or 'another machine'}, not for {arch}", where=name)
        loader = [loader_of(arch)] if elf.interpreter else []
        wanted = (library for library in elf.needed if library not in brought)
        for path in [*loader, *(_place(tree, arch, library, name) for library in wanted)]:
            if path not in found:
                file = resolve(tree, path)
                if file is None:
                    raise FailedError(f"{path} is missing", where=name)
                found[path] = file.read_bytes()
                waiting.append((path, found[path]))
    return found


def _place(tree: Path, arch: str, library: str, whose: str) -> str:
    if library == PurePosixPath(loader_of(arch)).name:
        return loader_of(arch)
    for folder in libraries_at(arch):
        if resolve(tree, f"{folder}/{library}") is not None:
            return f"{folder}/{library}"
    raise FailedError(f"needs {library}, which no package of the image has", where=whose)
