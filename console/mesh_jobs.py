"""Jobs between this node and its peers: theirs are run here as any other, ours are carried to the one that is named.

What the book hears: a job that was proved counts for the peer, one that was not counts against it, and a receipt with a
false step makes it a liar, who gets no job until the operator trusts it anew.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from net.book import reading, seeing
from net.book.entry import Known
from net.errors import PeerFaultError
from net.jobs.requester import JobRequester, Waiting
from net.jobs.steps import StepName
from net.jobs.terms import PROTOCOL
from net.jobs.worker import JobWorker
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.stream import Connection
from runtime.errors import FailedError, RefusedError, UnavailableError
from runtime.events import JobStep
from runtime.jobs import JobEnd, JobRequest, Streams
from runtime.store import Transaction

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["MeshJobs"]

T = TypeVar("T")


class MeshJobs:
    """Both sides of remote jobs on one host. All calls on the core's loop.

    Args:
        core: whose jobs, receipts and peers.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._requester = JobRequester(core.receipts, core.clock, on_fault=self._blame, on_step=self._tell)
        self._worker: JobWorker | None = None

    def serve(self) -> None:
        """Takes jobs of peers that are on the list, from now on."""
        self._worker = JobWorker(
            self._core.jobs,
            self._core.store,
            self._core.clock,
            banned=self._is_banned,
            accepts=lambda: self._core.config.p2p.accept_jobs,
            on_fault=self._blame,
            on_step=self._tell,
        )
        self._core.mesh.host.serve(
            PROTOCOL, self._worker.serve, bulk=True, listed=lambda: self._core.config.p2p.accept_jobs
        )

    def close(self) -> None:
        """Takes no more jobs of peers."""
        if self._worker is not None:
            self._worker.close()

    async def run(
        self,
        peer: PeerId,
        request: JobRequest,
        *,
        module: bytes,
        streams: Streams,
        address: Multiaddr | None = None,
        created_ms: int | None = None,
        waiting: Waiting = Waiting(),  # noqa: B008 - a frozen value
        interrupted: "asyncio.Future[int] | None" = None,
        on_started: Callable[[str], None] | None = None,
    ) -> JobEnd:
        """Has a peer run a job, and judges what comes back.

        Args:
            peer: who; it must prove its key.
            request: what to run.
            module: the module's file.
            streams: what is connected to it.
            address: where it is; None: where the book says.
            created_ms: as `Jobs.run_elsewhere` takes it.
            waiting: how it is waited for a worker that is lost.
            interrupted: when done, nobody is dialled any more; a job that is under way is cancelled by its id.
            on_started: called with the job's id once it is written down.

        Raises:
            RefusedError: the peer is banned or was caught in a lie; nothing was sent.
            FailedError: it was interrupted before the peer was reached.
            OrlopError: as `Jobs.run_elsewhere` does.
        """
        await self._fail_if_unfit(peer)

        async def dial() -> Connection:
            mesh = self._core.mesh
            return await (mesh.connect(peer) if address is None else mesh.dial(address.with_peer(peer)))

        await _unless(interrupted, dial(), peer)  # whoever cannot be reached leaves no job behind
        carry = self._requester.carrier(peer, dial, waiting=waiting)
        return await self._core.jobs.run_elsewhere(
            request,
            module=module,
            streams=streams,
            where=str(peer),
            carry=carry,
            created_ms=created_ms,
            on_started=on_started,
            write_too=lambda tx, end: _note(tx, peer, end),
        )

    async def _fail_if_unfit(self, peer: PeerId) -> None:
        entry = await self._core.mesh.entry(peer)
        if entry is None:
            return
        if entry.banned:
            raise RefusedError("is banned", where=_called(entry), hint=f"`orlop peers ban {peer} --remove` lifts that")
        if entry.lied_ms is not None:
            hint = f"`orlop peers trust {peer}` gives it another chance"
            raise RefusedError(f"was caught in a lie: {entry.lie}", where=_called(entry), hint=hint)

    def _is_banned(self, peer: PeerId) -> bool:
        try:
            entry = self._core.store.read_now(lambda db: reading.known(db, peer))
        except UnavailableError:
            return True  # who cannot be looked up is not let in
        return entry is not None and entry.banned

    def _tell(self, job: str, step: StepName, detail: str) -> None:
        self._core.note(JobStep(job=job, step=step, detail=detail))

    def _blame(self, peer: PeerId, fault: PeerFaultError) -> None:
        connection = self._core.mesh.connection(peer)
        remote = None if connection is None else connection.remote
        self._core.mesh.host.blame(fault, peer=peer, remote=remote)


async def _unless(interrupted: "asyncio.Future[int] | None", dialling: Coroutine[None, None, T], peer: PeerId) -> T:
    if interrupted is None:
        return await dialling
    task = asyncio.ensure_future(dialling)
    either: set[asyncio.Future[Any]] = {task, interrupted}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise FailedError("interrupted before it was reached; nothing was sent", where=str(peer))
        return task.result()
    finally:
        task.cancel()


def _note(tx: Transaction, peer: PeerId, end: JobEnd) -> None:
    """What the book remembers of a job's end there."""
    false = next((step for step in end.verification.steps if step.ok is False), None) if end.verification else None
    if end.outcome == "unverified":
        seeing.lied(tx, peer, end.job, end.reason if false is None else f"{false.name}: {false.detail}")
    elif end.outcome == "lost":  # with a receipt, too, that came late
        seeing.ran(tx, peer, end.job, proved=False)
    elif end.verification is not None and end.verification.ok:
        seeing.ran(tx, peer, end.job, proved=True)


def _called(entry: Known) -> str:
    return entry.name or str(entry.peer)
