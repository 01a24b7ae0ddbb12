"""The library: run jobs and verify receipts from Python; import its names from `runtime.jobs`.

A `Node` opens a state directory as one command of the command line does, shared with others of its kind, and runs jobs
through the same `runtime.jobs.jobs.Jobs`. `AsyncNode` is the same on the caller's event loop. `run_job` and
`run_job_async` open one for a single job. Every error is one of `runtime.errors`.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypedDict, Unpack

from runtime.canonical import Json, encode
from runtime.clock import SystemClock
from runtime.errors import NotFoundError, UsageError
from runtime.jobs.ending import JobEnd, JobOutcome, Usage
from runtime.jobs.evidence import Evidence, pinned_key
from runtime.jobs.host_files import host_directory, host_file, read_module
from runtime.jobs.jobs import Jobs
from runtime.jobs.limits import CEILINGS, JobLimits
from runtime.jobs.manifest import module_name
from runtime.jobs.spec import DirGrant, JobRequest
from runtime.jobs.streams import Streams
from runtime.jobs.verify import Verification, verify
from runtime.node import NodeParts, OpenDirectory
from runtime.sanitise import clean
from runtime.statedir import locate

__all__ = ["AsyncNode", "JobOptions", "JobResult", "Node", "run_job", "run_job_async", "verify_receipt"]

_NO_DIRS: Final[Mapping[str, Path]] = {}
_WITH: Final = "use it in a `with` block"


class JobOptions(TypedDict, total=False):
    """What may be said of a job.

    Attributes:
        args: the guest's arguments after its name.
        env: all that the guest sees as environment.
        stdin: its standard input, or the file of it; empty by default.
        dirs: directories that it may read, by the guest's absolute path.
        writable_dirs: directories that it may change, likewise.
        limits: its bounds; by default those of `JobLimits()`.
        name: what the job is called, the guest's `argv[0]`; by default the module's file name, or `job`.
        deterministic: its clock and its random bytes follow from its manifest alone, so that it can be run again alike.
    """

    args: Sequence[str]
    env: Mapping[str, str]
    stdin: bytes | Path
    dirs: Mapping[str, Path]
    writable_dirs: Mapping[str, Path]
    limits: JobLimits
    name: str
    deterministic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How a job ended; it and its receipt are stored.

    Attributes:
        job: its id, the SHA-256 of its signed manifest.
        outcome: `exit` when the guest ended by itself, else what ended it.
        exit_code: the guest's, or the one that stands for the outcome, as `orlop jobs run` returns it.
        stdout: what was kept of it, up to the limit.
        stderr: likewise.
        truncated: something that the guest wrote is missing.
        reason: one line for people; empty when the guest ended by itself.
        tripped: the limit that struck, a field of `JobLimits`; empty when none did.
        usage: what it used.
        receipt: the signed receipt; None for a job that did not run.
        verification: of the receipt, by what this node knows; None without one.
    """

    job: str
    outcome: JobOutcome
    exit_code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    truncated: bool
    reason: str
    tripped: str
    usage: Usage
    receipt: Mapping[str, Json] | None = field(repr=False)
    verification: Verification | None = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the guest ended by itself with status 0."""
        return self.outcome == "exit" and self.exit_code == 0

    @property
    def receipt_json(self) -> bytes:
        """The receipt as `verify_receipt` and every other verifier reads it: canonical JSON.

        Raises:
            NotFoundError: there is none.
        """
        if self.receipt is None:
            raise NotFoundError(f"no receipt: {self.reason}", where=f"job {self.job[:16]}")
        return encode(self.receipt)


class AsyncNode:
    """A state directory that runs jobs; an asynchronous context manager.

    Args:
        state_dir: where it is; made when it is not there. By default the directory that `orlop` uses.
        workers: how many jobs run at a time.
        ceilings: what no job may exceed.
        passphrase: opens a wrapped vault key.

    Raises:
        InUseError: a console or daemon owns the directory; raised by `async with`.
        OrlopError: anything else that keeps it from being used; likewise.
    """

    def __init__(
        self,
        state_dir: Path | None = None,
        *,
        workers: int = 1,
        ceilings: JobLimits = CEILINGS,
        passphrase: bytes | None = None,
    ) -> None:
        if workers < 1:
            raise UsageError("at least one is needed", where="workers")
        self._path = locate(None, os.environ) if state_dir is None else Path(state_dir).absolute()
        self._workers = workers
        self._ceilings = ceilings
        self._passphrase = passphrase
        self._opened: _Opened | None = None

    async def __aenter__(self) -> Self:
        """Opens the directory."""
        if self._opened is not None:
            raise UsageError("it is open already", where=clean(str(self._path), 200))
        clock = SystemClock()
        directory = OpenDirectory.open(self._path, clock, owner=False)
        opened = _Opened(directory, clock, self._passphrase, workers=self._workers, ceilings=self._ceilings)
        try:
            opened.settle()
        except BaseException:
            directory.close()
            raise
        self._opened = opened
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancels what runs, ends all processes and closes the directory."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    @property
    def key(self) -> str:
        """The public key that signs this node's receipts, 64 hexadecimal characters."""
        return self._parts.identity.public_hex

    async def run_job(self, module: bytes | Path, **options: Unpack[JobOptions]) -> JobResult:
        """Runs a WASI module (preview 1) once, in a worker process, under limits; gives its end and its receipt.

        When the task that waits here is cancelled, so is the job, and its end is stored all the same.

        Args:
            module: its bytes, or its file.
            options: see `JobOptions`.

        Raises:
            UsageError: arguments do not fit; a directory is none.
            NotFoundError: a file or directory is not there.
            RefusedError: the file is no module.
            UnavailableError: a file cannot be read, or the node cannot store what it has to.
        """
        parts, readable = self._parts, options.get("dirs", _NO_DIRS)
        writable, stdin = options.get("writable_dirs", _NO_DIRS), options.get("stdin", b"")
        request = JobRequest(
            name=options.get("name") or (module.name if isinstance(module, Path) else "job"),
            args=tuple(options.get("args", ())),
            env=tuple(f"{key}={value}" for key, value in options.get("env", {}).items()),
            dirs=(*map(DirGrant, readable), *(DirGrant(guest, writable=True) for guest in writable)),
            limits=options.get("limits", JobLimits()),
            deterministic=options.get("deterministic", False),
        )
        code = module if isinstance(module, bytes) else await asyncio.to_thread(read_module, module)
        with contextlib.ExitStack() as held:
            source = stdin if isinstance(stdin, bytes) else held.enter_context(host_file(stdin))
            hosts = (*readable.values(), *writable.values())
            streams = Streams(stdin=source, dirs=[held.enter_context(host_directory(path)) for path in hosts])
            end = await parts.jobs.run(request, module=code, streams=streams)
        return await _result(parts, end)

    @property
    def _parts(self) -> "_Opened":
        if self._opened is None:
            raise UsageError("it is not open", where=clean(str(self._path), 200), hint=_WITH)
        return self._opened


