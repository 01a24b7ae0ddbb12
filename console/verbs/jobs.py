"""What `jobs …` does."""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Fault, Json, Result
from console.dispatch import fault_of
from console.exit_codes import ExitCode
from console.registry import COMMANDS
from console.verbs.job_words import MODULE_MAX, refuse_local_options, request_of, streams_of, terms_of
from console.verbs.queue import follow
from console.verbs.reading import read_all
from console.verbs.values import number
from runtime.errors import FailedError, NotFoundError, OrlopError, UsageError
from runtime.jobs import LIMITS, JobEnd, JobOutputs, JobRequest, Streams
from runtime.quantities import format_size
from runtime.shapes import to_wire

if TYPE_CHECKING:
    from console.core import Core
    from net.peer_id import PeerId

__all__ = ["cancel", "list_jobs", "logs", "run", "show"]

_Run = Callable[[Callable[[str], None]], Awaitable[JobEnd]]
"""Runs a job to its end; calls back with its id once it is written down."""

_LOOK_S: Final = 2.0
"""How long `--discover` listens on the LAN."""

_BY: Final[dict[int, str]] = {ExitCode.INTERRUPTED: "signal:130", ExitCode.TERMINATED: "signal:143"}


async def run(core: "Core", call: Call) -> Result:
    """`jobs run`: to the end of the job; whatever keeps it from running is exit 125."""
    try:
        request = request_of(core, call)
        module = await read_all(call.files["module"], limit=MODULE_MAX, what=request.name, interrupted=call.interrupted)
        streams = streams_of(call, request)
        end = await _interruptible(core, call, await _runner(core, call, request, module, streams))
        return await _ended(core, call, request, end)
    except KeyError as error:
        raise UsageError(f"the descriptor of `{error.args[0]}` is missing") from None
    except OrlopError as error:
        code = call.interrupted.result() if call.interrupted.done() else int(ExitCode.NOT_RUN)
        return Result(ok=False, fault=fault_of(error, call.command), exit_code=code)


async def list_jobs(core: "Core", call: Call) -> Result:
    """`jobs list`: rows, newest first; a damaged one hides no other."""
    limit = number(COMMANDS["jobs list"], call.args, "limit") or 0
    rows = await core.jobs.rows(state=call.text("state") or "", submitter=call.text("submitter") or "", limit=limit)
    return Result(ok=True, value={"v": 1, "items": [to_wire(row) for row in rows]})


async def show(core: "Core", call: Call) -> Result:
    """`jobs show`: the row, the signed manifest and the receipt."""
    record, manifest = await core.jobs.show(call.need("job"))
    receipt: Json = None
    if record.receipt:
        with contextlib.suppress(NotFoundError):
            receipt = await core.receipts.document(record.receipt)
    limits = {limit.name: getattr(record, f"limit_{limit.name.removeprefix('max_')}") for limit in LIMITS}
    usage: Json = {
        "wall_ms": record.wall_ms,
        "fuel": record.fuel,
        "memory_peak_bytes": record.memory_peak_bytes,
        "cpu_ms": record.cpu_ms,
        "dir_bytes": record.dir_bytes,
        "output_bytes": record.output_bytes,
    }
    value: dict[str, Json] = {
        "v": 1,
        **to_wire(record),
        "manifest": manifest,
        "limits": limits,
        "usage": usage,
        "receipt_document": receipt,
    }
    return Result(ok=True, value=value)


async def cancel(core: "Core", call: Call) -> Result:
    """`jobs cancel`: ends a running job and waits until that is stored."""
    record, _ = await core.jobs.show(call.need("job"))
    state = await core.jobs.cancel(record.job, "command")
    return Result(ok=True, value={"v": 1, "job": record.job, "state": state})


async def logs(core: "Core", call: Call) -> Result:
    """`jobs logs`: what was kept of both streams; it fails when some of that is gone, and gives the rest."""
    if call.flag("follow"):
        await follow(core, call)
    kept = await core.jobs.output(call.need("job"))
    shown = {} if call.flag("follow") and "stdout" in call.files else _streams(kept)
    value: Json = {"v": 1, "job": kept.job, **shown, "truncated": kept.truncated}
    if not kept.lacking:
        return Result(ok=True, value=value)
    left = len(kept.stdout) + len(kept.stderr)
    size = kept.lacking + left
    where, hint = f"job {kept.job[:16]}", "its file was deleted or cut, or could not be written"
    if not left:
        raise FailedError(f"its output of {format_size(size)} is gone", where=where, hint=hint)
    why = f"{format_size(kept.lacking)} of {format_size(size)} of its output are gone"
    return Result(ok=False, value=value, fault=Fault("failed", why, call.command, where, hint))


