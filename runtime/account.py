"""The member account: one vodozemac account for all rooms of this node, kept pickled under the vault.

Its Curve25519 key is the member's `identityKey`; its Ed25519 key signs room events and leases. One-time keys and the
fallback key let others open Olm sessions with it. They are good for this run of the program only: sessions live in
memory, so what an earlier run offered is of no use to anybody but somebody who replays it, and is done away with.
"""

import base64
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final, Protocol, cast

from vodozemac import Account, Curve25519PublicKey, PickleException, PreKeyMessage, Session

from runtime.columns import Columns
from runtime.errors import RefusedError
from runtime.identity import DOMAINS
from runtime.store import Store, Transaction
from runtime.vault import SealBrokenError, Vault

__all__ = ["MemberAccount", "SessionOpenedError"]

_NAME = "member-account"
_AAD = b"orlop-secret:" + _NAME.encode()
_COLUMNS = Columns("secrets", {"name": str, "sealed": bytes})
_SELECT = f"SELECT {_COLUMNS.names} FROM secrets WHERE name = ?"  # noqa: S608 - constants
_PICKLE_KEY = "member-account-pickle"
_OFFERED: Final = 20
"""One-time keys that a room is offered; a relay takes no more."""
_OPENED_MAX: Final = 10_000

Keep = Callable[[str], "Future[None]"]
"""Stores a pickle of the account, sealed; done when it is durable."""


class SessionOpenedError(RefusedError):
    """The same first message of an Olm session came a second time: it was repeated on its way."""


class _WithFallback(Protocol):
    """What the stubs of vodozemac leave out."""

    @property
    def fallback_key(self) -> Mapping[str, Curve25519PublicKey]: ...

    def generate_fallback_key(self) -> object: ...


class MemberAccount:
    """The node's member in every room. Made by `MemberAccount.load_or_create`; one thread opens and saves.

    Args:
        account: the account with its secrets.
        pickled: makes its pickle.
        keep: stores that.
    """

    __slots__ = (
        "_account", "_changed", "_fallback", "_keep", "_offers", "_opened", "_pickled", "_saved", "ed25519_key",
        "identity_key",
    )  # fmt: skip

    def __init__(self, account: Account, pickled: Callable[[Account], str], keep: Keep) -> None:
        self._account = account
        self._pickled = pickled
        self._keep = keep
        self._offers: dict[str, dict[str, str]] = {}
        self._fallback = ""
        self._opened: dict[str, None] = {}
        self._changed = self._saved = 0
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

        def keep(pickle: str) -> "Future[None]":
            sealed = vault.seal(pickle.encode(), _AAD)

            def update(transaction: Transaction) -> None:
                transaction.execute("UPDATE secrets SET sealed = ? WHERE name = ?", (sealed, _NAME))

            return store.write(update)

        try:
            account = Account.from_pickle(vault.open(sealed, _AAD).decode(), pickle_key)
            return cls(account, lambda one: one.pickle(pickle_key), keep)
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

    # --- keys that others open sessions with ------------------------------------------------------------------------

    def offer(self, holder: str, *, afresh: bool) -> Mapping[str, str]:
        """One-time keys for the members of one room, in no other room's offer. `save` before they are published.

        Args:
            holder: the room.
            afresh: whether the keys that this room was offered before are done away with: nobody who had them is
                connected any more.

        Returns:
            20 public keys by their ids, in the order in which they are to be used.
        """
        self.fallback_key()
        offered = self._offers.setdefault(holder, {})
        if afresh:
            self._spend(offered)
            offered.clear()
        unused = self._account.one_time_keys
        for key_id in [key_id for key_id in offered if key_id not in unused]:
            del offered[key_id]
        if len(offered) < _OFFERED:
            self._account.generate_one_time_keys(_OFFERED - len(offered))
            taken = {key_id for offer in self._offers.values() for key_id in offer}
            for key_id, key in sorted(self._account.one_time_keys.items()):
                if key_id not in taken:
                    offered[key_id] = key.to_base64()
            self._changed += 1
        return dict(offered)

    def unused(self, holder: str) -> int:
        """How many of the keys that a room was offered nobody has used yet."""
        unused = self._account.one_time_keys
        return sum(key_id in unused for key_id in self._offers.get(holder, {}))

    def fallback_key(self) -> str:
        """The key for those for whom no one-time key is left; another one in each run. `save` before publishing it."""
        if not self._fallback:
            self._spend(self._account.one_time_keys)
            account: _WithFallback = cast("_WithFallback", self._account)
            for _ in range(2):  # the account remembers one before the newest: that is not to be an earlier run's
                account.generate_fallback_key()
            (key,) = account.fallback_key.values()
            self._fallback = key.to_base64()
            self._changed += 1
        return self._fallback

    def open_session(self, identity_key: str, one_time_key: str) -> Session:
        """Opens an Olm session with another member.

        Args:
            identity_key: that member's.
            one_time_key: one of its one-time keys, or its fallback key.

        Raises:
            ValueError: a key that is none (vodozemac's own errors).
        """
        identity = Curve25519PublicKey.from_base64(identity_key)
        return self._account.create_outbound_session(identity, Curve25519PublicKey.from_base64(one_time_key))

    def create_inbound(self, identity_key: str, message: PreKeyMessage) -> tuple[Session, bytes]:
        """Takes a session that another member opened, and its first text. `save` before it is answered.

        Args:
            identity_key: that member's; a message under another one is refused.
            message: the first one.

        Raises:
            SessionOpenedError: this session was opened before.
            ValueError: an unknown one-time key, another identity, a message that was changed (vodozemac's own errors).
        """
        session_id = message.session_id()
        if session_id in self._opened:
            raise SessionOpenedError("the first message of this session has been used")
        opened = self._account.create_inbound_session(Curve25519PublicKey.from_base64(identity_key), message)
        self._opened[session_id] = None
        if len(self._opened) > _OPENED_MAX:
            del self._opened[next(iter(self._opened))]
        self._changed += 1
        return opened

    @property
    def changed(self) -> bool:
        """Whether there is something that `save` would store."""
        return self._changed > self._saved

    def save(self) -> "Future[None]":
        """Stores the account as it is now.

        Returns:
            Done when it is durable. Fails with `UnavailableError`; then `changed` stays true.
        """
        mark = self._changed

        def kept(done: "Future[None]") -> None:
            if not done.cancelled() and done.exception() is None:
                self._saved = max(self._saved, mark)

        future = self._keep(self._pickled(self._account))
        future.add_done_callback(kept)
        return future

    def _spend(self, keys: Mapping[str, object]) -> None:
        """Does away with one-time keys, which the account can do by using them only."""
        stranger = Account()
        unused = self._account.one_time_keys
        for key_id in list(keys):
            if key_id in unused:
                session = stranger.create_outbound_session(self._account.curve25519_key, unused[key_id])
                message = session.encrypt(b"").to_pre_key()
                if message is not None:
                    self._account.create_inbound_session(stranger.curve25519_key, message)
                    self._changed += 1
