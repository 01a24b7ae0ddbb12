"""The life of a worker process: confined first, then it does what the core's frames say, until the core goes away.

The main thread only reads. Each instance has a thread of its own, so a component that computes, waits or spins holds up
nobody else in a shared worker.
"""

import array
import gc
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from runtime.components.errors import WireError
from runtime.components.host.spawner import fork_spawner
from runtime.components.host.spawner_line import SpawnerLine
from runtime.components.worker import walls
from runtime.components.worker.line import Line
from runtime.components.worker.slot import Machinery, Slot
from runtime.components.worker.wire import (
    DESCRIPTORS_MAX,
    Answer,
    Call,
    FrameReader,
    Load,
    NewPolicy,
    Stop,
    ToWorker,
    Unload,
    read_to_worker,
)
from runtime.sandbox.engine import EpochTicker, component_engine

__all__ = ["work"]

_READ: Final = 65_536
_STACK: Final = 4 << 20
"""Bytes of a thread's stack: the engine's share is a quarter, host operations run above it."""

_DESCRIPTOR: Final = array.array("i").itemsize

Arrived = tuple[ToWorker, list[int]]
"""A message, and the descriptors that came with it."""


def work(request: Mapping[str, object], channel: socket.socket) -> None:
    """Serves as a worker until the core's end of the channel is closed.

    Args:
        request: `"alone"`: 1 for a worker with one component, which is confined as that needs; else it is shared.
        channel: this end; it blocks.

    Raises:
        OSError: a wall that this machine has could not be taken up.
        WireError: the core said something else than the wire allows.
    """
    walls.become_worker()
    arrived = _messages(channel)
    if request["alone"]:
        first = next(arrived, None)
        if first is None:
            return
        load, descriptors = first
        if not isinstance(load, Load):
            raise WireError("the first message of a worker is a load")
        # Before the limits, which are the worker's and not those of programs, and before there is an engine.
        spawner = SpawnerLine(fork_spawner()) if load.spawns else None
        walls.limit_alone(load.limits, len(load.mounts))
        walls.close_in(load, descriptors[1 : 1 + len(load.mounts)])
        worker = _Worker(channel, spawner)
        worker.load(load, descriptors)
    else:
        walls.limit_shared()
        walls.close_in_shared()
        worker = _Worker(channel)
    for message, descriptors in arrived:
        worker.take(message, descriptors)
    os._exit(0)  # never the interpreter's way out: guests may still run in their threads


class _Worker:
    """Its instances; for the main thread."""

    def __init__(self, channel: socket.socket, spawner: SpawnerLine | None = None) -> None:
        threading.stack_size(_STACK)
        engine = component_engine()
        self._machinery = Machinery(engine, EpochTicker(engine), Line(channel), spawner)
        self._slots: dict[int, Slot] = {}
        gc.freeze()

    def load(self, load: Load, descriptors: Sequence[int]) -> None:
        """Has an instance made."""
        slot = self._slots[load.slot] = Slot(self._machinery, load, descriptors, self._slots.pop)
        slot.begin()  # now that it can be forgotten

    def take(self, message: ToWorker, descriptors: Sequence[int]) -> None:
        """Does what a message says. None of it waits for a guest."""
        if isinstance(message, Load):
            self.load(message, descriptors)
            return
        slot = self._slots.get(message.slot)
        if slot is None:
            return  # it went while this was on its way
        match message:
            case Call():
                slot.call(message)
            case NewPolicy(policy=policy):
                slot.adopt(policy)
            case Stop():
                slot.stop()
            case Unload():
                slot.unload()
            case Answer():
                slot.answer(message)


def _messages(channel: socket.socket) -> Iterator[Arrived]:
    """What the core says, until it is gone."""
    reader = FrameReader()
    room = socket.CMSG_SPACE(DESCRIPTORS_MAX * _DESCRIPTOR)
    waiting: list[int] = []
    while True:
        try:
            data, ancillary, _, _ = channel.recvmsg(_READ, room)
        except ConnectionError:
            return
        if not data:
            return
        for _, _, raw in ancillary:
            waiting += array.array("i", raw[: len(raw) - len(raw) % _DESCRIPTOR])
        for body in reader.feed(data):
            message = read_to_worker(body)
            wanted = message.descriptors if isinstance(message, Load) else 0
            descriptors, waiting = waiting[:wanted], waiting[wanted:]
            yield message, descriptors
