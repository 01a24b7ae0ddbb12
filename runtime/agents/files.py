"""Files of agents' modules, by content: `sha256/aa/HEX` below one folder. Blocking: call from a thread that may wait.

A file is trusted only as far as its hash: it is read and hashed again before every instantiation.
"""

import contextlib
from pathlib import Path

from runtime import durable
from runtime.agents.binary import module_digest, verify_digest
from runtime.agents.keys import Connection
from runtime.agents.limits import MAX_WASM_BYTES
from runtime.agents.records import hash_in_use
from runtime.errors import RefusedError

__all__ = ["ModuleFiles"]


class ModuleFiles:
    """The folder of modules.

    Args:
        folder: `modules` of the state directory; made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, wasm: bytes) -> str:
        """Keeps a module; one that is there already and sound is left alone.

        Args:
            wasm: the file.

        Returns:
            Its hash.

        Raises:
            UnavailableError: it cannot be written; then nothing is half written.
        """
        digest = module_digest(wasm)
        path = self._path(digest)
        for folder in (self._folder, self._folder / "sha256", path.parent):
            durable.make_directory(folder)
        with contextlib.suppress(RefusedError):
            if durable.read(path, limit=MAX_WASM_BYTES) == wasm:
                return digest
        durable.replace(path, wasm)
        return digest

    def read(self, digest: str) -> bytes:
        """Reads a module and verifies it.

        Args:
            digest: the hash under which it was kept.

        Returns:
            The file.

        Raises:
            RefusedError: it was changed since, is gone, or is no regular file.
            UnavailableError: it cannot be read.
        """
        wasm = durable.read(self._path(digest), limit=MAX_WASM_BYTES)
        if wasm is None:
            raise RefusedError("the stored module is gone", where=f"sha256:{digest[:12]}…", hint="upload it again")
        verify_digest(wasm, digest)
        return wasm

    def sweep(self, connection: Connection, digest: str) -> None:
        """Removes a module that no agent uses any more.

        Args:
            connection: a transaction, whose lock keeps an upload of the same module from slipping in between.
            digest: its hash.
        """
        if not hash_in_use(connection, digest):
            with contextlib.suppress(OSError):
                self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._folder / "sha256" / digest[:2] / digest
