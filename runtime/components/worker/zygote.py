"""The zygote of components: what their workers need is imported in it, and no engine exists, before it forks one.

Requests beyond those of `runtime.jobs.forking`: `"alone"`, whether the worker is for one component.
"""

import importlib
from typing import Final, get_args

from runtime.components.audit_record import AuditRecord
from runtime.components.engine_library import library
from runtime.components.permissions import Policy
from runtime.components.permissions.rules import Rules
from runtime.components.worker.process import work
from runtime.components.worker.wire import FromWorker, LoadLimits, MountPoint, ToWorker
from runtime.jobs.confine import confinement
from runtime.jobs.forking import Work, serve_forks
from runtime.process import keep_memory_private
from runtime.shapes import fields_of

__all__ = ["IMPORTED", "PROGRAM", "main"]

PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from runtime.components.worker.zygote import main; main(int(sys.argv[2]))"
)
"""What its interpreter is given."""


IMPORTED: Final = (
    *("wasmtime", "wasmtime.component", "encodings.idna", "encodings.utf_8", "ssl"),
    *("idna", "idna.idnadata", "idna.uts46data", "encodings.punycode"),
)
"""What is imported where it is first used: behind its walls a worker cannot import any more."""


def _prepare() -> Work:
    for name in IMPORTED:
        importlib.import_module(name)
    confinement()  # asked of the kernel once
    library()  # its functions alone; an engine would start threads
    for shape in (*get_args(ToWorker), *get_args(FromWorker), LoadLimits, MountPoint, AuditRecord):
        fields_of(shape)
    Policy.from_json(Policy(Rules(())).to_json())
    return work


def main(descriptor: int) -> None:
    """Serves as the zygote.

    Args:
        descriptor: this end of the control socket.
    """
    keep_memory_private()  # the workers' too: they are forked
    serve_forks(descriptor, _prepare)
