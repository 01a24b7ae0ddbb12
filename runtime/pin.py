"""The PIN: six digits that open a locked screen again, and what wrong ones cost.

Verifier and count of failures lie sealed in the vault (table `secrets`), in one row of always the same size: without
the vault's key nothing on the disk tells a right PIN from a wrong one, nor how often somebody tried. Protection at rest
is the vault's passphrase alone; where `vault.key` is a plain file, a PIN protects nothing from whoever reads the disk.
"""

import hashlib
import hmac
import os
import sqlite3
import struct
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from runtime.columns import Columns
from runtime.errors import NotFoundError, RefusedError, UsageError
from runtime.store import Store, Transaction
from runtime.vault import SealBrokenError, Vault

__all__ = ["DIGITS", "ITERATIONS", "TRIES", "Answer", "Outcome", "Pin", "PinKeeper", "checked_pin", "is_set", "new_pin"]

DIGITS: Final = 6
TRIES: Final = 10
"""The failure with this number is the last: from then on only the vault's passphrase opens."""
ITERATIONS: Final = 600_000
"""Of PBKDF2-SHA256, for each guess."""

_FREE: Final = 2
"""Failures that cost no waiting."""
_FIRST_MS: Final = 30_000
_SALT_BYTES: Final = 32
_FORM: Final = struct.Struct(">BIHQ32s32s")
_VERSION: Final = 1
_NAME: Final = "pin"
_AAD: Final = b"orlop-secret:pin"
_COLUMNS: Final = Columns("secrets", {"name": str, "sealed": bytes})
_SELECT: Final = f"SELECT {_COLUMNS.names} FROM secrets WHERE name = ?"  # noqa: S608 - constants
_PUT: Final = (
    "INSERT INTO secrets (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed"
)


class Outcome(StrEnum):
    """What became of a try."""

    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "wait"
    """Too early: it was not looked at, and does not count."""
    USED_UP = "used-up"
    """Ten failures: no PIN is looked at any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a try, and what holds after it.

    Attributes:
        outcome: of the try.
        failures: in a row.
        wait_ms: until the next try is looked at.
    """

    outcome: Outcome
    failures: int
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Pin:
    """A PIN that was set, and what was tried since the last right one. Pure.

    Attributes:
        salt: 32 random bytes.
        digest: PBKDF2-SHA256 of the digits.
        iterations: of that.
        failures: in a row.
        until_ms: wall time before which no try is looked at.
    """

    salt: bytes
    digest: bytes
    iterations: int
    failures: int = 0
    until_ms: int = 0

    @property
    def used_up(self) -> bool:
        """Whether only the passphrase opens."""
        return self.failures >= TRIES

    def wait_ms(self, now_ms: int) -> int:
        """How long no try is looked at; a clock that was set back makes it no longer than it was at first."""
        return max(0, min(self.until_ms - now_ms, _backoff_ms(self.failures)))

    def tried(self, now_ms: int) -> "Pin":
        """With one more failure: written down before the digits are looked at, so that no try is free."""
        failures = min(TRIES, self.failures + 1)
        return replace(self, failures=failures, until_ms=now_ms + _backoff_ms(failures))

    def forgiven(self) -> "Pin":
        """Without failures."""
        return replace(self, failures=0, until_ms=0)

    def fits(self, digits: str) -> bool:
        """Whether these are the digits. Takes about a quarter of a second: not for a loop's thread."""
        return hmac.compare_digest(_digest(digits, self.salt, self.iterations), self.digest)

    def packed(self) -> bytes:
        """The PIN as bytes, as many for every PIN and count."""
        return _FORM.pack(_VERSION, self.iterations, self.failures, self.until_ms, self.salt, self.digest)

    @classmethod
    def unpacked(cls, data: bytes) -> "Pin":
        """Reads what `packed` made.

        Raises:
            RefusedError: another form.
        """
        if len(data) != _FORM.size or data[0] != _VERSION:
            raise RefusedError("the PIN is kept in a form that is not known", hint="orlop pin set makes a new one")
        _, iterations, failures, until_ms, salt, digest = _FORM.unpack(data)
        return cls(salt, digest, iterations, failures, until_ms)


def checked_pin(text: str) -> str:
    """The digits of a PIN.

    Raises:
        UsageError: not exactly six of 0 to 9.
    """
    if len(text) != DIGITS or not text.isascii() or not text.isdigit():
        raise UsageError(f"a PIN has exactly {DIGITS} digits")
    return text


