"""What `jobs …` does."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from console.call import Call
from console.client import Fault, Json, Result
from console.dispatch import fault_of
from console.exit_codes import ExitCode
from console.petnames import giver
from console.registry import COMMANDS
from console.verbs.job_ends import Run, end_document, interruptible, streams_document
from console.verbs.job_targets import targets_of
from console.verbs.job_words import MODULE_MAX, request_of, streams_of, terms_of
from console.verbs.queue import follow
from console.verbs.reading import read_all
from console.verbs.values import number
from runtime.errors import FailedError, NotFoundError, OrlopError, UsageError
from runtime.jobs import LIMITS, JobEnd, JobRequest, Streams
from runtime.quantities import format_size
from runtime.shapes import to_wire

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["cancel", "list_jobs", "logs", "run", "show"]


async def run(core: "Core", call: Call) -> Result:
    """`jobs run`: to the end of the job; whatever keeps it from running is exit 125."""
    try:
        request = request_of(core, call)
        module = await read_all(call.files["module"], limit=MODULE_MAX, what=request.name, interrupted=call.interrupted)
        if "replicas" not in call.args:
            return await _alone(core, call, request, module)
        from console.verbs.replicas import run_replicas

        return await run_replicas(core, call, request, module)
    except KeyError as error:
        raise UsageError(f"the descriptor of `{error.args[0]}` is missing") from None
    except OrlopError as error:
        code = call.interrupted.result() if call.interrupted.done() else int(ExitCode.NOT_RUN)
        return Result(ok=False, fault=fault_of(error, call.command), exit_code=code)


async def list_jobs(core: "Core", call: Call) -> Result:
    """`jobs list`: rows, newest first; a damaged one hides no other."""
    limit = number(COMMANDS["jobs list"], call.args, "limit") or 0
    rows = await core.jobs.rows(state=call.text("state") or "", submitter=call.text("submitter") or "", limit=limit)
    names = await _names(core)
    return Result(ok=True, value={"v": 1, "items": [_named(to_wire(row), names) for row in rows]})


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
        **_named(to_wire(record), await _names(core)),
        "manifest": manifest,
        "limits": limits,
        "usage": usage,
        "receipt_document": receipt,
    }
    return Result(ok=True, value=value)


async def _names(core: "Core") -> Mapping[str, str]:
    """What the operator calls peers, by PeerId."""
    from net.book import reading

    return await asyncio.wrap_future(core.store.read(reading.names))


def _named(row: dict[str, Json], names: Mapping[str, str]) -> dict[str, Json]:
    """The row, and what the operator calls who runs the job and who gave it; empty for this node."""
    where, by = str(row["where"]), giver(str(row["submitter"]))
    return {**row, "where_name": names.get(where, ""), "submitter_name": names.get(by, "")}


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
    shown = {} if call.flag("follow") and "stdout" in call.files else streams_document(kept)
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


async def _alone(core: "Core", call: Call, request: JobRequest, module: bytes) -> Result:
    """On one node: this one, the peer that `--on` names, or the best that is found."""
    streams = streams_of(call, request)
    end = await interruptible(core, call.interrupted, await _runner(core, call, request, module, streams))
    return await _ended(core, call, request, end)


async def _runner(core: "Core", call: Call, request: JobRequest, module: bytes, streams: Streams) -> Run:
    """What runs it."""
    targets = targets_of(COMMANDS[call.command], call.args)
    if targets.here:
        terms = terms_of(core, call)
        return lambda started: core.jobs.run(request, module=module, streams=streams, terms=terms, on_started=started)
    from console.verbs.job_places import best_places, named_places
    from console.verbs.lost_worker import waiting

    names = targets.names
    (place,) = await (named_places(core, names) if names else best_places(core, call, request, module, 1))
    return lambda started: core.mesh.jobs.run(
        place.peer,
        request,
        module=module,
        streams=streams,
        address=place.address,
        waiting=waiting(call, request.name),
        interrupted=call.interrupted,
        on_started=started,
    )


async def _ended(core: "Core", call: Call, request: JobRequest, end: JobEnd) -> Result:
    """The end, its output and verdict only where nobody saw the output pass."""
    value = await end_document(core, end, passed="stdout" in call.files)
    code = "refused" if end.outcome == "refused" else "failed"
    words = "; ".join(part for part in (end.reason, end.undelivered) if part)
    fault = Fault(code, words, call.command, request.name) if words else None
    status = end.exit_code or (int(ExitCode.NOT_RUN) if end.undelivered else 0)
    return Result(ok=end.outcome == "exit" and not end.undelivered, value=value, fault=fault, exit_code=status)
