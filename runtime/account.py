"""The member account: one vodozemac account for all rooms of this node, kept pickled under the vault.

Its Curve25519 key is the member's `identityKey`; its Ed25519 key signs room events and leases.
"""

import base64

from vodozemac import Account, PickleException

from runtime.columns import Columns
from runtime.errors import RefusedError
from runtime.identity import DOMAINS
from runtime.store import Store, Transaction
from runtime.vault import SealBrokenError, Vault

__all__ = ["MemberAccount"]

_NAME = "member-account"
_AAD = b"orlop-secret:" + _NAME.encode()
_COLUMNS = Columns("secrets", {"name": str, "sealed": bytes})
_SELECT = f"SELECT {_COLUMNS.names} FROM secrets WHERE name = ?"  # noqa: S608 - constants
_PICKLE_KEY = "member-account-pickle"


class MemberAccount:
    """The node's member in every room. Made by `MemberAccount.load_or_create`.

    Args:
        account: the account with its secrets.
    """

    __slots__ = ("_account", "ed25519_key", "identity_key")

    def __init__(self, account: Account) -> None:
        self._account = account
        self.identity_key: str = account.curve25519_key.to_base64()
        """Curve25519 public key, 43 characters of base64 without padding."""
        self.ed25519_key: str = account.ed25519_key.to_base64()
        """Ed25519 public key, 43 characters of base64 without padding."""

    def __repr__(self) -> str:
        return f"<MemberAccount {self.identity_key}>"

    @classmethod
    def load_or_create(cls, store: Store, vault: Vault) -> "MemberAccount":
        """The account of a store, made when there is none; creators at the same time get the same one.

        Not to be called inside a work of the store.

        Raises:
            RefusedError: it is damaged, or sealed under another vault.
            UnavailableError: it cannot be read or written.
        """
        pickle_key = vault.subkey(_PICKLE_KEY)

        def work(transaction: Transaction) -> bytes:
            if (row := transaction.one(_SELECT, (_NAME,))) is not None:
                return bytes(_COLUMNS.checked(row)[1])
            sealed = vault.seal(Account().pickle(pickle_key).encode(), _AAD)
            transaction.execute("INSERT INTO secrets (name, sealed) VALUES (?, ?)", (_NAME, sealed))
            return sealed

        row = store.read_now(lambda connection: connection.execute(_SELECT, (_NAME,)).fetchone())
        sealed = store.write(work).result() if row is None else bytes(_COLUMNS.checked(row)[1])
        try:
            return cls(Account.from_pickle(vault.open(sealed, _AAD).decode(), pickle_key))
        except (SealBrokenError, PickleException, UnicodeDecodeError) as error:
            hint = "put back the vault.key that belongs to this database"
            raise RefusedError("the member account cannot be opened", where=str(store.database), hint=hint) from error

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """Signs a message under a domain with the account's Ed25519 key.

        Args:
            domain: one of `runtime.identity.DOMAINS`.
            message: what follows the domain.

        Returns:
            The signature of `domain + message`, 64 bytes.

        Raises:
            ValueError: not one of our domains: a mistake in the program.
        """
        if domain not in DOMAINS:
            why = f"{domain!r} is not a signature domain"
            raise ValueError(why)
        return base64.b64decode(self._account.sign(domain + message).to_base64() + "==")
