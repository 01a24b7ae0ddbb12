"""What a process asks of the kernel about itself."""

import ctypes
import resource
from typing import Final

__all__ = ["keep_memory_private", "prctl"]

_PR_SET_DUMPABLE: Final = 4


def prctl(option: int, value: int, more: int = 0) -> None:
    """Sets a process attribute.

    Args:
        option: `PR_…`.
        value: its argument.
        more: the next argument.

    Raises:
        OSError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(more), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def keep_memory_private() -> None:
    """Lets nobody but root look into this process from now on: no core dump, no debugger, no `/proc/PID/mem`.

    Guests run as the same user in processes beside the one that holds the keys; one that broke out of its engine must
    not get at them, nor at what another submitter's guest or the compiler has in memory. What is forked inherits both;
    a program that is started inherits the limit only.

    Raises:
        OSError: the kernel refused.
    """
    # The limit alone would not do: a core that is piped to a program, as most systems do, passes over it.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl(_PR_SET_DUMPABLE, 0)
