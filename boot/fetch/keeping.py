"""A folder that takes a fetched release: nothing has its name there before all of it is verified."""

import contextlib
import os
from pathlib import Path
from typing import Self

from boot.fetch.fetcher import FileSink, Sink
from boot.fetch.release import Fetched
from runtime import durable
from runtime.sanitise import clean

__all__ = ["Keeping"]


class Keeping:
    """Temporary files beside their places, until `keep`; as a context they are gone at the end.

    Args:
        folder: made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, tuple[int, Path]] = {}

    def __enter__(self) -> Self:
        """Makes the folder.

        Raises:
            UnavailableError: it cannot be made.
        """
        durable.make_directory(self._folder, mode=0o755)
        return self

    def __exit__(self, *_: object) -> None:
        """Removes what was not kept."""
        for descriptor, path in self._open.values():
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
        self._open.clear()

    def sink(self, name: str) -> Sink:
        """Where an artifact goes for now.

        Args:
            name: as a verified manifest names it.

        Raises:
            UnavailableError: no file can be made.
        """
        if name not in self._open:
            path = self._folder / f".orlop-{os.urandom(8).hex()}"
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self._open[name] = os.open(path, flags, 0o644), path
            except OSError as error:
                raise durable.unavailable(path, error) from error
        return FileSink(self._open[name][0])

    def keep(self, fetched: Fetched) -> None:
        """Gives everything its name, the manifest last.

        Args:
            fetched: what was verified, with its artifacts in the sinks.

        Raises:
            UnavailableError: it cannot be written.
        """
        try:
            for name in fetched.verified.manifest.artifacts:
                os.fsync(self._open[name][0])
            for name in fetched.verified.manifest.artifacts:
                self._open[name][1].replace(self._folder / name)
        except OSError as error:
            raise durable.unavailable(Path(clean(str(self._folder), 300)), error) from error
        newest = fetched.trusted.root.version
        if fetched.roots:
            durable.make_directory(self._folder / "root", mode=0o755)
        for version, document in enumerate(fetched.roots, newest - len(fetched.roots) + 1):
            durable.replace(self._folder / "root" / f"{version}.json", document, mode=0o644)
        durable.replace(self._folder / "manifest.json", fetched.document, mode=0o644)
