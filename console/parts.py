"""The parts of a core, each built when it is first needed: one command should not pay for what it does not use."""

import asyncio
import contextlib
import os
import sqlite3
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from console._version import __version__
from console.config import Config
from runtime.clock import Clock, SystemClock
from runtime.errors import OrlopError, RefusedError, UnavailableError
from runtime.events import CoreError, Event, StorageLow, StorageOk
from runtime.quantities import format_size
from runtime.sanitise import clean
from runtime.space import Space, SpaceWatch, free_bytes
from runtime.statedir import StateDir
from runtime.store import Store

if TYPE_CHECKING:
    from runtime.account import MemberAccount
    from runtime.agents.executor import Executor
    from runtime.agents.modules import AgentModules
    from runtime.identity import Identity
    from runtime.jobs.jobs import Jobs
    from runtime.jobs.receipts import Receipts
    from runtime.rooms.room import Rooms
    from runtime.rooms.tasks import TaskEvent
    from runtime.sandbox.compile import Compiler
    from runtime.vault import Vault

__all__ = ["DEMO", "DEMO_TICK_MS", "CoreOptions", "Parts"]

DEMO_TICK_MS = 2_000
"""Between two ticks in a directory that is marked as a demo, unless it is configured."""

DEMO = "demo"
"""The mark, a key of the store's table `meta`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """How a core is started."""

    state_path: Path
    config: Config = field(default_factory=Config)
    owner: bool
    """Hold the directory alone, run what is active, serve the control socket; false for one command."""
    demo: bool = False
    """Mark a new directory as a demo and fill it."""
    passphrase: bytes | None = field(default=None, repr=False)
    """Opens a wrapped vault key."""
    version: str = __version__
    clock: Clock = field(default_factory=SystemClock)
    read_only: bool = False
    reload: Callable[[], Config] | None = None
    """Reads the configuration again; without it SIGHUP changes nothing."""
    debug: bool = False
    """Tracebacks of unexpected errors go to stderr."""


class Parts:
    """What handlers and faces find on a core.

    Args:
        options: how it was started.
        state: the directory, locked.
        store: open.
    """

    def __init__(self, options: CoreOptions, state: StateDir, store: Store) -> None:
        self.options = options
        self.state = state
        self.store = store
        self.config = options.config
        self.clock = options.clock
        self._loop = asyncio.get_running_loop()
        self._space = SpaceWatch(lambda: free_bytes(state.path))
        self.backup_door = asyncio.Lock()
        """Held while a backup is written."""
        self.demo = store.read_now(_is_demo)
        """Whether the directory is marked as one for demonstrations."""

    @cached_property
    def identity(self) -> "Identity":
        """The node's key, which knows those before it."""
        from runtime.keys import load_identity

        return load_identity(self.state, self.store)

    @cached_property
    def vault(self) -> "Vault":
        """What seals and opens; asks for the passphrase of the options."""
        from runtime.vault import Vault

        path = self.state.vault_key
        # In this order: the key is older than anything that it sealed, also while another process makes both.
        if self.store.read_now(_holds_sealed) and not os.path.lexists(path):
            hint = "put it back from a backup; without it nothing sealed opens"
            raise RefusedError("is gone, and the database holds what it sealed", where=clean(str(path), 200), hint=hint)
        return Vault.load_or_create(self.state, self.options.passphrase)

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
    def rooms(self) -> "Rooms":
        """Rooms, their tasks and messages; what members change is told to the agents."""
        from runtime.rooms.room import Rooms

        def changed(room: str, events: "tuple[TaskEvent, ...]") -> None:
            """On the store's thread."""
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the agents have ended with it
                self._loop.call_soon_threadsafe(self._dispatch, room, events)

        return Rooms(
            self.store,
            self.vault,
            self.account,
            display_name=self.config.node_name,
            on_change=changed,
        )

    @cached_property
    def modules(self) -> "AgentModules":
        """What is stored of agents."""
        from runtime.agents.modules import AgentModules

        return AgentModules(self.store, self.state.modules, self.rooms, self.compiler)

    @cached_property
    def agents(self) -> "Executor":
        """Runs agents."""
        from runtime.agents.executor import Executor

        return Executor(
            self.modules,
            self.rooms,
            self.vault,
            self.clock,
            runner=self.account.identity_key,
            interval_ms=self.tick_ms,
        )

    def _dispatch(self, room: str, events: "tuple[TaskEvent, ...]") -> None:
        if self.built("agents"):
            self.agents.dispatch(room, events)

    @cached_property
    def receipts(self) -> "Receipts":
        """The receipts of this node."""
        from runtime.jobs.receipts import Receipts

        return Receipts(self.store, self.identity, self.state.output)

    @cached_property
    def jobs(self) -> "Jobs":
        """Runs jobs and keeps their records."""
        from runtime.jobs.jobs import Jobs
        from runtime.jobs.spec import JobLimits

        settings = self.config.jobs
        ceilings = JobLimits(
            memory_bytes=settings.ceiling_memory_bytes,
            fuel=settings.ceiling_fuel,
            timeout_ms=settings.ceiling_timeout_ms,
            max_output_bytes=settings.ceiling_output_bytes,
        )
        return Jobs(
            self.store,
            identity=self.identity,
            receipts=self.receipts,
            compiler=self.compiler,
            state=self.state,
            clock=self.clock,
            workers=settings.workers,
            ceilings=ceilings,
        )

    @property
    def tick_ms(self) -> int:
        """Milliseconds between two ticks of an agent."""
        if self.demo and not self.config.given("agents.tick_interval"):
            return DEMO_TICK_MS
        return self.config.agents.tick_interval_ms

    def space(self) -> Space:
        """Room on the disk now; an owner tells when it became short, and when it is well again.

        Raises:
            UnavailableError: it cannot be told.
        """
        space, changed = self._space.look(self.config.storage.min_free_bytes)
        if changed and self.options.owner:
            kind = StorageLow if space.low else StorageOk
            self.note(kind(free_bytes=space.free, min_free_bytes=space.wanted))
        return space

    def need_space(self) -> None:
        """Refuses new work while room is short: before writes fail, and with one reason for all.

        Raises:
            UnavailableError: there is less than `storage.min_free`.
        """
        space = self.space()
        if space.low:
            why = f"{format_size(space.free)} are free, and no work is begun below {format_size(space.wanted)}"
            hint = "free some space, or set storage.min_free"
            raise UnavailableError(why, where=clean(str(self.state.path), 200), hint=hint)

    def built(self, name: str) -> bool:
        """Whether a part was needed so far."""
        return name in self.__dict__

    def note(self, event: Event) -> None:
        """Adds an event to the journal, without waiting."""
        self.store.emit(event)

    def report(self, where: str, error: BaseException) -> None:
        """Tells an error that nobody waits for as `core.error`."""
        known = isinstance(error, OrlopError)
        text = str(error) if known else f"unexpected {type(error).__name__}: {error}"
        self.note(CoreError(where=clean(where, 100), error=clean(text)))
        if self.options.debug and not known:
            traceback.print_exception(error, file=sys.stderr)


def _holds_sealed(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM secrets LIMIT 1").fetchone() is not None


def _is_demo(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM meta WHERE key = ?", (DEMO,)).fetchone() is not None
