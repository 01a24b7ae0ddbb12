"""Taking what a job writes: both pipes are drained on the core's loop, kept up to the cap, told, and passed on.

Each stream keeps exactly its first `max_output_bytes`; one byte more ends the job. Where a stream is passed on and its
reader is slow, that pipe is not read until there is room again, and the guest waits in its write; so it does where it
writes faster than its output can be told. Where the reader left, the pipe is closed, and the guest sees what any
program sees: `Broken pipe` at its next write. Nothing here depends on when bytes arrive: the same bytes give the same
commitment, file and outcome.
"""

import asyncio
import base64
import contextlib
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import Future
from itertools import chain
from pathlib import Path
from typing import Any, Final

from runtime.events import JobOutput
from runtime.jobs.commitment import Commitment, StreamCommitment
from runtime.jobs.output import OutputFile, StreamName, pieces
from runtime.jobs.tee import Tee

__all__ = ["Capture"]

_READ: Final = 262_144
"""Bytes taken at once; the pipe of who writes much is as large, where the kernel allows it: each change between guest
and us costs more than what it moves."""

_PIPE: Final = 65_536
"""Bytes that a new pipe holds."""

_LIVE_MAX: Final = 32_768
"""Bytes of one live event: with base64 and its frame it stays below the longest line."""

_UNSEEN_MAX: Final = 1 << 20
"""Bytes of one that nobody watches."""

_LIVE_S: Final = 0.05
_IN_MEMORY_MAX: Final = 262_144

_ASK_BYTES: Final = 1 << 20
"""After so much output it is asked when it was told; until then its events lie in a queue."""

_UNTOLD_MAX: Final = 4 << 20
"""So much may lie there before no more is read."""


class _Live:
    """Tells of one stream in pieces: at once when there is much, else some times a second.

    While nobody watches, the pieces are larger and say only where they lie: their text would cost more than all else.
    """

    def __init__(
        self, job: str, stream: StreamName, emit: Callable[[JobOutput], None], watched: Callable[[], bool]
    ) -> None:
        self._job = job
        self._stream = stream
        self._emit = emit
        self._watched = watched
        self._data = bytearray()
        self._unseen = 0
        """Bytes before `_data` that are told without their text."""
        self._offset = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, data: bytes) -> None:
        if self._watched():
            self._tell_unseen()
            self._data += data
            while len(self._data) >= _LIVE_MAX:
                self._tell_data(_LIVE_MAX)
        else:
            self._tell_data(len(self._data))
            self._unseen += len(data)
            if self._unseen >= _UNSEEN_MAX:
                self._tell_unseen()
        if (self._data or self._unseen) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LIVE_S, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tell_unseen()
        self._tell_data(len(self._data))

    def _tell_data(self, length: int) -> None:
        if length:
            text = base64.b64encode(self._data[:length]).decode()
            del self._data[:length]
            self._tell(length, text)

    def _tell_unseen(self) -> None:
        if self._unseen:
            self._tell(self._unseen, None)
            self._unseen = 0

    def _tell(self, length: int, text: str | None) -> None:
        event = JobOutput(job=self._job, stream=self._stream, offset=self._offset, length=length, data_b64=text)
        self._offset += length
        self._emit(event)