async def _runner(core: "Core", call: Call, request: JobRequest, module: bytes, streams: Streams) -> _Run:
    """What runs it: this node, or the peer that `--on` names."""
    on, looks = call.text("on"), call.flag("discover")
    if call.flag("any_peer") and not looks:
        raise UsageError("goes with --discover", where="--any-peer")
    if on is not None and looks:
        raise UsageError("names a peer, and --discover looks for one", where="--on")
    if on is None and not looks:
        terms = terms_of(core, call)
        return lambda started: core.jobs.run(request, module=module, streams=streams, terms=terms, on_started=started)
    refuse_local_options(call)
    from console.verbs.mesh import worker

    peer, address = (await _best(core, call, request, module), None) if on is None else await worker(core, on)
    return lambda started: core.mesh.jobs.run(
        peer, request, module=module, streams=streams, address=address, on_started=started
    )


async def _best(core: "Core", call: Call, request: JobRequest, module: bytes) -> "PeerId":
    """The most promising peer; a stranger only where `--any-peer` is said."""
    from console.finding import find_workers
    from net.capabilities.ranking import Need

    need = Need(memory=request.limits.memory_bytes, module=len(module))
    found = await find_workers(core, need, wait_s=_LOOK_S, enough=call.interrupted)
    fitting = [entry for entry, _ in found.best if entry.worker or call.flag("any_peer")]
    if not fitting:
        strangers = "" if call.flag("any_peer") else f"; {len(found.best)} strangers could, with --any-peer"
        hint = "orlop peers discover shows who was looked at" + strangers
        raise FailedError("no trusted peer was found that could run it", where="--discover", hint=hint)
    return fitting[0].peer


async def _interruptible(core: "Core", call: Call, run: _Run) -> JobEnd:
    """Runs it, and cancels it when the caller is interrupted."""
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def watch() -> None:
        await asyncio.wait({call.interrupted})
        job = await started
        with contextlib.suppress(FailedError):  # it ended in the same moment
            await core.jobs.cancel(job, _BY.get(call.interrupted.result(), "command"))

    watcher = asyncio.ensure_future(watch())
    try:
        return await run(started.set_result)
    finally:
        watcher.cancel()
        await asyncio.wait({watcher})


async def _ended(core: "Core", call: Call, request: JobRequest, end: JobEnd) -> Result:
    """The end as the document of the contract; output and verdict only where nobody saw the output pass."""
    passed = "stdout" in call.files
    value: dict[str, Json] = {
        "v": 1,
        "job": end.job,
        "where": end.where,
        "outcome": end.outcome,
        "exit_code": end.exit_code,
    }
    if not passed:
        value |= _streams(await core.jobs.output(end.job))
    verification: Json = None if end.verification is None else end.verification.document()
    if end.receipt and end.verification is None and not passed:
        verification = (await core.receipts.verify(end.receipt, keep=False)).document()
    value |= {
        "truncated": end.truncated,
        "limits": end.limits_document(),
        "usage": end.usage.document(),
        "receipt": end.receipt_document,
        "verification": verification,
    }
    code = "refused" if end.outcome == "refused" else "failed"
    words = "; ".join(part for part in (end.reason, end.undelivered) if part)
    fault = Fault(code, words, call.command, request.name) if words else None
    status = end.exit_code or (int(ExitCode.NOT_RUN) if end.undelivered else 0)
    return Result(ok=end.outcome == "exit" and not end.undelivered, value=value, fault=fault, exit_code=status)


def _streams(kept: JobOutputs) -> dict[str, Json]:
    """Both streams, as text where they are UTF-8."""
    shown: dict[str, Json] = {}
    for name, data in (("stdout", kept.stdout), ("stderr", kept.stderr)):
        try:
            shown[name] = data.decode()
        except UnicodeDecodeError:
            shown[f"{name}_b64"] = base64.b64encode(data).decode()
    return shown
