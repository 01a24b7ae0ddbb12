"""The parts of a core, each built when it is first needed: one command should not pay for what it does not use."""

import asyncio
import contextlib
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
from console.lock import CoreLock
from runtime.booted import Claims, read_booted
from runtime.clock import Clock, SystemClock
from runtime.errors import OrlopError, RefusedError, UnavailableError
from runtime.events import CoreError, StorageLow, StorageOk
from runtime.node import NodeParts
from runtime.quantities import format_size
from runtime.sanitise import clean
from runtime.space import Space, SpaceWatch, free_bytes
from runtime.statedir import StateDir
from runtime.store import Store

if TYPE_CHECKING:
    from console.rooms_online import RoomsOnline
    from runtime.agents.executor import Executor
    from runtime.agents.modules import AgentModules
    from runtime.agents.quota import Quotas
    from runtime.components.components import Components
    from runtime.jobs import Jobs
    from runtime.rooms.entries import SignedEntry
    from runtime.rooms.room import Rooms
    from runtime.rooms.tasks import TaskEvent

__all__ = ["DEMO", "DEMO_TICK_MS", "CoreOptions", "Parts"]

DEMO_TICK_MS = 2_000
"""Between two ticks in a directory that is marked as a demo, unless it is configured."""

DEMO = "demo"
"""The mark, a key of the store's table `meta`."""


@dataclass(frozen=True, slots=True)
class ServedRelease:
    """The folder of a release, and the address where it is served."""

    folder: Path
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """How a core is started."""

    state_path: Path
    config: Config = field(default_factory=Config)
    owner: bool
    """Hold the directory alone, run what is active, serve the control socket; false for one command."""
    demo: bool = False
    """Mark a new directory as a demo and fill it."""
    crew: bool = False
    """The second member of a demo, in the same program: ticks as a demo, runs no jobs, and nothing is filled in."""
    passphrase: bytes | None = field(default=None, repr=False)
    """Opens a wrapped vault key."""
    version: str = __version__
    clock: Clock = field(default_factory=SystemClock)
    read_only: bool = False
    reload: Callable[[], Config] | None = None
    """Reads the configuration again; without it SIGHUP changes nothing."""
    debug: bool = False
    """Tracebacks of unexpected errors go to stderr."""
    serve_boot: ServedRelease | None = None
    """A release to serve to machines that boot; only an owner does."""


