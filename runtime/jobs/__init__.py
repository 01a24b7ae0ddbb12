"""Jobs: WASI modules run once, in worker processes and under limits, and signed receipts of what they did.

The names in `__all__` are the library (see `runtime.jobs.api`), and what semantic versioning is promised for; modules
below are not. Importing this package loads nothing; each name is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.jobs.api import AsyncNode, JobOptions, JobResult, Node, run_job, run_job_async, verify_receipt
    from runtime.jobs.ending import Usage
    from runtime.jobs.spec import JobLimits
    from runtime.jobs.verify import Verification

__all__ = [
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
]

_HOME = {"JobLimits": "spec", "Usage": "ending", "Verification": "verify"}
"""Where a name lives when it is not in `api`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOME.get(name, 'api')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
