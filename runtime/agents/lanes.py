"""The threads that agents' calls run on: an honest lane of few threads, and a lane for suspects.

A call that has run for 100 ms is a suspect: its thread leaves the honest lane, which gets a fresh one at once, goes on
at a lower priority and ends with its call. The caller sends the next calls of such an agent to the suspects' lane,
where at most two run at a time, until one of them stays short.

Until then a slow call must not hold up the short ones that wait behind it: while calls wait and all threads of the
honest lane are slow (20 ms), it gets as many threads again, so that even several agents that begin to spin at once
delay their neighbours by less than 100 ms. Threads that are too many afterwards end.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Final, TypeVar

from runtime.agents.limits import SUSPECT_MS

__all__ = ["Lanes", "honest_threads"]

_T = TypeVar("_T")

_SUSPECTS: Final = 2
_NICE: Final = 10
"""Priority of threads that run suspects; a thread may lower its own, but not raise it again."""
_SLOW_S: Final = 0.02
_LOOK_S: Final = 0.01
"""How often running calls are looked at."""
_REST_S: Final = 0.1
"""How long after the last call the looking goes on, so that steady traffic wakes nobody."""
_MOST: Final = 64
"""Threads of the honest lane at most, those that are slow included."""

_Job = Callable[[], None]


def honest_threads() -> int:
    """How many honest calls may run at once: one less than the cores, at least one."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


class _Worker:
    """One thread and what it does now."""

    def __init__(self) -> None:
        self.native_id = 0
        self.began = 0.0
        """Monotonic time at which its call began; 0 while it waits."""
        self.left = False
        """It belongs to no lane any more and ends with its call."""
        self.thread: threading.Thread | None = None


class Lanes:
    """Both lanes; threads start at the first call.

    Args:
        honest: threads of the honest lane; the default leaves one core to the rest of the program.
        suspects: threads of the suspects' lane.
        suspect_ms: how long a call may run before its thread leaves the honest lane.
    """

    def __init__(self, *, honest: int | None = None, suspects: int = _SUSPECTS, suspect_ms: int = SUSPECT_MS) -> None:
        self._sizes = {False: honest or honest_threads(), True: suspects}
        self._suspect_s = suspect_ms / 1000
        self._queues: dict[bool, SimpleQueue[_Job | None]] = {False: SimpleQueue(), True: SimpleQueue()}
        self._lock = threading.Lock()
        self._workers: dict[bool, set[_Worker]] = {False: set(), True: set()}
        self._gone: set[_Worker] = set()
        self._active = threading.Event()
        self._last_call = 0.0
        self._closed = False
        self._watcher: threading.Thread | None = None

    @property
    def suspects(self) -> int:
        """Threads that have left the honest lane and still run."""
        with self._lock:
            return len(self._gone)

    def submit(self, work: Callable[[], _T], *, suspect: bool = False) -> Future[_T]:
        """Runs something in a lane.

        Args:
            work: enters one guest, under a deadline; what it raises is set on the future.
            suspect: whether an earlier call of the same agent was a suspect.

        Returns:
            Done when `work` has ended; it can be cancelled while `work` has not begun.

        Raises:
            RuntimeError: the lanes are closed.
        """
        future: Future[_T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return  # whoever waited has gone; from here on nobody can
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - a future carries every error to whoever waits for it
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            if self._closed:
                raise RuntimeError("the lanes are closed")
            self._add(self._sizes[suspect] - len(self._workers[suspect]), suspect=suspect)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="orlop-lanes", daemon=True)
                self._watcher.start()
        self._queues[suspect].put(job)
        return future

    def close(self) -> None:
        """Ends all threads once their calls have ended; queued calls are still run."""
        with self._lock:
            self._closed = True
            for suspect, workers in self._workers.items():
                for _ in workers:
                    self._queues[suspect].put(None)
            self._active.set()
            threads = [worker.thread for group in (*self._workers.values(), self._gone) for worker in group]
            threads.append(self._watcher)
        for thread in threads:
            if thread is not None:
                thread.join()

    def _add(self, count: int, *, suspect: bool) -> None:
        """Starts threads; the lock is held."""
        for _ in range(count):
            worker = _Worker()
            name = "orlop-suspect" if suspect else "orlop-agent"
            worker.thread = threading.Thread(target=self._work, args=(worker, suspect), name=name, daemon=True)
            self._workers[suspect].add(worker)
            worker.thread.start()

    def _work(self, worker: _Worker, suspect: bool) -> None:
        worker.native_id = threading.get_native_id()
        if suspect:
            _lower(worker.native_id)
        queue = self._queues[suspect]
        while (job := queue.get()) is not None:
            with self._lock:
                worker.began = self._last_call = time.monotonic()
            if not self._active.is_set():
                self._active.set()
            job()
            with self._lock:
                worker.began = 0.0
                if worker.left:
                    self._gone.discard(worker)
                    return
                if len(self._workers[suspect]) > self._sizes[suspect] and not self._closed:
                    self._workers[suspect].discard(worker)
                    return

    def _watch(self) -> None:
        while self._active.wait() and not self._closed:
            time.sleep(_LOOK_S)
            for worker in self._look(time.monotonic()):
                _lower(worker.native_id)

    def _look(self, now: float) -> list[_Worker]:
        """Takes suspects out of the honest lane and sees that short calls get through."""
        with self._lock:
            honest = self._workers[False]
            slow = [one for one in honest if one.began and now - one.began >= _SLOW_S]
            late = [one for one in slow if now - one.began >= self._suspect_s]
            for worker in late:
                worker.left = True
                honest.discard(worker)
                self._gone.add(worker)
            if not self._closed:
                wanted = self._sizes[False] - len(honest)
                if len(slow) - len(late) == len(honest) and not self._queues[False].empty():
                    wanted = max(wanted, min(len(slow), _MOST - len(honest)))
                self._add(wanted, suspect=False)
                busy = any(one.began for group in self._workers.values() for one in group)
                if not busy and now - self._last_call > _REST_S:
                    self._active.clear()
        return late


def _lower(native_id: int) -> None:
    with suppress(OSError):  # the thread may have ended meanwhile
        os.setpriority(os.PRIO_PROCESS, native_id, _NICE)
