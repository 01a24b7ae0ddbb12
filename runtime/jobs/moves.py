"""The states that a job goes through, told to the store in order and without waiting."""

import asyncio
from concurrent.futures import Future

from runtime.awaiting import answer
from runtime.jobs import records
from runtime.store import Store

__all__ = ["Moves"]


class Moves:
    """Where a job stands. States that follow one another within one turn of the loop are one work of the store.

    Belongs to the loop's thread.

    Args:
        store: holds the job, queued.
        job: its id.

    Attributes:
        state: where it stands now.
    """

    def __init__(self, store: Store, job: str) -> None:
        self.state = "queued"
        self._store = store
        self._job = job
        self._told = self.state
        self._untold: list[str] = []

    def to(self, state: str) -> None:
        """It goes on; the store hears of it in a moment.

        Args:
            state: which it has not had yet.
        """
        if not self._untold:
            asyncio.get_running_loop().call_soon(self.tell)
        self._untold.append(state)
        self.state = state

    def tell(self) -> None:
        """The store hears of it now: whatever is written of the job next comes after it."""
        if self._untold:
            moved = self._tell(urgent=False)
            moved.add_done_callback(lambda done: done.exception())  # the end says the same, and is waited for

    async def told(self) -> None:
        """Waits until it is on the disk.

        Raises:
            UnavailableError: it cannot be written.
        """
        if self._untold:
            await answer(self._tell(urgent=True))

    def _tell(self, *, urgent: bool) -> "Future[None]":
        job, previous, states = self._job, self._told, tuple(self._untold)
        self._told = states[-1]
        self._untold.clear()
        return self._store.write(lambda tx: records.move(tx, job, states, previous), urgent=urgent)
