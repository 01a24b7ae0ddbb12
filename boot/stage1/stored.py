"""A release that lies on one of orlop's own partitions: taken as from a server, with nothing believed.

The same root, the same verifier and the same hashes decide; a disk is no better than a stranger's server.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.errors import BootError, BootUnavailableError
from boot.fetch.release import Fetched, Order
from boot.folder import MANIFEST, read_document_file
from boot.trust.artifact import ArtifactCheck
from boot.trust.documents import DOCUMENT_MAX
from boot.trust.manifest import Artifact
from boot.trust.root import Trusted, advance
from boot.trust.verifier import verify_manifest
from runtime import durable
from runtime.errors import OrlopError

__all__ = ["Stored", "fetch_stored", "release_folder", "roots_after"]

_PART: Final = 1 << 20
_ROOTS_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a release lies.

    Attributes:
        name: `cache` or `seed`, for people.
        manifest: its file.
        roots: the folder with `root/N.json`.
        place: where an artifact's file is.
    """

    name: str
    manifest: Path
    roots: Path
    place: Callable[[str, Artifact], Path]


def release_folder(name: str, folder: Path) -> Stored:
    """A release as `boot sign` leaves it.

    Args:
        name: for people.
        folder: with manifest, roots and artifacts by name.
    """
    return Stored(name, folder / MANIFEST, folder, lambda artifact, _: folder / artifact)


def fetch_stored(stored: Stored, order: Order) -> Fetched:
    """Takes a release from a disk, as `fetch_release` takes one from servers; blocks.

    Args:
        stored: where it lies.
        order: what, and how; its patience is not needed.

    Returns:
        What is proven, with every artifact in its sink.

    Raises:
        BootRefusedError: it is not what this machine takes.
        BootUnavailableError: it is not there, or cannot be read.
    """
    order.listener.asks(stored.name)
    try:
        document = read_document_file(stored.manifest)
        followed = list(roots_after(stored.roots, order.trusted))
        trusted = followed[-1][0] if followed else order.trusted
        verified = verify_manifest(trusted, document, order.wanted, order.listener.passed)
        order.listener.proven(verified)
        for name, artifact in order.taken(verified).items():
            _take(stored.place(name, artifact), name, artifact, order)
    except BootError:
        raise
    except OrlopError as error:
        raise BootUnavailableError(error.why, where=stored.name) from error
    except OSError as error:
        raise BootUnavailableError((error.strerror or "cannot be read").lower(), where=stored.name) from error
    return Fetched("", "", trusted, tuple(raw for _, raw in followed), document, verified)


def roots_after(folder: Path, trusted: Trusted) -> Iterator[tuple[Trusted, bytes]]:
    """The roots that follow one another in a folder, each verified by the one before, with their documents.

    Args:
        folder: with `root/N.json`.
        trusted: the root that is known.

    Raises:
        BootRefusedError: one does not follow from the one before.
        OrlopError: one cannot be read.
    """
    for _ in range(_ROOTS_MAX):
        raw = durable.read(folder / "root" / f"{trusted.root.version + 1}.json", limit=DOCUMENT_MAX)
        if raw is None:
            return
        trusted = advance(trusted, raw)
        yield trusted, raw


def _take(path: Path, name: str, artifact: Artifact, order: Order) -> None:
    """One artifact, hashed as it passes."""
    sink, check = order.sink_of(name), ArtifactCheck(name, artifact)
    sink.restart()
    descriptor = durable.open_regular(path)
    if descriptor is None:
        raise BootUnavailableError(f"{name} is missing")
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while part := file.read(_PART):
            check.feed(part)
            sink.write(part)
            order.listener.got(name, check.size, artifact.size)
    check.finish()
