"""Jobs: WASI modules run once, in worker processes and under limits, and signed receipts of what they did.

The names in `LIBRARY` are the library (see `runtime.jobs.api`), and what semantic versioning is promised for. Others
in `__all__` are what a program is built from that runs jobs in its own way, as the command line, which uses nothing of
this package beside them; modules below are private. Importing this package loads nothing; each name is loaded when it
is first used.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from runtime.jobs.api import AsyncNode, JobOptions, JobResult, Node, run_job, run_job_async, verify_receipt
    from runtime.jobs.bundle import BUNDLE_MAX
    from runtime.jobs.chain import ChainReport, ChainWalk, read_link
    from runtime.jobs.confine import confinement
    from runtime.jobs.ending import EXIT_CANCELLED, JobEnd, Usage
    from runtime.jobs.evidence import Evidence, pinned_key
    from runtime.jobs.jobs import JobOutputs, Jobs
    from runtime.jobs.output import StreamName
    from runtime.jobs.output import pieces as output_pieces
    from runtime.jobs.processes import is_running
    from runtime.jobs.queue import QueueLimits, Terms
    from runtime.jobs.receipt_form import DOMAIN as RECEIPT_DOMAIN
    from runtime.jobs.receipt_form import RESTORED, parse_receipt, receipt_id
    from runtime.jobs.receipt_form import Place as ChainPlace
    from runtime.jobs.receipt_form import message as receipt_message
    from runtime.jobs.receipt_rows import ReceiptFilter
    from runtime.jobs.receipts import Receipts
    from runtime.jobs.records import UNFINISHED
    from runtime.jobs.rerun import Repeat, Verdict, repeat_of
    from runtime.jobs.rerun import compare as compare_runs
    from runtime.jobs.spec import LIMITS, DirGrant, JobLimits, JobRequest, LimitRefusedError, read_manifest
    from runtime.jobs.streams import Streams
    from runtime.jobs.verify import Verification, exit_status
    from runtime.jobs.verify import verify as verify_evidence

__all__ = [
    "BUNDLE_MAX",
    "EXIT_CANCELLED",
    "LIMITS",
    "RECEIPT_DOMAIN",
    "RESTORED",
    "UNFINISHED",
    "AsyncNode",
    "ChainPlace",
    "ChainReport",
    "ChainWalk",
    "DirGrant",
    "Evidence",
    "JobEnd",
    "JobLimits",
    "JobOptions",
    "JobOutputs",
    "JobRequest",
    "JobResult",
    "Jobs",
    "LimitRefusedError",
    "Node",
    "QueueLimits",
    "ReceiptFilter",
    "Receipts",
    "Repeat",
    "StreamName",
    "Streams",
    "Terms",
    "Usage",
    "Verdict",
    "Verification",
    "compare_runs",
    "confinement",
    "exit_status",
    "is_running",
    "output_pieces",
    "parse_receipt",
    "pinned_key",
    "read_link",
    "read_manifest",
    "receipt_id",
    "receipt_message",
    "repeat_of",
    "run_job",
    "run_job_async",
    "verify_evidence",
    "verify_receipt",
]

LIBRARY: Final = (
    "AsyncNode",
    "JobLimits",
    "JobOptions",
    "JobResult",
    "Node",
    "Usage",
    "Verification",
    "run_job",
    "run_job_async",
    "verify_receipt",
)
"""The public names that keep their meaning from version to version."""

_HOME: Final = {
    "AsyncNode": ("api", "AsyncNode"),
    "BUNDLE_MAX": ("bundle", "BUNDLE_MAX"),
    "ChainPlace": ("receipt_form", "Place"),
    "ChainReport": ("chain", "ChainReport"),
    "ChainWalk": ("chain", "ChainWalk"),
    "DirGrant": ("spec", "DirGrant"),
    "EXIT_CANCELLED": ("ending", "EXIT_CANCELLED"),
    "Evidence": ("evidence", "Evidence"),
    "JobEnd": ("ending", "JobEnd"),
    "JobLimits": ("spec", "JobLimits"),
    "JobOptions": ("api", "JobOptions"),
    "JobOutputs": ("jobs", "JobOutputs"),
    "JobRequest": ("spec", "JobRequest"),
    "JobResult": ("api", "JobResult"),
    "Jobs": ("jobs", "Jobs"),
    "LIMITS": ("spec", "LIMITS"),
    "LimitRefusedError": ("spec", "LimitRefusedError"),
    "Node": ("api", "Node"),
    "QueueLimits": ("queue", "QueueLimits"),
    "RECEIPT_DOMAIN": ("receipt_form", "DOMAIN"),
    "RESTORED": ("receipt_form", "RESTORED"),
    "ReceiptFilter": ("receipt_rows", "ReceiptFilter"),
    "Receipts": ("receipts", "Receipts"),
    "Repeat": ("rerun", "Repeat"),
    "StreamName": ("output", "StreamName"),
    "Streams": ("streams", "Streams"),
    "Terms": ("queue", "Terms"),
    "UNFINISHED": ("records", "UNFINISHED"),
    "Usage": ("ending", "Usage"),
    "Verdict": ("rerun", "Verdict"),
    "Verification": ("verify", "Verification"),
    "compare_runs": ("rerun", "compare"),
    "confinement": ("confine", "confinement"),
    "exit_status": ("verify", "exit_status"),
    "is_running": ("processes", "is_running"),
    "output_pieces": ("output", "pieces"),
    "parse_receipt": ("receipt_form", "parse_receipt"),
    "pinned_key": ("evidence", "pinned_key"),
    "read_link": ("chain", "read_link"),
    "read_manifest": ("spec", "read_manifest"),
    "receipt_id": ("receipt_form", "receipt_id"),
    "receipt_message": ("receipt_form", "message"),
    "repeat_of": ("rerun", "repeat_of"),
    "run_job": ("api", "run_job"),
    "run_job_async": ("api", "run_job_async"),
    "verify_evidence": ("verify", "verify"),
    "verify_receipt": ("api", "verify_receipt"),
}
"""The module below that a name comes from, and its name there."""


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, inner = _HOME[name]
    value: object = getattr(importlib.import_module(f"{__name__}.{module}"), inner)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
