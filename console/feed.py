"""One client's subscription on the server's side: history page by page, then live, never more than it can take.

What waits for a client is bounded by bytes. A client that does not read loses its subscription (`gap`, with the seqs it
missed) and nothing else; it asks for a snapshot and subscribes again. The core never waits for it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from console.channel import LineChannel
from console.client import Sink, Subscription
from console.wire import PART_MAX, Gap, encode, events_line
from runtime.codec import to_line
from runtime.events import Record

__all__ = ["Feed", "History"]

_WAITING_MAX = 8 << 20
_UNSENT_MAX = 1 << 20
_BATCH = 256
_PAGE = 512


class History(Protocol):
    """Where events come from; `runtime.journal.Journal` is one."""

    def read(self, since: int, *, limit: int) -> Sequence[Record]:
        """Journalled records after `since`, at most `limit`; may block."""
        ...

    def subscribe(self, since: int, sink: Sink, *, content: bool) -> Subscription:
        """Every record after `since`, the sink called on another thread."""
        ...


class Feed:
    """A running subscription; lives on the core's loop.

    Args:
        history: where events come from.
        channel: where they go.
        number: the subscription's id in messages.
        since: the last seq that the client has.
        content: whether content fields are sent.
        fps: most batches a second.
        on_gap: called with the count of events that the client missed, when it was cut.
        on_error: called when history cannot be read; the feed is closed.
    """

    def __init__(
        self,
        history: History,
        channel: LineChannel,
        *,
        number: int,
        since: int,
        content: bool,
        fps: int,
        on_gap: Callable[[int], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self._history = history
        self._channel = channel
        self._number = number
        self._content = content
        self._pause = 1 / fps
        self._on_gap = on_gap
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[Record] = deque()
        self._armed = False
        self._timer: asyncio.TimerHandle | None = None
        self._lines: deque[tuple[int, str]] = deque()
        self._size = 0
        self._room = asyncio.Event()
        self._live: Subscription | None = None
        self.closed = False
        self._replay = self._loop.create_task(self._run(since))
        self._replay.add_done_callback(self._ended)

    def close(self) -> None:
        """Ends the subscription; nothing more is sent."""
        self.closed = True
        self._replay.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._live is not None:
            self._live.close()
            self._live = None
        self._lines.clear()

    def pump(self) -> None:
        """Sends what waits, as far as the client takes it."""
        while self._lines and self._channel.pending < _UNSENT_MAX and not self.closed:
            batch: list[str] = []
            size = 0
            while self._lines and len(batch) < _BATCH and size < PART_MAX // 4:
                _, line = self._lines.popleft()
                size += len(line)
                batch.append(line)
            self._size -= size
            self._channel.write(events_line(self._number, batch))
        if not self._lines:
            self._room.set()

    async def _run(self, since: int) -> None:
        """History first: as long as pages are full, live events stay in the journal."""
        while True:
            page = await asyncio.to_thread(self._history.read, since, limit=_PAGE)
            if len(page) < _PAGE:
                break
            self._take(page)
            since = page[-1].seq
            self.pump()
            self._room.clear()
            if self._lines:
                await self._room.wait()
        self._live = self._history.subscribe(since, self._sink, content=self._content)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.closed:
            self.close()
            self._on_error(error)

    def _sink(self, records: Sequence[Record]) -> None:
        """On the store's thread."""
        self._inbox.extend(records)
        if not self._armed:
            self._armed = True
            try:
                self._loop.call_soon_threadsafe(self._arm)
            except RuntimeError:
                self._inbox.clear()  # the loop is closed: nobody will read again

    def _arm(self) -> None:
        if not self.closed:
            self._timer = self._loop.call_later(self._pause, self._frame)

    def _frame(self) -> None:
        self._armed = False
        records: list[Record] = []
        while self._inbox:
            records.append(self._inbox.popleft())
        self._take(records)
        self.pump()

    def _take(self, records: Sequence[Record]) -> None:
        for record in records:
            line = to_line(record, content=self._content)
            self._lines.append((record.seq, line))
            self._size += len(line)
        if self._size > _WAITING_MAX and not self.closed:
            missed = len(self._lines)
            gap = Gap(id=self._number, from_=self._lines[0][0], to=self._lines[-1][0])
            self.close()
            self._channel.write(encode(gap))
            self._on_gap(missed)
