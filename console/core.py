"""The composition: one state directory, opened, with everything that works on it. Lives on one event loop.

An owner (console, `--no-ui`) holds the directory alone, builds everything at once, wakes what slept and serves the
control socket. A one-shot command shares the directory with others and builds only what its handler touches.
"""

import asyncio
import contextlib
import grp
import os
import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from console import config as configuration
from console import wire
from console.client import Args, Result, Snapshot
from console.clockwatch import ClockWatch
from console.control import Audience, ControlServer
from console.dispatch import Dispatcher
from console.exit_codes import ExitCode
from console.lag import LagMonitor
from console.parts import DEMO, CoreOptions, Parts, ServedRelease
from console.rooms_life import RoomsLife
from console.rooms_online import RoomsOnline
from runtime.errors import OrlopError, UsageError
from runtime.events import (
    VERSION,
    CoreConfig,
    CoreError,
    CoreReady,
    CoreStarted,
    CoreStopped,
    CoreStopping,
)
from runtime.jobs import EXIT_CANCELLED
from runtime.journal import Journal
from runtime.node import OpenDirectory
from runtime.sanitise import clean
from runtime.store import Transaction

if TYPE_CHECKING:
    from console.boot_desk import BootDesk
    from console.mesh import Mesh
    from console.notify import Notifier
    from runtime.components.components import Components

__all__ = ["Core", "CoreOptions"]

_TICK_MS = 30_000
_HOUR_S = 3600.0
_CLOCK_S = 5.0
_SPACE_S = 5.0

T = TypeVar("T")


