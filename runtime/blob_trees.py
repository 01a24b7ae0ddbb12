"""Directories as content: a canonical listing of names, sizes and hashes, itself a blob, and a blob for every file.

The listing is `{"entries": [...], "kind": "orlop-tree", "v": 1}` in canonical JSON. An entry is
`{"path", "type": "dir"}` or `{"path", "sha256", "size", "type": "file"}`; entries are sorted by the UTF-8 bytes of
their paths, and every folder but the first has one. Modes, owners and times are not in it. Blocking.
"""

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from runtime import durable
from runtime.blobs import Blob, Blobs
from runtime.canonical import Json, decode, encode
from runtime.errors import RefusedError
from runtime.quantities import format_size
from runtime.sanitise import clean

__all__ = ["Tree", "TreeEntry", "claim_tree", "materialise", "put_tree", "read_tree"]

_ENTRIES_MAX: Final = 10_000
_DEPTH_MAX: Final = 32
_LISTING_MAX: Final = 16 << 20
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One name of a tree.

    Attributes:
        path: from the tree's own folder on, parts separated by `/`.
        blob: the content; None for a folder.
    """

    path: str
    blob: Blob | None


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory that was kept.

    Attributes:
        listing: the blob that stands for all of it.
        files: how many regular files it has.
        size: their bytes together.
    """

    listing: Blob
    files: int
    size: int


def put_tree(blobs: Blobs, descriptor: int, *, limit: int) -> Tree:
    """Keeps a directory with all that is in it; regular files and folders only.

    Args:
        blobs: where.
        descriptor: the directory, open for reading; it stays open.
        limit: bytes that its files may have together.

    Returns:
        Its name.

    Raises:
        RefusedError: a symbolic link or special file, a name that is not UTF-8, more than 10,000 names, 32 levels or
            `limit` bytes; the message names the place.
        UnavailableError: it cannot be read or written. What was kept by then is collected after an hour.
    """
    walk = _Walk(blobs, limit)
    walk.folder(descriptor, "", 0)
    entries = sorted(walk.entries, key=lambda entry: entry.path.encode())
    raw = encode({"v": 1, "kind": "orlop-tree", "entries": [_document(entry) for entry in entries]})
    if len(raw) > _LISTING_MAX:
        raise RefusedError(f"the names alone take more than {format_size(_LISTING_MAX)}", where="directory")
    files = sum(entry.blob is not None for entry in entries)
    return Tree(blobs.put(raw, limit=_LISTING_MAX), files, limit - walk.left)


def read_tree(blobs: Blobs, digest: str) -> tuple[TreeEntry, ...]:
    """What is in a tree, a folder before what is in it.

    Args:
        blobs: where it was kept.
        digest: the listing's hash.

    Raises:
        BlobGoneError: the listing is not there.
        RefusedError: it was changed, or is no listing of a tree.
        UnavailableError: it cannot be read.
    """
    where = f"tree sha256:{digest[:12]}…"
    raw = blobs.read(digest, limit=_LISTING_MAX)
    document = decode(raw, limit=_LISTING_MAX)
    if not isinstance(document, Mapping) or document.get("kind") != "orlop-tree" or document.get("v") != 1:
        raise RefusedError("is no listing of a directory", where=where)
    listed = document.get("entries")
    items = listed if isinstance(listed, list) else [None]
    entries = tuple(_entry(item, where) for item in items)
    _check_paths([entry.path for entry in entries], {entry.path for entry in entries if not entry.blob}, where)
    again = encode({"v": 1, "kind": "orlop-tree", "entries": [_document(entry) for entry in entries]})
    if again != raw:
        raise RefusedError("is not in canonical form", where=where)
    return entries


def claim_tree(blobs: Blobs, digest: str) -> Blob:
    """Begins the hour anew in which a tree and its files stay without a reference.

    Args:
        blobs: where it was kept.
        digest: the listing's hash.

    Returns:
        The listing.

    Raises:
        BlobGoneError: it or one of its files is not there.
        RefusedError: it was changed.
        UnavailableError: it cannot be read.
    """
    for entry in read_tree(blobs, digest):
        if entry.blob is not None:
            blobs.claim(entry.blob.hash)
    return blobs.claim(digest)


