"""The state that agents keep between calls: sealed rows of `agent_state`.

The seal binds a state to its room, agent, module hash and write number: no row can be moved, nor an older one be
put back under the number of a newer one. Rows in the original's form (AES-256-GCM without additional data, as JSON of
two base64 texts, under a key derived with the original's salt) are read, and written anew at the next change.
"""

import binascii
import hashlib
import json
from base64 import b64decode
from dataclasses import dataclass
from typing import Final

from runtime.agents.keys import AgentKey, Connection, Rows
from runtime.agents.limits import MAX_STATE_BYTES
from runtime.columns import Columns
from runtime.errors import RefusedError
from runtime.vault import SealBrokenError, Vault

__all__ = [
    "AgentStates",
    "SealedState",
    "StateBrokenError",
    "StateTooLargeError",
    "StoredState",
    "delete_state",
    "read_state",
    "save_state",
    "set_aside",
    "state_sizes",
]

_COLUMNS: Final = Columns(
    "agent_state",
    {"room": str, "agent": str, "hash": str, "version": int, "sealed": bytes},
    key=2,
    hint="delete the agent, or upload another module under its name",
)
_ASIDE: Final = "!"
"""Stands in no agent's name, and begins the ends of those under which broken states are kept."""
_ASIDE_CHARACTERS: Final = 8
LEGACY_SALT: Final = b"weave-agent-state-v1"
_NONCE_BYTES: Final = 12
SEAL_BYTES: Final = 1 + _NONCE_BYTES + 16
"""What sealing adds: format, nonce, tag."""


class StateTooLargeError(RefusedError):
    """A state beyond its limit: the agent's failure, not the host's."""


class StateBrokenError(RefusedError):
    """A stored state that does not open: it was changed or moved, or the key is another."""


@dataclass(frozen=True, slots=True)
class SealedState:
    """A state that is ready to be stored.

    Attributes:
        key: whose.
        hash: of the module that wrote it.
        version: counts the writes, from 1.
        sealed: ciphertext.
        size: bytes of the plain state.
    """

    key: AgentKey
    hash: str
    version: int
    sealed: bytes
    size: int


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state as it is stored.

    Attributes:
        hash: of the module that wrote it; of no meaning in the original's form.
        version: counts the writes.
        sealed: ciphertext.
    """

    hash: str
    version: int
    sealed: bytes

    @property
    def legacy(self) -> bool:
        """Whether it is in the original's form."""
        return self.sealed[:1] == b"{"

    @staticmethod
    def plain_size(length: int) -> int:
        """Plain bytes in a ciphertext of this length; for the original's form an estimate."""
        return max(0, length - SEAL_BYTES)