class Node:
    """As `AsyncNode`, for code without an event loop: an ordinary context manager whose methods wait.

    Belongs to the thread that opened it. An interrupt (ctrl+c) while a job runs cancels the job; its end is stored.

    Args:
        state_dir: as `AsyncNode`.
        workers: as `AsyncNode`.
        ceilings: as `AsyncNode`.
        passphrase: as `AsyncNode`.
    """

    def __init__(
        self,
        state_dir: Path | None = None,
        *,
        workers: int = 1,
        ceilings: JobLimits = CEILINGS,
        passphrase: bytes | None = None,
    ) -> None:
        self._node = AsyncNode(state_dir, workers=workers, ceilings=ceilings, passphrase=passphrase)
        self._runner: asyncio.Runner | None = None

    def __enter__(self) -> Self:
        """As `AsyncNode`.

        Raises:
            UsageError: an event loop runs in this thread; `AsyncNode` is for that.
        """
        _need_no_loop()
        runner = asyncio.Runner()
        try:
            runner.run(self._node.__aenter__())
        except BaseException:
            runner.close()
            raise
        self._runner = runner
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `AsyncNode`."""
        runner, self._runner = self._runner, None
        if runner is not None:
            with runner:
                runner.run(self._node.__aexit__(kind, error, trace))

    @property
    def key(self) -> str:
        """As `AsyncNode.key`."""
        return self._node.key

    def run_job(self, module: bytes | Path, **options: Unpack[JobOptions]) -> JobResult:
        """As `AsyncNode.run_job`."""
        if self._runner is None:
            raise UsageError("it is not open", where="Node", hint=_WITH)
        return self._runner.run(self._node.run_job(module, **options))


def run_job(module: bytes | Path, *, state_dir: Path | None = None, **options: Unpack[JobOptions]) -> JobResult:
    """Runs one job and waits for it; for several, `Node` saves the start of each.

    Args:
        module: as `AsyncNode.run_job`.
        state_dir: as `AsyncNode`.
        options: as `AsyncNode.run_job`.

    Raises:
        InUseError: a console or daemon owns the directory.
        OrlopError: as `AsyncNode.run_job`.
    """
    with Node(state_dir) as node:
        return node.run_job(module, **options)


async def run_job_async(
    module: bytes | Path, *, state_dir: Path | None = None, **options: Unpack[JobOptions]
) -> JobResult:
    """As `run_job`, on the caller's event loop."""
    async with AsyncNode(state_dir) as node:
        return await node.run_job(module, **options)


