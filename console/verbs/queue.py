"""What `jobs submit`, `jobs rerun` and `jobs logs --follow` do."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Fault, Json, Result
from console.registry import COMMANDS
from console.verbs.job_targets import targets_of
from console.verbs.job_words import MODULE_MAX, request_of, streams_of, terms_of
from console.verbs.mesh import worker
from console.verbs.passing import pass_on
from console.verbs.reading import pour, read_all, reading
from net.jobs.terms import WorkerTerms
from runtime.blobs import Blob
from runtime.errors import FailedError, OrlopError, RefusedError, UsageError
from runtime.jobs import UNFINISHED, JobRequest, LimitRefusedError, StreamName, Streams, output_pieces
from runtime.sanitise import clean_multiline

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["follow", "rerun", "submit"]

_LOOK_S: Final = 0.1


async def submit(core: "Core", call: Call) -> Result:
    """`jobs submit`: the job is on the disk when this returns."""
    request = request_of(core, call)
    targets = targets_of(COMMANDS[call.command], call.args)
    try:
        module, dirs = call.files["module"], streams_of(call, request).dirs
    except KeyError as error:
        raise UsageError(f"the descriptor of `{error.args[0]}` is missing") from None
    code = await read_all(module, limit=MODULE_MAX, what=request.name, interrupted=call.interrupted)
    if not targets.here:
        return await _submit_on(core, call, targets.names[0], request, code)
    stdin = await _kept_stdin(core, call)
    terms = terms_of(core, call)
    job, state = await core.jobs.queue.submit(request, module=code, stdin=stdin, dirs=dirs, terms=terms)
    return await _submitted(core, call, job, state)


async def rerun(core: "Core", call: Call) -> Result:
    """`jobs rerun`: as `jobs submit`, with what is kept of another job."""
    job, state = await core.jobs.queue.rerun(call.need("job"))
    return await _submitted(core, call, job, state)


async def follow(core: "Core", call: Call) -> None:
    """Passes on what a job writes, until it has ended or the caller leaves.

    Raises:
        NotFoundError: there is no such job.
        UnavailableError: its output cannot be read.
    """
    job = (await core.jobs.show(call.need("job")))[0].job
    passing = _Passing(
        core.jobs.output_path(job), "stderr" if call.flag("stderr") else "stdout", call.files.get("stdout", -1)
    )
    while True:
        ended = (await core.jobs.show(job))[0].state not in UNFINISHED
        with contextlib.suppress(FailedError):  # the caller left
            await reading(call.interrupted, passing.go)
        if ended or passing.left or call.interrupted.done():
            return
        await asyncio.wait({call.interrupted}, timeout=_LOOK_S)


async def _submit_on(core: "Core", call: Call, on: str, request: JobRequest, module: bytes) -> Result:
    """Gives a job to a peer and follows it in the background of the program that owns the directory."""
    if not core.options.owner:
        hint = "start orlop, or orlop --no-ui, or wait for it with orlop jobs run --on"
        raise UsageError("needs a program that stays, to follow the job", where="--on", hint=hint)
    stdin = b""
    if "stdin" in call.files:
        most = WorkerTerms().stdin_bytes
        stdin = await read_all(call.files["stdin"], limit=most, what="standard input", interrupted=call.interrupted)
    peer, address = await worker(core, on)
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def carry() -> None:
        streams = Streams(stdin=stdin)
        try:
            await core.mesh.jobs.run(
                peer, request, module=module, streams=streams, address=address, on_started=started.set_result
            )
        except OrlopError as error:
            if started.done():
                raise
            started.set_exception(error)

    core.spawn(carry(), "jobs")
    return Result(ok=True, value={"v": 1, "job": await started, "state": "queued"})


class _Passing:
    """Writes what is new of one stream of a job's output; a terminal gets it harmless."""

    def __init__(self, path: Path, stream: StreamName, target: int) -> None:
        self._path = path
        self._stream = stream
        self._target = target
        self._harmless = target >= 0 and os.isatty(target)
        self._passed = 0
        self.left = target < 0

    def go(self, stop: int) -> None:
        """Writes until there is no more now, the reader left, or `stop` becomes readable. Blocks."""
        place = 0
        for name, data in output_pieces(self._path):
            if name != self._stream or self.left:
                continue
            new = data[max(0, self._passed - place) :]
            place += len(data)
            if new:
                self._passed = place
                self._write(self._shown(new), stop)

    def _shown(self, data: bytes) -> bytes:
        if not self._harmless:
            return data
        return clean_multiline(data.decode("utf-8", "replace"), 10 * len(data) + 1).encode()

    def _write(self, data: bytes, stop: int) -> None:
        try:
            self.left = not pass_on(self._target, data, stop=stop)
        except OSError:
            self.left = True


async def _kept_stdin(core: "Core", call: Call) -> Blob | None:
    """Keeps the input by hash as it comes; a slow one delays its own command only."""
    descriptor = call.files.get("stdin")
    if descriptor is None:
        return None

    def work(stop: int) -> Blob:
        with core.jobs.queue.incoming_stdin() as incoming:
            pour(descriptor, incoming.write, what="standard input", stop=stop)
            return incoming.keep()

    try:
        return await reading(call.interrupted, work)
    except RefusedError as error:
        raise LimitRefusedError("stdin_bytes", f"standard input {error.why}") from None


async def _submitted(core: "Core", call: Call, job: str, state: str) -> Result:
    value: dict[str, Json] = {"v": 1, "job": job, "state": state}
    if state == "refused":
        record, _ = await core.jobs.show(job)
        fault = Fault("refused", record.reason, call.command, f"job {job[:16]}")
        return Result(ok=False, value=value, fault=fault)
    if state == "queued" and not core.options.owner:
        hint = "orlop, or orlop --no-ui, runs it"
        waits = Fault("queued", "nothing runs the queue now", call.command, f"job {job[:16]}", hint)
        return Result(ok=True, value=value, fault=waits)
    return Result(ok=True, value=value)
