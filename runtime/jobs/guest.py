"""Running WASI guests inside a worker process: one at a time, on descriptors, under fuel and a deadline."""

import ctypes
import os
import resource
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime._extern import wrap_extern

from runtime.jobs.confine import limit_files, limit_job
from runtime.jobs.landlock import restrict
from runtime.jobs.wire import Reply, RunMessage
from runtime.sandbox.call import enter
from runtime.sandbox.compile import load
from runtime.sandbox.engine import JOB_STACK, PAGE, build_engine, job_engine, limit_job_store
from runtime.sandbox.errors import SandboxError
from runtime.sandbox.outcome import Outcome, near_memory_limit
from runtime.sandbox.wasi import JobWorld, job_linker

__all__ = ["Guests"]

_KEPT_MODULES: Final = 16
_TICK_S: Final = 0.01
_WATCHER_STACK: Final = 262_144
_DETAIL_CHARS: Final = 500
_ONE_EPOCH: Final = 1
"""The deadline of every run: the epoch stands still until the alarm goes off."""


class _Alarm:
    """Moves the engine's epoch once a run is over its deadline, by a timer of the kernel.

    Arming costs one system call and wakes no thread, so a short job does not pay for its deadline.
    """

    def __init__(self) -> None:
        self._engine: wasmtime.Engine | None = None
        self._lock = threading.Lock()
        self._due: float | None = None

    def start(self) -> None:
        """Starts the watching thread; after the fork, before the first guest."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        threading.stack_size(_WATCHER_STACK)
        threading.Thread(target=self._watch, name="orlop-deadline", daemon=True).start()

    def arm(self, limit_ms: int, engine: wasmtime.Engine) -> float:
        """Starts a run in an engine; gives its deadline, in seconds of `time.monotonic`."""
        self._engine = engine
        seconds = limit_ms / 1000
        due = self._due = time.monotonic() + seconds
        # It repeats, in case the first alarm comes a moment before the deadline is seen to be over.
        signal.setitimer(signal.ITIMER_REAL, seconds, _TICK_S)
        return due

    def disarm(self) -> None:
        """Ends the run; it need not be at once, since an alarm without a guest harms nobody."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        with self._lock:
            self._due = None

    def _watch(self) -> None:
        while True:
            signal.sigwait({signal.SIGALRM})
            # Under the lock, so that a late alarm of one run never falls into the next.
            with self._lock:
                if self._engine and self._due is not None and time.monotonic() >= self._due:
                    self._engine.increment_epoch()


@dataclass(frozen=True, slots=True)
class _Kind:
    """An engine of jobs, and what its guests may import: that of deterministic ones differs in both."""

    engine: wasmtime.Engine
    linker: wasmtime.Linker


@dataclass(frozen=True, slots=True)
class _Ready:
    """A loaded module, and the bytes of memory that it starts with."""

    module: wasmtime.InstancePre
    initial: int


