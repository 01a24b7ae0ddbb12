"""One worker process as the core sees it: a channel for frames, the instances in it, and how it ended.

The core believes a worker nothing that the wire does not allow: one that says anything else is killed.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from runtime.components.cpu_quota import CpuQuota
from runtime.components.errors import WireError
from runtime.components.host.context import ComponentId
from runtime.components.running import CoreDesk, Running
from runtime.components.worker.wire import (
    FrameReader,
    FromWorker,
    Gone,
    Load,
    ToWorker,
    Unload,
    encode,
    read_from_worker,
)
from runtime.jobs.zygote_process import Ended as ProcessEnd

__all__ = ["WorkerProcess"]

_READ: Final = 262_144
_UNSENT_MAX: Final = 32 << 20


class WorkerProcess:
    """One worker process.

    Args:
        token: names it to the zygote.
        channel: the core's end.
        alone: it is for one component.

    Attributes:
        pid: of the process; 0 before it is forked.
        ended: done once the process is gone.
    """

    def __init__(self, token: int, channel: socket.socket, *, alone: bool) -> None:
        loop = asyncio.get_running_loop()
        self.token = token
        self.alone = alone
        self.pid = 0
        self.ended: asyncio.Future[None] = loop.create_future()
        self._channel = channel
        self._channel.setblocking(False)
        self._pidfd = -1
        self._reader = FrameReader()
        self._unsent: deque[tuple[memoryview, list[int]]] = deque()
        self._unsent_bytes = 0
        self._slots: dict[int, Running] = {}
        self._next_slot = 0
        self._why = ""
        self._guilty = 0
        self._hung_up = False
        loop.add_reader(channel, self._readable)

    @property
    def slots(self) -> int:
        """How many instances it has."""
        return len(self._slots)

    def forked(self, pid: int, pidfd: int) -> None:
        """The process exists."""
        self.pid, self._pidfd = pid, pidfd
        if self._why:
            self._signal()

    def load(
        self,
        component: ComponentId,
        quota: CpuQuota,
        desk: CoreDesk,
        load: Callable[[int], Load],
        *,
        code: int,
        folders: Sequence[int],
    ) -> Running:
        """Has an instance made.

        Args:
            component: whose it is.
            quota: as for `Running`.
            desk: as for `Running`.
            load: the message, given its slot.
            code: descriptor of the compiled component; it is closed once it was sent.
            folders: of the mounts and their account; likewise.

        Returns:
            The instance, which is not there yet.

        Raises:
            WireError: the message does not fit into a frame.
        """
        self._next_slot += 1
        slot = self._next_slot
        self.say(load(slot), [code, *folders])
        running = self._slots[slot] = Running(self, slot, component, quota, desk)
        return running

    def say(self, message: ToWorker, descriptors: Sequence[int] = ()) -> None:
        """Sends a message, now or as soon as there is room.

        Raises:
            WireError: it does not fit into a frame.
        """
        try:
            frame = encode(message)
        except WireError:
            _close(descriptors)
            raise
        if self.ended.done():
            _close(descriptors)
            return
        self._unsent.append((memoryview(frame), list(descriptors)))
        self._unsent_bytes += len(frame)
        if self._unsent_bytes > _UNSENT_MAX:
            self.kill("it does not read what it is told")
        elif len(self._unsent) == 1:
            self._send()

    @property
    def usable(self) -> bool:
        """Whether it takes more instances."""
        return not (self._why or self._hung_up or self.ended.done())

    def kill(self, why: str, guilty: int = 0, *, nobody: bool = False) -> None:
        """Ends the process at once; `ended` follows.

        Args:
            why: one line.
            guilty: the slot that was the reason; 0 for a fault of the worker, which is its only component's.
            nobody: no component was the reason.
        """
        if not self._why:
            self._why, self._guilty = why, -1 if nobody else guilty
            self._signal()

    def abandon(self, running: Running) -> None:
        """Ends an instance that nobody waits for any more."""
        for slot, other in self._slots.items():
            if other is running:
                self.say(Unload(slot))

    def gone(self, how: ProcessEnd | None) -> None:
        """The process is gone; lets go of all that belonged to it."""
        if self.ended.done():
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._channel)
        loop.remove_writer(self._channel)
        self._channel.close()
        for _, descriptors in self._unsent:
            _close(descriptors)
        self._unsent.clear()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self.ended.set_result(None)
        why = self._why or (f"the worker {how}" if how is not None else "the worker went away")
        slots, self._slots = self._slots, {}
        for slot, running in slots.items():
            guilty = slot == self._guilty or (self.alone and self._guilty == 0)
            running.worker_gone(why, innocent=not guilty)

    def _signal(self) -> None:
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):  # it was faster
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _send(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._unsent:
                frame, descriptors = self._unsent[0]
                if descriptors:
                    sent = socket.send_fds(self._channel, [frame], descriptors)
                    _close(descriptors)
                else:
                    sent = self._channel.send(frame)
                self._unsent_bytes -= sent
                if sent == len(frame):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = frame[sent:], []
        except BlockingIOError:
            loop.add_writer(self._channel, self._send)
            return
        except OSError:
            self._signal()  # it closed its channel; how it ended comes from the zygote
        loop.remove_writer(self._channel)

    def _readable(self) -> None:
        try:
            data = self._channel.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._hung_up = True
            self._signal()  # as a rule it has ended; how comes from the zygote
            return
        try:
            for body in self._reader.feed(data):
                self._heard(read_from_worker(body))
        except WireError as error:
            asyncio.get_running_loop().remove_reader(self._channel)
            self.kill(f"the worker broke the rules of the wire: {error.why}")

    def _heard(self, message: FromWorker) -> None:
        running = self._slots.get(message.slot)
        if running is None:
            raise WireError("it speaks of an instance that it does not have")
        running.heard(message)
        if isinstance(message, Gone):
            del self._slots[message.slot]
            if not self._slots:
                self.kill("it has nothing left to do", nobody=True)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