class Core(Parts):
    """Everything of one state directory. Made by `Core.start`; its methods belong to the loop's thread."""

    def __init__(self, options: CoreOptions, directory: OpenDirectory) -> None:
        super().__init__(options, directory.state, directory.store)
        self.journal = Journal(directory.store)
        self.dispatcher = Dispatcher(self)
        self.life = RoomsLife(self)
        self.online = RoomsOnline(self)
        self.started_ms = self.clock.wall_ms()
        self._began = self.clock.monotonic()
        self._directory = directory
        self._controls: list[ControlServer] = []
        self._notifier: Notifier | None = None
        self._lag = LagMonitor(self.note)
        self._components_door = asyncio.Lock()
        self._requests: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[None]] = set()

    # --- life -------------------------------------------------------------------------------------------------------

    @classmethod
    async def start(cls, options: CoreOptions) -> "Core":
        """Opens a state directory, makes it when there is none.

        An owner's agents wake in the background, `core.ready` says when; everything else is there on return.

        Raises:
            InUseError: another process owns the directory.
            OrlopError: anything else that keeps it from being used; what was opened is closed again.
        """
        async with contextlib.AsyncExitStack() as opened:
            directory = OpenDirectory.open(options.state_path, options.clock, owner=options.owner)
            opened.callback(directory.close)
            core = cls(options, directory)
            if options.owner:
                opened.push_async_callback(core._close_parts, 0)
                await core._own()
            else:
                core.settle()
            opened.pop_all()
        return core

    async def _own(self) -> None:
        """What only an owner does at its start."""
        self._bind_controls()
        from console.notify import Notifier

        self._notifier = Notifier(self.journal, self.clock, self.note)
        self._notifier.use(self.config.notify)
        await self._settle_demo()
        unfinished = self.store.read_now(_unfinished_jobs)
        _ = self.account  # made or opened now: a vault that stays shut is said before anything runs
        started = CoreStarted(
            version=self.options.version,
            pid=os.getpid(),
            state_dir=clean(str(self.state.path), 1000),
            peer_id=self.identity.peer_id,
            recovered=tuple(f"job {job[:16]} lost" for job in unfinished),
        )
        await self.write(lambda tx: tx.emit(started))
        await self.jobs.recover()
        if self.config.p2p.wanted:
            await self.mesh.start()
        if self.options.serve_boot is not None:
            await self._serve_boot(self.options.serve_boot)
        self.keep_running(self._wake(), "start")
        self.keep_running(self._keep_house(), "journal")
        self.keep_running(self.life.run(), "rooms")
        self.keep_running(self._watch_clock(), "clock")
        self.keep_running(self._watch_space(), "storage")
        self._lag.start()
        for control in self._controls:
            control.serve(self)

    def _bind_controls(self) -> None:
        """The socket in the directory, and the one of the group if there is to be one."""
        found = [ControlServer(self.state.control_socket)]
        settings = self.config.control
        if settings.group:
            audience = Audience(_group_id(settings.group), writes=settings.group_writes)
            found.append(ControlServer(Path(settings.socket), audience))
        for control in found:
            control.bind()
            self._controls.append(control)

    async def _serve_boot(self, served: ServedRelease) -> None:
        from console.boot_desk import Place, Shelf

        shelf = Shelf(served.folder, clean(str(served.folder), 300))
        await self.boot.serve(shelf, Place(served.host, served.port))

    async def _settle_demo(self) -> None:
        """Only a new directory becomes a demo; only a demo ticks faster than every 30 s."""
        if self.options.demo and not self.demo:
            if self.store.read_now(_has_rooms):
                hint = "name another --state-dir, or start without --demo"
                raise UsageError("holds rooms of its own and is no demo", where=clean(str(self.state.path)), hint=hint)
            await self.write(lambda tx: tx.set_meta(DEMO, 1))
            self.demo = True
        if self.tick_ms < _TICK_MS and not self.demo:
            raise UsageError("less than 30s is for demo directories only", where="agents.tick_interval")

    async def _wake(self) -> None:
        """Agents that were active are active again, workers are ready, the demo is as it should be."""
        if not self.options.crew:
            self.jobs.warm()
            await self.jobs.queue.take_all()
        await self.agents.restore()
        if not self.options.crew and self.any_components():
            await self.known_components()
        await self.online.start()
        if self.options.demo and not self.options.crew:
            from console import demo

            await demo.seed(self)
            self.keep_running(demo.live(self), "demo")
        ms = round((self.clock.monotonic() - self._began) * 1000)
        self.note(CoreReady(ms=ms))

    async def _keep_house(self) -> None:
        """Retention: at the start and once an hour."""
        while True:
            limits = self.config.journal
            pruned = self.journal.prune(self.clock.wall_ms(), days=limits.days, max_bytes=limits.max_bytes)
            pruned.add_done_callback(self._pruned)
            await self._prune_jobs()
            await self._prune_receipts()
            await self._collect_modules()
            await asyncio.sleep(_HOUR_S)

    async def _prune_jobs(self) -> None:
        """As `_prune_receipts`."""
        limits = self.config.jobs
        try:
            await self.jobs.prune(days=limits.keep_days, max_bytes=limits.keep_output_bytes)
        except OrlopError as error:
            self.report("jobs", error)

    async def _prune_receipts(self) -> None:
        """What cannot be done now is told, and tried again in an hour."""
        keep = self.config.receipts.keep
        try:
            if keep:
                await self.receipts.prune(keep)
        except OrlopError as error:
            self.report("receipts", error)

    async def _collect_modules(self) -> None:
        """As `_prune_receipts`."""
        try:
            await self.modules.collect()
        except OrlopError as error:
            self.report("agents", error)

    async def _watch_clock(self) -> None:
        watch = ClockWatch(self.store.read_now(_newest_ms))
        while True:
            told = watch.check(self.clock.wall_ms(), self.clock.monotonic())
            if told:
                hint = "agents' changes of rooms wait until it has caught up; put it right"
                self.note(CoreError(where="clock", error=told, hint=hint))
            await asyncio.sleep(_CLOCK_S)

    async def _watch_space(self) -> None:
        while True:
            self.space()
            await asyncio.sleep(_SPACE_S)

    def _pruned(self, done: Future[int]) -> None:
        """On a thread of the store."""
        error = done.exception()
        if error is not None:
            self.report("journal", error)

    async def stop(self, reason: str, exit_code: int = 0) -> None:
        """Ends in order: no new work, what runs may finish for `core.drain`, states are sealed, all is closed.

        Args:
            reason: for the journal, such as `SIGTERM`.
            exit_code: what the process will end with; jobs that are interrupted take a signal's as theirs.
        """
        owner = self.options.owner
        self.dispatcher.refuse("the core is stopping")
        try:
            if owner:
                self.note(CoreStopping(reason=reason, running=self.store.read_now(_unfinished_jobs)))
            self._lag.stop()
            await _cancelled(self._background)
            code = exit_code if exit_code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED} else ExitCode.CANCELLED
            await self.dispatcher.drain(self.config.core.drain_ms / 1000, code)
            await self._close_parts(exit_code)
            if owner:
                uptime_s = int(self.clock.monotonic() - self._began)
                await self.write(lambda tx: tx.emit(CoreStopped(exit_code=exit_code, uptime_s=uptime_s)))
        finally:
            self._directory.close()

    def hurry(self) -> None:
        """Ends the patience of `stop`: what runs is interrupted now."""
        self.dispatcher.hurry()
        if self._notifier is not None:
            self._notifier.hurry()

    async def _close_parts(self, exit_code: int) -> None:
        """Ends what was built, in the order of dependence."""
        await _cancelled(self._background)
        if self.built("agents"):
            await self.agents.shutdown()
        if self.built("components"):
            await self.components.close()
        await self.online.close()
        if self.built("boot"):
            await self.boot.close()
        if self.built("mesh"):
            await self.mesh.close()
        if self.built("jobs"):
            by = f"signal:{exit_code}"
            await self.jobs.close(drain_s=0, by=by if by in EXIT_CANCELLED else "command")
        await self.close_compiler()
        for control in self._controls:
            control.close("shutdown")
        await _cancelled(self._requests)
        if self._notifier is not None:
            with contextlib.suppress(OrlopError):
                await self.write(lambda _: None)  # what was noted until now has been published
            await self._notifier.close()

    def reload(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Reads the configuration again; what cannot change while it runs keeps its value until the next start.

        Returns:
            The keys that changed, and those of them that wait for a start.

        Raises:
            UsageError: it is wrong; the old one stays.
        """
        if self.options.reload is None:
            return (), ()
        new = self.options.reload()
        keys, later = configuration.changed(self.config, new)
        self.config = configuration.keeping(self.config, new, later)
        if self._notifier is not None:
            self._notifier.use(self.config.notify)
        if self.built("mesh"):
            self.mesh.heed_settings()
        self.note(CoreConfig(changed=keys, restart=later))
        return keys, later

    def reload_or_report(self) -> None:
        """As `reload`; what is wrong becomes `core.error`."""
        try:
            self.reload()
        except OrlopError as error:
            self.report("configuration", error)

    @cached_property
    def mesh(self) -> "Mesh":
        """This node among its peers; listens only where an owner's settings say."""
        from console.mesh import Mesh

        return Mesh(self)

    @cached_property
    def boot(self) -> "BootDesk":
        """The releases that this node serves to machines."""
        from console.boot_desk import BootDesk

        return BootDesk(self)

    def any_components(self) -> bool:
        """Whether any is installed; a node without them pays nothing for components."""
        return self.store.read_now(_has_components)

    async def known_components(self) -> "Components":
        """The components of this directory; an owner starts those that are to run when they are first asked for."""
        async with self._components_door:
            if not self.built("components"):
                await self.components.restore(start=self.options.owner)
        return self.components

    # --- what parts and faces call ----------------------------------------------------------------------------------

    @property
    def history(self) -> Journal:
        """Where events come from."""
        return self.journal

    @property
    def content_shut(self) -> bool:
        """Whether nobody is shown what is in rooms, since the screen is locked."""
        return self.lock.locked

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Runs a work of the store and waits for its commit."""
        return await asyncio.wrap_future(self.store.write(work))

    def spawn(self, work: Coroutine[object, object, None], where: str) -> object:
        """Runs a request on the loop; when it fails, `core.error` says so."""
        return self._started(work, where, self._requests)

    def keep_running(self, work: Coroutine[object, object, None], where: str) -> object:
        """As `spawn`, for what is cancelled when the core begins to stop."""
        return self._started(work, where, self._background)

    def _started(
        self, work: Coroutine[object, object, None], where: str, kept: set[asyncio.Task[None]]
    ) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        kept.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            kept.discard(done)
            error = None if done.cancelled() else done.exception()
            if error is not None:
                self.report(where, error)

        task.add_done_callback(ended)
        return task

    def server_hello(self) -> wire.ServerHello:
        """What the control socket says first."""
        return wire.ServerHello(
            proto=(wire.PROTOCOL, wire.PROTOCOL),
            v=VERSION,
            server=f"orlop {self.options.version}",
            node=self.config.node_name,
            peer_id=self.identity.peer_id,
            seq=self.journal.last_seq(),
            read_only=self.options.read_only,
            instance=self.store.instance,
            listen=tuple(str(place) for place in self.mesh.host.listening()) if self.built("mesh") else (),
        )

    async def snapshot(self, topics: Sequence[str]) -> Snapshot:
        """As `CoreClient.snapshot`."""
        from console.snapshot import take

        return await take(self, topics)

    async def execute(
        self,
        command: str,
        args: Args,
        files: Mapping[str, int],
        *,
        interrupted: asyncio.Future[int],
        uid: int,
        face: str,
        read_only: bool = False,
    ) -> Result:
        """As `CoreClient.execute`; the descriptors are closed at the end."""
        return await self.dispatcher.execute(
            command,
            args,
            files,
            interrupted=interrupted,
            uid=uid,
            face=face,
            read_only=read_only or self.options.read_only,
        )


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    """Cancels tasks and waits for their ends."""
    ours = asyncio.current_task()
    ending = {task for task in tasks if task is not ours}
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)


def _group_id(name: str) -> int:
    """The id of a group.

    Raises:
        UsageError: there is none of this name.
    """
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        where = f"control.group {clean(name, 64)}"
        raise UsageError("no such group", what="configuration", where=where, hint="groupadd makes one") from None


def _has_rooms(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM rooms LIMIT 1").fetchone() is not None


def _has_components(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM components LIMIT 1").fetchone() is not None


def _newest_ms(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(ts_ms), 0) FROM journal").fetchone()[0])


def _unfinished_jobs(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Those that end with the program that runs them; what only waits in the queue outlives it."""
    sql = (
        "SELECT job FROM jobs WHERE state IN ('queued', 'admitted', 'compiling', 'running')"
        " AND (detached = 0 OR (state = 'running' AND attempt >= retries)) ORDER BY number"
    )
    return tuple(str(row[0]) for row in connection.execute(sql))
