"""A node: one state directory, opened, with the parts that work on it; each is built when it is first needed.

The console and the library (`runtime.jobs.api`) stand on it, so that both do the same with a directory.
"""

import asyncio
import os
import sqlite3
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.clock import Clock
from runtime.errors import RefusedError
from runtime.events import CoreError, Event
from runtime.sanitise import clean
from runtime.statedir import OwnerLock, StateDir, acquire_owner, acquire_shared, prepare
from runtime.store import Store

if TYPE_CHECKING:
    from runtime.account import MemberAccount
    from runtime.booted import Claims
    from runtime.identity import Identity
    from runtime.jobs.jobs import Jobs
    from runtime.jobs.limits import JobLimits
    from runtime.jobs.queue import QueueLimits
    from runtime.jobs.receipts import Receipts
    from runtime.sandbox.compile import Compiler
    from runtime.vault import Vault

__all__ = ["NodeParts", "OpenDirectory"]


@dataclass(frozen=True, slots=True)
class OpenDirectory:
    """A state directory that is locked, and its open store."""

    state: StateDir
    lock: OwnerLock
    store: Store

    @classmethod
    def open(cls, path: Path, clock: Clock, *, owner: bool) -> "OpenDirectory":
        """Opens a state directory, makes it when there is none.

        Args:
            path: where it is.
            clock: of the store.
            owner: hold it alone; else share it with others who do not own it.

        Raises:
            InUseError: another process owns it, or holds it while we want to own it.
            OrlopError: anything else that keeps it from being used; what was opened is closed again.
        """
        state = prepare(path)
        lock = acquire_owner(state) if owner else acquire_shared(state)
        try:
            return cls(state, lock, Store.open(state.database, clock, owner=owner))
        except BaseException:
            lock.close()
            raise

    def close(self) -> None:
        """Closes the store, then lets others have the directory."""
        self.store.close()
        self.lock.close()


class NodeParts:
    """What every user of a node finds on it.

    Args:
        state: the directory, locked.
        store: open.
        clock: tells the time.
        passphrase: opens a wrapped vault key.
    """

    def __init__(self, state: StateDir, store: Store, clock: Clock, *, passphrase: bytes | None = None) -> None:
        self.state = state
        self.store = store
        self.clock = clock
        self._passphrase = passphrase

    @cached_property
    def identity(self) -> "Identity":
        """The node's key, which knows those before it."""
        from runtime.keys import load_identity

        return load_identity(self.state, self.store)

    @cached_property
    def vault(self) -> "Vault":
        """What seals and opens; asks for the passphrase."""
        from runtime.vault import Vault

        path = self.state.vault_key
        # In this order: the key is older than anything that it sealed, also while another process makes both.
        if self.store.read_now(_holds_sealed) and not os.path.lexists(path):
            hint = "put it back from a backup; without it nothing sealed opens"
            raise RefusedError("is gone, and the database holds what it sealed", where=clean(str(path), 200), hint=hint)
        return Vault.load_or_create(self.state, self._passphrase)

    @cached_property
    def account(self) -> "MemberAccount":
        """This node's member in every room."""
        from runtime.account import MemberAccount

        return MemberAccount.load_or_create(self.store, self.vault)

    @cached_property
    def compiler(self) -> "Compiler":
        """Native code of modules, from its cache or from a child process."""
        from runtime.sandbox.compile import Compiler

        def corrupt(words: str) -> None:
            self.note(CoreError(where="compiled modules", error=clean(words)))

        return Compiler(self.state.compiled_cache, self.vault.subkey("compiled-cache"), on_corrupt=corrupt)

    @cached_property
    def receipts(self) -> "Receipts":
        """The receipts of this node."""
        from runtime.jobs.receipts import Receipts

        return Receipts(self.store, self.identity, self.state, believed=self.believes, claims=self.claims)

    @property
    def claims(self) -> "Claims":
        """What receipts say of the machine beside what is measured; only who was told how it was started says any."""
        return ()

    def believes(self, db: sqlite3.Connection, key: str) -> bool:
        """Whether the receipts of another node's key are believed; only who knows peers believes any.

        Args:
            db: of the store.
            key: 64 hexadecimal characters.
        """
        del db, key
        return False

    def new_jobs(self, *, workers: int, ceilings: "JobLimits", queue: "QueueLimits | None" = None) -> "Jobs":
        """What runs jobs here and keeps their records; a node has one.

        Args:
            workers: how many run at a time.
            ceilings: what they may have at most.
            queue: what is allowed before they start; None for the defaults.
        """
        from runtime.jobs.jobs import Jobs
        from runtime.jobs.queue import QueueLimits

        return Jobs(
            self.store,
            identity=self.identity,
            receipts=self.receipts,
            compiler=self.compiler,
            state=self.state,
            clock=self.clock,
            workers=workers,
            ceilings=ceilings,
            queue=queue or QueueLimits(),
        )

    def settle(self) -> None:
        """A directory has its three secrets from its first use on, and no rotation of keys that was cut off.

        Raises:
            OrlopError: a secret cannot be made, read or opened.
        """
        if not (self.state.identity_key.exists() and self.state.vault_key.exists()):
            _ = self.identity, self.account
        elif self.state.identity_next.exists():
            _ = self.identity  # before anybody signs or copies

    async def close_compiler(self) -> None:
        """Ends the process that compiles, if there is one."""
        if self.built("compiler"):
            await asyncio.to_thread(self.compiler.close)

    def built(self, name: str) -> bool:
        """Whether a part was needed so far."""
        return name in self.__dict__

    def note(self, event: Event) -> None:
        """Adds an event to the journal, without waiting."""
        self.store.emit(event)


def _holds_sealed(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM secrets LIMIT 1").fetchone() is not None
