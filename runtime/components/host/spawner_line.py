"""The worker's side of the spawner: questions and answers, and a thread that drains what children write.

The thread only moves bytes and notes what happened; the instance's own thread waits for that in slices, and asks.
"""

import contextlib
import json
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from runtime.canonical import Json
from runtime.components.host.context import Context
from runtime.components.host.process_answers import ProcessRefusedError
from runtime.components.host.spawner import MESSAGE_MAX

__all__ = ["Listener", "SpawnerLine"]

_SLICE_S: Final = 0.1
_READ: Final = 1 << 16
_NOBODY: Final = 0
_LAST_WAIT_S: Final = 15.0

Sink = Callable[[bytes], None]


class Listener(Protocol):
    """Hears of one child; called in the thread that drains, with the lock held."""

    def ended(self, status: int, cpu_ms: int, peak_kib: int, at: int) -> None:
        """It ended and was reaped.

        Args:
            status: its wait status.
            cpu_ms: CPU time, of what it waited for too.
            peak_kib: the most memory that it had; never below what the spawner has, as whose copy it began.
            at: nanoseconds since 1970.
        """

    def changed(self, kind: str, at: int) -> None:
        """It was `stopped` or `continued`."""


class SpawnerLine:
    """The line of one worker.

    Args:
        line: from `fork_spawner`; belongs to this from now on.

    Attributes:
        changed: guards all that the thread changes, and is notified of it.
    """

    def __init__(self, line: socket.socket) -> None:
        self.changed = threading.Condition()
        self._line = line
        self._gone = False
        self._asked = 0
        self._children = 0
        self._answers: dict[int, dict[str, object]] = {}
        self._waiting: set[int] = set()
        self._listeners: dict[int, Listener] = {}
        self._sinks: dict[int, Sink] = {}
        self._wakes, self._waking = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread: threading.Thread | None = None

    def ask(
        self, context: Context, kind: str, fields: Mapping[str, Json], descriptors: Sequence[int] = ()
    ) -> dict[str, object]:
        """Asks and waits for the answer, as long as the call may last.

        Args:
            context: whose call it is.
            kind: what.
            fields: of the question.
            descriptors: that go with it.

        Raises:
            ProcessRefusedError: the spawner is gone, or there is no time left.
            OSError: it could not do it.
        """
        if context.time_left(None) <= 0:
            raise ProcessRefusedError("timeout", "the call's time is over")
        self._start()
        with self.changed:
            self._asked += 1
            number = self._asked
            self._waiting.add(number)
        try:
            self._send(number, kind, fields, descriptors)
            if not self.wait(context, lambda: number in self._answers or self._gone, None):
                raise ProcessRefusedError("timeout", "the call's time is over")
        finally:
            with self.changed:
                self._waiting.discard(number)
                answer = self._answers.pop(number, None)
        if answer is None:
            raise ProcessRefusedError("io-error", "the process that starts programs is gone")
        code = answer.get("errno")
        if isinstance(code, int) and "real" not in answer:
            raise OSError(code, os.strerror(code))
        return answer

    def tell(self, kind: str, fields: Mapping[str, Json]) -> None:
        """Asks for something and waits for no answer; done by the time a later question is answered."""
        with contextlib.suppress(ProcessRefusedError, OSError):
            self._send(_NOBODY, kind, fields, ())

    def wait(self, context: Context, happened: Callable[[], bool], timeout_ms: int | None) -> bool:
        """Waits until something happened; in slices, so that deadline and wish to stop are seen.

        Args:
            context: whose call it is.
            happened: asked with the lock held.
            timeout_ms: how long at most; None as long as the call may last.

        Returns:
            Whether it happened.
        """
        until = time.monotonic() + context.time_left(timeout_ms)
        with self.changed:
            while not happened():
                left = until - time.monotonic()
                if left <= 0 or context.stopping():
                    return False
                self.changed.wait(min(left, _SLICE_S))
            return True

    def new_child(self) -> int:
        """A number for a child that is about to be started, never used before on this line."""
        self._children += 1
        return self._children

    def listen(self, child: int, listener: Listener) -> None:
        """Has somebody hear of a child; before it is started."""
        with self.changed:
            self._listeners[child] = listener

    def forget(self, child: int) -> None:
        """Tells nobody of a child any more."""
        with self.changed:
            self._listeners.pop(child, None)

    def drain(self, descriptor: int, sink: Sink) -> None:
        """Reads a pipe until its end, and closes it.

        Args:
            descriptor: belongs to this from now on.
            sink: takes what is read, with the lock held; nothing at the end.
        """
        self._start()
        os.set_blocking(descriptor, False)
        with self.changed:
            self._sinks[descriptor] = sink
        os.write(self._waking, b"x")

    def close(self) -> None:
        """Ends the spawner and waits until it killed all that it started and is gone; bounded."""
        self.tell("end", {})
        if self._thread is not None:
            self._thread.join(_LAST_WAIT_S)
            if self._thread.is_alive():
                return  # what it uses stays open; the worker ends now anyhow
        self._line.close()
        os.close(self._wakes)
        os.close(self._waking)

    def _send(self, number: int, kind: str, fields: Mapping[str, Json], descriptors: Sequence[int]) -> None:
        message = json.dumps({"number": number, "ask": kind, **fields}).encode()
        if len(message) > MESSAGE_MAX:
            raise ProcessRefusedError("invalid-argument", "arguments and environment are too long")
        try:
            socket.send_fds(self._line, [message], list(descriptors))
        except (BrokenPipeError, ConnectionError):
            raise ProcessRefusedError("io-error", "the process that starts programs is gone") from None

    def _start(self) -> None:
        """Starts the thread: only when the first program is wanted."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="children", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._gone:
            with self.changed:
                wanted = [self._wakes, self._line.fileno(), *self._sinks]
            poll = select.poll()
            for descriptor in wanted:
                poll.register(descriptor, select.POLLIN)
            for descriptor, _ in poll.poll():
                if descriptor == self._wakes:
                    os.read(self._wakes, _READ)
                elif descriptor in self._sinks:
                    self._read(descriptor)
                else:
                    self._hear()
        for descriptor in list(self._sinks):
            while descriptor in self._sinks:
                self._read(descriptor)

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, _READ)
        except BlockingIOError:
            data = b""  # only at the end: somebody got away with the other end, and is not waited for
        with self.changed:
            self._sinks[descriptor](data)
            if not data:
                del self._sinks[descriptor]
                os.close(descriptor)
            self.changed.notify_all()

    def _hear(self) -> None:
        try:
            raw = self._line.recv(MESSAGE_MAX)
        except OSError:
            raw = b""
        with self.changed:
            if raw:
                self._note(json.loads(raw))
            else:
                self._gone = True
            self.changed.notify_all()

    def _note(self, message: dict[str, object]) -> None:
        match message:
            case {"answer": int(number)}:
                if number in self._waiting:
                    self._answers[number] = message
            case {"ended": int(child), "status": int(status), "cpu_ms": int(cpu), "peak_kib": int(peak), "at": int(at)}:
                listener = self._listeners.pop(child, None)
                if listener is not None:
                    listener.ended(status, cpu, peak, at)
            case {"changed": int(child), "kind": str(kind), "at": int(at)} if child in self._listeners:
                self._listeners[child].changed(kind, at)
