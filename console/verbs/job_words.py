"""From the arguments of `jobs run` and `jobs submit` to a job: what both understand alike."""

from typing import TYPE_CHECKING, Final

from console.call import Call
from console.registry import COMMANDS
from console.verbs.values import number, pairs
from runtime.jobs import DirGrant, JobLimits, JobRequest, Streams, Terms
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["MODULE_MAX", "request_of", "streams_of", "terms_of"]

MODULE_MAX: Final = 64 << 20
"""Bytes that are read of a module; what is too large for this node is refused as a job, on record."""


def request_of(core: "Core", call: Call) -> JobRequest:
    """What is to be run.

    Raises:
        UsageError: a value or a text that no job can have.
    """
    path = call.text("module") or "job"
    return JobRequest(
        name=clean(path.rpartition("/")[2], 100),
        args=call.many("args"),
        env=tuple(f"{key}={value}" for key, value in pairs(call.many("env"), "--env")),
        dirs=tuple(_grant(text) for text in call.many("dir")),
        limits=_limits(core, call),
        deterministic=call.flag("deterministic"),
        nonce=core.take_session(),
    )


def streams_of(call: Call, request: JobRequest) -> Streams:
    """What is connected to it.

    Raises:
        KeyError: the descriptor of a directory is missing.
    """
    return Streams(
        stdin=call.files.get("stdin"),
        stdout=call.files.get("stdout"),
        stderr=call.files.get("stderr"),
        dirs=[call.files[f"dir.{place}"] for place in range(len(request.dirs))],
    )


def terms_of(core: "Core", call: Call) -> Terms:
    """How it waits for its turn."""
    command = COMMANDS[call.command]
    detached = call.command == "jobs submit"
    expires = number(command, call.args, "expires") if detached else None
    return Terms(
        detached=detached,
        priority=int(call.text("priority") or 0),
        retries=(number(command, call.args, "retries") or 0) if detached else 0,
        expires_ms=None if expires is None else core.clock.wall_ms() + expires,
        keep_output=call.flag("keep_output"),
    )


def _limits(core: "Core", call: Call) -> JobLimits:
    """What the caller asks for, else what is usual here."""
    command, given, defaults = COMMANDS[call.command], call.args, core.config.jobs
    plain = JobLimits()
    timeout_ms = number(command, given, "timeout") or defaults.timeout_ms
    base = JobLimits.of(
        memory_bytes=number(command, given, "memory") or defaults.memory_bytes,
        fuel=number(command, given, "fuel") or defaults.fuel or None,
        timeout_ms=timeout_ms,
        max_output_bytes=number(command, given, "max_output") or defaults.max_output_bytes,
    )
    return JobLimits(
        memory_bytes=base.memory_bytes,
        fuel=base.fuel,
        timeout_ms=base.timeout_ms,
        max_output_bytes=base.max_output_bytes,
        cpu_ms=number(command, given, "cpu") or min(base.cpu_ms, defaults.ceiling_cpu_ms),
        stack_bytes=number(command, given, "stack") or min(plain.stack_bytes, defaults.ceiling_stack_bytes),
        table_elements=number(command, given, "table") or min(plain.table_elements, defaults.ceiling_table),
        open_files=number(command, given, "open_files") or min(plain.open_files, defaults.ceiling_open_files),
        dir_bytes=number(command, given, "dir_quota") or min(plain.dir_bytes, defaults.ceiling_dir_bytes),
    )


def _grant(text: str) -> DirGrant:
    """The guest's side of `HOST:GUEST[:ro]`; the host's side came as a descriptor."""
    bare = text.removesuffix(":ro").removesuffix(":rw")
    return DirGrant(bare.rpartition(":")[2], writable=not text.endswith(":ro"))
