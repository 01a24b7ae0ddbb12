"""A release as a folder: `manifest.json`, the roots after the first under `root/`, and the artifacts beside them.

Only regular files count, opened without following links; what an artifact is comes from its bytes alone.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from boot.errors import BootUnavailableError
from boot.trust.artifact import ArtifactCheck
from boot.trust.documents import DOCUMENT_MAX
from boot.trust.manifest import SIZE_MAX, Artifact
from boot.trust.root import Trusted, advance
from runtime import durable
from runtime.errors import OrlopError, UsageError
from runtime.quantities import format_size
from runtime.sanitise import clean

__all__ = ["ARTIFACTS", "MANIFEST", "artifacts_of", "check_artifacts", "newest_root", "read_document_file"]

MANIFEST: Final = "manifest.json"
ARTIFACTS: Final = ("kernel", "initramfs", "rootfs")
"""Names of the files that a release may have; the first two it must."""
_NEEDED: Final = 2
_PART: Final = 1 << 20
_ROOTS_MAX: Final = 1024


def artifacts_of(folder: Path) -> dict[str, Artifact]:
    """Hashes the artifacts of a folder; blocks.

    Args:
        folder: with the files `kernel`, `initramfs` and, if there is one, `rootfs`.

    Raises:
        UsageError: one is missing, empty or too large.
        RefusedError: one is something else than a file.
    """
    found: dict[str, Artifact] = {}
    for number, name in enumerate(ARTIFACTS):
        descriptor = _opened(folder / name, needed=number < _NEEDED)
        if descriptor is None:
            continue
        with os.fdopen(descriptor, "rb") as file:
            digest, size = hashlib.sha256(), 0
            while part := file.read(_PART):
                size += len(part)
                digest.update(part)
        if not 0 < size <= SIZE_MAX:
            why = "is empty" if not size else f"has more than {format_size(SIZE_MAX)}"
            raise UsageError(why, where=clean(str(folder / name), 300))
        found[name] = Artifact(size, digest.hexdigest())
    return found


def check_artifacts(folder: Path, artifacts: Mapping[str, Artifact]) -> int:
    """Holds the files of a folder against what was signed; blocks.

    Args:
        folder: where they are, by name.
        artifacts: what they have to be.

    Returns:
        How many bytes were hashed.

    Raises:
        BootRefusedError: `length` or `hash`: one of them is something else.
        BootUnavailableError: one cannot be read.
    """
    hashed = 0
    for name, artifact in artifacts.items():
        check = ArtifactCheck(name, artifact)
        try:
            descriptor = _opened(folder / name, needed=True)
        except OrlopError as error:
            raise BootUnavailableError(f"{name} {error.why}", where=error.where) from None
        if descriptor is None:
            raise BootUnavailableError(f"{name} is missing")
        with os.fdopen(descriptor, "rb") as file:
            while part := file.read(_PART):
                check.feed(part)
        check.finish()
        hashed += check.size
    return hashed


def newest_root(folder: Path, trusted: Trusted) -> Trusted:
    """Goes from the root that is trusted to the newest of a folder, one version at a time.

    Args:
        folder: with `root/2.json` and so on.
        trusted: the root that is known.

    Raises:
        BootRefusedError: one does not follow from the one before.
    """
    for _ in range(_ROOTS_MAX):
        path = folder / "root" / f"{trusted.root.version + 1}.json"
        raw = _head(path)
        if raw is None:
            break
        trusted = advance(trusted, raw)
    return trusted


def read_document_file(path: Path) -> bytes:
    """A manifest or root as it lies on the disk, not believed.

    Args:
        path: where.

    Raises:
        UsageError: there is none.
    """
    raw = _head(path)
    if raw is None:
        raise UsageError("no such file", where=clean(str(path), 300))
    return raw


def _head(path: Path) -> bytes | None:
    """A file's bytes, up to one more than a document may have: whoever reads it says that it is too large."""
    descriptor = durable.open_regular(path)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(DOCUMENT_MAX + 1)


def _opened(path: Path, *, needed: bool) -> int | None:
    descriptor = durable.open_regular(path)
    if descriptor is None and needed:
        raise UsageError("is missing", where=clean(str(path), 300))
    return descriptor
