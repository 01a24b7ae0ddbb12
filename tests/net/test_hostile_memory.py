"""What a hostile connection makes a host hold: no more than a mebibyte, before its key is proven and as a stranger."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from net.connection import TcpConnection
from net.multiaddr import Multiaddr
from net.stream import Connection, Stream
from net.yamux_frames import Flag, Kind, frame
from tests.net.hostile_peer import HostilePeer, hostile
from tests.net.nodes import ANY_PORT, PATIENT, Node, hosts, identity, until

MIB = 1 << 20
COUNT = 2
GREETING = b"\x13/multistream/1.0.0\n\x06/deaf\n"


async def deaf(_connection: Connection, _stream: Stream) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def attacked() -> AsyncIterator[tuple[Node, Multiaddr, list[HostilePeer]]]:
    """A host and two connections that have said nothing yet."""
    async with hosts(1, replace(PATIENT, unread_s=1000.0, opened_rate=1000)) as (node,):
        node.host.serve("/deaf", deaf)
        place = await node.host.listen(ANY_PORT)
        async with AsyncExitStack() as stack:
            yield node, place, [await stack.enter_async_context(hostile(place)) for _ in range(COUNT)]


@pytest.fixture(autouse=True)
def _traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def held() -> float:
    """Mebibytes that code of `net` has allocated, and asyncio for it, and not given back."""
    snapshot = tracemalloc.take_snapshot().filter_traces(
        [tracemalloc.Filter(True, "*/net/*"), tracemalloc.Filter(True, "*/asyncio/*")]
    )
    return sum(each.size for each in snapshot.statistics("filename")) / MIB


async def test_before_the_key_is_proven() -> None:
    async with attacked() as (_node, _place, peers):
        before = held()
        for peer in peers:
            peer.say(b"\x13/multistream/1.0.0\n\x07/noise\n\x04\xe2" + bytes(1000))
            assert await peer.read_some()
        assert (held() - before) / COUNT < 1


async def _connections(node: Node) -> list[TcpConnection]:
    await until(lambda: len(node.host.connections()) == COUNT)
    return [each for each in node.host.connections() if isinstance(each, TcpConnection)]


async def test_bytes_that_nobody_reads() -> None:
    async with attacked() as (node, _place, peers):
        before = held()
        for number, peer in enumerate(peers):
            await peer.upgrade(identity(100 + number))
            for stream in (1, 3, 5):
                peer.say_sealed(frame(Kind.DATA, Flag.SYN, stream, len(GREETING)), GREETING)
                one = frame(Kind.DATA, Flag.NONE, stream, 100) + bytes(100)
                for _ in range(26):
                    peer.say_sealed(one * 100)
        for connection in await _connections(node):
            await until(lambda connection=connection: not connection._wire.reading)  # type: ignore[misc]
        assert (held() - before) / COUNT < 1


async def test_as_many_streams_as_may_be_that_never_say_what_they_are_for() -> None:
    async with attacked() as (node, _place, peers):
        before = held()
        for number, peer in enumerate(peers):
            await peer.upgrade(identity(100 + number))
            peer.say_sealed(
                *(
                    frame(Kind.DATA, Flag.SYN, stream, 1000) + b"\x13/multistream/1.0.0\n\xff\x07" + bytes(978)
                    for stream in range(1, 513, 2)
                )
            )
        for connection in await _connections(node):
            await until(lambda connection=connection: connection.streams == 256)  # type: ignore[misc]
        assert (held() - before) / COUNT < 1
