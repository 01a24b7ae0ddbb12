"""Invitations that were taken and have not led into their rooms yet: nobody of the room has answered so far.

Each lies sealed in the vault (table `secrets`), since whoever has one may enter its room.
"""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from runtime.canonical import CanonicalError, decode, encode
from runtime.columns import Columns
from runtime.errors import RefusedError
from runtime.rooms.invite import Invite, parse_invite
from runtime.store import Store, Transaction
from runtime.vault import SealBrokenError, Vault

__all__ = ["JOINS_MAX", "PendingJoin", "PendingJoins"]

JOINS_MAX: Final = 32
"""Invitations that wait at most."""

_PREFIX: Final = "join:"
_LIMIT: Final = 8_192
_COLUMNS: Final = Columns("secrets", {"name": str, "sealed": bytes})
_SELECT: Final = f"SELECT {_COLUMNS.names} FROM secrets WHERE name GLOB 'join:*' ORDER BY name"  # noqa: S608 - constants
_PUT: Final = (
    "INSERT INTO secrets (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed"
)


@dataclass(frozen=True, slots=True)
class PendingJoin:
    """An invitation, and the name under which this member joins; empty for that of the node."""

    invite: Invite
    display_name: str = ""


class PendingJoins:
    """The invitations that wait.

    Args:
        store: keeps them.
        vault: seals them.
    """

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    def list(self) -> list[PendingJoin]:
        """All of them, by room.

        Raises:
            RefusedError: one was tampered with.
            UnavailableError: the store cannot be read.
        """
        rows = self._store.read_now(lambda connection: connection.execute(_SELECT).fetchall())
        return [self._opened(*_COLUMNS.checked(row)) for row in rows]

    def add(self, join: PendingJoin) -> "Future[None]":
        """Keeps an invitation, in place of another one to the same room.

        Returns:
            Done when it is kept. Fails with `RefusedError` when too many wait.
        """
        name = _PREFIX + join.invite.room
        plain = encode({"invite": str(join.invite), "name": join.display_name})
        sealed = self._vault.seal(plain, _aad(name))

        def work(tx: Transaction) -> None:
            row = tx.one("SELECT count(*) FROM secrets WHERE name GLOB 'join:*' AND name <> ?", (name,))
            if row is not None and row[0] >= JOINS_MAX:
                raise RefusedError(f"{JOINS_MAX} invitations wait already", hint="rooms leave ROOM gives one up")
            tx.execute(_PUT, (name, sealed))

        return self._store.write(work)

    def remove(self, room: str) -> "Future[bool]":
        """Forgets the invitation to a room.

        Returns:
            Whether there was one.
        """
        name = _PREFIX + room
        return self._store.write(lambda tx: tx.execute("DELETE FROM secrets WHERE name = ?", (name,)).rowcount > 0)

    def _opened(self, name: str, sealed: bytes) -> PendingJoin:
        try:
            value = decode(self._vault.open(sealed, _aad(name)), limit=_LIMIT)
        except (SealBrokenError, CanonicalError) as error:
            hint = "put back the vault.key that belongs to this database"
            raise RefusedError(f"an invitation cannot be opened: {error.why}", hint=hint) from error
        if not isinstance(value, dict) or not all(isinstance(value.get(key), str) for key in ("invite", "name")):
            raise RefusedError("an invitation is kept in a form that is not known")
        return PendingJoin(parse_invite(str(value["invite"])), str(value["name"]))


def _aad(name: str) -> bytes:
    return f"orlop-secret:{name}".encode()
