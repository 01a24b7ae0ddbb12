"""The linker of jobs: the engine's own WASI preview 1, with single functions replaced.

`proc_exit` is replaced because the engine keeps exit codes above 125 to itself, `poll_oneoff` because no deadline ends
the engine's sleep. A deterministic job gets a clock and random bytes that are functions of the job alone. The numbers
are those of `wasi_snapshot_preview1`; files, streams and arguments stay the engine's.
"""

import hashlib
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import wasmtime

from runtime.sandbox.call import ProcExitError
from runtime.sandbox.wasi_types import WASI_MODULE, WASI_TYPES

__all__ = ["JobWorld", "job_linker"]

_OK, _FAULT, _INVALID = 0, 21, 28
_SUBSCRIPTION: Final = struct.Struct("<QB7xI4xQ8xH6x")
_EVENT: Final = struct.Struct("<QHB21x")
_CLOCK: Final = 0
_ABSOLUTE: Final = 1
_MAX_SUBSCRIPTIONS: Final = 1_024
_MAX_RANDOM: Final = 64 * 1024 * 1024
_NS: Final = 1_000_000_000
_BLOCK: Final = 4_096
_CLOCKS: Final = 4
_START_NS: Final = 1_577_836_800 * _NS
"""2020-01-01T00:00:00Z, where a deterministic job's clock begins."""


