"""Endpoints on the loopback, and what they were told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from net.errors import PeerFaultError
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.quic.connection import QuicConnection
from net.quic.endpoint import QuicEndpoint
from net.stream import Connection, Protocols, Stream
from net.unread import Unread
from runtime.clock import ManualClock
from runtime.identity import Identity
from tests.net.quic.certificates import NOW_MS

LOOPBACK = Multiaddr.parse("/ip4/127.0.0.1/udp/0/quic-v1", listening=True)
LOOPBACK_6 = Multiaddr.parse("/ip6/::1/udp/0/quic-v1", listening=True)
PATIENCE_S = 60
"""How long a test waits for what must happen; it takes milliseconds unless the machine is very busy."""
PATIENT = NetLimits(upgrade_s=PATIENCE_S, close_s=PATIENCE_S, quic_idle_s=PATIENCE_S)


async def echo(_: Connection, stream: Stream) -> None:
    while data := await stream.read():
        await stream.write(data)


Fault = tuple[Multiaddr, PeerId | None, PeerFaultError]


async def until(true: Callable[[], bool]) -> None:
    """Waits for what must come, by letting everything else have its turn."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110  # nobody tells of what is waited for here
            await asyncio.sleep(0)


@dataclass
class Node:
    identity: Identity
    endpoint: QuicEndpoint
    protocols: Protocols
    accepted: asyncio.Queue[QuicConnection]
    faults: list[Fault]
    unread: Unread

    @property
    def peer(self) -> PeerId:
        return PeerId(self.identity.public)

    async def listen(self, place: Multiaddr = LOOPBACK) -> Multiaddr:
        return await self.endpoint.listen(place)

    async def dial(self, other: "Node", place: Multiaddr) -> tuple[QuicConnection, QuicConnection]:
        """A connection, as both ends have it."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.endpoint.dial(other.peer, place), await other.accepted.get()


@asynccontextmanager
async def node(seed: int, limits: NetLimits | None = None) -> AsyncIterator[Node]:
    identity, protocols, unread = Identity(bytes([seed]) * 32), Protocols(), Unread(NetLimits())
    protocols.serve("/echo/1", echo)
    accepted: asyncio.Queue[QuicConnection] = asyncio.Queue()
    faults: list[Fault] = []
    endpoint = QuicEndpoint(
        identity,
        limits or PATIENT,
        ManualClock(NOW_MS),
        protocols=protocols,
        unread=unread,
        on_connection=accepted.put_nowait,
        on_fault=lambda *told: faults.append(told),
    )
    try:
        yield Node(identity, endpoint, protocols, accepted, faults, unread)
    finally:
        await endpoint.aclose()


@asynccontextmanager
async def linked(limits: NetLimits | None = None) -> AsyncIterator[tuple[Node, Node, QuicConnection, QuicConnection]]:
    """Two nodes, and the connection between them as the dialler and as the listener have it."""
    async with node(1, limits) as left, node(2, limits) as right:
        there, here = await left.dial(right, await right.listen())
        yield left, right, there, here


async def all_of(stream: Stream) -> bytes:
    pieces = []
    async with asyncio.timeout(PATIENCE_S):
        while data := await stream.read():
            pieces.append(data)
    return b"".join(pieces)


@asynccontextmanager
async def stranger() -> AsyncIterator[socket.socket]:
    """A bare socket on the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bare:
        bare.setblocking(False)
        bare.bind(("127.0.0.1", 0))
        yield bare


async def heard(bare: socket.socket) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.get_running_loop().sock_recv(bare, 65_535)