class Parts(NodeParts):
    """What handlers and faces find on a core.

    Args:
        options: how it was started.
        state: the directory, locked.
        store: open.
    """

    online: "RoomsOnline"
    """The ways of rooms to their other members."""

    def __init__(self, options: CoreOptions, state: StateDir, store: Store) -> None:
        super().__init__(state, store, options.clock, passphrase=options.passphrase)
        self.options = options
        self.config = options.config
        self._loop = asyncio.get_running_loop()
        self._space = SpaceWatch(lambda: free_bytes(state.path))
        self.backup_door = asyncio.Lock()
        """Held while a backup is written."""
        self.lock = CoreLock(self)
        self.demo = store.read_now(_is_demo)
        """Whether the directory is marked as one for demonstrations."""
        place = self.config.node.booted
        self._booted = read_booted(Path(place)) if place else None
        self._session = self._booted.session if self._booted is not None else ""

    @property
    def claims(self) -> Claims:
        """What the machine was started from, if anybody said it."""
        return self._booted.claims if self._booted is not None else ()

    def take_session(self) -> str:
        """The nonce for the first job of a machine that was started from a release: once; after that, nothing."""
        session, self._session = self._session, ""
        return session

    def believes(self, db: sqlite3.Connection, key: str) -> bool:
        """A trusted peer's receipts are believed."""
        from net.book.reading import believed

        return believed(db, key)

    def accepts_receipts_of(self, key: str) -> bool:
        """Whether what a key signed is believed: one of this node's own, or a trusted peer's."""
        return self.identity.is_own(key) or self.store.read_now(lambda db: self.believes(db, key))

    @cached_property
    def rooms(self) -> "Rooms":
        """Rooms, their tasks and messages; what members change is told to the agents."""
        from runtime.rooms.room import Rooms

        def changed(room: str, events: "tuple[TaskEvent, ...]") -> None:
            """On the store's thread."""
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the agents have ended with it
                self._loop.call_soon_threadsafe(self._dispatch, room, events)

        def wrote(room: str, entries: "tuple[SignedEntry, ...]") -> None:
            """On the store's thread."""
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.online.wrote, room, entries)

        rooms = Rooms(
            self.store,
            self.vault,
            self.account,
            self.identity,
            display_name=self.config.node_name,
            on_change=changed,
        )
        rooms.on_entries = wrote
        return rooms

    @cached_property
    def modules(self) -> "AgentModules":
        """What is stored of agents."""
        from runtime.agents.modules import AgentModules
        from runtime.agents.trust import Demand

        def required(room: str) -> Demand:
            roster = self.rooms.roster(room)
            if not roster.creator:
                why = "nothing of it has come yet, so nobody knows which agents it takes, and whether it keeps them"
                where, hint = self.rooms.state(room).name, "it comes when a member is there"
                raise UnavailableError(why, where=where, hint=hint)
            if roster.member(self.rooms.self_key) is None:
                where, hint = self.rooms.state(room).name, "join the room again first"
                raise RefusedError("this node is in the room no more", where=where, hint=hint)
            by_room = self.rooms.settings(room).require_signed
            return Demand(signed=self.config.agents.require_signature, by_room=by_room)

        return AgentModules(self.store, self.state.modules, self.rooms, self.compiler, self.vault, required=required)

    @cached_property
    def quotas(self) -> "Quotas":
        """What each agent may use."""
        from runtime.agents.quota import Quotas

        bounds = self.config.agents
        return Quotas(
            calls=bounds.quota_calls,
            emissions=bounds.quota_emissions,
            log_bytes=bounds.quota_log_bytes,
            cpu_ms=bounds.quota_cpu_ms,
            state_bytes=bounds.quota_state_bytes,
            room_emissions=bounds.quota_room_emissions,
        )

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
            quotas=self.quotas,
            interval_ms=self.tick_ms,
        )

    def _dispatch(self, room: str, events: "tuple[TaskEvent, ...]") -> None:
        if self.built("agents"):
            self.agents.dispatch(room, events)

    @cached_property
    def jobs(self) -> "Jobs":
        """Runs jobs and keeps their records."""
        from runtime.jobs import JobLimits, QueueLimits

        settings = self.config.jobs
        ceilings = JobLimits(
            memory_bytes=settings.ceiling_memory_bytes,
            fuel=settings.ceiling_fuel,
            timeout_ms=settings.ceiling_timeout_ms,
            max_output_bytes=settings.ceiling_output_bytes,
            cpu_ms=settings.ceiling_cpu_ms,
            stack_bytes=settings.ceiling_stack_bytes,
            table_elements=settings.ceiling_table,
            open_files=settings.ceiling_open_files,
            dir_bytes=settings.ceiling_dir_bytes,
        )
        queue = QueueLimits(
            length=settings.queue,
            wait_ms=settings.queue_time_ms,
            module_bytes=settings.ceiling_module_bytes,
            stdin_bytes=settings.ceiling_stdin_bytes,
        )
        return self.new_jobs(workers=settings.workers, ceilings=ceilings, queue=queue)

    @cached_property
    def components(self) -> "Components":
        """Components; nothing is known of them before `restore`."""
        from console.component_desk import outside
        from runtime.blobs import Blobs
        from runtime.components.components import Components
        from runtime.components.house import Folders

        settings = self.config.components
        return Components(
            self.store,
            vault=self.vault,
            blobs=Blobs(self.state.blobs),
            compiler=lambda: self.compiler,
            clock=self.clock,
            folders=Folders(self.state.components),
            ceilings=settings.ceilings(),
            groups={name: group.supervised() for name, group in self.config.groups.items()},
            kinds=outside(self),
            need_space=self.need_space,
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

    def report(self, where: str, error: BaseException) -> None:
        """Tells an error that nobody waits for as `core.error`."""
        known = isinstance(error, OrlopError)
        text = str(error) if known else f"unexpected {type(error).__name__}: {error}"
        self.note(CoreError(where=clean(where, 100), error=clean(text)))
        if self.options.debug and not known:
            traceback.print_exception(error, file=sys.stderr)


def _is_demo(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM meta WHERE key = ?", (DEMO,)).fetchone() is not None