def verify_receipt(
    raw: bytes,
    *,
    key: str | None = None,
    manifest: bytes | None = None,
    module: bytes | None = None,
    stdout: bytes | None = None,
    stderr: bytes | None = None,
    previous: bytes | None = None,
) -> Verification:
    """Verifies a receipt or a proof bundle in eight steps, offline; nothing that either holds makes it raise.

    Args:
        raw: its JSON.
        key: the worker's public key as the caller knows it from elsewhere, 64 hexadecimal characters or a PeerId;
            without it the verdict of a receipt with which nothing is wrong is `unchecked`.
        manifest: the signed job manifest, JSON.
        module: the module that was to run.
        stdout: everything that the job wrote there.
        stderr: likewise.
        previous: the preceding receipt of the same key, JSON.

    Returns:
        The eight findings. `ok` is True when it is valid, False when something contradicts it, and None when nothing
        does but not enough could be checked.

    Raises:
        UsageError: `key` is no key.
    """
    evidence = Evidence(
        key=None if key is None else pinned_key(key, "key"),
        manifest=manifest,
        module=None if module is None else module_name(module),
        stdout=stdout,
        stderr=stderr,
        previous=previous,
    )
    return verify(raw, evidence)


class _Opened(NodeParts):
    """The parts of a node that the library opened."""

    def __init__(
        self,
        directory: OpenDirectory,
        clock: SystemClock,
        passphrase: bytes | None,
        *,
        workers: int,
        ceilings: JobLimits,
    ) -> None:
        super().__init__(directory.state, directory.store, clock, passphrase=passphrase)
        self._directory = directory
        self._workers = workers
        self._ceilings = ceilings

    @cached_property
    def jobs(self) -> Jobs:
        """Runs them."""
        return self.new_jobs(workers=self._workers, ceilings=self._ceilings)

    async def close(self) -> None:
        """Ends everything."""
        try:
            if self.built("jobs"):
                await self.jobs.close(drain_s=0, by="command")
            await self.close_compiler()
        finally:
            self._directory.close()


async def _result(parts: _Opened, end: JobEnd) -> JobResult:
    kept = await parts.jobs.output(end.job)
    verification = await parts.receipts.verify(end.receipt, keep=False) if end.receipt else None
    return JobResult(
        job=end.job,
        outcome=end.outcome,
        exit_code=end.exit_code,
        stdout=kept.stdout,
        stderr=kept.stderr,
        truncated=end.truncated or kept.truncated,
        reason=end.reason,
        tripped=end.tripped,
        usage=end.usage,
        receipt=end.receipt_document,
        verification=verification,
    )


def _need_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError("an event loop runs in this thread", where="runtime.jobs", hint="use AsyncNode or run_job_async")
