"""Connections over real sockets: what streams promise, what happens when a side is slow, silent or gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from net.connection import TcpConnection
from net.errors import (
    AddressError,
    ConnectionLostError,
    PeerFaultError,
    StreamResetError,
    UnreachableError,
    UnsupportedProtocolError,
    WrongPeerError,
)
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.stream import Connection, Protocols, Stream, read_exactly
from net.tcp import TcpEndpoint
from net.unread import Unread
from runtime.errors import NetworkError
from runtime.identity import Identity
from tests.net.nodes import ANY_PORT, PATIENT, Future, until

ALICE, BOB, EVE = (Identity(bytes([seed]) * 32) for seed in (1, 2, 3))


@dataclass
class Node:
    """An endpoint and what it told."""

    endpoint: TcpEndpoint
    protocols: Protocols
    inbound: asyncio.Queue[TcpConnection] = field(default_factory=asyncio.Queue)
    faults: asyncio.Queue[PeerFaultError] = field(default_factory=asyncio.Queue)


def node(who: Identity, limits: NetLimits | None = None, admits: Callable[[str], bool] = lambda _: True) -> Node:
    table = limits or PATIENT
    protocols = Protocols()
    inbound: asyncio.Queue[TcpConnection] = asyncio.Queue()
    faults: asyncio.Queue[PeerFaultError] = asyncio.Queue()
    endpoint = TcpEndpoint(
        who,
        table,
        protocols=protocols,
        unread=Unread(table),
        on_connection=inbound.put_nowait,
        on_fault=lambda _place, _peer, fault: faults.put_nowait(fault),
        admits=admits,
    )
    return Node(endpoint, protocols, inbound, faults)


def peer(who: Identity) -> PeerId:
    return PeerId(who.public)


@asynccontextmanager
async def linked(
    limits: NetLimits | None = None, dialler_limits: NetLimits | None = None
) -> AsyncIterator[tuple[Node, Node, TcpConnection, TcpConnection]]:
    """Bob listens, Alice has dialled; at the end nothing of either is left."""
    before = asyncio.all_tasks()
    alice, bob = node(ALICE, dialler_limits or limits), node(BOB, limits)
    try:
        place = await bob.endpoint.listen(ANY_PORT)
        here = await alice.endpoint.dial(peer(BOB), place)
        there = await bob.inbound.get()
        yield alice, bob, here, there
    finally:
        await alice.endpoint.aclose()
        await bob.endpoint.aclose()
    assert asyncio.all_tasks() == before


async def echo(_connection: Connection, stream: Stream) -> None:
    while data := await stream.read():
        await stream.write(data)


async def read_all(stream: Stream) -> bytes:
    pieces = []
    while data := await stream.read():
        pieces.append(data)
    return b"".join(pieces)


async def test_both_ends_know_whom_they_talk_to_and_where_it_is() -> None:
    async with linked() as (_alice, _bob, here, there):
        assert (here.peer, there.peer) == (peer(BOB), peer(ALICE))
        assert (here.dialled, there.dialled) == (True, False)
        assert str(here.remote).startswith("/ip4/127.0.0.1/tcp/")
        assert str(there.remote).startswith("/ip4/127.0.0.1/tcp/")
        assert here.transport == "tcp"


async def test_what_is_written_comes_back_and_both_directions_end() -> None:
    async with linked() as (_alice, bob, here, there):
        bob.protocols.serve("/echo", echo)
        stream = await here.open("/echo")
        assert stream.protocol == "/echo"
        await stream.write(b"hello")
        assert await read_exactly(stream, 5) == b"hello"
        await stream.write(memoryview(b"again"))
        await stream.end()
        assert await read_all(stream) == b"again"
        assert here.streams == 0
        await until(lambda: not there.streams)


async def test_the_listener_opens_streams_too() -> None:
    async with linked() as (alice, _bob, _here, there):
        alice.protocols.serve("/echo", echo)
        stream = await there.open("/echo")
        await stream.write(b"x")
        assert await stream.read() == b"x"
        stream.reset()


@pytest.mark.parametrize("bulk", [False, True])
async def test_many_megabytes_go_through_many_streams_at_once(bulk: bool) -> None:
    async with linked() as (_alice, bob, here, there):
        here.trust()
        there.trust()
        bob.protocols.serve("/echo", echo, bulk=bulk)

        async def one(number: int) -> None:
            sent = bytes([number]) * 3_000_000
            stream = await here.open("/echo", bulk=bulk)
            reading = asyncio.create_task(read_all(stream))
            await stream.write(sent)
            await stream.end()
            assert await reading == sent

        await asyncio.gather(*(one(number) for number in range(6)))
        assert here.streams == 0


async def test_a_protocol_that_is_not_served_is_refused_by_name() -> None:
    async with linked() as (_alice, _bob, here, there):
        with pytest.raises(UnsupportedProtocolError, match="does not speak /nothing"):
            await here.open("/nothing")
        await until(lambda: not here.streams and not there.streams)
        assert not here.closed


async def test_a_reader_that_does_not_read_stops_the_writer_and_nobody_else() -> None:
    limits = NetLimits()
    reads = asyncio.Event()

    async def later(_connection: Connection, stream: Stream) -> None:
        await reads.wait()
        await echo(_connection, stream)

    async with linked(limits) as (_alice, bob, here, there):
        bob.protocols.serve("/later", later)
        bob.protocols.serve("/echo", echo)
        stream = await here.open("/later")
        other = await here.open("/echo")
        writing = asyncio.create_task(stream.write(bytes(2_000_000)))
        await other.write(b"through")
        assert await read_exactly(other, 7) == b"through"
        await until(lambda: there._mux.unread >= limits.window - 100)
        assert not writing.done()
        assert there._mux.unread <= limits.window
        reads.set()
        assert len(await read_exactly(stream, 2_000_000)) == 2_000_000
        await writing
        stream.reset()
        other.reset()


async def test_unread_bytes_of_a_stranger_are_bounded_over_all_its_streams() -> None:
    limits = replace(PATIENT, unread_s=1000.0)

    async def deaf(_connection: Connection, _stream: Stream) -> None:
        await asyncio.Event().wait()

    async with linked(limits) as (_alice, bob, here, there):
        bob.protocols.serve("/deaf", deaf)
        streams = [await here.open("/deaf") for _ in range(8)]
        writing = [asyncio.create_task(stream.write(bytes(250_000))) for stream in streams]
        await until(lambda: not there._wire.reading)
        assert limits.unread_stranger <= there._mux.unread <= limits.unread_stranger + 70_000
        there.trust()
        await asyncio.gather(*writing)
        await until(lambda: there._mux.unread == 8 * 250_000)


async def test_streams_that_nobody_reads_do_not_stop_the_others_for_ever() -> None:
    async def deaf(_connection: Connection, _stream: Stream) -> None:
        await asyncio.Event().wait()

    async with linked(replace(PATIENT, unread_s=0.01)) as (_alice, bob, here, there):
        bob.protocols.serve("/deaf", deaf)
        bob.protocols.serve("/echo", echo)
        streams = [await here.open("/deaf") for _ in range(8)]
        writing = [asyncio.create_task(stream.write(bytes(250_000))) for stream in streams]
        other = await here.open("/echo")
        await other.write(b"through")
        assert await read_exactly(other, 7) == b"through"
        await asyncio.gather(*writing, return_exceptions=True)
        assert there._mux.unread <= NetLimits().unread_stranger


async def test_a_handler_that_fails_resets_its_stream_and_the_connection_goes_on() -> None:
    async def blames(_connection: Connection, _stream: Stream) -> None:
        raise PeerFaultError("sent nonsense", rule="nonsense", score=10)

    async with linked() as (_alice, bob, here, _there):
        bob.protocols.serve("/blames", blames)
        stream = await here.open("/blames")
        with pytest.raises(StreamResetError):
            await stream.read()
        assert (await bob.faults.get()).rule == "nonsense"
        assert not here.closed


async def test_what_was_sent_before_a_goodbye_is_still_read() -> None:
    async def says(connection: Connection, stream: Stream) -> None:
        await stream.write(b"all of it")
        await stream.end()
        await connection.close()

    async with linked() as (_alice, bob, here, _there):
        bob.protocols.serve("/says", says)
        stream = await here.open("/says")
        await here.wait_closed()
        assert await read_all(stream) == b"all of it"
        with pytest.raises(StreamResetError):
            await stream.write(b"x")


async def test_a_connection_that_ends_ends_everything_on_it() -> None:
    async def waits(_connection: Connection, stream: Stream) -> None:
        await stream.read()

    async with linked() as (_alice, bob, here, there):
        bob.protocols.serve("/waits", waits)
        stream = await here.open("/waits")
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(0)
        await there.close()
        with pytest.raises(StreamResetError):
            await reading
        await here.wait_closed()
        with pytest.raises(ConnectionLostError):
            await here.open("/waits")
        await here.close()
        await here.close()


async def test_draining_lets_what_stands_finish_and_takes_no_more() -> None:
    async with linked() as (_alice, bob, here, there):
        bob.protocols.serve("/echo", echo)
        stream = await here.open("/echo")
        draining = asyncio.create_task(there.drain())
        await until(lambda: here._mux.closing)
        with pytest.raises(ConnectionLostError):
            await here.open("/echo")
        await stream.write(b"on")
        assert await read_exactly(stream, 2) == b"on"
        await stream.end()
        assert await read_all(stream) == b""
        await draining
        await here.wait_closed()


async def test_a_write_that_is_cancelled_ends_the_stream_since_nobody_knows_how_much_went() -> None:
    async def deaf(_connection: Connection, _stream: Stream) -> None:
        await asyncio.Event().wait()

    async with linked() as (_alice, bob, here, _there):
        bob.protocols.serve("/deaf", deaf)
        stream = await here.open("/deaf")
        writing = asyncio.create_task(stream.write(bytes(1_000_000)))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        with pytest.raises(StreamResetError):
            await stream.read()


async def test_another_key_than_was_dialled_is_nobodys_connection() -> None:
    async with linked() as (alice, bob, here, _there):
        with pytest.raises(WrongPeerError) as caught:
            await alice.endpoint.dial(peer(EVE), here.remote)
        assert caught.value.found == BOB.peer_id
        assert bob.inbound.empty()


async def test_our_own_key_at_the_other_end_is_refused_by_both() -> None:
    bob, twin = node(BOB), node(BOB)
    place = await bob.endpoint.listen(ANY_PORT)
    with pytest.raises(PeerFaultError, match="own key"):
        await twin.endpoint.dial(None, place)
    assert bob.inbound.empty()
    await twin.endpoint.aclose()
    await bob.endpoint.aclose()


async def test_nobody_there_and_no_address_are_said_in_one_line() -> None:
    alice = node(ALICE)
    place = await alice.endpoint.listen(ANY_PORT)
    await alice.endpoint.aclose()
    with pytest.raises(UnreachableError, match=f"{place}: cannot be reached: connection refused"):
        await alice.endpoint.dial(None, place)
    with pytest.raises(AddressError):
        await alice.endpoint.dial(None, Multiaddr.parse("/dns/example.org/tcp/1"))


async def test_a_port_in_use_and_an_address_of_somebody_else_cannot_be_listened_on() -> None:
    alice = node(ALICE)
    place = await alice.endpoint.listen(ANY_PORT)
    with pytest.raises(NetworkError, match="address already in use"):
        await alice.endpoint.listen(place)
    with pytest.raises(NetworkError, match="cannot be listened on"):
        await alice.endpoint.listen(Multiaddr.parse("/ip4/203.0.113.7/tcp/4001"))
    await alice.endpoint.aclose()


async def test_a_connection_knows_how_long_its_last_ping_took() -> None:
    future = Future()
    async with linked() as (_alice, _bob, here, _there):
        assert here.latency_s is None
        future.comes(PATIENT.ping_s)
        await until(lambda: here.latency_s is not None)
        assert here.latency_s is not None
        assert here.latency_s >= 0
