"""The files of a release, served only while they are what was hashed: by name and by content, never by a path.

A file is known by its device, inode, size and times; one that is another than it was is not served before it was
hashed again. Links are not followed. All calls block.
"""

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from boot.errors import BootRefusedError, BootUnavailableError
from boot.folder import MANIFEST
from boot.trust.artifact import ArtifactCheck
from boot.trust.documents import DOCUMENT_MAX, Fields, read_document, signatures_of
from boot.trust.manifest import OUTER, Artifact, BootManifest, manifest_of
from boot.trust.root import Root, read_root
from runtime import durable
from runtime.errors import OrlopError
from runtime.sanitise import clean

__all__ = ["Contents", "Held", "Mark", "load", "open_held", "open_root", "open_small", "stale"]

_PART: Final = 1 << 20
_ROOT: Final = re.compile(r"[1-9][0-9]{0,8}\.json", re.ASCII)

Mark = tuple[int, int, int, int, int]
"""Device, inode, size, time of change of content and of the inode."""


@dataclass(frozen=True, slots=True)
class Held:
    """An artifact whose bytes were hashed."""

    name: str
    artifact: Artifact
    mark: Mark


@dataclass(frozen=True, slots=True)
class Contents:
    """What a folder holds.

    Attributes:
        folder: where.
        document: the manifest, as it was signed.
        mark: of its file.
        manifest: what it says.
        keys: that signed it, by its own word.
        root: the newest that lies beside it, unproven; None where there is none, and images have their own.
        held: artifacts by name.
        wrong: why an artifact is not served, by name.
    """

    folder: Path
    document: bytes
    mark: Mark
    manifest: BootManifest
    keys: tuple[str, ...]
    root: Root | None
    held: Mapping[str, Held]
    wrong: Mapping[str, OrlopError]

    @property
    def tag(self) -> str:
        """What the bytes of the document are known by; another signature is another document."""
        return hashlib.sha256(self.document).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all artifacts."""
        return sum(one.size for one in self.manifest.artifacts.values())

    def by_hash(self, sha256: str) -> Held | None:
        """The artifact of a hash."""
        return next((held for held in self.held.values() if held.artifact.sha256 == sha256), None)


def load(folder: Path, before: Contents | None = None) -> Contents:
    """Reads a release and hashes what was not hashed before.

    Args:
        folder: where it is.
        before: what was known of it.

    Returns:
        With a reason in `wrong` for each artifact that is not what was signed.

    Raises:
        BootRefusedError: the manifest is none.
        BootUnavailableError: there is no manifest, or it cannot be read.
    """
    document, mark = open_small(folder / MANIFEST)
    fields = read_document(document, "manifest")
    manifest = manifest_of(fields)
    keys = tuple(key for key, _ in signatures_of(Fields(fields, "manifest", OUTER), "manifest"))
    known = {} if before is None else before.held
    held: dict[str, Held] = {}
    wrong: dict[str, OrlopError] = {}
    for name, artifact in manifest.artifacts.items():
        try:
            held[name] = _held(folder, name, artifact, known.get(name))
        except OrlopError as error:
            wrong[name] = error
    root = _newest_root(folder)
    return Contents(folder, document, mark, manifest, keys, root, MappingProxyType(held), MappingProxyType(wrong))


def stale(contents: Contents) -> bool:
    """Whether the manifest or an artifact is another file than it was, or has come back."""
    try:
        if _mark(os.lstat(contents.folder / MANIFEST)) != contents.mark or contents.wrong:
            return True
        return any(_mark(os.lstat(contents.folder / name)) != held.mark for name, held in contents.held.items())
    except OSError:
        return True


def open_held(contents: Contents, held: Held) -> int | None:
    """Opens an artifact.

    Args:
        contents: of the folder.
        held: which.

    Returns:
        A descriptor that the caller closes, or None where the file is no longer the one that was hashed.
    """
    try:
        descriptor = durable.open_regular(contents.folder / held.name)
    except OrlopError:
        return None
    if descriptor is None or _mark(os.fstat(descriptor)) == held.mark:
        return descriptor
    os.close(descriptor)
    return None


def open_root(folder: Path, version: int) -> bytes | None:
    """The root document of a version, as it was signed; None where there is none that can be served."""
    try:
        if not stat.S_ISDIR(os.lstat(folder / "root").st_mode):
            return None
        document, _ = open_small(folder / "root" / f"{version}.json")
    except (OSError, OrlopError):
        return None
    return document


def open_small(path: Path) -> tuple[bytes, Mark]:
    """A document and the mark of its file.

    Raises:
        BootRefusedError: it is too large.
        BootUnavailableError: there is none, or it cannot be read.
    """
    try:
        descriptor = durable.open_regular(path)
    except OrlopError as error:
        raise BootUnavailableError(error.why, where=clean(str(path), 300)) from None
    if descriptor is None:
        raise BootUnavailableError("is missing", where=clean(str(path), 300), hint="orlop boot sign writes one")
    with os.fdopen(descriptor, "rb") as file:
        mark = _mark(os.fstat(descriptor))
        document = file.read(DOCUMENT_MAX + 1)
    if len(document) > DOCUMENT_MAX:
        raise BootRefusedError("too-large", f"{path.name} has more than {DOCUMENT_MAX} bytes")
    return document, mark


def _newest_root(folder: Path) -> Root | None:
    """The root document of the highest version, as far as it can be read."""
    try:
        names = [path.name for path in (folder / "root").iterdir()]
    except OSError:
        return None
    versions = [int(name[:-5]) for name in names if _ROOT.fullmatch(name)]
    document = open_root(folder, max(versions)) if versions else None
    try:
        return None if document is None else read_root(document)[0]
    except BootRefusedError:
        return None


def _held(folder: Path, name: str, artifact: Artifact, known: Held | None) -> Held:
    descriptor = durable.open_regular(folder / name)
    if descriptor is None:
        raise BootUnavailableError("is missing")
    with os.fdopen(descriptor, "rb") as file:
        mark = _mark(os.fstat(descriptor))
        if known is not None and (known.mark, known.artifact) == (mark, artifact):
            return known
        check = ArtifactCheck(name, artifact)
        while part := file.read(_PART):
            check.feed(part)
        check.finish()
        if _mark(os.fstat(descriptor)) != mark:
            raise BootUnavailableError("changes while it is read")
    return Held(name, artifact, mark)


def _mark(status: os.stat_result) -> Mark:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
