"""One run on one worker: message out, output in, and an end that is known, whatever the guest does.

The engine's epoch bounds computing; the kill of the worker, a moment later, bounds waiting. A run is stopped for one
reason only, the first: the deadline, a cancellation, or too much output. A worker that ends by itself is lost.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from runtime.clock import Clock
from runtime.jobs.capture import Capture
from runtime.jobs.commitment import Commitment
from runtime.jobs.ending import TRIPPED, JobOutcome, Usage
from runtime.jobs.feed import Feed
from runtime.jobs.meters import CpuClock, CpuMeter, DirMeter
from runtime.jobs.pool import Worker
from runtime.jobs.spec import JobRequest
from runtime.jobs.wire import Reply, RunMessage
from runtime.sandbox.outcome import Kind, Outcome

__all__ = ["Finished", "Run", "StopReason"]

StopReason = Literal["deadline", "cancelled", "output"]

_OUTCOMES: Final[dict[Kind, JobOutcome]] = {
    "returned": "exit",
    "exit": "exit",
    "fuel": "fuel",
    "deadline": "deadline",
    "memory": "memory",
    "stack": "stack",
    "trap": "trap",
    "host": "trap",
}
"""The engine's words for the end of a guest that had started."""

_GRACE_S: Final = 0.1
"""After the deadline the engine gets so long to report by itself, with fuel and peak, before its process is killed."""


_PAST_QUOTA: Final = 1 << 20
"""By so much one file may grow past the directory quota before its writes fail, so that passing it is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a run ended.

    Attributes:
        outcome: `refused` when the guest never started, `lost` when the worker went away by itself.
        guest: what the engine said, when the worker could still report.
        reply: the worker's, None when it is not to be used again.
        commitment: over the output that was kept.
        stdin_sha256: of the bytes that were given.
        usage: what it used.
        tripped: the name of the limit that struck; empty when none did.
        reason: set for `refused` and `lost`.
    """

    outcome: JobOutcome
    guest: Outcome | None
    reply: Reply | None
    commitment: Commitment
    stdin_sha256: str
    usage: Usage
    tripped: str = ""
    reason: str = ""


class Run:
    """A run in the making. Belongs to the loop's thread.

    Args:
        worker: acquired for it.
        request: what to run.
        capture: takes its output.
        feed: gives its input.
        clock: measures it.
    """

    def __init__(self, worker: Worker, request: JobRequest, capture: Capture, feed: Feed, clock: Clock) -> None:
        self._worker = worker
        self._request = request
        self._capture = capture
        self._feed = feed
        self._clock = clock
        self._stopped: StopReason | None = None
        self._tripped = ""
        self._cpu = CpuClock(worker.pid)

    def stop(self, reason: StopReason, tripped: str = "") -> None:
        """Ends the run at once; only the first reason counts.

        Args:
            reason: why.
            tripped: the limit that struck, where the reason alone does not say it.
        """
        if self._stopped is None:
            self._stopped, self._tripped = reason, tripped
            self._cpu.read()
            self._worker.kill()

    async def go(
        self, module: str, compiled: int, directories: Sequence[int], before: int = 0, *, seed: bytes = b""
    ) -> Finished:
        """Runs the guest to its end.

        Args:
            module: names its compiled code.
            compiled: its compiled code, a descriptor that stays the caller's.
            directories: one descriptor for each of the request's directories; they stay the caller's.
            before: bytes on the disk that the writable ones of them take.
            seed: as in `RunMessage`.

        Raises:
            UnavailableError: the output cannot be read back.
        """
        request, limits = self._request, self._request.limits
        message = RunMessage(
            module=module,
            argv=request.argv,
            env=request.env,
            dirs=[(grant.guest, grant.writable) for grant in request.dirs],
            stdin=self._feed.reader >= 0,
            memory=limits.memory_bytes,
            fuel=limits.fuel,
            timeout_ms=limits.timeout_ms,
            input=self._feed.input,
            stack=limits.stack_bytes,
            table=limits.table_elements,
            files=limits.open_files,
            cpu_ms=limits.cpu_ms,
            dir_bytes=limits.dir_bytes + _PAST_QUOTA,
            seed=seed,
        )
        stdin = [self._feed.reader] if message.stdin else []
        began = self._clock.monotonic()
        dirs = self._dir_meter(directories, before)
        cpu = self._cpu_meter()
        replied = self._worker.run(message, [compiled, *self._capture.writers, *stdin, *directories])
        self._capture.given()
        self._feed.given()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(limits.timeout_ms / 1000 + _GRACE_S, self.stop, "deadline")
        try:
            reply = await replied
            self._cpu.read()
            if reply is None:
                # Whatever it said instead, it is not used again; its pipes end with it.
                self._worker.kill()
                await self._worker.ended
        finally:
            timer.cancel()
            if cpu is not None:
                cpu.stop()
            digest = self._feed.stop()
        wall_ms = round((self._clock.monotonic() - began) * 1000)
        commitment = await self._capture.finish()
        if dirs is not None and await dirs.stop():
            self.stop("output", "dir_bytes")
        return self._judge(reply, commitment, digest, wall_ms, dirs.grown if dirs is not None else None)

    def _dir_meter(self, directories: Sequence[int], before: int) -> DirMeter | None:
        """Watches the writable ones of its directories; None when there are none."""
        writable = self._request.writable(directories)
        if not writable:
            return None
        return DirMeter(writable, before, self._request.limits.dir_bytes, lambda: self.stop("output", "dir_bytes"))

    def _cpu_meter(self) -> CpuMeter | None:
        """Watches CPU time; None where the time limit strikes no later, since a guest computes on one thread."""
        limits = self._request.limits
        if limits.cpu_ms >= limits.timeout_ms:
            return None
        return CpuMeter(self._worker.pid, limits.cpu_ms, lambda: self.stop("deadline", "cpu_ms"))

    def _judge(
        self, reply: Reply | None, commitment: Commitment, digest: str, wall_ms: int, grown: int | None
    ) -> Finished:
        outcome, reason = self._outcome(reply)
        stdout, stderr = self._capture.kept
        known = reply if outcome not in {"refused", "lost"} else None
        return Finished(
            outcome=outcome,
            guest=reply.outcome if reply else None,
            reply=reply if self._stopped is None else None,
            commitment=commitment,
            stdin_sha256=digest,
            usage=Usage(
                wall_ms=wall_ms,
                fuel=known.fuel if known else None,
                memory_peak_bytes=known.peak if known else None,
                cpu_ms=self._cpu.used_ms,
                dir_bytes=grown,
                stdout_bytes=stdout,
                stderr_bytes=stderr,
            ),
            tripped=self._struck(outcome),
            reason=reason,
        )

    def _struck(self, outcome: JobOutcome) -> str:
        """The limit that this outcome comes from."""
        return (self._tripped if outcome == self._stopped else "") or TRIPPED.get(outcome, "")

    def _outcome(self, reply: Reply | None) -> tuple[JobOutcome, str]:
        if self._capture.full:
            return "output", ""
        if self._tripped == "dir_bytes" and (reply is None or reply.started):
            return "output", ""  # also when the guest was faster than the last look
        if reply is None:
            if self._stopped is not None:
                return self._stopped, ""
            how = self._worker.ended.result() or "ended"
            return "lost", f"the worker process {how}; the job can be run again"
        if not reply.started:
            return "refused", reply.outcome.detail
        return _OUTCOMES[reply.outcome.kind], ""
