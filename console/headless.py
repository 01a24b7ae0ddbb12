"""`orlop --no-ui`: a core without a screen. Events as NDJSON on stdout, talk on stderr, an exit status at the end.

One thread writes, from a queue of bounded size: a reader that is slow loses events, and is told which, and never holds
up the core. One that goes away ends the run quietly.
"""

import contextlib
import faulthandler
import queue
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from console.core import CoreOptions
from console.exit_codes import ExitCode
from console.local import LocalCore
from console.outlet import Outlet
from console.signal_listener import SignalListener
from console.since import parse_since
from console.until import EventFilter, Until, parse_events, parse_until
from console.view import View
from runtime.codec import to_line
from runtime.errors import FailedError
from runtime.events import CoreError, CoreStopped, Record
from runtime.sanitise import clean

__all__ = ["HeadlessOptions", "run"]

_PAGE = 500
_LOOK_S = 0.2
_SIGNALS = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlessOptions:
    """One run."""

    core: CoreOptions
    for_ms: int | None = None
    """Ends by itself after so long."""
    until: str | None = None
    """Ends at the first event that matches."""
    events: Sequence[str] = ()
    """Globs of the types that are written."""
    since: str | None = None
    """First what happened after this seq, or in this last time."""
    content: bool = False
    """Write content fields too."""
    quiet: bool = False
    """Say nothing on stderr but why the run failed."""
    fail_on_trip: bool = False
    """Exit 8 when a breaker is open at the end."""


def run(options: HeadlessOptions) -> int:
    """Runs until something ends it.

    Args:
        options: of the run.

    Returns:
        The exit status.

    Raises:
        OrlopError: the options are wrong, or the core could not be started; nothing was written.
    """
    return _Run(options).run()


class _Run:
    """One run, on the main thread. `mail` brings signals, and None when there is something else to look at."""

    def __init__(self, options: HeadlessOptions) -> None:
        self._options = options
        self._until: Until | None = parse_until(options.until) if options.until is not None else None
        self._filter: EventFilter | None = parse_events(options.events) if options.events else None
        self._since = parse_since(options.since) if options.since is not None else None
        self._mail: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._inbox: deque[Record] = deque()
        self._armed = False
        self._matched = False
        self._over = False
        self._stopping = False
        self._code: int = ExitCode.OK

    def run(self) -> int:
        handled = (*_SIGNALS, signal.SIGHUP)
        # Before anything else: a terminal that goes away must not end what was started from it.
        with SignalListener(handled, self._mail.put):
            return self._run()

    def _run(self) -> int:
        faulthandler.register(signal.SIGUSR1, file=sys.__stderr__ or sys.stderr, all_threads=True)
        try:
            self._core = LocalCore(self._options.core, face="headless")
            self._outlet = Outlet(1, on_end=self._wake)
            try:
                self._watch()
            finally:
                self._core.close()
                self._take()
                self._outlet.close()
        finally:
            faulthandler.unregister(signal.SIGUSR1)
        error = self._outlet.error
        if error is not None and not isinstance(error, BrokenPipeError):
            raise FailedError(f"could not be written: {error.strerror}".lower(), where="standard output")
        return self._code

    # --- what happens -------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        self._mail.put(None)

    def _sink(self, records: Sequence[Record]) -> None:
        """On the store's thread."""
        self._inbox.extend(records)
        if not self._armed:
            self._armed = True
            self._mail.put(None)

    def _watch(self) -> None:
        since = self._replay()
        self._core.subscribe(since, self._sink, content=True)
        deadline = None if self._options.for_ms is None else time.monotonic() + self._options.for_ms / 1000
        while not self._over and not (self._stopping and self._core.wait(0)):
            try:
                self._answer(self._mail.get(timeout=self._patience(deadline)))
            except queue.Empty:
                if not self._stopping:
                    ran_out = self._until is not None and not self._matched
                    self._stop("--for", ExitCode.RAN_OUT if ran_out else ExitCode.OK)

    def _patience(self, deadline: float | None) -> float | None:
        """Seconds until something is to be done without being told."""
        if self._stopping:
            return _LOOK_S  # the core may end without a last event, when its disk is full
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def _answer(self, mail: int | None) -> None:
        if mail == signal.SIGHUP:
            self._core.reload()
        elif mail is not None:
            number = signal.Signals(mail)
            if self._stopping:
                self._core.hurry()
            self._stop(number.name, _SIGNALS[number])
        self._take()
        if self._matched:
            self._stop("--until", ExitCode.OK)
        if self._outlet.error is not None:
            self._stop("standard output ended", ExitCode.OK)

    def _replay(self) -> int:
        """Writes what happened before, at the reader's pace; returns the seq to go on from."""
        history = self._core.history
        since = self._core.first_seq
        if isinstance(self._since, int):
            since = min(self._since, since)
        elif self._since is not None:
            since = min(since, history.seq_at(self._options.core.clock.wall_ms() - self._since.ms))
        while since < self._core.first_seq and self._mail.empty() and not self._matched:
            page = history.read(since, limit=_PAGE, until=self._core.first_seq)
            if not page:
                return self._core.first_seq
            for record in page:
                self._show(record)
            since = page[-1].seq
            while not self._outlet.wait_for_room(_LOOK_S) and self._mail.empty():
                pass
        return since

    def _take(self) -> None:
        self._armed = False
        while self._inbox:
            self._show(self._inbox.popleft())

    def _show(self, record: Record) -> None:
        event = record.event
        self._over = self._over or (isinstance(event, CoreStopped) and self._stopping)
        self._matched = self._matched or (self._until is not None and self._until.matches(record))
        if isinstance(event, CoreError) and not self._options.quiet and record.seq > self._core.first_seq:
            where = f"{event.where}: " if event.where else ""
            hint = f"; {event.hint}" if event.hint else ""
            with contextlib.suppress(OSError, ValueError):  # nobody reads it: no reason to stop
                print(f"orlop: error: {clean(f'{where}{event.error}{hint}', 1000)}", file=sys.stderr, flush=True)
        if self._filter is None or self._filter.wants(event):
            line = to_line(record, content=self._options.content)
            self._outlet.put(record.seq, line, must=isinstance(event, CoreStopped))

    # --- the end ------------------------------------------------------------------------------------------------------

    def _stop(self, reason: str, code: int) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._code = code
        if code == ExitCode.OK and self._options.fail_on_trip and self._tripped():
            self._code = ExitCode.TRIPPED
        self._core.stop(reason, self._code)

    def _tripped(self) -> bool:
        view = View()
        view.load(self._core.snapshot("agents").result())
        return view.tripped > 0
