"""`orlop:core/host-jobs`: jobs of this node on behalf of a component."""

from dataclasses import dataclass
from typing import Final, get_args

from runtime.canonical import Json
from runtime.components.bindings.core_types import (
    JobError,
    JobInvalidArgument,
    JobOutcome,
    JobPermissionDenied,
    JobResult,
    JobSpec,
    JobUnavailable,
)
from runtime.components.host.context import Context
from runtime.components.host.desk import PAYLOAD_MAX, Desk, nothing, text
from runtime.components.values import Err, Result
from runtime.components.worker.wire import bytes_of, text_of
from runtime.shapes import ShapeError, from_wire

__all__ = ["ComponentJobs"]

_CASES: Final = {case.case: case for case in get_args(JobError)}
_OUTCOMES: Final[dict[str, JobOutcome]] = {outcome: outcome for outcome in get_args(JobOutcome)}
_MARGIN_S: Final = 0.1
"""Before the call's deadline, so that the guest can still do something with the answer."""


@dataclass(frozen=True, slots=True)
class _Result:
    outcome: str
    exit_code: int | None
    receipt: str | None
    stdout: str


class ComponentJobs:
    """The operations of one instance.

    Args:
        context: whose they are.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._desk: Desk[JobError] = Desk(context, _CASES, JobPermissionDenied, JobUnavailable)

    def submit(self, spec: JobSpec) -> Result[str, JobError]:
        """Gives a job to this node; its id."""
        if len(spec.stdin) > PAYLOAD_MAX:
            return Err(JobInvalidArgument(f"the input has at most {PAYLOAD_MAX:,} bytes"))
        fields: dict[str, Json] = {
            "module_hash": spec.module_hash,
            "entry": spec.entry,
            "arguments": list(spec.arguments),
            "stdin": text_of(spec.stdin),
            "timeout": spec.timeout,
            "max_memory_bytes": spec.max_memory_bytes,
        }
        decision = self._context.policy.submit_job(spec.module_hash)
        return self._desk.ask("jobs.submit", fields, text, decision, spec.module_hash)

    def wait(self, id: str, timeout: int) -> Result[JobResult, JobError]:  # noqa: A002 - the WIT's
        """Waits for an own job."""
        left = max(0.0, self._context.time_left(timeout) - _MARGIN_S)
        fields: dict[str, Json] = {"id": id, "timeout_ms": round(left * 1000)}
        return self._desk.ask("jobs.wait", fields, _result, None, id)

    def cancel(self, id: str) -> Result[None, JobError]:  # noqa: A002 - the WIT's
        """Ends an own job."""
        return self._desk.ask("jobs.cancel", {"id": id}, nothing, None, id)


def _result(value: Json) -> JobResult:
    result = from_wire(_Result, value)
    outcome = _OUTCOMES.get(result.outcome)
    if outcome is None:
        raise ShapeError("there is no such outcome")
    return JobResult(outcome, result.exit_code, result.receipt, bytes_of(result.stdout))