class Guests:
    """Loads and runs guests. Built before the fork, where none may run; started after it."""

    def __init__(self) -> None:
        self._world = JobWorld()
        self._plain, self._deterministic = (self._kind(job_engine(deterministic=flag), flag) for flag in (False, True))
        self._shallow: dict[tuple[bool, int], _Kind] = {}
        self._alarm = _Alarm()
        self._ready: OrderedDict[tuple[str, wasmtime.Engine], _Ready] = OrderedDict()
        self._next: wasmtime.Store | None = None
        self._used: wasmtime.Store | None = None
        self._limits: tuple[int, int | None] | None = None
        self._resident_kib = 0
        self._landlock = False
        self._closed_in = False

    def _kind(self, engine: wasmtime.Engine, deterministic: bool) -> _Kind:
        return _Kind(engine, job_linker(engine, self._world, deterministic=deterministic))

    def _kind_of(self, message: RunMessage) -> _Kind:
        """The engine of a job: its stack is a setting of the engine, so a smaller one takes an engine of its own."""
        deterministic = bool(message.seed)
        if message.stack == JOB_STACK:
            return self._deterministic if deterministic else self._plain
        asked = deterministic, message.stack
        if asked not in self._shallow:
            self._shallow.clear()
            engine = build_engine("deterministic" if deterministic else "job", stack=message.stack)
            self._shallow[asked] = self._kind(engine, deterministic)
        return self._shallow[asked]

    def start(self, *, landlock: bool, directories: bool) -> None:
        """Makes this process ready for its first job.

        Args:
            landlock: whether the kernel is to hold it to the directories of its job.
            directories: its one job has some; else none of its jobs has any.
        """
        self._landlock = landlock
        if not directories:
            self._close_in(())
        self._next = wasmtime.Store(self._plain.engine)

    def _close_in(self, directories: Sequence[tuple[int, bool]]) -> None:
        """Gives up all other files, then starts the first thread: only threads that come later are held as well."""
        if self._landlock:
            restrict(directories)
        self._alarm.start()
        self._closed_in = True

    def run(self, message: RunMessage, descriptors: Sequence[int]) -> Reply:
        """Runs one job; never raises for what the guest or its module does.

        Args:
            message: the job.
            descriptors: as `RunMessage` says; all are closed when this returns.
        """
        kind = self._kind_of(message)
        store = self._next if kind is self._plain and self._next is not None else wasmtime.Store(kind.engine)
        self._next, self._used = None, store
        try:
            ready = self._load(kind, message.module, descriptors[0])
            self._limit(message)
            if not self._closed_in:
                grants = zip(descriptors[len(descriptors) - len(message.dirs) :], message.dirs, strict=True)
                self._close_in([(number, writable) for number, (_, writable) in grants])
            limit_job_store(store, message.memory, message.table)
            store.set_fuel(message.fuel)
            origin_ns = time.monotonic_ns()
            store.set_wasi(_wasi(message, descriptors))
        except (SandboxError, wasmtime.WasmtimeError, OSError, ValueError) as error:
            why = error.why if isinstance(error, SandboxError) else str(error)
            return Reply(False, Outcome("host", why[:_DETAIL_CHARS]))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return self._enter(kind, store, ready, message, origin_ns)

    def refresh(self) -> None:
        """Lets go of the last job and prepares for the next; after the reply, so that nobody waits for it."""
        self._alarm.disarm()
        limit_files(None)
        self._resident_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if self._used is not None:
            self._used.close()
        self._used = None
        self._next = wasmtime.Store(self._plain.engine)

    def _enter(self, kind: _Kind, store: wasmtime.Store, ready: _Ready, message: RunMessage, origin_ns: int) -> Reply:
        memory: wasmtime.Memory | None = None
        started = False

        def entry() -> None:
            nonlocal memory, started
            instance = ready.module.instantiate(store)
            memory = _memory(_export(store, instance, b"memory"))
            start = _export(store, instance, b"_start")
            if not isinstance(start, wasmtime.Func):
                raise wasmtime.WasmtimeError("`_start` is not a function")
            started = True
            start(store)

        limit_files(message.files)
        due = self._alarm.arm(message.timeout_ms, kind.engine)
        self._world.begin(deadline=due, seed=message.seed or bytes(32), origin_ns=origin_ns)
        _, outcome = enter(store, entry, _ONE_EPOCH)
        peak = memory.data_len(store) if memory else None
        return Reply(
            started=started or outcome.kind != "host",
            outcome=_judged(outcome, ready.initial, peak, message.memory, late=time.monotonic() >= due),
            fuel=max(0, message.fuel - store.get_fuel()),
            peak=peak,
            resident_kib=self._resident_kib,
        )

    def _limit(self, message: RunMessage) -> None:
        writable = any(writable for _, writable in message.dirs)
        limits = message.memory, message.dir_bytes if writable else None
        if limits != self._limits:
            limit_job(*limits)
            self._limits = limits

    def _load(self, kind: _Kind, name: str, descriptor: int) -> _Ready:
        key = name, kind.engine
        ready = self._ready.get(key)
        if ready is None:
            compiled = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            module = load(kind.engine, compiled)
            sizes = [e.type.limits.min * PAGE for e in module.exports if isinstance(e.type, wasmtime.MemoryType)]
            ready = _Ready(kind.linker.instantiate_pre(module), max(sizes, default=0))
            self._ready[key] = ready
            while len(self._ready) > _KEPT_MODULES:
                self._ready.popitem(last=False)
        return ready


def _judged(outcome: Outcome, initial: int, peak: int | None, limit: int, *, late: bool) -> Outcome:
    """The outcome with what the memory and the clock say."""
    if outcome.kind == "trap" and peak is not None and near_memory_limit(initial=initial, peak=peak, limit=limit):
        return replace(outcome, kind="memory")
    if outcome.kind in {"returned", "exit"} and late:
        # It waited in the host beyond its time and met no check of the epoch on its way out.
        return Outcome("deadline", "over its deadline", duration_us=outcome.duration_us)
    return outcome


def _export(store: wasmtime.Store, instance: wasmtime.Instance, name: bytes) -> object:
    """One export, or None; `Instance.exports` wraps all of them, in quadratic time."""
    found = ffi.wasmtime_extern_t()
    there = ffi.wasmtime_instance_export_get(
        store._context(),  # noqa: SLF001 - the package has no public way, and its version is pinned
        ctypes.byref(instance._instance),  # noqa: SLF001 - as above
        ctypes.create_string_buffer(name),
        len(name),
        ctypes.byref(found),
    )
    return wrap_extern(found) if there else None


def _memory(export: object) -> wasmtime.Memory | None:
    return export if isinstance(export, wasmtime.Memory) else None


def _wasi(message: RunMessage, descriptors: Sequence[int]) -> wasmtime.WasiConfig:
    """What the guest gets: its streams, arguments, environment and directories, and nothing else."""
    config = wasmtime.WasiConfig()
    config.argv = list(message.argv)
    config.env = [pair.partition("=")[::2] for pair in message.env]
    _module, stdout, stderr, *rest = (f"/proc/self/fd/{number}" for number in descriptors)
    config.stdout_file = stdout
    config.stderr_file = stderr
    if message.stdin:
        config.stdin_file = rest.pop(0)
    elif message.input:
        given = ffi.bytes_to_capi(message.input)  # the package has no public way for this one; the engine takes it over
        ffi.wasi_config_set_stdin_bytes(config.ptr(), ctypes.byref(given))
    for path, (guest, writable) in zip(rest, message.dirs, strict=True):
        try:
            config.preopen_dir(path, guest, writable)
        except wasmtime.WasmtimeError:
            raise ValueError(f"{guest}: the directory cannot be opened") from None
    return config