def materialise(blobs: Blobs, digest: str, folder: Path) -> None:
    """Makes a directory as it was kept; every file is hashed while it is copied.

    Args:
        blobs: where it was kept.
        digest: the listing's hash.
        folder: to be made, in a place that nobody else writes; folders get mode 0700, files 0600.

    Raises:
        BlobGoneError: the listing or a file is not there.
        RefusedError: one of them was changed.
        UnavailableError: it cannot be read or written. In every case the folder is not there then.
    """
    entries = read_tree(blobs, digest)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise durable.unavailable(folder, error) from error
    try:
        for entry in entries:
            place = folder / entry.path
            if entry.blob is None:
                place.mkdir(mode=0o700)
            else:
                _copy(blobs, entry.blob, place)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise durable.unavailable(folder, error) from error
        raise


@dataclass(slots=True)
class _Walk:
    """Walks a directory by descriptors, so that nothing that is exchanged meanwhile leads out of it."""

    blobs: Blobs
    left: int
    entries: list[TreeEntry] = field(default_factory=list)
    named: int = 0

    def folder(self, descriptor: int, path: str, depth: int) -> None:
        if depth > _DEPTH_MAX:
            raise RefusedError(f"nested deeper than {_DEPTH_MAX} levels", where=_shown(path))
        for name in self._names(descriptor, path):
            inner = f"{path}/{name}" if path else name
            try:
                inner.encode()
            except UnicodeEncodeError:
                raise RefusedError("a name that is not UTF-8", where=_shown(inner)) from None
            try:
                self._entry(descriptor, name, inner, depth)
            except OSError as error:
                raise durable.unavailable(Path(_shown(inner)), error) from error

    def _names(self, descriptor: int, path: str) -> list[str]:
        names = []
        try:
            with os.scandir(descriptor) as found:
                for entry in found:
                    self.named += 1
                    if self.named > _ENTRIES_MAX:
                        raise RefusedError(f"more than {_ENTRIES_MAX:,} names", where=_shown(path or "directory"))
                    names.append(entry.name)
        except OSError as error:
            raise durable.unavailable(Path(_shown(path or "directory")), error) from error
        return sorted(names)

    def _entry(self, descriptor: int, name: str, path: str, depth: int) -> None:
        mode = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            what = "a symbolic link" if stat.S_ISLNK(mode) else "a special file"
            raise RefusedError(f"is {what}; only regular files and folders can be kept", where=_shown(path))
        kind = os.O_DIRECTORY if stat.S_ISDIR(mode) else os.O_NONBLOCK
        inner = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=descriptor)
        try:
            if stat.S_ISDIR(mode):
                self.entries.append(TreeEntry(path, None))
                self.folder(inner, path, depth + 1)
            elif stat.S_ISREG(os.fstat(inner).st_mode):
                self._file(inner, path)
            else:
                raise RefusedError("became a special file while it was read", where=_shown(path))
        finally:
            os.close(inner)

    def _file(self, descriptor: int, path: str) -> None:
        try:
            blob = self.blobs.put(descriptor, limit=self.left)
        except RefusedError:
            raise RefusedError("the files together are larger than the limit", where=_shown(path)) from None
        self.left -= blob.size
        self.entries.append(TreeEntry(path, blob))


def _document(entry: TreeEntry) -> dict[str, Json]:
    if entry.blob is None:
        return {"path": entry.path, "type": "dir"}
    return {"path": entry.path, "type": "file", "sha256": entry.blob.hash, "size": entry.blob.size}


def _entry(item: Json, where: str) -> TreeEntry:
    if isinstance(item, Mapping):
        path, digest, size = item.get("path"), item.get("sha256"), item.get("size")
        if isinstance(path, str):
            if item.get("type") == "dir":
                return TreeEntry(path, None)
            if isinstance(digest, str) and type(size) is int and size >= 0:
                return TreeEntry(path, Blob(digest, size))
    raise RefusedError("has an entry that is none", where=where)


def _check_paths(paths: list[str], folders: set[str], where: str) -> None:
    if len(paths) > _ENTRIES_MAX or any(one >= two for one, two in pairwise([path.encode() for path in paths])):
        raise RefusedError("has too many names, or not in order", where=where)
    for path in paths:
        parts = path.split("/")
        above = "/".join(parts[:-1])
        if any(part in {"", ".", ".."} or "\0" in part for part in parts) or (above and above not in folders):
            raise RefusedError(f"has the name {_shown(path)}, which leads elsewhere", where=where)
        if len(parts) > _DEPTH_MAX + 1:
            raise RefusedError(f"is nested deeper than {_DEPTH_MAX} levels", where=where)


def _copy(blobs: Blobs, blob: Blob, place: Path) -> None:
    target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        blobs.copy(blob.hash, target)
    finally:
        os.close(target)


def _shown(path: str) -> str:
    return clean(path, _SHOWN)