class _Pace:
    """How much output lies in the queue of events: a guest writes faster than a busy machine tells.

    Args:
        told: gives what is done when all events so far were published.
        on_room: called on the loop when there is room again.
    """

    def __init__(self, told: Callable[[], "Future[None]"], on_room: Callable[[], None]) -> None:
        self._told = told
        self._on_room = on_room
        self._loop = asyncio.get_running_loop()
        self._new = 0
        self._asked = 0

    @property
    def room(self) -> bool:
        """Whether more may be read."""
        return self._asked < _UNTOLD_MAX

    def add(self, size: int) -> None:
        """So much was handed over to be told."""
        self._new += size
        if self._new >= _ASK_BYTES:
            asked, self._new = self._new, 0
            self._asked += asked
            self._told().add_done_callback(lambda _: self._later(asked))

    def _later(self, asked: int) -> None:
        """On the store's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits any more
            self._loop.call_soon_threadsafe(self._forget, asked)

    def _forget(self, asked: int) -> None:
        held = not self.room
        self._asked -= asked
        if held and self.room:
            self._on_room()


class _Stream:
    """One pipe of the guest. `descriptor` is ours until it is closed."""

    def __init__(self, capture: "Capture", name: StreamName, tee: int | None) -> None:
        self.name = name
        self.kept = 0
        self.left = False
        self._grown = False
        self._capture = capture
        self._loop = asyncio.get_running_loop()
        self.descriptor, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.descriptor, False)
        try:
            self.tee = None if tee is None else Tee(tee, self.resume, self._reader_left)
        except OSError:
            os.close(self.descriptor)
            os.close(self.writer)
            raise
        self._loop.add_reader(self.descriptor, self._readable)

    def given(self) -> None:
        """The worker has the writing end."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        """Closes the reading end; a guest that still writes gets an error."""
        if self.descriptor >= 0:
            self._loop.remove_reader(self.descriptor)
            os.close(self.descriptor)
            self.descriptor = -1

    def discard(self) -> None:
        """Nothing will be written: lets go of everything."""
        self.given()
        self.close()
        if self.tee is not None:
            self.tee.abandon()

    def drain(self) -> None:
        """Takes all that is in the pipe now, whether there is room behind it or not."""
        while self.descriptor >= 0 and self._take():
            pass

    def _readable(self) -> None:
        self._take()

    def _take(self) -> bool:
        """Takes one piece; false when there is nothing now."""
        try:
            data = os.read(self.descriptor, _READ)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        if len(data) == _PIPE and not self._grown:
            self._grow()
        self._capture.take(self, data)
        if self.descriptor >= 0 and not self._capture.room(self):
            self._loop.remove_reader(self.descriptor)
        return True

    def _grow(self) -> None:
        """Makes the pipe larger, once a guest has filled it; most write a few lines."""
        self._grown = True
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, _READ)

    def resume(self) -> None:
        """Reads on, when there is room for what comes."""
        if self.descriptor >= 0 and self._capture.room(self):
            self._loop.add_reader(self.descriptor, self._readable)

    def _reader_left(self) -> None:
        if self._capture.outlives_readers:
            self.tee = None
            self.resume()
            return
        self.drain()
        self.left = self.left or self.descriptor >= 0
        self.close()


class Capture:
    """Both streams of one run.

    Args:
        job: the job's id.
        path: the file that keeps the output.
        limit: bytes that are kept of each stream.
        emit: takes the live events.
        told: gives what is done when all events that `emit` took so far were published.
        watched: whether anybody wants the text of live events now.
        tees: descriptors that get a copy of stdout and of stderr; None for none.
        on_full: called, once, when a stream exceeds its limit.
        on_kept: called whenever more was kept.
        outlives_readers: a stream whose reader left is kept on to its end, since nobody can be told of the closed pipe.
    """

    def __init__(
        self,
        job: str,
        path: Path,
        *,
        limit: int,
        emit: Callable[[JobOutput], None],
        told: Callable[[], "Future[None]"],
        watched: Callable[[], bool],
        tees: tuple[int | None, int | None],
        on_full: Callable[[], None],
        on_kept: Callable[[], None] | None = None,
        outlives_readers: bool = False,
    ) -> None:
        self._path = path
        self._limit = limit
        self._on_full = on_full
        self._on_kept = on_kept
        self.outlives_readers = outlives_readers
        self._file: OutputFile | None = OutputFile(path)
        self._commitment = StreamCommitment()
        self._stderr: list[bytes] = []
        """Of stderr, which is hashed last: what did not go into the file, or all of it while that is little."""
        self._spilled = False
        self._live = {name: _Live(job, name, emit, watched) for name in ("stdout", "stderr")}
        self._pace = _Pace(told, self._resume)
        self._stdout = _Stream(self, "stdout", tees[0])
        try:
            self._errors = _Stream(self, "stderr", tees[1])
        except OSError:
            self._stdout.discard()
            raise
        self.full = False
        """Whether a stream exceeded its limit."""
        self.trouble = ""
        """Why the file could not be written; the commitment is right all the same."""

    @property
    def writers(self) -> tuple[int, int]:
        """The ends for the worker, until `given`."""
        return self._stdout.writer, self._errors.writer

    @property
    def kept(self) -> tuple[int, int]:
        """Bytes kept of stdout and of stderr."""
        return self._stdout.kept, self._errors.kept

    @property
    def truncated(self) -> bool:
        """Whether something that the guest wrote is missing in the record."""
        return self.full or self._stdout.left or self._errors.left or self.trouble != ""

    @property
    def undelivered(self) -> str:
        """Why a stream could not be passed on, once `pass_on` has returned; empty when it could, or its reader left."""
        return "; ".join(
            f"{stream.name} could not be written: {stream.tee.trouble}"
            for stream in (self._stdout, self._errors)
            if stream.tee is not None and stream.tee.trouble
        )

    def given(self) -> None:
        """The worker has its ends: closes ours, so that a pipe ends with the worker."""
        self._stdout.given()
        self._errors.given()

    def take(self, stream: _Stream, data: bytes) -> None:
        """Takes a piece of a stream."""
        keep = data[: self._limit - stream.kept]
        stream.kept += len(keep)
        if keep:
            self._keep(stream.name, keep)
            self._live[stream.name].add(keep)
            self._pace.add(len(keep))
            if stream.tee is not None:
                stream.tee.write(keep)
            if self._on_kept is not None:
                self._on_kept()
        if len(keep) < len(data):
            stream.close()
            if not self.full:
                self.full = True
                self._on_full()

    def room(self, stream: _Stream) -> bool:
        """Whether more of a stream can be told and passed on now."""
        return self._pace.room and (stream.tee is None or stream.tee.room)

    def _resume(self) -> None:
        self._stdout.resume()
        self._errors.resume()

    async def finish(self) -> Commitment:
        """The guest has ended: takes what is left in the pipes, closes them and the file.

        Returns:
            The commitment over what was kept.

        Raises:
            UnavailableError: the file cannot be read back.
        """
        self.given()
        for stream in (self._stdout, self._errors):
            stream.drain()
            stream.close()
            self._live[stream.name].flush()
            if stream.tee is not None:
                stream.tee.finish()
        if self._file is not None:
            self._file.close()
        if not self._spilled:
            return self._commitment.finish(self._stderr)
        kept = (data for name, data in pieces(self._path) if name == "stderr")
        return await asyncio.to_thread(self._commitment.finish, chain(kept, self._stderr))

    async def pass_on(self, given_up: "asyncio.Future[str]") -> None:
        """Waits, after `finish`, until the readers of both streams have got everything or left.

        Args:
            given_up: done when they are to be left alone, whatever they have got.
        """
        for stream in (self._stdout, self._errors):
            tee = stream.tee
            if tee is not None:
                either: set[asyncio.Future[Any]] = {tee.done, given_up}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                tee.abandon()
                await tee.done

    def discard(self) -> None:
        """There is no run after all: lets go of everything."""
        self._stdout.discard()
        self._errors.discard()

    def _keep(self, name: StreamName, data: bytes) -> None:
        if self._file is not None:
            try:
                self._file.write(name, data)
            except OSError as error:
                self._file.close()
                self._file = None
                self.trouble = f"the output could not be kept: {error.strerror}"
        if name == "stdout":
            self._commitment.stdout(data)
        elif self._file is None or not self._spilled:
            self._stderr.append(data)
            if self._file is not None and self._errors.kept > _IN_MEMORY_MAX:
                self._spilled = True
                self._stderr.clear()
