"""The writer thread of the store: takes works in order, commits them in groups, then publishes and answers.

A group holds at most 256 works, or those that come within 20 ms; one that an answer waits for closes it at once.
"""

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.clock import Clock
from runtime.codec import to_body
from runtime.database import is_busy, set_patience, told
from runtime.errors import UnavailableError
from runtime.events import CoreError, Record
from runtime.places import Places
from runtime.transaction import Pending, SeqCounter, Transaction

__all__ = ["Apart", "Publisher", "Work", "Writer"]

Publisher = Callable[[Sequence[Pending]], None]
"""Called on the writer thread after a commit, with its records in order."""

BATCH_MAX = 256
BATCH_S = 0.02


@dataclass(frozen=True, slots=True)
class Work:
    """One entry of the queue: a callable with its future, or an event that nobody waits for."""

    run: Callable[[Transaction], object]
    future: "Future[Any] | None"
    urgent: bool


@dataclass(frozen=True, slots=True)
class Apart:
    """An entry of the queue that runs between two transactions, alone with the connection."""

    run: Callable[[sqlite3.Connection], object]
    future: "Future[Any]"


@dataclass(frozen=True, slots=True)
class _Answer:
    future: "Future[Any]"
    value: object
    error: BaseException | None

    def give(self) -> None:
        if self.error is None:
            self.future.set_result(self.value)
        else:
            self.future.set_exception(self.error)


class Writer:
    """The thread and its queue.

    Args:
        connection: the one that writes; closed by the thread when it ends.
        database: its file, for messages.
        clock: gives events their time.
        counter: gives them their seq.
        places: where rows of rooms are.
    """

    def __init__(
        self, connection: sqlite3.Connection, database: Path, clock: Clock, counter: SeqCounter, places: Places
    ) -> None:
        self._connection = connection
        self._database = database
        self._clock = clock
        self._counter = counter
        self._works: queue.SimpleQueue[Work | Apart | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._closed = False
        self._lost = 0
        self._trouble = ""
        self._waited = False
        self.publisher: Publisher | None = None
        self._places = places
        self._thread = threading.Thread(target=self._run, name="orlop-store", daemon=True)
        self._thread.start()

    def put(self, work: Work | Apart) -> None:
        """Queues a work; after `close` its future fails."""
        with self._door:
            if not self._closed:
                self._works.put(work)
                return
        if work.future is not None:
            work.future.set_exception(UnavailableError("the database is closed", where=str(self._database)))

    def close(self) -> None:
        """Takes no more works, ends those that are queued, and returns when they are answered."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._works.put(None)
        self._thread.join()

    # --- on the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        ended = False
        while not ended:
            batch, ended, apart = self._gather()
            if batch:
                self._commit(batch)
            if apart is not None:
                self._run_apart(apart)
        if self._counter.owner:
            # The rest of the reservation goes back; a failure costs only numbers.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("UPDATE meta SET value = ? WHERE key = 'seq'", (self._counter.last,))
        self._connection.close()

    def _gather(self) -> tuple[list[Work], bool, Apart | None]:
        """The works of one commit, whether the queue has ended, and what is to be run after them."""
        batch: list[Work] = []
        work = self._works.get()
        deadline = time.monotonic() + BATCH_S
        urgent = False
        while work is not None:
            if isinstance(work, Apart):
                return batch, False, work
            batch.append(work)
            urgent = urgent or work.urgent
            if len(batch) == BATCH_MAX:
                return batch, False, None
            try:
                # What is queued already shares the commit; more is waited for only if no answer is.
                work = self._works.get(timeout=0 if urgent else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return batch, False, None
        return batch, True, None

    def _run_apart(self, apart: Apart) -> None:
        if apart.future.set_running_or_notify_cancel():
            try:
                value = apart.run(self._connection)
            except Exception as error:  # noqa: BLE001 - the thread outlives it; whoever waits hears of it
                apart.future.set_exception(told(error, self._database))
            else:
                apart.future.set_result(value)

    def _commit(self, batch: list[Work]) -> None:
        transaction = Transaction(self._connection, self._counter, self._clock, self._places)
        answers: list[_Answer] = []
        try:
            for work in batch:
                self._do(work, transaction, answers)
            self._seal(transaction)
        except Exception as error:  # noqa: BLE001 - the thread outlives it; everybody who waits hears of it
            self._rollback()
            transaction.undo()
            self._be_patient(waited=self._waited or is_busy(error))
            self._refuse(batch, answers, told(error, self._database))
            return
        self._lost, self._trouble = 0, ""
        self._be_patient(waited=False)
        try:
            for hook in transaction.hooks:
                hook(True)
            if transaction.pending and self.publisher is not None:
                self.publisher(transaction.pending)
        finally:
            for answer in answers:
                answer.give()

    def _do(self, work: Work, transaction: Transaction, answers: list[_Answer]) -> None:
        """Runs one work; its failure is its own, unless SQLite gave up the whole transaction."""
        transaction.tell_time()
        if work.future is None:
            work.run(transaction)
            return
        if not work.future.set_running_or_notify_cancel():
            return
        first = transaction.begin()  # there is nothing before it that its failure must not touch
        mark, hooks = len(transaction.pending), len(transaction.hooks)
        if not first:
            self._connection.execute("SAVEPOINT work")
        try:
            value = work.run(transaction)
            transaction.check()
        except BaseException as error:
            if not self._connection.in_transaction:
                raise
            del transaction.pending[mark:]
            if first:
                transaction.begin_anew()
            else:
                self._connection.execute("ROLLBACK TO work")
                self._connection.execute("RELEASE work")
            transaction.undo(hooks)
            answers.append(_Answer(work.future, None, told(error, self._database)))
            return
        if not first:
            self._connection.execute("RELEASE work")
        answers.append(_Answer(work.future, value, None))

    def _seal(self, transaction: Transaction) -> None:
        """Makes the transaction durable; one that needs no row and no new numbers is so already."""
        if self._lost:
            text = f"{self._lost} events could not be written: {self._trouble}"
            transaction.emit(CoreError(where="store", error=text))
        if self._counter.behind:
            transaction.begin()
            self._counter.store(self._connection)
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
            self._counter.stored()

    def _refuse(self, batch: list[Work], answers: list[_Answer], error: BaseException) -> None:
        """Nothing of the batch happened: says so to everybody who waits, and once to those who watch."""
        own = {id(answer.future): answer.error for answer in answers if answer.error is not None}
        for work in batch:
            future = work.future
            if future is None:
                self._lost += 1
            elif not future.done() and (future.running() or future.set_running_or_notify_cancel()):
                future.set_exception(own.get(id(future), error))
        first, self._trouble = not self._trouble, str(error)
        if first and self._counter.owner and self._counter.last < self._counter.durable and self.publisher is not None:
            # A number that the database has reserved: the notice goes out although nothing can be written.
            event = CoreError(where="store", error=self._trouble)
            self.publisher([(Record(self._counter.take(), self._clock.wall_ms(), event), to_body(event))])

    def _be_patient(self, *, waited: bool) -> None:
        """A one-shot command that has waited in vain for another process does not do so again for its last words."""
        if waited != self._waited and not self._counter.owner:
            self._waited = waited
            set_patience(self._connection, waits=not waited)

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
