"""One worker process as the console sees it: a channel for jobs, a pidfd to kill it, and how it ended."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from runtime.errors import UnavailableError
from runtime.jobs.wire import REPLY_MAX, Reply, RunMessage
from runtime.jobs.zygote_process import Ended

__all__ = ["Worker"]


class Worker:
    """One worker process as the console sees it.

    Attributes:
        pid: of the process.
        submitter: whom it serves; empty as long as nobody was served.
        ended: done once the process is gone, with how it ended; None when nobody could tell that.
    """

    def __init__(self, token: int, channel: socket.socket, cwd: Path) -> None:
        self.token = token
        self.pid = 0
        self.submitter = ""
        self.jobs = 0
        self.ended: asyncio.Future[Ended | None] = asyncio.get_running_loop().create_future()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel = channel
        self._pidfd = -1
        self._cwd = cwd
        self._reply: asyncio.Future[Reply | None] | None = None

    def forked(self, pid: int, pidfd: int) -> None:
        """The process exists."""
        self.pid, self._pidfd = pid, pidfd
        # For good: a reader that came and went with each job would cost more than the job's message.
        asyncio.get_running_loop().add_reader(self._channel, self._answered)
        if not self.ready.done():
            self.ready.set_result(None)

    def run(self, message: RunMessage, descriptors: Sequence[int]) -> "asyncio.Future[Reply | None]":
        """Gives it a job.

        Args:
            message: the job.
            descriptors: as `RunMessage` says; they stay the caller's.

        Returns:
            The reply; None when the worker went away or said something else.
        """
        self.jobs += 1
        self._reply = asyncio.get_running_loop().create_future()
        try:
            socket.send_fds(self._channel, [message.encode()], list(descriptors))
        except OSError:
            self._reply.set_result(None)
        return self._reply

    def kill(self) -> None:
        """Ends the process at once; `ended` follows."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):  # it was faster
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def gone(self, how: Ended | None) -> None:
        """The process is gone; lets go of all that belonged to it."""
        if self.ended.done():
            return
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        shutil.rmtree(self._cwd, ignore_errors=True)
        self.ended.set_result(how)
        if not self.ready.done():
            self.ready.set_exception(UnavailableError("a worker process ended before it was ready"))
            self.ready.exception()  # whoever waited has it; nobody has to
        self._answer(None)

    def _answered(self) -> None:
        try:
            raw = self._channel.recv(REPLY_MAX)
        except OSError:
            raw = b""
        if not raw:
            asyncio.get_running_loop().remove_reader(self._channel)
        elif self._reply is None or self._reply.done():
            self.kill()  # it speaks without being asked
        self._answer(Reply.parse(raw))

    def _answer(self, reply: Reply | None) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(reply)
