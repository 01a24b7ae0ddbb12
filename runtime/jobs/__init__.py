"""Jobs: WASI modules run once, in worker processes and under limits, and signed receipts of what they did.

The names in `LIBRARY` are the library (see `runtime.jobs.api`), and what semantic versioning is promised for. Others
in `__all__` are what a program is built from that runs jobs in its own way, as the command line, which uses nothing of
this package beside them; modules below are private. Importing this package loads nothing; each name is loaded when it
is first used.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from runtime.jobs.acceptance import admitted, known_module
    from runtime.jobs.api import AsyncNode, JobOptions, JobResult, Node, run_job, run_job_async, verify_receipt
    from runtime.jobs.bundle import BUNDLE_MAX
    from runtime.jobs.chain import ChainReport, ChainWalk, read_link
    from runtime.jobs.confine import confinement
    from runtime.jobs.elsewhere import Carried, Carrier, Errand
    from runtime.jobs.ending import COMPLETIONS, EXIT_CANCELLED, JobEnd, JobOutcome, Usage
    from runtime.jobs.ending import exit_code as exit_code_of
    from runtime.jobs.ending import reason as reason_of
    from runtime.jobs.evidence import Evidence, pinned_key
    from runtime.jobs.jobs import Jobs
    from runtime.jobs.limits import LIMITS, JobLimits, LimitRefusedError
    from runtime.jobs.manifest import Manifest, new_nonce, read_manifest
    from runtime.jobs.output import OutputFollower, StreamName
    from runtime.jobs.output import pieces as output_pieces
    from runtime.jobs.pipes import readable, writable
    from runtime.jobs.processes import is_running
    from runtime.jobs.queue import Queued, QueueLimits, Terms
    from runtime.jobs.receipt_form import DOMAIN as RECEIPT_DOMAIN
    from runtime.jobs.receipt_form import RESTORED, Receipt, ReceiptRefusedError, parse_receipt, receipt_id
    from runtime.jobs.receipt_form import Place as ChainPlace
    from runtime.jobs.receipt_form import message as receipt_message
    from runtime.jobs.receipt_rows import ReceiptFilter
    from runtime.jobs.receipts import Receipts
    from runtime.jobs.records import UNFINISHED
    from runtime.jobs.rerun import Repeat, Verdict, repeat_of
    from runtime.jobs.rerun import compare as compare_runs
    from runtime.jobs.shelf import JobOutputs
    from runtime.jobs.spec import DirGrant, JobRequest
    from runtime.jobs.streams import Streams
    from runtime.jobs.submitters import allowed as may_submit
    from runtime.jobs.verify import Verification, exit_status
    from runtime.jobs.verify import verify as verify_evidence

__all__ = [
    "BUNDLE_MAX",
    "COMPLETIONS",
    "EXIT_CANCELLED",
    "LIMITS",
    "RECEIPT_DOMAIN",
    "RESTORED",
    "UNFINISHED",
    "AsyncNode",
    "Carried",
    "Carrier",
    "ChainPlace",
    "ChainReport",
    "ChainWalk",
    "DirGrant",
    "Errand",
    "Evidence",
    "JobEnd",
    "JobLimits",
    "JobOptions",
    "JobOutcome",
    "JobOutputs",
    "JobRequest",
    "JobResult",
    "Jobs",
    "LimitRefusedError",
    "Manifest",
    "Node",
    "OutputFollower",
    "QueueLimits",
    "Queued",
    "Receipt",
    "ReceiptFilter",
    "ReceiptRefusedError",
    "Receipts",
    "Repeat",
    "StreamName",
    "Streams",
    "Terms",
    "Usage",
    "Verdict",
    "Verification",
    "admitted",
    "compare_runs",
    "confinement",
    "exit_code_of",
    "exit_status",
    "is_running",
    "known_module",
    "may_submit",
    "new_nonce",
    "output_pieces",
    "parse_receipt",
    "pinned_key",
    "read_link",
    "read_manifest",
    "readable",
    "reason_of",
    "receipt_id",
    "receipt_message",
    "repeat_of",
    "run_job",
    "run_job_async",
    "verify_evidence",
    "verify_receipt",
    "writable",
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
    "COMPLETIONS": ("ending", "COMPLETIONS"),
    "Carried": ("elsewhere", "Carried"),
    "Carrier": ("elsewhere", "Carrier"),
    "ChainPlace": ("receipt_form", "Place"),
    "ChainReport": ("chain", "ChainReport"),
    "ChainWalk": ("chain", "ChainWalk"),
    "DirGrant": ("spec", "DirGrant"),
    "EXIT_CANCELLED": ("ending", "EXIT_CANCELLED"),
    "Errand": ("elsewhere", "Errand"),
    "Evidence": ("evidence", "Evidence"),
    "JobEnd": ("ending", "JobEnd"),
    "JobLimits": ("limits", "JobLimits"),
    "JobOptions": ("api", "JobOptions"),
    "JobOutcome": ("ending", "JobOutcome"),
    "JobOutputs": ("shelf", "JobOutputs"),
    "JobRequest": ("spec", "JobRequest"),
    "JobResult": ("api", "JobResult"),
    "Jobs": ("jobs", "Jobs"),
    "LIMITS": ("limits", "LIMITS"),
    "LimitRefusedError": ("limits", "LimitRefusedError"),
    "Manifest": ("manifest", "Manifest"),
    "Node": ("api", "Node"),
    "OutputFollower": ("output", "OutputFollower"),
    "QueueLimits": ("queue", "QueueLimits"),
    "Queued": ("queue", "Queued"),
    "RECEIPT_DOMAIN": ("receipt_form", "DOMAIN"),
    "RESTORED": ("receipt_form", "RESTORED"),
    "Receipt": ("receipt_form", "Receipt"),
    "ReceiptFilter": ("receipt_rows", "ReceiptFilter"),
    "ReceiptRefusedError": ("receipt_form", "ReceiptRefusedError"),
    "Receipts": ("receipts", "Receipts"),
    "Repeat": ("rerun", "Repeat"),
    "StreamName": ("output", "StreamName"),
    "Streams": ("streams", "Streams"),
    "Terms": ("queue", "Terms"),
    "UNFINISHED": ("records", "UNFINISHED"),
    "Usage": ("ending", "Usage"),
    "Verdict": ("rerun", "Verdict"),
    "Verification": ("verify", "Verification"),
    "admitted": ("acceptance", "admitted"),
    "compare_runs": ("rerun", "compare"),
    "confinement": ("confine", "confinement"),
    "exit_code_of": ("ending", "exit_code"),
    "exit_status": ("verify", "exit_status"),
    "is_running": ("processes", "is_running"),
    "known_module": ("acceptance", "known_module"),
    "may_submit": ("submitters", "allowed"),
    "new_nonce": ("manifest", "new_nonce"),
    "output_pieces": ("output", "pieces"),
    "parse_receipt": ("receipt_form", "parse_receipt"),
    "pinned_key": ("evidence", "pinned_key"),
    "read_link": ("chain", "read_link"),
    "read_manifest": ("manifest", "read_manifest"),
    "readable": ("pipes", "readable"),
    "receipt_id": ("receipt_form", "receipt_id"),
    "reason_of": ("ending", "reason"),
    "receipt_message": ("receipt_form", "message"),
    "repeat_of": ("rerun", "repeat_of"),
    "run_job": ("api", "run_job"),
    "run_job_async": ("api", "run_job_async"),
    "verify_evidence": ("verify", "verify"),
    "verify_receipt": ("api", "verify_receipt"),
    "writable": ("pipes", "writable"),
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
