"""Files of agents' modules, by content: `sha256/aa/HEX` below one folder. Blocking: call from a thread that may wait.

A file is trusted only as far as its hash: it is read and hashed again before every instantiation.
"""

from pathlib import Path

from runtime.agents.binary import digest_mismatch
from runtime.agents.keys import Connection
from runtime.agents.limits import MAX_WASM_BYTES
from runtime.agents.records import hash_in_use
from runtime.blobs import BlobChangedError, BlobGoneError, Blobs
from runtime.errors import RefusedError

__all__ = ["ModuleFiles"]


class ModuleFiles:
    """The folder of modules.

    Args:
        folder: `modules` of the state directory; made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self._blobs = Blobs(folder)

    def put(self, wasm: bytes) -> str:
        """Keeps a module; one that is there already and sound is left alone.

        Args:
            wasm: the file.

        Returns:
            Its hash.

        Raises:
            UnavailableError: it cannot be written; then nothing is half written.
        """
        return self._blobs.put(wasm, limit=MAX_WASM_BYTES).hash

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
        try:
            return self._blobs.read(digest, limit=MAX_WASM_BYTES)
        except BlobGoneError as error:
            hint = "upload it again"
            raise RefusedError("the stored module is gone", where=error.where, hint=hint) from None
        except BlobChangedError as error:
            raise digest_mismatch(digest, error.got) from None

    def older_than(self, before_ms: int) -> list[str]:
        """The hashes of what was kept before a time.

        Args:
            before_ms: wall time.
        """
        return self._blobs.older_than(before_ms)

    def sweep(self, connection: Connection, digest: str) -> None:
        """Removes a module that no agent uses any more.

        Args:
            connection: a transaction, whose lock keeps an upload of the same module from slipping in between.
            digest: its hash.
        """
        if not hash_in_use(connection, digest):
            self._blobs.remove(digest)
