"""Programs that a component started: `child` of `orlop:ext-process/lifecycle`."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from runtime.components.bindings.core_types import Timestamp
from runtime.components.bindings.ext_process_types import (
    Exited,
    ExitStatus,
    Output,
    ProcessEvent,
    ProcessState,
    ProcessStatus,
    ResourceLimits,
    ResourceUsage,
    Signaled,
    SpawnResult,
    WaitResult,
)
from runtime.components.host.context import Context
from runtime.components.host.process_answers import ProcessRefusedError, answering
from runtime.components.host.process_ceilings import checked_limits, limits_record
from runtime.components.host.rings import RING_BYTES, Ring
from runtime.components.host.spawner_line import SpawnerLine
from runtime.components.permissions import Decision, Policy

__all__ = ["Child", "Streams", "timestamp"]

_SECOND: Final = 1_000_000_000
_STATES: Final[dict[str, ProcessState]] = {"T": "stopped", "t": "stopped", "Z": "zombie", "X": "terminated"}


@dataclass(slots=True)
class Streams:
    """This side of a child's standard streams; None for those that are not captured.

    Attributes:
        stdin: the end that is written, not blocking.
    """

    stdin: int | None
    stdout: Ring | None
    stderr: Ring | None


@dataclass(slots=True)
class _Life:
    """What became of a child; changed by the line's thread."""

    result: WaitResult | None = None
    events: list[Callable[[ProcessEvent], None]] = field(default_factory=list)


