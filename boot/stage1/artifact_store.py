"""Artifacts by their hash, `artifacts/sha256:HEX/{data,meta.json}`, on a partition whose power may go at any moment.

An artifact gets its name when all of it is on the disk, and not before; what lies there is never believed: whoever
uses it hashes it again. So a cut, a full disk or a stranger's hand costs a download and nothing else.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from boot.trust.manifest import Artifact
from runtime import durable
from runtime.canonical import encode
from runtime.errors import OrlopError, UnavailableError

__all__ = ["ArtifactStore", "Source"]

_PART: Final = 1 << 20
_SPARE: Final = 8 << 20
"""Bytes that stay free, for the small files that must still find room."""
_HALF: Final = ".half-"

Source = Callable[[int, int], bytes]
"""Gives at most so many bytes of an artifact, from an offset on; none at its end."""


class ArtifactStore:
    """The artifacts of a cache.

    Args:
        folder: theirs; exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, artifact: Artifact) -> Path:
        """Where an artifact's bytes are, if they are there."""
        return self._folder / f"sha256:{artifact.sha256}" / "data"

    def put(self, artifact: Artifact, source: Source) -> None:
        """Stores one, unless the same bytes are there already.

        Args:
            artifact: what was signed, and found to be true of the source.
            source: gives its bytes.

        Raises:
            UnavailableError: it cannot be written, or there is no room; nothing has its name then.
        """
        place = self.path(artifact).parent
        if self._holds(artifact, source):
            return
        half = self._folder / f"{_HALF}{os.urandom(8).hex()}"
        try:
            if place.exists():
                self._remove(place)
            half.mkdir(mode=0o755)
            _copy(source, half / "data", artifact.size)
            meta = encode({"sha256": artifact.sha256, "size": artifact.size}) + b"\n"
            durable.replace(half / "meta.json", meta, mode=0o644)
            half.rename(place)
            durable.sync_directory(self._folder)
        except OSError as error:
            raise durable.unavailable(place, error) from error
        finally:
            shutil.rmtree(half, ignore_errors=True)

    def has_room(self, artifacts: Iterable[Artifact]) -> bool:
        """Whether those that are not there yet would fit."""
        needed = sum(one.size for one in artifacts if not self.path(one).exists())
        facts = os.statvfs(self._folder)
        return needed + _SPARE <= facts.f_bavail * facts.f_frsize

    def keep_only(self, artifacts: Iterable[Artifact]) -> None:
        """Removes all others, and what a cut left half written.

        Args:
            artifacts: those that stay.

        Raises:
            UnavailableError: something cannot be removed.
        """
        names = {f"sha256:{one.sha256}" for one in artifacts}
        try:
            for path in list(self._folder.iterdir()):
                if path.name not in names:
                    self._remove(path)
        except OSError as error:
            raise durable.unavailable(self._folder, error) from error

    def _remove(self, path: Path) -> None:
        """By another name first: what is half removed has none by which it would be used."""
        gone = self._folder / f"{_HALF}{os.urandom(8).hex()}"
        path.rename(gone)
        if gone.is_dir() and not gone.is_symlink():
            shutil.rmtree(gone)
        else:
            gone.unlink()

    def _holds(self, artifact: Artifact, source: Source) -> bool:
        """Whether exactly these bytes are there, which is quicker to see than to hash."""
        with contextlib.suppress(OrlopError, OSError):
            descriptor = durable.open_regular(self.path(artifact))
            if descriptor is None:
                return False
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                at = 0
                while part := file.read(_PART):
                    if part != source(len(part), at):
                        return False
                    at += len(part)
                return at == artifact.size
        return False


def _copy(source: Source, path: Path, size: int) -> None:
    """Exactly so many bytes, on the disk when this returns."""
    with path.open("xb", buffering=0) as file:
        at = 0
        while at < size and (part := source(min(_PART, size - at), at)):
            view = memoryview(part)
            while view:
                view = view[file.write(view) :]
            at += len(part)
        os.fsync(file.fileno())
    if at != size:
        raise UnavailableError(f"the source ended after {at} of {size} bytes", where=str(path))
