"""Running the command of a `[[notify]]`: no shell, a clean environment, ten seconds, and nothing of it on our streams.

Blocking: one call a thread.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.sanitise import clean

__all__ = ["TIMEOUT_S", "Failure", "run_command"]

TIMEOUT_S: Final = 10.0

_SAID_MAX: Final = 4096
_LINE_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command did not do its work, and the last line of its standard error."""

    reason: str
    said: str = ""


def run_command(
    argv: Sequence[str], line: bytes, *, environ: Mapping[str, str], stop: int, timeout_s: float = TIMEOUT_S
) -> Failure | None:
    """Runs a program with one line on its standard input.

    Args:
        argv: program and arguments; the program is looked for on the `PATH` of `environ`.
        line: what it reads.
        environ: all of its environment.
        stop: descriptor; when it becomes readable the program is killed.
        timeout_s: seconds that it may take; then it and its process group are killed.

    Returns:
        None when it ended with status 0.
    """
    stdin = os.memfd_create("orlop-notify", os.MFD_CLOEXEC)
    try:
        os.write(stdin, line)
        os.lseek(stdin, 0, os.SEEK_SET)
        process = subprocess.Popen(  # noqa: S603 - the operator's own command, without a shell
            argv,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environ,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return Failure(f"could not be run: {(error.strerror or type(error).__name__).lower()}")
    finally:
        os.close(stdin)
    with process:
        reason, said = _watch(process, stop, time.monotonic() + timeout_s, timeout_s)
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    if not reason and status:
        reason = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
    return Failure(reason, _last_line(said)) if reason else None


def _watch(process: "subprocess.Popen[bytes]", stop: int, deadline: float, timeout_s: float) -> tuple[str, bytes]:
    """Until it has ended, or has to; why it has to, and the end of what it said."""
    if process.stderr is None:
        return "", b""
    stderr = process.stderr.fileno()
    os.set_blocking(stderr, False)
    ended = os.pidfd_open(process.pid)
    poll = select.poll()
    for descriptor in (stderr, ended, stop):
        poll.register(descriptor, select.POLLIN)
    said, reason = b"", ""
    try:
        while not reason:
            ready = dict(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
            if stderr in ready:
                piece = os.read(stderr, 1 << 16)
                said = (said + piece)[-_SAID_MAX:]
                if not piece:
                    poll.unregister(stderr)
            elif ended in ready:
                break  # what a child of its own may write later is not waited for
            elif stop in ready:
                reason = "orlop ended"
            elif time.monotonic() >= deadline:
                reason = f"took longer than {timeout_s:g}s"
    finally:
        os.close(ended)
    return reason, said


def _last_line(said: bytes) -> str:
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return clean(lines[-1], _LINE_MAX) if lines else ""
