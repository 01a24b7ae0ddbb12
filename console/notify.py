"""Notifications: events that match a `[[notify]]` ring a bell or start a command, so many times a minute.

Only an owner has them. What fails is an event, and is never told by a command in turn.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from console.notify_command import TIMEOUT_S, Failure, run_command
from console.notify_rules import NotifyRule
from runtime.clock import Clock
from runtime.codec import to_line
from runtime.events import Event, NotifyBell, NotifyFailed, NotifyLimited, Record
from runtime.journal import Journal, Subscription
from runtime.sanitise import clean

__all__ = ["Notifier"]

_MINUTE_S: Final = 60.0
_AT_ONCE: Final = 4
_WAITING_MAX: Final = 64
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True)
class _Rate:
    """One rule's last minute: when it acted, and how often it could not since that was told."""

    times: deque[float] = field(default_factory=deque)
    limited: bool = False
    dropped: int = 0


class Notifier:
    """Watches the journal; lives on the core's loop.

    Args:
        journal: where events come from.
        clock: counts the minutes.
        note: adds an event to the journal.
        timeout_s: seconds that a command may take.
    """

    def __init__(
        self, journal: Journal, clock: Clock, note: Callable[[Event], None], *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._note = note
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._rules: tuple[NotifyRule, ...] = ()
        self._types: frozenset[str] = frozenset()
        self._rates: dict[str, _Rate] = {}
        self._inbox: deque[Record] = deque()
        self._subscription: Subscription | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._running: set[Future[Failure | None]] = set()
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        home = os.environ.get("HOME", "/")
        self._environ = {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": home}

    def use(self, rules: Sequence[NotifyRule]) -> None:
        """Takes these rules from the next event on, in place of all others.

        Args:
            rules: of the configuration; with none nothing is watched.
        """
        if tuple(rules) == self._rules:
            return
        for origin, rate in self._rates.items():
            self._tell_dropped(origin, rate)
        self._rules = tuple(rules)
        self._types = frozenset().union(*(rule.events.types for rule in rules))
        self._rates = {rule.origin: _Rate() for rule in rules}
        if self._rules and self._subscription is None:
            self._subscription = self._journal.subscribe(self._journal.last_seq(), self._sink, content=False)
        elif not self._rules and self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    async def close(self) -> None:
        """Tells what has happened so far, waits for commands that run, and watches no more."""
        if self._stop < 0:
            return
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
        self._take()
        for origin, rate in self._rates.items():
            self._tell_dropped(origin, rate)
        if self._running:
            ends = {asyncio.wrap_future(running) for running in self._running}
            _, late = await asyncio.wait(ends, timeout=self._timeout_s)
            if late:
                self.hurry()
                await asyncio.wait(late)
        if self._threads is not None:
            self._threads.shutdown()
        os.close(self._stop)
        self._stop = -1

    def hurry(self) -> None:
        """Kills the commands that run."""
        if self._stop >= 0:
            os.eventfd_write(self._stop, 1)

    def _sink(self, records: Sequence[Record]) -> None:
        """On a thread of the store."""
        found = [record for record in records if record.event.TYPE in self._types]
        if found:
            self._inbox.extend(found)
            try:
                self._loop.call_soon_threadsafe(self._take)
            except RuntimeError:
                self._inbox.clear()  # the loop is closed: nobody is told any more

    def _take(self) -> None:
        while self._inbox:
            record = self._inbox.popleft()
            for rule in self._rules:
                if rule.matches(record) and self._may(rule):
                    self._tell(rule, record)

    def _may(self, rule: NotifyRule) -> bool:
        """Whether a rule may act now; tells the first time that it may not, and later how often that was so."""
        rate = self._rates[rule.origin]
        now = self._clock.monotonic()
        while rate.times and rate.times[0] <= now - _MINUTE_S:
            rate.times.popleft()
        if len(rate.times) < rule.per_minute:
            self._tell_dropped(rule.origin, rate)
            rate.times.append(now)
            return True
        if rate.limited:
            rate.dropped += 1
        else:
            rate.limited = True
            self._note(NotifyLimited(rule=rule.origin, dropped=1))
        return False

    def _tell_dropped(self, origin: str, rate: _Rate) -> None:
        if rate.dropped:
            self._note(NotifyLimited(rule=origin, dropped=rate.dropped))
        rate.limited, rate.dropped = False, 0

    def _tell(self, rule: NotifyRule, record: Record) -> None:
        if rule.bell:
            self._note(NotifyBell(rule=rule.origin, cause=record.seq))
        if not rule.command:
            return
        if len(self._running) >= _WAITING_MAX:
            self._failed(rule, record.seq, Failure("too many commands wait"))
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="orlop-notify")
        line = to_line(record).encode() + b"\n"
        work = partial(run_command, environ=self._environ, stop=self._stop, timeout_s=self._timeout_s)
        running = self._threads.submit(work, rule.command, line)
        self._running.add(running)
        running.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._ended, rule, record.seq, done))

    def _ended(self, rule: NotifyRule, cause: int, done: "Future[Failure | None]") -> None:
        self._running.discard(done)
        error = done.exception()
        failure = Failure(f"unexpected {type(error).__name__}") if error is not None else done.result()
        if failure is not None:
            self._failed(rule, cause, failure)

    def _failed(self, rule: NotifyRule, cause: int, failure: Failure) -> None:
        program = clean(rule.command[0], 200)
        event = NotifyFailed(rule=rule.origin, program=program, reason=failure.reason, said=failure.said, cause=cause)
        self._note(event)
