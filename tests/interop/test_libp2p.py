"""PyPI's libp2p dials us and is dialled by us: keys, identify, ping, megabytes, and who is somebody else."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from net import identify, ping
from net.errors import WrongPeerError
from net.identify import Identify
from net.limits import NetLimits
from net.multiaddr import Multiaddr, Transport
from net.peer_id import PeerId
from net.quic.endpoint import QuicEndpoint
from net.stream import Connection, Protocols, Stream
from net.tcp import TcpEndpoint
from net.unread import Unread
from runtime.clock import SystemClock
from runtime.identity import Identity

pytestmark = pytest.mark.interop

PYTHON = Path(__file__).parent.parent.parent / "build" / "interop" / "bin" / "python"
SCRIPT = Path(__file__).parent / "py_libp2p.py"
SIZE = 8 * 1024 * 1024
PIECE = 16_384
AHEAD = 64
"""Pieces on their way: that libp2p resets a stream of which it holds 2 MiB, and lets that happen."""
PATIENCE_S = 150
PLACES: dict[Transport, str] = {"tcp": "/ip4/127.0.0.1/tcp/0", "quic": "/ip4/127.0.0.1/udp/0/quic-v1"}
OURS = Identity(bytes([3]) * 32)
SOMEBODY = PeerId(Identity(bytes([4]) * 32).public)


async def echo(_: Connection, stream: Stream) -> None:
    while data := await stream.read(PIECE):
        await stream.write(data)


@contextlib.asynccontextmanager
async def node(transport: Transport) -> AsyncIterator[tuple[QuicEndpoint | TcpEndpoint, Multiaddr]]:
    """One of ours, and where it listens."""
    protocols, limits = Protocols(), NetLimits()
    protocols.serve(
        identify.IDENTIFY, identify.says(lambda: Identify(peer=PeerId(OURS.public), agent_version="orlop/test"))
    )
    protocols.serve(ping.PING, ping.PingAnswers())
    protocols.serve("/echo/1", echo)
    shared: dict[str, Any] = {
        "protocols": protocols,
        "unread": Unread(limits),
        "on_connection": lambda _: None,
        "on_fault": lambda *_: None,
    }
    endpoint: QuicEndpoint | TcpEndpoint
    if transport == "quic":
        endpoint = QuicEndpoint(OURS, limits, SystemClock(), **shared)
    else:
        endpoint = TcpEndpoint(OURS, limits, **shared)
    try:
        yield endpoint, await endpoint.listen(Multiaddr.parse(PLACES[transport], listening=True))
    finally:
        await endpoint.aclose()


@contextlib.asynccontextmanager
async def theirs(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(str(PYTHON), str(SCRIPT), *words, stdout=asyncio.subprocess.PIPE)
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.communicate()


async def told(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        line = await process.stdout.readline()
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.mark.parametrize("transport", PLACES)
async def test_we_dial_it(transport: Transport) -> None:
    async with node(transport) as (endpoint, _), theirs(transport, "serve") as process:
        place = Multiaddr.parse((await told(process))["listens"])
        assert place.peer is not None
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(WrongPeerError):
                await endpoint.dial(SOMEBODY, place.without_peer())
            connection = await endpoint.dial(place.peer, place.without_peer())
            said = await identify.ask(connection)
            assert said.agent_version
            assert ping.PING in said.protocols
            assert [await ping.ping(connection) > 0 for _ in range(3)] == [True] * 3
            assert await echoed(connection) == bytes(SIZE)


async def echoed(connection: Connection) -> bytes:
    """What comes back of 8 MiB, of which no more are on their way than it holds."""
    stream = await connection.open("/echo/1", bulk=True)
    ahead = asyncio.Semaphore(AHEAD)
    back = bytearray()

    async def write() -> None:
        for _ in range(SIZE // PIECE):
            await ahead.acquire()
            await stream.write(bytes(PIECE))
        await stream.end()

    writing = asyncio.create_task(write())
    while len(back) < SIZE:  # not to the end: what ends a stream differs there from transport to transport
        piece = await stream.read(PIECE)
        assert piece
        for _ in range((len(back) + len(piece)) // PIECE - len(back) // PIECE):
            ahead.release()
        back += piece
    await writing
    return bytes(back)


@pytest.mark.parametrize("transport", PLACES)
async def test_it_dials_us(transport: Transport) -> None:
    async with node(transport) as (_, place):
        target = place.with_peer(PeerId(OURS.public))
        async with theirs(transport, "dial", str(target)) as process:
            answer = await told(process)
        assert answer == {"pings": 3, "agent": "orlop/test", "echoed": hashlib.sha256(bytes(SIZE)).hexdigest()}


@pytest.mark.parametrize("transport", PLACES)
async def test_it_refuses_us_in_the_place_of_somebody_else(transport: Transport) -> None:
    async with node(transport) as (_, place), theirs(transport, "dial", str(place.with_peer(SOMEBODY))) as process:
        assert set(await told(process)) == {"refused"}
