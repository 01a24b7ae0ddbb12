"""The bytes of agents' modules, by content: files, or rows in memory for a room of which nothing is kept.

Blocking: call from a thread that may wait. What is kept is trusted only as far as its hash: it is read and hashed again
before every instantiation.
"""

from pathlib import Path
from typing import Protocol

from runtime.agents.binary import digest_mismatch, module_digest
from runtime.agents.keys import Connection, Rows
from runtime.agents.limits import MAX_WASM_BYTES
from runtime.agents.records import hash_in_use
from runtime.blobs import BlobChangedError, BlobGoneError, Blobs
from runtime.errors import RefusedError
from runtime.store import Store

__all__ = ["ModuleBytes", "ModuleFiles", "ModulesInMemory"]


class ModuleBytes(Protocol):
    """Where the modules of a room are."""

    @property
    def on_disk(self) -> bool:
        """Whether they, and what is compiled of them, may be on the disk."""
        ...

    def put(self, wasm: bytes) -> str:
        """Does, before a transaction, what takes long; the module's hash."""
        ...

    def secure(self, tx: Rows, wasm: bytes) -> None:
        """Keeps a module that was `put`, with a transaction of whose rows it is a part."""
        ...

    def read(self, digest: str) -> bytes:
        """Reads a module and verifies it; raises `RefusedError` for one that was changed or is gone."""
        ...

    def sweep(self, tx: Rows, digest: str) -> None:
        """Removes a module that no agent uses any more."""
        ...


class ModuleFiles:
    """The folder of modules.

    Args:
        folder: `modules` of the state directory; made when it is first written to.
    """

    on_disk = True

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

    def secure(self, tx: Rows, wasm: bytes) -> None:  # noqa: ARG002 - its lock is what it stands for
        """Keeps a module that was `put`: a deletion in between may have taken it.

        Args:
            tx: the transaction, whose lock keeps deletions away.
            wasm: the file.

        Raises:
            UnavailableError: it cannot be written.
        """
        self.put(wasm)

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
            raise _gone(error.where) from None
        except BlobChangedError as error:
            raise digest_mismatch(digest, error.got) from None

    def older_than(self, before_ms: int) -> list[str]:
        """The hashes of what was kept before a time.

        Args:
            before_ms: wall time.
        """
        return self._blobs.older_than(before_ms)

    def sweep(self, tx: Connection, digest: str) -> None:
        """Removes a module that no agent uses any more.

        Args:
            tx: a transaction, whose lock keeps an upload of the same module from slipping in between.
            digest: its hash.
        """
        if not hash_in_use(tx, digest):
            self._blobs.remove(digest)


class ModulesInMemory:
    """The modules of a room of which nothing is kept.

    Args:
        store: an owner's, with its database in memory.
        room: the room's id.
    """

    on_disk = False

    def __init__(self, store: Store, room: str) -> None:
        self._store = store
        self._room = room

    def put(self, wasm: bytes) -> str:
        """Keeps nothing yet.

        Args:
            wasm: the file.

        Returns:
            Its hash.
        """
        return module_digest(wasm)

    def secure(self, tx: Rows, wasm: bytes) -> None:
        """Keeps a module.

        Args:
            tx: the transaction.
            wasm: the file.
        """
        sql = "INSERT OR IGNORE INTO {at}.agent_modules (room, hash, wasm) VALUES (?, ?, ?)"
        tx.execute_in(self._room, sql, (self._room, module_digest(wasm), wasm))

    def read(self, digest: str) -> bytes:
        """Reads a module and verifies it.

        Args:
            digest: the hash under which it was kept.

        Returns:
            The file.

        Raises:
            RefusedError: it is gone, or not as it was.
        """
        sql = "SELECT wasm FROM memory.agent_modules WHERE room = ? AND hash = ?"
        row = self._store.read_now(lambda connection: connection.execute(sql, (self._room, digest)).fetchone())
        if row is None:
            raise _gone(f"sha256:{digest[:16]}")
        wasm = bytes(row[0])
        if (got := module_digest(wasm)) != digest:
            raise digest_mismatch(digest, got)
        return wasm

    def sweep(self, tx: Rows, digest: str) -> None:
        """Removes a module that no agent of the room uses any more.

        Args:
            tx: the transaction.
            digest: its hash.
        """
        tx.execute_in(
            self._room,
            "DELETE FROM {at}.agent_modules WHERE room = ?1 AND hash = ?2"
            " AND NOT EXISTS (SELECT 1 FROM {at}.agents WHERE room = ?1 AND hash = ?2) AND NOT EXISTS"
            " (SELECT 1 FROM {at}.agent_versions WHERE room = ?1 AND hash = ?2 AND manifest != '')",
            (self._room, digest),
        )


def _gone(where: str) -> RefusedError:
    return RefusedError("the stored module is gone", where=where, hint="upload it again")
