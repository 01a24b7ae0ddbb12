"""The worker's end of the line to the core: frames out from any thread, answers to the thread that asked."""

import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from runtime.canonical import Json
from runtime.components.errors import CoreSilentError, WireError
from runtime.components.worker.wire import Answer, Ask, FromWorker, Tell, encode

__all__ = ["Line", "SlotLine"]

_LONGEST_WAIT_S: Final = 3600.0


class Line:
    """The socket, written to by several threads.

    Args:
        channel: the worker's end, blocking.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def say(self, message: FromWorker) -> None:
        """Sends one message whole. When the core is gone, the process ends: nobody is left to work for.

        Raises:
            WireError: it is larger than a frame.
        """
        frame = encode(message)
        try:
            with self._lock:
                self._channel.sendall(frame)
        except OSError:
            os._exit(0)


class SlotLine:
    """The line as one instance's host operations see it; a `CoreLine`.

    Args:
        line: the worker's.
        slot: the instance.
        until: monotonic seconds at which the running call is over.
    """

    def __init__(self, line: Line, slot: int, until: Callable[[], float]) -> None:
        self._line = line
        self._slot = slot
        self._until = until
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._asked = 0

    def request(self, kind: str, fields: Mapping[str, Json]) -> Json:
        """Asks and waits for the answer, as long as the running call may take.

        Raises:
            CoreSilentError: the core failed, did not answer in time, or the question is too large for a frame.
        """
        self._asked += 1
        try:
            self._line.say(Ask(self._slot, self._asked, kind, fields))
        except WireError as error:
            raise CoreSilentError(error.why) from None
        while True:
            left = min(self._until() - time.monotonic(), _LONGEST_WAIT_S)
            try:
                answer = self._answers.get(timeout=max(0.0, left))
            except queue.Empty:
                raise CoreSilentError("the host did not answer before the call's deadline") from None
            if answer.number != self._asked:
                continue  # to a question that was given up
            if answer.failed:
                raise CoreSilentError("the host could not answer")
            return answer.value

    def notify(self, kind: str, fields: Mapping[str, Json]) -> None:
        """Tells, and does not wait."""
        self._line.say(Tell(self._slot, kind, fields))

    def answered(self, answer: Answer) -> None:
        """Takes an answer off the wire; from the thread that reads."""
        self._answers.put(answer)
