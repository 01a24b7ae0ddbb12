"""What `receipts rerun` does: the job of a receipt once more, under the same limits, compared with the first run."""

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING, Any, Final

from console.call import Call
from console.client import Result
from console.exit_codes import ExitCode
from console.verbs.reading import read_all
from runtime.blob_references import references
from runtime.blobs import Blob, Blobs
from runtime.canonical import encode
from runtime.errors import FailedError, NotFoundError, RefusedError
from runtime.jobs import JobEnd, Repeat, Streams, Verdict, compare_runs, parse_receipt, read_manifest, repeat_of
from runtime.sandbox.modulecheck import JOB_CAPS

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["rerun"]

_INPUT_MAX: Final = 1 << 30
_EXITS: Final[dict[Verdict, ExitCode]] = {
    "same": ExitCode.OK, "different": ExitCode.NOT_VERIFIED, "inconclusive": ExitCode.FAILED,
}  # fmt: skip


async def rerun(core: "Core", call: Call) -> Result:
    """`receipts rerun`: leaves a job and a receipt of its own."""
    ref = call.need("receipt")
    verification = await core.receipts.verify(ref, keep=False)
    if verification.ok is False:
        bad = next(step for step in verification.steps if step.ok is False)
        raise RefusedError(f"the receipt itself is bad: {bad.name}: {bad.detail}", where=f"receipt {ref[:16]}")
    proof = await core.receipts.proof(ref)
    if proof.manifest is None:
        raise NotFoundError("its manifest is not here any more", where=f"receipt {ref[:16]}")
    before = parse_receipt(proof.document)
    manifest = read_manifest(encode(proof.manifest))
    repeat = repeat_of(before, manifest)
    kept = await asyncio.wrap_future(core.store.read(lambda db: references(db, before.job)))
    module = await _given(core, call, "module", repeat.module, kept.get("module"))
    stdin = await _given(core, call, "stdin", repeat.stdin, kept.get("stdin")) if repeat.stdin else b""
    end = await _run(core, call, repeat, module, stdin)
    if end.receipt_document is None:
        raise FailedError(f"it could not be run: {end.outcome}: {end.reason}", where=f"job {end.job[:16]}")
    compared = compare_runs(before, parse_receipt(end.receipt_document), deterministic=repeat.request.deterministic)
    value = {
        "v": 1,
        "receipt": before.id,
        "job": end.job,
        "rerun": end.receipt,
        "deterministic": repeat.request.deterministic,
        **compared.document(),
    }
    return Result(ok=compared.verdict == "same", value=value, exit_code=_EXITS[compared.verdict])


async def _given(core: "Core", call: Call, name: str, digest: str, kept: Blob | None) -> bytes:
    """The module or the input of the first run: a file that came along, else what was kept."""
    limit = JOB_CAPS.size if name == "module" else _INPUT_MAX
    if name in call.files:
        data = await read_all(call.files[name], limit=limit, what=name, interrupted=call.interrupted)
        if await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest()) != digest:
            raise RefusedError(f"another {name} than that of the first run", where=f"--{name}")
        return data
    if kept is None or kept.hash != digest:
        raise NotFoundError(f"the job's {name} was not kept", where=f"sha256:{digest[:16]}", hint=f"give it: --{name}")
    return await asyncio.to_thread(Blobs(core.state.blobs).read, digest, limit=limit)


async def _run(core: "Core", call: Call, repeat: Repeat, module: bytes, stdin: bytes) -> JobEnd:
    """Runs it, and cancels it when the caller is interrupted."""
    task = asyncio.ensure_future(core.jobs.run(repeat.request, module=module, streams=Streams(stdin=stdin)))
    either: set[asyncio.Future[Any]] = {task, call.interrupted}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        raise FailedError("interrupted before it had run to its end")
    return task.result()
