"""The zygote of jobs: engines and host functions are ready in it before it forks a worker.

Requests beyond those of `runtime.jobs.forking`: `"cwd"`, a private folder; `"memory"`, the ceiling of all its jobs;
`"directories"`, whether its job has any.
"""

import os
import socket
from collections.abc import Mapping

from runtime.jobs import seccomp
from runtime.jobs.confine import confinement, limit_worker
from runtime.jobs.forking import Work, serve_forks
from runtime.jobs.guest import Guests
from runtime.jobs.worker import serve
from runtime.process import keep_memory_private

__all__ = ["main"]


def _prepare() -> Work:
    guests, walls = Guests(), confinement()

    def work(request: Mapping[str, object], channel: socket.socket) -> None:
        os.chdir(str(request["cwd"]))
        limit_worker(int(str(request["memory"])))
        if walls.seccomp:
            seccomp.apply()
        serve(channel, guests, landlock=walls.landlock > 0, directories=bool(request["directories"]))

    return work


def main(descriptor: int) -> None:
    """Serves as the zygote.

    Args:
        descriptor: this end of the control socket.
    """
    keep_memory_private()  # the workers' too: they are forked
    serve_forks(descriptor, _prepare)