class Child:
    """One child of one instance.

    Args:
        context: whose it is.
        line: to the spawner.
        key: what the spawner knows it by.
        number: its number in its component.
        streams: its pipes; the writing end belongs to this from now on.
        allowed: whether a policy would start it.
        target: what records call it.

    Attributes:
        number: as given.
        collected: somebody was told how it ended.
    """

    def __init__(
        self,
        context: Context,
        line: SpawnerLine,
        *,
        key: int,
        number: int,
        streams: Streams,
        allowed: Callable[[Policy], Decision],
        target: str,
    ) -> None:
        self.number = number
        self.collected = False
        self._context = context
        self._line = line
        self._key = key
        self._streams = streams
        self._allowed = allowed
        self._target = target
        self._life = _Life()
        self._closed = ""
        self._started, self._began = time.time_ns(), time.monotonic()

    # What the line's thread tells.

    def ended(self, status: int, cpu_ms: int, peak_kib: int, at: int) -> None:
        """It ended and was reaped."""
        killed = os.WIFSIGNALED(status)
        exit_status: ExitStatus = Signaled(os.WTERMSIG(status)) if killed else Exited(os.WEXITSTATUS(status))
        self._life.result = WaitResult(self.number, exit_status, cpu_ms, peak_kib * 1024)
        self._tell(ProcessEvent(self.number, "terminated", exit_status, timestamp(at)))

    def changed(self, kind: str, at: int) -> None:
        """It was stopped or continued."""
        self._tell(ProcessEvent(self.number, "stopped" if kind == "stopped" else "continued", None, timestamp(at)))

    # What the guest asks.

    def info(self) -> SpawnResult:
        """Its number and when it was started."""
        return SpawnResult(self.number, timestamp(self._started))

    @answering
    def wait(self) -> WaitResult:
        """Waits for its end, as long as the call may last."""
        return self.wait_for_end(None)

    @answering
    def wait_with_timeout(self, timeout: int) -> WaitResult:
        """Waits for its end."""
        return self.wait_for_end(timeout)

    @answering
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        self._here()
        return self.result is None

    @answering
    def get_status(self) -> ProcessStatus:
        """Where it is in its life."""
        self._here()
        usage = self._usage()
        result = self.result
        if usage is None:
            exit_status = result.exit_status if result is not None else None
            cpu = result.cpu_time_ms if result is not None else 0
            return ProcessStatus(self.number, 0, "terminated", exit_status, timestamp(self._started), cpu, 0, 0)
        state = _STATES.get(str(usage["state"]), "running")
        cpu, memory, threads = (_number(usage[name]) for name in ("cpu_ms", "memory", "threads"))
        return ProcessStatus(self.number, 0, state, None, timestamp(self._started), cpu, memory, threads)

    @answering
    def get_uptime(self) -> int:
        """Milliseconds since its start."""
        self._here()
        return int((time.monotonic() - self._began) * 1000)

    @answering
    def terminate(self) -> None:
        """Asks it to end."""
        self.send(signal.SIGTERM)

    @answering
    def kill(self) -> None:
        """Ends it and its group."""
        self.send(signal.SIGKILL, group=True)

    @answering
    def set_resource_limits(self, limits: ResourceLimits) -> None:
        """Lowers limits."""
        # Asked first: who was taken the right to start a child is told so, not that it is closed.
        if not self._context.allow(decision := self._allowed(self._context.policy), self._target):
            raise ProcessRefusedError("permission-denied", decision.reason)
        self._here()
        wanted = checked_limits(limits, self._limits())
        self._line.ask(self._context, "limits", {"id": self._key, "limits": {**wanted}})

    @answering
    def get_resource_limits(self) -> ResourceLimits:
        """The limits in force."""
        self._here()
        return limits_record(self._limits())

    @answering
    def get_resource_usage(self) -> ResourceUsage:
        """What it used so far."""
        self._here()
        usage = self._usage()
        if usage is None:
            result = self.result
            cpu, peak = (result.cpu_time_ms, result.peak_memory_bytes) if result is not None else (0, 0)
            return ResourceUsage(cpu, 0, peak, 0, 0, 0)
        names = ("cpu_ms", "memory", "peak", "threads", "read", "written")
        return ResourceUsage(*(_number(usage[name]) for name in names))

    @answering
    def join(self, timeout: int) -> WaitResult:
        """Waits for its end and that of its output, and frees everything."""
        until = time.monotonic() + self._context.time_left(timeout)
        result = self.wait_for_end(timeout)
        rings = [ring for ring in (self._streams.stdout, self._streams.stderr) if ring is not None]
        left_ms = max(0, int((until - time.monotonic()) * 1000))
        if not self._line.wait(self._context, lambda: all(ring.ended for ring in rings), left_ms):
            raise ProcessRefusedError("timeout", "it ended, and its output is not at its end")
        self._context.handles.closed(self)
        self.end("joined")
        return result

    @answering
    def read_stdout(self, max_bytes: int, timeout: int) -> Output:
        """What it wrote."""
        return self._read(self._streams.stdout, max_bytes, timeout)

    @answering
    def read_stderr(self, max_bytes: int, timeout: int) -> Output:
        """What it wrote beside."""
        return self._read(self._streams.stderr, max_bytes, timeout)

    @answering
    def write_stdin(self, data: bytes, timeout: int) -> None:
        """All of it."""
        descriptor = self._stdin()
        until = time.monotonic() + self._context.time_left(timeout)
        view = memoryview(data)
        while view:
            with contextlib.suppress(BlockingIOError):
                written = os.write(descriptor, view)
                view = view[written:]
                self._context.note(size=written)
                continue
            left_ms = int((until - time.monotonic()) * 1000)
            if left_ms <= 0 or not self._context.wait(descriptor, select.POLLOUT, left_ms):
                raise ProcessRefusedError("timeout", f"{len(data) - len(view)} bytes were written")

    @answering
    def close_stdin(self) -> None:
        """The end of its input."""
        self._stdin()
        self._close_stdin()

    def end(self, why: str) -> None:
        """Kills it with its group, and frees everything."""
        if self._closed:
            return
        self._closed = why
        if self.result is None:
            self.kill_now(group=True)
        self._close_stdin()

    # What other operations need.

    @property
    def result(self) -> WaitResult | None:
        """How it ended; None while it did not."""
        return self._life.result

    @property
    def is_open(self) -> bool:
        """Whether it was not joined, dropped or taken back."""
        return not self._closed

    def wait_for_end(self, timeout_ms: int | None) -> WaitResult:
        """Waits for its end.

        Raises:
            ProcessRefusedError: `timeout`, or it was closed.
        """
        self._here()
        if not self._line.wait(self._context, lambda: self.result is not None, timeout_ms) or self.result is None:
            raise ProcessRefusedError("timeout", "it has not ended")
        self.collected = True
        return self.result

    def send(self, number: int, *, group: bool = False) -> None:
        """Sends a signal that the policy allows.

        Raises:
            ProcessRefusedError: it may not be sent, or the child ended.
            OSError: the system refused.
        """
        self.ask_to_signal(number)
        if self.result is not None:
            raise ProcessRefusedError("already-terminated", "it has ended")
        self._line.ask(self._context, "signal", {"id": self._key, "signal": int(number), "group": group})

    def ask_to_signal(self, number: int) -> None:
        """Checks that the policy allows a signal.

        Raises:
            ProcessRefusedError: it does not, or the child was closed.
        """
        self._here()
        decision = self._context.policy.signal(int(number))
        if not self._context.allow(decision, f"signal {int(number)} to {self._target}"):
            raise ProcessRefusedError("permission-denied", decision.reason)

    def ask_to_exist(self) -> None:
        """Checks that it was not closed.

        Raises:
            ProcessRefusedError: it was.
        """
        self._here()

    def kill_now(self, *, group: bool) -> None:
        """Kills it without waiting for an answer, also when the call's time is over."""
        self._line.tell("signal", {"id": self._key, "signal": int(signal.SIGKILL), "group": group})

    def watch(self, tell: Callable[[ProcessEvent], None]) -> None:
        """Has somebody told of what happens to it; of its end at once where that is past."""
        self._here()
        with self._line.changed:
            if self.result is not None:
                tell(ProcessEvent(self.number, "terminated", self.result.exit_status, timestamp(time.time_ns())))
            else:
                self._life.events.append(tell)

    def unwatch(self, tell: Callable[[ProcessEvent], None]) -> None:
        """Tells them no more."""
        with self._line.changed, contextlib.suppress(ValueError):
            self._life.events.remove(tell)

    def _tell(self, event: ProcessEvent) -> None:
        for tell in self._life.events:
            tell(event)

    def _here(self) -> None:
        self._context.note(target=self._target)
        if self._closed:
            raise ProcessRefusedError("closed", self._closed)

    def _usage(self) -> dict[str, object] | None:
        """What the system says of it; None when it is gone."""
        if self.result is not None:
            return None
        try:
            usage = self._line.ask(self._context, "usage", {"id": self._key})["usage"]
        except ProcessLookupError:
            return None
        return usage if isinstance(usage, dict) else None

    def _limits(self) -> dict[str, int]:
        limits = self._line.ask(self._context, "limits", {"id": self._key})["limits"]
        return {name: _number(value) for name, value in limits.items()} if isinstance(limits, dict) else {}

    def _read(self, ring: Ring | None, max_bytes: int, timeout: int) -> Output:
        self._here()
        if ring is None:
            raise ProcessRefusedError("not-captured", "this stream is not a pipe")
        if not self._line.wait(self._context, lambda: bool(ring) or ring.ended, timeout):
            raise ProcessRefusedError("timeout", "it has written nothing")
        with self._line.changed:
            data = ring.take(min(max_bytes, RING_BYTES))
            self._context.note(size=len(data))
            return Output(data, ring.ended and not ring, ring.dropped)

    def _stdin(self) -> int:
        self._here()
        if self._streams.stdin is None:
            raise ProcessRefusedError("not-captured", "standard input is not a pipe")
        if self._streams.stdin < 0:
            raise ProcessRefusedError("closed", "standard input was closed")
        return self._streams.stdin

    def _close_stdin(self) -> None:
        if self._streams.stdin is not None and self._streams.stdin >= 0:
            os.close(self._streams.stdin)
            self._streams.stdin = -1


def timestamp(nanoseconds: int) -> Timestamp:
    """Nanoseconds since 1970 as guests see them."""
    return Timestamp(nanoseconds // _SECOND, nanoseconds % _SECOND)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