@dataclass(slots=True)
class JobWorld:
    """What the replaced functions know of the one job that runs; the worker sets it before each job.

    Attributes:
        deadline: end of every sleep, in seconds of `time.monotonic`.
        stop: ends a sleep at once when set.
        seed: 32 bytes from which a deterministic job's random bytes come, such as its job id.
        origin_ns: where the guest's monotonic clock stood at 0, in nanoseconds of `time.monotonic`: the engine's clock
            begins with the job's `WasiConfig`.
    """

    deadline: float = float("inf")
    stop: threading.Event = field(default_factory=threading.Event)
    seed: bytes = bytes(32)
    origin_ns: int = 0
    _clock_ns: int = _START_NS
    _random_at: int = 0

    def begin(self, *, deadline: float, seed: bytes = bytes(32), origin_ns: int = 0) -> None:
        """Starts anew for the next job.

        Args:
            deadline: in seconds of `time.monotonic`.
            seed: 32 bytes.
            origin_ns: when the job's `WasiConfig` was made, in nanoseconds of `time.monotonic`.
        """
        self.deadline, self.seed, self.origin_ns = deadline, seed, origin_ns
        self._clock_ns, self._random_at = _START_NS, 0
        self.stop.clear()

    def sleep(self, ns: int) -> None:
        """Waits, at most until the deadline.

        Args:
            ns: nanoseconds.
        """
        self.stop.wait(max(0.0, min(ns / _NS, self.deadline - time.monotonic(), threading.TIMEOUT_MAX)))

    def real_ns(self, clock: int) -> int:
        """What the guest's clock shows, for sleeps until a point in time.

        Args:
            clock: 0 is the wall clock, all others are taken for the monotonic one.

        Returns:
            Nanoseconds.
        """
        return time.time_ns() if clock == 0 else time.monotonic_ns() - self.origin_ns

    def advance(self, ns: int) -> int:
        """Moves the deterministic clock.

        Args:
            ns: nanoseconds.

        Returns:
            The new time, in nanoseconds since the Unix epoch.
        """
        self._clock_ns = min(self._clock_ns + ns, 2**63 - 1)
        return self._clock_ns

    def random(self, length: int) -> bytes:
        """The next deterministic random bytes.

        Block n of 4,096 bytes is SHAKE-256(seed ‖ n as u64, big-endian). It needs nothing that a worker, which is
        closed in, would have to load.

        Args:
            length: how many.

        Returns:
            The bytes.
        """
        first, skip = divmod(self._random_at, _BLOCK)
        self._random_at += length
        blocks = range(first, -(-self._random_at // _BLOCK))
        stream = b"".join(hashlib.shake_256(self.seed + number.to_bytes(8)).digest(_BLOCK) for number in blocks)
        return stream[skip : skip + length]


class _View:
    """A guest's memory during one host call, with bounds."""

    __slots__ = ("caller", "memory")

    def __init__(self, caller: wasmtime.Caller) -> None:
        memory = caller.get("memory")
        self.caller = caller
        self.memory = memory if isinstance(memory, wasmtime.Memory) else None

    def has(self, start: int, length: int) -> bool:
        return self.memory is not None and start + length <= self.memory.data_len(self.caller)

    def read(self, start: int, length: int) -> bytes:
        return bytes(self.memory.read(self.caller, start, start + length)) if self.memory is not None else b""

    def write(self, start: int, content: bytes) -> None:
        if self.memory is not None and content:
            self.memory.write(self.caller, bytearray(content), start)


def _unsigned(*values: int) -> tuple[int, ...]:
    return tuple(value & 0xFFFF_FFFF for value in values)


def _proc_exit(code: int) -> None:
    # The only host function that raises: a worker runs one guest at a time, so the exception cannot reach another.
    raise ProcExitError(code & 0xFFFF_FFFF)


def _poll(
    now_ns: Callable[[int], int], sleep: Callable[[int], object]
) -> Callable[[wasmtime.Caller, int, int, int, int], int]:
    def poll_oneoff(caller: wasmtime.Caller, source: int, target: int, count: int, stored: int) -> int:
        source, target, count, stored = _unsigned(source, target, count, stored)
        view = _View(caller)
        if not 0 < count <= _MAX_SUBSCRIPTIONS:
            return _INVALID
        if not (view.has(source, count * 48) and view.has(target, count * 32) and view.has(stored, 4)):
            return _FAULT
        waits: list[tuple[int, int, int]] = []
        for user, tag, clock, timeout, flags in _SUBSCRIPTION.iter_unpack(view.read(source, count * 48)):
            if tag != _CLOCK:
                timeout = 0  # noqa: PLW2901 - a stream is called ready; reading it may still block
            elif flags & _ABSOLUTE:
                timeout = max(0, timeout - now_ns(clock))  # noqa: PLW2901 - from here on relative
            waits.append((timeout, user, tag))
        soonest = min(wait[0] for wait in waits)
        if soonest:
            sleep(soonest)
        events = b"".join(_EVENT.pack(user, _OK, tag) for timeout, user, tag in waits if timeout <= soonest)
        view.write(target, events)
        view.write(stored, struct.pack("<I", len(events) // 32))
        return _OK

    return poll_oneoff


def _clock_time(world: JobWorld) -> Callable[[wasmtime.Caller, int, int, int], int]:
    def clock_time_get(caller: wasmtime.Caller, clock: int, _precision: int, stored: int) -> int:
        (clock, stored), view = _unsigned(clock, stored), _View(caller)
        if clock >= _CLOCKS:
            return _INVALID
        if not view.has(stored, 8):
            return _FAULT
        view.write(stored, struct.pack("<Q", world.advance(1_000)))
        return _OK

    return clock_time_get


def _clock_resolution(caller: wasmtime.Caller, clock: int, stored: int) -> int:
    (clock, stored), view = _unsigned(clock, stored), _View(caller)
    if clock >= _CLOCKS:
        return _INVALID
    if not view.has(stored, 8):
        return _FAULT
    view.write(stored, struct.pack("<Q", 1_000))
    return _OK


def _random(world: JobWorld) -> Callable[[wasmtime.Caller, int, int], int]:
    def random_get(caller: wasmtime.Caller, target: int, length: int) -> int:
        (target, length), view = _unsigned(target, length), _View(caller)
        if length > _MAX_RANDOM:
            return _INVALID
        if not view.has(target, length):
            return _FAULT
        view.write(target, world.random(length))
        return _OK

    return random_get


def _type(name: str) -> wasmtime.FuncType:
    kinds = {"i32": wasmtime.ValType.i32, "i64": wasmtime.ValType.i64}
    signature = WASI_TYPES[name]
    return wasmtime.FuncType([kinds[k]() for k in signature.params], [kinds[k]() for k in signature.results])


def job_linker(engine: wasmtime.Engine, world: JobWorld, *, deterministic: bool = False) -> wasmtime.Linker:
    """Makes the linker of a worker, once; it serves every job of that worker.

    Args:
        engine: the jobs' engine, of the matching kind.
        world: the state of the one job that runs at a time.
        deterministic: replace the clock and the random bytes as well; sleeping then moves the clock and takes no time.

    Returns:
        The linker; stores made for it need a `WasiConfig`, or the process aborts at the first WASI call.
    """
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    linker.allow_shadowing = True

    def define(name: str, function: Callable[..., int | None], *, caller: bool = True) -> None:
        linker.define_func(WASI_MODULE, name, _type(name), function, access_caller=caller)

    define("proc_exit", _proc_exit, caller=False)
    if deterministic:
        define("poll_oneoff", _poll(lambda _: world.advance(0), world.advance))
        define("clock_time_get", _clock_time(world))
        define("clock_res_get", _clock_resolution)
        define("random_get", _random(world))
    else:
        define("poll_oneoff", _poll(world.real_ns, world.sleep))
    return linker
