"""How operations on processes answer: the cases of the WIT, and where each of the system's errors belongs."""

import errno
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from runtime.components.bindings.ext_process_types import ProcessError
from runtime.components.host.answers import Answering, RefusedOperationError

__all__ = ["ProcessCase", "ProcessRefusedError", "answering"]

ProcessCase = Literal[
    "spawn-failed",
    "not-found",
    "permission-denied",
    "timeout",
    "invalid-argument",
    "resource-exhausted",
    "io-error",
    "invalid-state",
    "already-terminated",
    "child-zombie",
    "signal-not-supported",
    "exec-format-error",
    "too-many-processes",
    "not-captured",
    "closed",
    "unsupported",
]


class ProcessRefusedError(RefusedOperationError):
    """The answer of an operation on processes that did not do what it was asked for.

    Args:
        case: of the WIT's `process-error`.
        text: the reason, for the guest; it names nothing of the host.
    """

    def __init__(self, case: ProcessCase, text: str) -> None:
        super().__init__(case, text)


_CASES: Final = MappingProxyType[int, ProcessCase](
    {
        errno.ESRCH: "already-terminated",
        errno.EPERM: "permission-denied",
        errno.EPIPE: "closed",
        errno.EAGAIN: "too-many-processes",
        errno.ENOMEM: "resource-exhausted",
        errno.EMFILE: "resource-exhausted",
        errno.ENFILE: "resource-exhausted",
        errno.EMSGSIZE: "invalid-argument",
        errno.E2BIG: "invalid-argument",
        errno.EINVAL: "invalid-argument",
        errno.ENOENT: "not-found",
        errno.ENOTDIR: "not-found",
        errno.EACCES: "spawn-failed",
        errno.ENOEXEC: "exec-format-error",
        errno.EFBIG: "resource-exhausted",
    }
)

_ERRORS: Final[Mapping[str, Callable[[str], ProcessError]]] = {kind.case: kind for kind in get_args(ProcessError)}


def _refusal_of(error: OSError) -> ProcessRefusedError:
    code = error.errno or errno.EIO
    return ProcessRefusedError(_CASES.get(code, "io-error"), os.strerror(code).lower())


answering: Final = Answering(_ERRORS, _refusal_of)
"""Makes a method answer `Ok` with what it returns, and `Err` for what it refuses or the system does."""
