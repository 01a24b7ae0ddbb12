"""The workers of all components: forked from a zygote when they are wanted, shared where that is safe.

Everything runs on the core's loop, and nothing here blocks it but starting the zygote (some milliseconds, once).
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from runtime.components.cpu_quota import CpuQuota, CpuUse
from runtime.components.errors import WorkerUnavailableError
from runtime.components.folder_account import FolderAccount
from runtime.components.host.context import ComponentId
from runtime.components.permissions import Policy
from runtime.components.placement import SHARED_SLOTS, Walls, walls_of
from runtime.components.running import GRACE_S, CoreDesk, Running
from runtime.components.worker.wire import Load, LoadLimits, MountPoint
from runtime.components.worker.zygote import PROGRAM
from runtime.components.worker_process import WorkerProcess
from runtime.errors import UnavailableError
from runtime.jobs.zygote_process import Ended, Forked, ZygoteProcess, sealed_module

__all__ = ["HostMount", "Start", "Workers"]

_FORK_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class HostMount:
    """A folder that a component is given.

    Attributes:
        point: how the component sees it.
        folder: of the host; it exists, and its last name is no link.
    """

    point: MountPoint
    folder: Path


@dataclass(frozen=True, slots=True)
class Start:
    """What an instance is made of.

    Attributes:
        component: whose it is.
        world: in full.
        code: compiled, from `Compiler.compile`.
        policy: in force.
        limits: likewise.
        mounts: what it sees of the file system.
        timeout_ms: for instantiation, which may run the guest's start function.
        alone: it is to have a worker of its own, whatever it may do: it overran its processor time before.
        environment: variables of the host that it may read.
        cpu: what its component used of the processor, in all its instances.
        account: of what it keeps in its own folders, likewise.
    """

    component: ComponentId
    world: str
    code: bytes
    policy: Policy
    limits: LoadLimits
    mounts: tuple[HostMount, ...] = ()
    timeout_ms: int = 10_000
    alone: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    cpu: CpuUse = field(default_factory=CpuUse)
    account: FolderAccount = field(default_factory=FolderAccount)

    @property
    def quota(self) -> CpuQuota:
        """Of the processor."""
        return CpuQuota(self.limits.cpu_per_minute_ms, self.cpu)

    @property
    def walls(self) -> Walls:
        """What its worker lets through."""
        return walls_of(self.policy, self.limits, len(self.mounts))

    def holds(self, policy: Policy) -> bool:
        """Whether an instance that was started so can be given a policy; else it needs a new worker.

        Args:
            policy: the next one.
        """
        return self.walls.let_through(walls_of(policy, self.limits, len(self.mounts)))


class Workers:
    """The zygote and its workers.

    Args:
        desk: answers what components ask the core.
        on_trouble: told in one line when the zygote died.
    """

    def __init__(self, desk: CoreDesk, on_trouble: Callable[[str], None]) -> None:
        self._desk = desk
        self._on_trouble = on_trouble
        self._zygote: ZygoteProcess | None = None
        self._tokens = 0
        self._workers: dict[int, WorkerProcess] = {}
        self._closed = False

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The zygote's process id and those of its workers."""
        zygote = (self._zygote.process.pid,) if self._zygote else ()
        return zygote + tuple(worker.pid for worker in self._workers.values() if worker.pid)

    def warm(self) -> None:
        """Starts the zygote, unless it runs; does not wait for it.

        Raises:
            WorkerUnavailableError: it cannot be started, or the workers are closed.
        """
        self._running_zygote()

    async def start(self, start: Start) -> Running:
        """Makes an instance; the guest's start function has run when this returns.

        Args:
            start: what it is made of.

        Raises:
            ComponentRefusedError: the component cannot be instantiated.
            WorkerUnavailableError: there is no process, or it went away.
        """
        descriptors: list[int] = []
        try:
            descriptors.append(_sealed(start.code))
            descriptors += (_folder(mount) for mount in start.mounts)
            if start.mounts:
                descriptors.append(_account(start.account))
            worker = self._fork(alone=True) if start.alone or start.walls.alone else self._shared()
        except BaseException:
            for descriptor in descriptors:
                os.close(descriptor)
            raise
        code, *folders = descriptors
        running = worker.load(
            start.component, start.quota, self._desk, lambda slot: _load(slot, start), code=code, folders=folders
        )
        try:
            await running.loaded(_FORK_S + start.timeout_ms / 1000 + GRACE_S)
        except asyncio.CancelledError:
            worker.abandon(running)
            raise
        return running

    async def close(self) -> None:
        """Ends all workers and the zygote; instances that still run are lost."""
        self._closed = True
        zygote, self._zygote = self._zygote, None
        if zygote is None:
            return
        asyncio.get_running_loop().remove_reader(zygote.control)
        await asyncio.to_thread(zygote.close)
        self._all_gone("the workers were closed")

    def _shared(self) -> WorkerProcess:
        open_to_more = (w for w in self._workers.values() if not w.alone and w.usable and w.slots < SHARED_SLOTS)
        return next(open_to_more, None) or self._fork(alone=False)

    def _fork(self, *, alone: bool) -> WorkerProcess:
        zygote = self._running_zygote()
        self._tokens += 1
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs:
                zygote.request(self._tokens, theirs, {"alone": int(alone)})
        except OSError as error:
            mine.close()
            raise WorkerUnavailableError(f"no worker process could be had: {error.strerror}") from error
        worker = self._workers[self._tokens] = WorkerProcess(self._tokens, mine, alone=alone)
        return worker

    def _running_zygote(self) -> ZygoteProcess:
        if self._closed:
            raise WorkerUnavailableError("components are no longer started")
        if self._zygote is None:
            try:
                self._zygote = ZygoteProcess.start(PROGRAM)
            except UnavailableError as error:
                raise WorkerUnavailableError(error.why) from error
            self._zygote.control.setblocking(False)
            asyncio.get_running_loop().add_reader(self._zygote.control, self._heard)
        return self._zygote

    def _heard(self) -> None:
        zygote = self._zygote
        while zygote is not None and zygote is self._zygote:
            try:
                said = zygote.read()
            except BlockingIOError:
                return
            match said:
                case Forked(token, pid, pidfd):
                    self._workers[token].forked(pid, pidfd)
                case Ended(token):
                    self._workers.pop(token).gone(said)
                case None:
                    self._zygote_died(zygote)

    def _zygote_died(self, zygote: ZygoteProcess) -> None:
        asyncio.get_running_loop().remove_reader(zygote.control)
        self._zygote = None
        why = f"the process for components ended: {zygote.last_words()}"
        zygote.process.kill()  # its socket has ended, so it is ending: nothing is waited for long
        zygote.close()
        self._all_gone(why)
        self._on_trouble(why)

    def _all_gone(self, why: str) -> None:
        for worker in list(self._workers.values()):
            worker.kill(why, nobody=True)  # the kernel does so too; this makes it certain
            worker.gone(None)
        self._workers.clear()


def _sealed(code: bytes) -> int:
    try:
        return sealed_module(code)
    except UnavailableError as error:
        raise WorkerUnavailableError(error.why) from error


def _folder(mount: HostMount) -> int:
    try:
        return os.open(mount.folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise WorkerUnavailableError(
            f"the folder for {mount.point.guest} cannot be opened: {error.strerror}", where=str(mount.folder)
        ) from error


def _account(account: FolderAccount) -> int:
    try:
        return account.descriptor()
    except OSError as error:
        raise WorkerUnavailableError(f"no account of its folders could be had: {error.strerror}") from error


def _load(slot: int, start: Start) -> Load:
    component, walls = start.component, start.walls
    return Load(
        slot,
        component.namespace,
        component.name,
        component.version,
        component.instance,
        start.world,
        start.policy.to_json(),
        start.limits,
        tuple(mount.point for mount in start.mounts),
        start.timeout_ms,
        walls.network,
        walls.connect,
        walls.listen,
        walls.spawns,
        start.environment,
    )
