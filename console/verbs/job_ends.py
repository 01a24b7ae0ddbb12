"""Waiting for a job's end, and what is said of it: `jobs run`, whoever runs the job."""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from console.client import Json
from console.exit_codes import ExitCode
from runtime.errors import FailedError
from runtime.jobs import JobEnd, JobOutputs

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["Run", "end_document", "interruptible", "streams_document"]

Run = Callable[[Callable[[str], None]], Awaitable[JobEnd]]
"""Runs a job to its end; calls back with its id once it is written down."""

_BY: Final[dict[int, str]] = {ExitCode.INTERRUPTED: "signal:130", ExitCode.TERMINATED: "signal:143"}


async def interruptible(core: "Core", interrupted: "asyncio.Future[int]", run: Run) -> JobEnd:
    """Runs it, and cancels it when nobody wants it any more.

    Args:
        core: whose jobs.
        interrupted: done, with the exit code that the caller will end with, when it is to end early.
        run: runs it.

    Raises:
        OrlopError: what `run` raises.
    """
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def watch() -> None:
        await asyncio.wait({interrupted})
        job = await started
        with contextlib.suppress(FailedError):  # it ended in the same moment
            await core.jobs.cancel(job, _BY.get(interrupted.result(), "command"))

    watcher = asyncio.ensure_future(watch())
    try:
        return await run(started.set_result)
    finally:
        watcher.cancel()
        await asyncio.wait({watcher})


async def end_document(core: "Core", end: JobEnd, *, passed: bool) -> dict[str, Json]:
    """The end as the document of the contract; output, and the verdict on a receipt of ours, only where wanted.

    Args:
        core: whose job.
        end: of it.
        passed: the output went to the caller as it came.
    """
    value: dict[str, Json] = {
        "v": 1,
        "job": end.job,
        "where": end.where,
        "outcome": end.outcome,
        "exit_code": end.exit_code,
    }
    if not passed:
        value |= streams_document(await core.jobs.output(end.job))
    verification: Json = None if end.verification is None else end.verification.document()
    if end.receipt and end.verification is None and not passed:
        verification = (await core.receipts.verify(end.receipt, keep=False)).document()
    return value | {
        "truncated": end.truncated,
        "limits": end.limits_document(),
        "usage": end.usage.document(),
        "receipt": end.receipt_document,
        "verification": verification,
    }


def streams_document(kept: JobOutputs) -> dict[str, Json]:
    """Both streams, as text where they are UTF-8."""
    shown: dict[str, Json] = {}
    for name, data in (("stdout", kept.stdout), ("stderr", kept.stderr)):
        try:
            shown[name] = data.decode()
        except UnicodeDecodeError:
            shown[f"{name}_b64"] = base64.b64encode(data).decode()
    return shown
