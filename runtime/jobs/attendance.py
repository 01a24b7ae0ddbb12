"""The jobs that this program has under way: each is followed to its end, and can be found and cancelled meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from runtime.errors import OrlopError, UnavailableError
from runtime.jobs.course import Course
from runtime.jobs.ending import JobEnd
from runtime.jobs.streams import HeldStreams

__all__ = ["Attendance", "Underway"]

_NO_MORE = "jobs are no longer taken"


class Underway(Protocol):
    """A job under way, here (`Course`) or on another node (`Elsewhere`)."""

    @property
    def job(self) -> str:
        """Its id."""
        ...

    @property
    def state(self) -> str:
        """Its current state."""
        ...

    @property
    def ended(self) -> "asyncio.Future[None]":
        """Done when its end is stored and its output was passed on, or it was left in the queue."""
        ...

    @property
    def running(self) -> bool:
        """Whether its guest was started."""
        ...

    def cancel(self, by: str) -> None:
        """Ends it early; the first one counts."""
        ...

    def stop(self, by: str) -> None:
        """The program ends."""
        ...

    async def follow(self) -> JobEnd | None:
        """Has it run and stores its end; None when it was left in the queue."""
        ...


class Attendance:
    """Follows jobs. Belongs to one loop.

    Args:
        ready: is waited for before any job is written down.
        trouble: told in one line of what nobody waits for.

    Attributes:
        closing: once no more jobs are taken, who cancels those that come too late; else empty.
    """

    def __init__(self, ready: Callable[[], Awaitable[object]], trouble: Callable[[str], None]) -> None:
        self.closing = ""
        self._ready = ready
        self._trouble = trouble
        self._jobs: dict[str, Underway] = {}
        self._tasks: set[asyncio.Task[JobEnd] | asyncio.Task[None]] = set()

    @property
    def counts(self) -> tuple[int, int]:
        """How many jobs wait, and how many run."""
        running = sum(course.running for course in self._jobs.values())
        return len(self._jobs) - running, running

    def find(self, job: str) -> Underway | None:
        """A job by its whole id; None when it is not under way here."""
        return self._jobs.get(job)

    def check_open(self) -> None:
        """Whether jobs are taken.

        Raises:
            UnavailableError: they are not.
        """
        if self.closing:
            raise UnavailableError(_NO_MORE)

    async def attend(
        self, begin: Callable[[], Awaitable[Underway]], held: HeldStreams, on_started: Callable[[str], None] | None
    ) -> JobEnd:
        """Follows a job whose end somebody waits for, and cancels it when he does not wait any more.

        Args:
            begin: writes it down.
            held: what is connected to it; closed at its end.
            on_started: called with its id once it is written down.

        Raises:
            UnavailableError: it was left in the queue, since the program ends.
            OrlopError: as `begin`, or its end could not be stored.
        """
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def written_down(course: Underway) -> None:
            gone.add_done_callback(lambda _: course.cancel("command"))
            if on_started is not None:
                on_started(course.job)

        task = asyncio.get_running_loop().create_task(self._whole(begin, held, written_down))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            if not gone.done():
                gone.set_result(None)
            raise

    def attend_queued(self, course: Course) -> None:
        """Follows a job of the queue, for which nobody waits.

        Args:
            course: written down; one that is under way already is left alone.
        """
        if course.job in self._jobs:
            return  # submitted just as the queue was read
        self._jobs[course.job] = course
        task = asyncio.get_running_loop().create_task(self._told(course))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, *, drain_s: float, by: str) -> None:
        """Takes no more jobs, lets those that run end, and cancels the rest.

        Args:
            drain_s: seconds that running jobs may take to end.
            by: a key of `EXIT_CANCELLED`, for those that are cancelled.
        """
        self.closing = by
        for course in list(self._jobs.values()):
            if not course.running:
                course.stop(by)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=drain_s)
        for course in list(self._jobs.values()):
            course.cancel(by)
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _whole(
        self,
        begin: Callable[[], Awaitable[Underway]],
        held: HeldStreams,
        written_down: Callable[[Underway], None],
    ) -> JobEnd:
        """Writes one job down and follows it."""
        try:
            await self._ready()
            course = await begin()
            written_down(course)
            end = await self._followed(course)
        finally:
            held.close()
        if end is None:
            raise UnavailableError(_NO_MORE)
        return end

    async def _told(self, course: Course) -> None:
        try:
            await self._followed(course)
        except OrlopError as error:
            self._trouble(f"job {course.job[:16]}: {error}")

    async def _followed(self, course: Underway) -> JobEnd | None:
        """Follows a job that was written down, so that it can be found and cancelled meanwhile."""
        self._jobs[course.job] = course
        try:
            if self.closing:
                course.stop(self.closing)
            return await course.follow()
        finally:
            del self._jobs[course.job]
            course.ended.set_result(None)
