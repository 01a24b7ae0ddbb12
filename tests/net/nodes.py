"""Hosts for tests: on loopback, on a clock of their own, with all that they tell kept in order."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from net.host import Host
from net.host_events import HostEvent
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.clock import ManualClock
from runtime.identity import Identity

E = TypeVar("E")

PATIENT = NetLimits(connect_s=60.0, upgrade_s=60.0, identify_s=60.0, close_s=60.0)
"""The table for a loaded machine: no deadline strikes before a test wants it to."""

ANY_PORT = Multiaddr.parse("/ip4/127.0.0.1/tcp/0", listening=True)


def identity(number: int) -> Identity:
    return Identity(bytes([number]) * 32)


def peer_of(who: Identity) -> PeerId:
    return PeerId(who.public)


class Future:
    """Moves the running loop's time on, so that what waits for a deadline need not."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._passed = 0.0
        self._loop.time = lambda: time.monotonic() + self._passed  # type: ignore[method-assign]

    def comes(self, seconds: float) -> None:
        self._passed += seconds


async def until(met: Callable[[], bool]) -> None:
    """Gives everybody else the loop until it is so; the time-out of the test bounds it."""
    while not met():  # noqa: ASYNC110 - what is waited for is the state of another part, which tells nobody
        await asyncio.sleep(0)


@dataclass
class Table:
    """A standing that tests write."""

    banned: set[PeerId] = field(default_factory=set)
    listed: set[PeerId] = field(default_factory=set)

    def is_banned(self, peer: PeerId) -> bool:
        return peer in self.banned

    def is_listed(self, peer: PeerId) -> bool:
        return peer in self.listed


@dataclass
class Node:
    """A host and what it has told."""

    host: Host
    clock: ManualClock
    standing: Table
    events: list[HostEvent]
    _more: asyncio.Event

    @property
    def peer(self) -> PeerId:
        return self.host.peer

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def tells(self, kind: type[E], fits: Callable[[E], bool] = lambda _: True) -> E:
        """The first event of a kind that fits, waited for; the time-out of the test bounds it."""
        while True:
            for event in self.told(kind):
                if fits(event):
                    return event
            self._more.clear()
            await self._more.wait()


@asynccontextmanager
async def hosts(count: int, limits: NetLimits = PATIENT) -> AsyncIterator[list[Node]]:
    """So many hosts, of which nothing is left afterwards."""
    before = asyncio.all_tasks()
    nodes = [_node(identity(number + 1), limits) for number in range(count)]
    try:
        yield nodes
    finally:
        for node in nodes:
            await node.host.aclose()
    left = asyncio.all_tasks() - before
    assert not left, f"tasks are left: {left}"


def _node(who: Identity, limits: NetLimits) -> Node:
    clock, standing, events, more = ManualClock(), Table(), list[HostEvent](), asyncio.Event()

    def tell(event: HostEvent) -> None:
        events.append(event)
        more.set()

    return Node(Host(who, limits, clock=clock, on_event=tell, standing=standing), clock, standing, events, more)
