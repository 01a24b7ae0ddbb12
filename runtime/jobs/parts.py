"""What every job of a node needs, here or elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.blobs import Blobs
from runtime.clock import Clock
from runtime.identity import Identity
from runtime.jobs.capture import Capture
from runtime.jobs.limits import JobLimits
from runtime.jobs.places import Places
from runtime.jobs.pool import Pool
from runtime.jobs.queue import QueueLimits
from runtime.jobs.receipts import Receipts
from runtime.jobs.spec import JobRequest
from runtime.jobs.streams import HeldStreams
from runtime.sandbox.compile import Compiler
from runtime.store import Store

__all__ = ["Parts", "new_capture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What every job of this node needs; see `runtime.jobs.jobs.Jobs`."""

    store: Store
    identity: Identity
    receipts: Receipts
    compiler: Compiler
    pool: Pool
    places: Places
    clock: Clock
    ceilings: JobLimits
    output: Path
    queue: QueueLimits
    blobs: Blobs


def new_capture(
    parts: Parts,
    job: str,
    request: JobRequest,
    held: HeldStreams,
    on_full: Callable[[], None],
    *,
    outlives_readers: bool = False,
) -> Capture:
    """What takes a job's output, into its file and onwards.

    Args:
        parts: of the node.
        job: its id.
        request: says how much is kept.
        held: whom the output is passed on to.
        on_full: called, once, when a stream exceeds its limit.
        outlives_readers: as in `Capture`.

    Raises:
        OSError: there is no room for pipes.
    """
    return Capture(
        job,
        parts.output / job,
        limit=request.limits.max_output_bytes,
        emit=parts.store.emit,
        watched=parts.store.watched,
        told=lambda: parts.store.write(lambda _: None),
        tees=(held.stdout, held.stderr),
        on_full=on_full,
        on_kept=held.on_progress,
        outlives_readers=outlives_readers,
    )
