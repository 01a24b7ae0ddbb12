"""What is written at the end of a job: its record, and what its receipt says of the run. Pure."""

from runtime.jobs.ending import COMPLETIONS, STATES, JobEnd, JobOutcome, exit_code, reason
from runtime.jobs.limits import JobLimits
from runtime.jobs.manifest import Manifest
from runtime.jobs.runner import Finished
from runtime.jobs.spec import JobRequest
from runtime.jobs.statement import Statement

__all__ = ["end_of_run", "end_without_run", "statement_of"]


def end_of_run(job: str, limits: JobLimits, finished: Finished, *, by: str, trouble: str, truncated: bool) -> JobEnd:
    """The end of a job whose guest was started.

    Args:
        job: its id.
        limits: those in force.
        finished: how the run ended.
        by: who cancelled it, where it was.
        trouble: why its output could not be kept; empty when it was.
        truncated: something that it wrote is missing.
    """
    outcome, guest, usage = finished.outcome, finished.guest, finished.usage
    words = finished.reason or reason(outcome, limits, guest, usage.memory_peak_bytes, finished.tripped)
    return JobEnd(
        job=job,
        outcome=outcome,
        state=STATES[outcome],
        exit_code=exit_code(outcome, guest=_number(finished), cancelled_by=by),
        reason="; ".join(text for text in (words, trouble) if text),
        truncated=truncated,
        limits=limits,
        tripped=finished.tripped,
        usage=usage,
    )


def end_without_run(
    job: str, limits: JobLimits, outcome: JobOutcome, words: str, *, by: str, tripped: str = ""
) -> JobEnd:
    """The end of a job whose guest did not run.

    Args:
        job: its id.
        limits: those that it asked for.
        outcome: `cancelled`, `refused` or `lost`.
        words: why.
        by: who cancelled it, where it was.
        tripped: the limit for which it was refused; empty for none.
    """
    return JobEnd(
        job=job,
        outcome=outcome,
        state=STATES[outcome],
        exit_code=exit_code(outcome, cancelled_by=by),
        reason=words,
        limits=limits,
        tripped=tripped,
    )


def statement_of(
    request: JobRequest, manifest: Manifest, finished: Finished, end: JobEnd, *, completed_ms: int
) -> Statement | None:
    """What a receipt says of a run; None where it gets none.

    Args:
        request: what was run.
        manifest: signed.
        finished: how the run ended.
        end: from `end_of_run`.
        completed_ms: wall time of the end.
    """
    if finished.outcome not in COMPLETIONS:
        return None
    number = _number(finished)
    return Statement(
        job=end.job,
        module=str(manifest.payload["module_cid"]),
        nonce=str(manifest.extension["nonce"]),
        argv=request.argv,
        env=request.env,
        dirs=tuple(str(grant) for grant in request.dirs),
        stdin_sha256=finished.stdin_sha256,
        limits=end.limits,
        outcome=finished.outcome,
        exit_code=end.exit_code,
        guest_exit_code=number if number is not None and number != end.exit_code else None,
        usage=finished.usage,
        commitment=finished.commitment,
        completed_ms=completed_ms,
        tripped=finished.tripped,
    )


def _number(finished: Finished) -> int | None:
    """The guest's own exit code, where it ended with one."""
    return finished.guest.exit_code if finished.guest is not None and finished.outcome == "exit" else None