class AgentStates:
    """Seals and opens states.

    Args:
        vault: its key takes the place of the original's seed.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def seal(self, key: AgentKey, module_hash: str, version: int, state: bytes) -> SealedState:
        """Seals a state for `save_state`; safe on any thread.

        Args:
            key: whose.
            module_hash: of the module that wrote it.
            version: one more than that of the state before.
            state: the bytes.

        Returns:
            The row.

        Raises:
            StateTooLargeError: more than 1 MiB.
        """
        if len(state) > MAX_STATE_BYTES:
            raise StateTooLargeError(f"Agent state exceeds max size ({MAX_STATE_BYTES} bytes)")
        sealed = self._vault.seal(state, _aad(key, module_hash, version), self._key(key))
        return SealedState(key, module_hash, version, sealed, len(state))

    def load(self, connection: Connection, key: AgentKey, module_hash: str) -> tuple[bytes, int] | None:
        """Reads a state.

        Args:
            connection: of the store.
            key: whose.
            module_hash: of the module that wants it; what another one wrote does not open for it.

        Returns:
            The bytes and the number of its write; None when there is none.

        Raises:
            StateBrokenError: it does not open.
            RowDamagedError: its row is not one that `save_state` wrote.
        """
        stored = read_state(connection, key)
        if stored is None:
            return None
        if stored.hash != module_hash and not stored.legacy:
            raise StateBrokenError("the stored state is that of another module", where=key.agent)
        return self.open(key, stored), stored.version

    def open(self, key: AgentKey, stored: StoredState) -> bytes:
        """Opens a state.

        Args:
            key: whose.
            stored: as it was read.

        Raises:
            StateBrokenError: it does not open.
        """
        try:
            if stored.legacy:
                return self._open_legacy(key, stored.sealed)
            return self._vault.open(stored.sealed, _aad(key, stored.hash, stored.version), self._key(key))
        except SealBrokenError as error:
            raise StateBrokenError(f"the stored state cannot be opened: {error.why}", where=key.agent) from None

    def reseal(self, key: AgentKey, stored: StoredState, module_hash: str, version: int) -> SealedState:
        """Seals a state anew for another module of the same agent.

        Args:
            key: whose.
            stored: as it was read.
            module_hash: of the module that goes on with it.
            version: the number of this write.

        Raises:
            StateBrokenError: it does not open.
        """
        return self.seal(key, module_hash, version, self.open(key, stored))

    def _key(self, key: AgentKey) -> bytes:
        return self._vault.subkey(f"agent-state:{key.module_id}")

    def _open_legacy(self, key: AgentKey, stored: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            record = json.loads(stored)
            nonce, ciphertext = (b64decode(record[part], validate=True) for part in ("iv", "ciphertext"))
            if len(nonce) != _NONCE_BYTES:
                raise SealBrokenError("its nonce is damaged")
            secret = self._vault.subkey(f"agent-state:{key.module_id}", salt=LEGACY_SALT)
            return AESGCM(secret).decrypt(nonce, ciphertext, None)
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise SealBrokenError("its record is damaged") from None
        except InvalidTag:
            raise SealBrokenError("it was changed, moved or sealed under another key") from None


def save_state(tx: Rows, state: SealedState, now_ms: int) -> None:
    """Stores a state in place of the one before.

    Args:
        tx: the transaction.
        state: from `AgentStates.seal`.
        now_ms: wall time.
    """
    tx.execute_in(
        state.key.room,
        "INSERT INTO {at}.agent_state (room, agent, hash, version, updated_ms, sealed) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (room, agent) DO UPDATE SET hash = excluded.hash, version = excluded.version,"
        " updated_ms = excluded.updated_ms, sealed = excluded.sealed",
        (*state.key, state.hash, state.version, now_ms, state.sealed),
    )


def read_state(connection: Connection, key: AgentKey) -> StoredState | None:
    """A state as it is stored, sealed.

    Args:
        connection: of the store.
        key: whose.

    Returns:
        None when there is none.

    Raises:
        RowDamagedError: its row is not one that `save_state` wrote.
    """
    names = _COLUMNS.names.replace("sealed", "CAST(sealed AS BLOB)")  # what somebody wrote as a text does not open
    row = connection.execute(f"SELECT {names} FROM agent_state WHERE room = ? AND agent = ?", key).fetchone()  # noqa: S608 - constants
    if row is None:
        return None
    _, _, module_hash, version, sealed = _COLUMNS.checked(row)
    return StoredState(module_hash, version, sealed)


def set_aside(tx: Rows, key: AgentKey) -> tuple[int, str]:
    """Keeps a copy of a state that does not open, so that nothing that is stored later is written over it.

    Args:
        tx: the transaction.
        key: whose; there is a state of it.

    Returns:
        The number of its write, and the name in `agent_state` under which its bytes are kept; the same bytes are kept
        once.

    Raises:
        RowDamagedError: its row is not one that `save_state` wrote.
    """
    stored = read_state(tx, key)
    if stored is None:
        return 0, ""
    name = f"{key.agent}{_ASIDE}{hashlib.sha256(stored.sealed).hexdigest()[:_ASIDE_CHARACTERS]}"
    tx.execute_in(
        key.room,
        "INSERT OR IGNORE INTO {at}.agent_state (room, agent, hash, version, updated_ms, sealed)"
        " SELECT room, ?, hash, version, updated_ms, sealed FROM {at}.agent_state WHERE room = ? AND agent = ?",
        (name, *key),
    )
    return stored.version, name


def delete_state(tx: Rows, key: AgentKey) -> None:
    """Deletes a state, if there is one, and those that were set aside.

    Args:
        tx: the transaction.
        key: whose.
    """
    sql = "DELETE FROM {at}.agent_state WHERE room = ? AND (agent = ? OR agent GLOB ?)"
    tx.execute_in(key.room, sql, (*key, f"{key.agent}{_ASIDE}*"))


def state_sizes(connection: Connection) -> dict[AgentKey, int]:
    """How large the stored states are.

    Args:
        connection: of the store.

    Returns:
        Plain bytes, by agent; for a row in the original's form an estimate.
    """
    rows = connection.execute("SELECT room, agent, length(sealed) FROM agent_state")
    return {AgentKey(room, agent): StoredState.plain_size(length) for room, agent, length in rows}


def _aad(key: AgentKey, module_hash: str, version: int) -> bytes:
    return json.dumps(["orlop-agent-state", key.room, key.agent, module_hash, version]).encode()
