"""An owner of its own that dies at a step of a job: `python queue_runner.py DIRECTORY CACHE STEP RETRIES`.

It submits one job, runs the queue, and kills itself with SIGKILL once the step is on the disk: a state of the job, or
`signing`, in the transaction that would store the end.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.events import JobState, Record
from runtime.jobs import receipts
from runtime.sandbox.compile import Compiler
from tests.runtime.jobs.jobs_node import HELLO, open_node


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(directory: Path, cache: Path, step: str, retries: int) -> None:
    def heard(batch: Sequence[tuple[Record, str]]) -> None:
        if any(isinstance(record.event, JobState) and record.event.state == step for record, _ in batch):
            die()

    if step == "signing":
        receipts.sign_receipt = lambda *_: die()  # type: ignore[assignment]
    with Compiler(cache, b"k" * 32) as compiler:
        async with open_node(directory, compiler) as node:
            node.store.publish_to(heard)
            await node.jobs.recover()
            job = await node.submit(HELLO, b"ab", retries=retries)
            await node.jobs.queue.take_all()
            while (await node.jobs.show(job))[0].ended_ms is None:
                await asyncio.to_thread(os.sched_yield)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
