"""The folder of a component as its author gives it away: Component.toml, the component, and what was signed with them.

Read by a descriptor of the folder, so that whoever named it decides what is read; nothing outside it is, by whatever
name or link.
"""

import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runtime.canonical import encode
from runtime.components.manifest.faults import FILE_NAME
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.read import BYTES_MAX, read_manifest
from runtime.errors import RefusedError, UsageError
from runtime.quantities import format_size
from runtime.sanitise import clean

__all__ = ["WASM_MAX", "Folder", "read_folder", "read_manifest_file"]

WASM_MAX: Final = 64 << 20
_FILES_MAX: Final = 256
_ENTRIES_MAX: Final = 1024
_DEPTH_MAX: Final = 8
_ALL_MAX: Final = 256 << 20
_PART: Final = 1 << 20
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Folder:
    """What was read.

    Attributes:
        manifest: passed every check of its own.
        wasm: the component.
        files: SHA-256 of every file but the manifest, by its path from the folder.
        hash: SHA-256 of all that was read, so that what was shown of a folder can be told from what it is later.
    """

    manifest: Manifest
    wasm: bytes
    files: dict[str, str]
    hash: str


def read_folder(directory: int) -> Folder:
    """Reads a component's folder; blocks.

    Args:
        directory: descriptor of the folder; stays open.

    Raises:
        ManifestError: a line for every fault of Component.toml.
        UsageError: a file is missing.
        RefusedError: there is something else in it than files and folders, or too much.
    """
    raw = read_manifest_file(directory)
    manifest = read_manifest(raw)
    wasm = _read(directory, manifest.component.file, WASM_MAX + 1)
    if len(wasm) > WASM_MAX:
        raise RefusedError(f"larger than {format_size(WASM_MAX)}", where=clean(manifest.component.file, 200))
    files: dict[str, str] = {}
    budget = _ALL_MAX
    for path in _walk(directory, "", 0, itertools.count(1)):
        if path == FILE_NAME:
            continue
        if len(files) >= _FILES_MAX:
            raise RefusedError(f"more than {_FILES_MAX} files", where=clean(path, 200))
        files[path], size = _hash(directory, path, budget)
        budget -= size
    return Folder(manifest, wasm, files, _hash_of_all(raw, wasm, files))


def read_manifest_file(directory: int) -> bytes:
    """The bytes of a folder's Component.toml.

    Args:
        directory: descriptor of the folder; stays open.

    Raises:
        UsageError: it is missing, or cannot be read.
    """
    return _read(directory, FILE_NAME, BYTES_MAX + 1)


def _walk(directory: int, prefix: str, depth: int, seen: Iterator[int]) -> Iterator[str]:
    """Paths of all files, sorted in each folder."""
    if depth > _DEPTH_MAX:
        raise RefusedError(f"folders deeper than {_DEPTH_MAX}", where=clean(prefix, 200))
    for name in _names(directory, prefix, seen):
        path = prefix + name
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                yield path
                continue
            if not stat.S_ISDIR(status.st_mode):
                raise RefusedError("neither a file nor a folder", where=clean(path, 200))
            inner = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=directory)
        except OSError as error:
            raise _unreadable(path, error) from None
        try:
            yield from _walk(inner, f"{path}/", depth + 1, seen)
        finally:
            os.close(inner)


def _names(directory: int, prefix: str, seen: Iterator[int]) -> list[str]:
    """The names in a folder, sorted; in all folders together there may be so many."""
    found: list[str] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if next(seen) > _ENTRIES_MAX:
                    raise RefusedError(f"more than {_ENTRIES_MAX} files and folders", where=clean(prefix, 200))
                if not _is_text(entry.name):
                    raise RefusedError("a name that is no UTF-8", where=clean(prefix + entry.name, 200))
                found.append(entry.name)
    except OSError as error:
        raise _unreadable(prefix, error) from None
    return sorted(found)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(path: str, error: OSError) -> UsageError:
    why = error.strerror.lower() if error.strerror else "cannot be read"
    return UsageError(why, where=clean(path, 200) or "the folder")


def _read(directory: int, path: str, limit: int) -> bytes:
    descriptor = _opened(directory, path)
    try:
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(descriptor)


def _hash_of_all(manifest: bytes, wasm: bytes, files: dict[str, str]) -> str:
    """Of the bytes that are used: the component is hashed as it was read, also where its file changed meanwhile."""
    read = {"component": hashlib.sha256(wasm).hexdigest(), "manifest": hashlib.sha256(manifest).hexdigest()}
    return hashlib.sha256(encode({**read, "files": dict(files)})).hexdigest()


def _hash(directory: int, path: str, budget: int) -> tuple[str, int]:
    """The hash of a file and its size."""
    descriptor = _opened(directory, path)
    digest, size = hashlib.sha256(), 0
    try:
        while part := os.read(descriptor, _PART):
            size += len(part)
            if size > budget:
                raise RefusedError(f"the folder holds more than {format_size(_ALL_MAX)}", where=clean(path, 200))
            digest.update(part)
    finally:
        os.close(descriptor)
    return digest.hexdigest(), size


def _opened(directory: int, path: str) -> int:
    """A regular file of the folder, by a path without links."""
    *folders, name = path.split("/")
    at = os.dup(directory)
    try:
        for folder in folders:
            inner = os.open(folder, _OPEN | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = inner
        descriptor = os.open(name, _OPEN, dir_fd=at)
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedError("not a regular file", where=clean(path, 200))
    return descriptor