def is_set(connection: sqlite3.Connection) -> bool:
    """Whether a database has a PIN; what it is needs the vault."""
    return connection.execute("SELECT 1 FROM secrets WHERE name = ?", (_NAME,)).fetchone() is not None


def new_pin(digits: str, *, iterations: int = ITERATIONS) -> Pin:
    """A PIN with a salt of its own. Takes as long as `Pin.fits`.

    Args:
        digits: six.
        iterations: the cost of a guess.

    Raises:
        UsageError: not six digits.
    """
    salt = os.urandom(_SALT_BYTES)
    return Pin(salt, _digest(checked_pin(digits), salt, iterations), iterations)


class PinKeeper:
    """The PIN of a state directory. For one try at a time; blocking, so call from a thread that may wait.

    Args:
        store: keeps it.
        vault: seals it.
        now_ms: wall time.
        iterations: the cost of a guess of new PINs.
    """

    def __init__(self, store: Store, vault: Vault, now_ms: Callable[[], int], *, iterations: int = ITERATIONS) -> None:
        self._store = store
        self._vault = vault
        self._now_ms = now_ms
        self._iterations = iterations

    def load(self) -> Pin | None:
        """The PIN, or None when there is none.

        Raises:
            RefusedError: its row was changed.
            UnavailableError: the store cannot be read.
        """
        row = self._store.read_now(lambda connection: connection.execute(_SELECT, (_NAME,)).fetchone())
        if row is None:
            return None
        try:
            return Pin.unpacked(self._vault.open(bytes(_COLUMNS.checked(row)[1]), _AAD))
        except SealBrokenError as error:
            hint = "put back the vault.key that belongs to this database"
            raise RefusedError(f"the PIN cannot be opened: {error.why}", hint=hint) from error

    def set(self, digits: str) -> None:
        """Sets the PIN in place of any before it, without failures.

        Raises:
            UsageError: not six digits.
            UnavailableError: it cannot be written.
        """
        self._save(new_pin(digits, iterations=self._iterations)).result()

    def clear(self) -> bool:
        """Forgets the PIN; says whether there was one."""

        def work(tx: Transaction) -> bool:
            return tx.execute("DELETE FROM secrets WHERE name = ?", (_NAME,)).rowcount > 0

        return self._store.write(work).result()

    def try_pin(self, digits: str) -> Answer:
        """Looks whether these are the digits.

        The failure is written down first and taken back afterwards: ending the program in between gives nobody a try
        for nothing.

        Args:
            digits: six.

        Raises:
            UsageError: not six digits; that does not count.
            NotFoundError: no PIN is set.
            UnavailableError: it cannot be written; then the digits were not looked at.
        """
        checked_pin(digits)
        pin = self._needed()
        now_ms = self._now_ms()
        if pin.used_up:
            return Answer(Outcome.USED_UP, pin.failures)
        if wait_ms := pin.wait_ms(now_ms):
            return Answer(Outcome.WAIT, pin.failures, wait_ms)
        tried = pin.tried(now_ms)
        self._save(tried).result()
        if tried.fits(digits):
            self._save(pin.forgiven()).result()
            return Answer(Outcome.RIGHT, 0)
        outcome = Outcome.USED_UP if tried.used_up else Outcome.WRONG
        return Answer(outcome, tried.failures, 0 if tried.used_up else tried.wait_ms(now_ms))

    def forgive(self) -> None:
        """Forgets the failures: somebody knew the passphrase."""
        pin = self.load()
        if pin is not None:
            self._save(pin.forgiven()).result()

    def _needed(self) -> Pin:
        pin = self.load()
        if pin is None:
            raise NotFoundError("no PIN is set", hint="orlop pin set sets one")
        return pin

    def _save(self, pin: Pin) -> "Future[None]":
        sealed = self._vault.seal(pin.packed(), _AAD)

        def work(tx: Transaction) -> None:
            tx.execute(_PUT, (_NAME, sealed))

        return self._store.write(work)


def _backoff_ms(failures: int) -> int:
    """30 s from the third failure on, twice as long after each further one."""
    return _FIRST_MS << (failures - _FREE - 1) if failures > _FREE else 0


def _digest(digits: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", digits.encode(), salt, iterations)
