"""The pool: idle workers that are ready before a job comes, replaced when they are used up, broken or gone.

A program that runs one job does not warm the pool: its worker is forked when the job asks.

Everything runs on the core's loop and nothing here blocks it, except for starting the zygote (some milliseconds, once).
A worker serves one submitter. It is not used again after any abnormal end, after 1,000 jobs, or once it was resident
with more than its guest's limit and 64 MiB. A job with directories gets a worker that nobody used before or will after.
"""

import asyncio
import os
import shutil
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runtime.errors import UnavailableError
from runtime.jobs.confine import HEADROOM
from runtime.jobs.processes import is_running, start_mark
from runtime.jobs.wire import Reply
from runtime.jobs.worker_process import Worker
from runtime.jobs.zygote_process import Ended, Forked, ZygoteProcess, sealed_module, worker_channel

__all__ = ["Pool", "Worker"]

_JOBS_MAX: Final = 1000
_MODULES_MAX: Final = 32
_MODULE_BYTES_MAX: Final = 64 << 20
_STARTS_MAX: Final = 3
_UNUSED_ENDS_MAX: Final = 10
_FORK_S: Final = 30.0


class Pool:
    """The zygote, its workers, and the compiled modules that they can be given.

    Args:
        run_dir: where private folders are made.
        size: how many workers are kept, idle or busy, once it is warm.
        memory_ceiling: bytes of guest memory that no job may exceed.
        on_trouble: told in one line when the zygote died.
    """

    def __init__(self, run_dir: Path, size: int, memory_ceiling: int, on_trouble: Callable[[str], None]) -> None:
        self._folder = run_dir / f"jobs-{start_mark()}-{os.getpid()}"
        self._size = size
        self._memory_ceiling = memory_ceiling
        self._on_trouble = on_trouble
        self._zygote: ZygoteProcess | None = None
        self._failed_starts = 0
        self._unused_ends = 0
        self._why = "worker processes end at once"
        self._next_token = 0
        self._workers: dict[int, Worker] = {}
        self._idle: list[Worker] = []
        self._modules: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._warm = False
        self._closed = False

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The zygote's process id and those of its workers."""
        zygote = (self._zygote.process.pid,) if self._zygote else ()
        return zygote + tuple(worker.pid for worker in self._workers.values() if worker.pid)

    @property
    def folder(self) -> Path:
        """A folder of this process alone, which is gone with it, or swept by the next."""
        return self._folder

    def sweep(self) -> None:
        """Removes the folders of pools whose process is gone."""
        for folder in self._folder.parent.glob("jobs-*-*"):
            _, mark, pid = folder.name.split("-", 2)
            if pid.isdecimal() and not is_running(int(pid), mark):
                shutil.rmtree(folder, ignore_errors=True)

    def start(self) -> None:
        """Starts the zygote, unless it runs, so that it is ready when a worker is wanted; does not wait for it.

        Raises:
            UnavailableError: it cannot be started.
        """
        self._running_zygote()

    def warm(self) -> None:
        """From now on keeps idle workers ready; does not wait for them.

        Raises:
            UnavailableError: the zygote cannot be started.
        """
        self._warm = True
        while not self._closed and len(self._workers) < self._size:
            self._idle.append(self._fork())

    async def acquire(self, submitter: str, *, alone: bool) -> Worker:
        """A worker for a job; it is the caller's until `release`.

        Args:
            submitter: whom it will serve.
            alone: the job has directories.

        Raises:
            UnavailableError: there is none to be had.
        """
        for _ in range(_STARTS_MAX):
            if self._closed:
                break
            try:
                worker = self._pick(submitter, alone=alone)
            except UnavailableError as error:
                self._why = error.why
                continue
            try:
                if not worker.ready.done():
                    await asyncio.wait_for(asyncio.shield(worker.ready), _FORK_S)
            except (UnavailableError, TimeoutError):
                worker.kill()
                continue
            except asyncio.CancelledError:
                if alone:
                    worker.kill()
                else:
                    self._idle.append(worker)
                raise
            if not worker.ended.done():
                worker.submitter = submitter
                return worker
        raise UnavailableError("jobs are no longer taken" if self._closed else self._why, where="jobs")

    def release(self, worker: Worker, reply: Reply | None, memory_bytes: int, *, alone: bool) -> None:
        """Takes a worker back, or lets it go when it is not to be used again; then fills up.

        Args:
            worker: from `acquire`.
            reply: its last one; None after a kill.
            memory_bytes: the limit of its last guest.
            alone: as in `acquire`.
        """
        sound = reply is not None and reply.started and reply.outcome.kind in {"returned", "exit"}
        small = reply is not None and reply.resident_kib * 1024 <= memory_bytes + HEADROOM
        if sound:
            self._unused_ends = 0
        if sound and small and not alone and worker.jobs < _JOBS_MAX and not self._closed and not worker.ended.done():
            self._idle.append(worker)
        else:
            worker.kill()

    def module(self, name: str) -> int | None:
        """The descriptor of a compiled module that is kept ready; it stays the pool's."""
        if name not in self._modules:
            return None
        self._modules.move_to_end(name)
        return self._modules[name][0]

    def keep_module(self, name: str, compiled: bytes) -> int:
        """Keeps compiled code ready, in place of what was longest unused.

        Args:
            name: the module's hash.
            compiled: its code, from the compiler and from nowhere else.

        Returns:
            Its descriptor, which stays the pool's.

        Raises:
            UnavailableError: there is no room for it.
        """
        kept = self.module(name)
        if kept is not None:
            return kept
        descriptor = sealed_module(compiled)
        self._modules[name] = (descriptor, len(compiled))
        while len(self._modules) > 1 and self._too_many():
            _, (oldest, _) = self._modules.popitem(last=False)
            os.close(oldest)
        return descriptor

    async def close(self) -> None:
        """Ends all workers and the zygote, and removes their folders."""
        self._closed = True
        self._idle.clear()
        if self._zygote is not None:
            asyncio.get_running_loop().remove_reader(self._zygote.control)
            zygote, self._zygote = self._zygote, None
            for worker in self._workers.values():
                worker.kill()
            await asyncio.to_thread(zygote.close)
        for worker in list(self._workers.values()):
            self._gone(worker, None)
        for descriptor, _ in self._modules.values():
            os.close(descriptor)
        self._modules.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _too_many(self) -> bool:
        held = sum(size for _, size in self._modules.values())
        return len(self._modules) > _MODULES_MAX or held > _MODULE_BYTES_MAX

    def _pick(self, submitter: str, *, alone: bool) -> Worker:
        """An idle worker that may serve this job, or a new one."""
        if alone:  # those that wait have given up all files already
            return self._fork(directories=True)
        fitting = [w for w in self._idle if w.submitter in {"", submitter}]
        used = [w for w in fitting if w.submitter]
        if fitting:
            chosen = (used or fitting)[0]
            self._idle.remove(chosen)
            return chosen
        if self._idle:  # they serve others: make room
            self._idle.pop(0).kill()
        return self._fork()

    def _refill(self) -> None:
        if not self._warm or self._unused_ends >= _UNUSED_ENDS_MAX:
            return  # nobody wants them, or they die by themselves: from now on only when a job asks
        try:
            self.warm()
        except UnavailableError as error:
            self._on_trouble(str(error))

    def _fork(self, *, directories: bool = False) -> Worker:
        zygote = self._running_zygote()
        self._next_token += 1
        token = self._next_token
        mine, theirs = worker_channel()
        mine.setblocking(False)
        folder = self._folder / f"worker-{token}"
        try:
            with theirs:
                folder.mkdir(mode=0o700, parents=True)
                asked: dict[str, str | int] = {
                    "cwd": str(folder),
                    "memory": self._memory_ceiling,
                    "directories": directories,
                }
                zygote.request(token, theirs, asked)
        except OSError as error:
            mine.close()
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, ConnectionError):  # it died, and the loop has not heard of it yet
                self._zygote_died(zygote)
                raise UnavailableError(self._why, where="jobs") from error
            raise UnavailableError(f"no worker process could be had: {error.strerror}", where="jobs") from error
        worker = self._workers[token] = Worker(token, mine, folder)
        return worker

    def _running_zygote(self) -> ZygoteProcess:
        if self._closed:
            raise UnavailableError("jobs are no longer taken")
        if self._zygote is None:
            self._zygote = ZygoteProcess.start()
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
                    self._failed_starts = 0
                    self._workers[token].forked(pid, pidfd)
                case Ended(token):
                    self._gone(self._workers[token], said)
                case None:
                    self._zygote_died(zygote)
                    return

    def _gone(self, worker: Worker, how: Ended | None) -> None:
        self._workers.pop(worker.token, None)
        self._idle = [other for other in self._idle if other is not worker]
        self._unused_ends += worker.jobs == 0
        worker.gone(how)
        if not self._closed and self._zygote is not None:
            self._refill()

    def _zygote_died(self, zygote: ZygoteProcess) -> None:
        if zygote is not self._zygote:
            return
        asyncio.get_running_loop().remove_reader(zygote.control)
        self._zygote = None
        self._failed_starts += 1
        self._why = f"the process for workers ended: {zygote.last_words()}"
        zygote.process.kill()  # its socket has ended, so it is ending: nothing is waited for long
        zygote.close()
        for worker in list(self._workers.values()):
            worker.kill()  # the kernel does so too; this makes it certain
            self._gone(worker, None)
        self._on_trouble(self._why)
        if self._failed_starts < _STARTS_MAX:  # else only when a job asks
            self._refill()
