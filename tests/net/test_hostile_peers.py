"""Peers that break the rules, on real sockets: each is survived, told of in words, and the next good peer gets in.

The numbers are the rows of the table of hostile peers in the threat model.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from net.connection import TcpConnection
from net.host_events import Banned, Connected, Disconnected, PeerFault
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.noise import NoiseKey
from net.peer_id import PeerId
from net.ping import ping
from net.stream import Connection, Stream
from net.upgrade import Upgrade
from net.yamux_frames import Flag, GoAway, Kind, frame
from runtime.errors import OrlopError
from tests.net.hostile_peer import HostilePeer, hostile
from tests.net.nodes import ANY_PORT, PATIENT, Future, Node, hosts, identity, until

MALLORY = identity(66)
MALLORYS_ID = str(PeerId(MALLORY.public))


@asynccontextmanager
async def target(limits: NetLimits = PATIENT) -> AsyncIterator[tuple[Node, Multiaddr]]:
    """A host; at the end a good peer connects to it and is answered."""
    async with hosts(2, limits) as (node, friend):
        place = await node.host.listen(ANY_PORT)
        yield node, place
        connection = await friend.host.connect(node.peer, [place])
        assert await ping(connection, within_s=60) > 0


async def blamed(node: Node, rule: str) -> PeerFault:
    return await node.tells(PeerFault, lambda event: event.rule == rule)


# --- before the key is proven ----------------------------------------------------------------------------------------


async def test_row_01_a_handshake_that_takes_too_long_is_cut_off() -> None:
    future = Future()
    async with target() as (node, place), hostile(place) as peer:
        peer.say(b"\x13/multistream")
        assert await peer.read_some() == b"\x13/multistream/1.0.0\n"
        future.comes(PATIENT.upgrade_s)
        await peer.is_cut_off()
        fault = await blamed(node, "handshake-timeout")
        assert (fault.peer, fault.score) == ("", 5)
        assert fault.remote.startswith("/ip4/127.0.0.1/tcp/")


async def test_row_01_no_more_than_so_many_are_in_the_middle_of_a_handshake() -> None:
    limits = replace(PATIENT, half_open=6, half_open_per_prefix=4, spare_loopback=False)
    async with target(limits) as (_node, place):
        waiting = [await asyncio.open_connection(place.host, place.port) for _ in range(4)]
        for reader, _ in waiting:
            assert await reader.readexactly(20) == b"\x13/multistream/1.0.0\n"
        async with hostile(place) as fifth:
            await fifth.is_cut_off()
        for _, writer in waiting:
            writer.close()
            await writer.wait_closed()


SPEECHES: dict[str, tuple[bytes, str, int]] = {
    "http": (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: x\r\nAccept: text/html, */*\r\nAccept-Language: en\r\n\r\n",
        "multistream",
        20,
    ),
    "tls": (bytes.fromhex("16030100c8010000c40303") + bytes(200), "multistream", 20),
    "a long name": (b"\x13/multistream/1.0.0\n\xff\x7f" + b"x" * 16_000, "multistream", 20),
    "too many names": (b"\x13/multistream/1.0.0\n" + 40 * b"\x04/x\n\n"[:5], "multistream", 20),
    "noise too long": (b"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff" + bytes(70_000), "oversized-frame", 20),
    "a key of zeros": (b"\x13/multistream/1.0.0\n\x07/noise\n\x00\x20" + bytes(32), "unproven-key", 50),
}


@pytest.mark.parametrize("name", SPEECHES)
async def test_rows_02_03_04_whoever_does_not_speak_as_he_should_is_cut_off(name: str) -> None:
    said, rule, score = SPEECHES[name]
    async with target() as (node, place), hostile(place) as peer:
        peer.say(said)
        await peer.is_cut_off()
        fault = await blamed(node, rule)
        assert (fault.peer, fault.score, fault.count) == ("", score, 1)


async def test_row_04_a_wrong_proof_of_the_key_is_answered_with_nothing() -> None:
    async with target() as (node, place), hostile(place) as peer:
        key = NoiseKey.fresh(MALLORY)
        stolen = NoiseKey(key.private, NoiseKey.fresh(identity(1)).proof)
        upgrade = Upgrade(dialler=True, key=stolen, own=PeerId(MALLORY.public), expected=None, limits=NetLimits())
        done = None
        while done is None:
            peer.say(upgrade.take())
            done = upgrade.receive(await peer.read_some())
        peer.say(upgrade.take())
        await peer.is_cut_off()
        fault = await blamed(node, "unproven-key")
        assert (fault.peer, fault.score) == ("", 50)
        assert "could not prove its key" in fault.reason
        assert node.told(Connected) == []


async def test_row_06_somebody_with_our_own_key_is_told_of() -> None:
    async with target() as (node, place), hostile(place) as peer:
        await peer.upgrade(identity(1), own=identity(1))
        await peer.is_cut_off()
        fault = await blamed(node, "own-key")
        assert fault.score == 0


async def test_row_30_who_connects_again_and_again_waits_and_is_banned() -> None:
    limits = replace(PATIENT, spare_loopback=False, accepts_burst=5, per_prefix=100)
    async with hosts(1, limits) as (node,):
        place = await node.host.listen(ANY_PORT)
        for _ in range(15):
            async with hostile(place) as peer:
                peer.writer.write_eof()
                await peer.is_cut_off()
        fault = await blamed(node, "connection-churn")
        assert fault.score == 10
        ban = await node.tells(Banned)
        assert (ban.kind, ban.subject) == ("prefix", "127.0.0.1")
        async with hostile(place) as peer:
            await peer.is_cut_off()
        node.clock.advance(3601)
        async with hosts(2) as (_, friend):
            assert await ping(await friend.host.dial_any(place), within_s=60) > 0


async def test_row_30_no_more_than_eight_connections_of_one_prefix() -> None:
    limits = replace(PATIENT, spare_loopback=False, half_open_per_prefix=100)
    async with hosts(1, limits) as (node,):
        place = await node.host.listen(ANY_PORT)
        async with hosts(10) as friends:
            for friend in friends[1:9]:
                assert await ping(await friend.host.connect(node.peer, [place]), within_s=60) > 0
            async with hostile(place) as ninth:
                await ninth.is_cut_off()
            assert (await blamed(node, "connections-of-prefix")).score == 0
            assert len(node.host.connections()) == 8


# --- after it ---------------------------------------------------------------------------------------------------------


async def short_frame(peer: HostilePeer) -> None:
    peer.say(b"\x00\x0f" + bytes(15))


async def changed_frame(peer: HostilePeer) -> None:
    peer.say(b"\x00\x20" + bytes(32))


def says(*frames: bytes) -> Callable[[HostilePeer], Awaitable[None]]:
    async def say(peer: HostilePeer) -> None:
        peer.say_sealed(*frames)

    return say


SYN = frame(Kind.WINDOW_UPDATE, Flag.SYN, 1, 0)
BREACHES: dict[str, tuple[Callable[[HostilePeer], Awaitable[None]], str, int]] = {
    "a frame shorter than its seal": (short_frame, "short-frame", 20),
    "a frame that was changed": (changed_frame, "bad-frame", 20),
    "more than the window": (says(frame(Kind.DATA, Flag.SYN, 1, 262_145)), "window-overflow", 50),
    "four gigabytes": (says(SYN, frame(Kind.DATA, 0, 1, 0xFFFF_FFFF)), "window-overflow", 50),
    "an unknown kind": (says(frame(9, 0, 1, 0)), "unknown-frame", 50),
    "a used number": (says(SYN, SYN), "bad-stream-number", 50),
    "our numbers": (says(frame(Kind.WINDOW_UPDATE, Flag.SYN, 2, 0)), "bad-stream-number", 50),
    "a stream of nobody": (says(frame(Kind.DATA, 0, 7, 1)), "no-stream", 50),
    "pings": (says(*(frame(Kind.PING, Flag.SYN, 0, n) for n in range(100))), "ping-flood", 10),
    "window updates": (says(SYN, *(11_000 * [frame(Kind.WINDOW_UPDATE, 0, 1, 1)])), "window-update-flood", 10),
    "farewells": (says(*(11_000 * [frame(Kind.GO_AWAY, 0, 0, 0)])), "window-update-flood", 10),
}


@pytest.mark.parametrize("name", BREACHES)
async def test_rows_03_08_10_11_a_breach_by_a_proven_peer_ends_its_connection(name: str) -> None:
    breach, rule, score = BREACHES[name]
    async with target() as (node, place), hostile(place) as peer:
        assert await peer.upgrade(MALLORY) == node.peer
        await breach(peer)
        await peer.is_cut_off()
        fault = await blamed(node, rule)
        assert (fault.peer, fault.score) == (MALLORYS_ID, score)
        assert (await node.tells(Disconnected)).peer == MALLORYS_ID


async def test_row_08_a_breach_is_answered_with_a_farewell_that_says_so() -> None:
    async with target() as (_node, place), hostile(place) as peer:
        await peer.upgrade(MALLORY)
        peer.say_sealed(frame(9, 0, 1, 0))
        farewell = await peer.hears(lambda header: header.kind == Kind.GO_AWAY)
        assert farewell.length == GoAway.PROTOCOL_ERROR


async def test_row_08_twice_bans_the_peer_for_an_hour() -> None:
    async with target() as (node, place):
        for _ in range(2):
            async with hostile(place) as peer:
                await peer.upgrade(MALLORY)
                peer.say_sealed(frame(9, 0, 1, 0))
                await peer.is_cut_off()
        assert (await node.tells(Banned)).subject == MALLORYS_ID
        async with hostile(place) as peer:
            await peer.upgrade(MALLORY)
            await peer.is_cut_off()
        assert len(node.told(Connected)) == 2


async def test_row_09_a_flood_of_streams_is_refused_stream_by_stream_until_the_ban() -> None:
    async with target() as (node, place), hostile(place) as peer:
        await peer.upgrade(MALLORY)
        peer.say_sealed(*(frame(Kind.WINDOW_UPDATE, Flag.SYN, number, 0) for number in range(1, 401, 2)))
        await peer.is_cut_off()
        fault = await blamed(node, "stream-flood")
        assert (fault.peer, fault.score) == (MALLORYS_ID, 2)
        assert (await node.tells(Banned)).subject == MALLORYS_ID


async def test_row_09_streams_that_are_opened_and_reset_at_once_are_a_flood_too() -> None:
    limits = replace(PATIENT, streams=50, resets_rate=1000)
    async with target(limits) as (node, place), hostile(place) as peer:
        await peer.upgrade(MALLORY)
        for number in range(1, 111, 2):
            peer.say_sealed(
                frame(Kind.WINDOW_UPDATE, Flag.SYN, number, 0), frame(Kind.WINDOW_UPDATE, Flag.RST, number, 0)
            )
        assert (await blamed(node, "stream-flood")).peer == MALLORYS_ID


async def test_a_stream_on_which_nothing_is_proposed_is_reset() -> None:
    future = Future()
    async with target() as (_node, place), hostile(place) as peer:
        await peer.upgrade(MALLORY)
        peer.say_sealed(SYN)
        await peer.hears(lambda header: bool(header.flags & Flag.ACK))
        future.comes(PATIENT.upgrade_s)
        await peer.hears(lambda header: bool(header.flags & Flag.RST))


async def test_row_02_nonsense_at_the_beginning_of_a_stream_costs_the_stream() -> None:
    async with target() as (node, place), hostile(place) as peer:
        await peer.upgrade(MALLORY)
        peer.say_sealed(frame(Kind.DATA, Flag.SYN, 1, 500), b"\xff" * 500)
        await peer.hears(lambda header: bool(header.flags & Flag.RST))
        assert (await blamed(node, "multistream")).peer == MALLORYS_ID


async def test_row_12_a_peer_that_vanishes_is_lost_after_three_pings() -> None:
    future = Future()
    async with target() as (node, place), hostile(place) as peer:
        await peer.upgrade(MALLORY)
        await node.tells(Connected)
        for number in (1, 2, 3):
            future.comes(PATIENT.ping_s)
            assert (await peer.hears(lambda header: header.kind == Kind.PING)).length == number
        future.comes(PATIENT.ping_s)
        lost = await node.tells(Disconnected, lambda event: event.peer == MALLORYS_ID)
        assert lost.reason == "has not answered for too long"
        await peer.is_cut_off()


async def test_row_13_a_peer_that_gives_no_credit_loses_its_stream() -> None:
    async def floods(_connection: Connection, stream: Stream) -> None:
        while True:
            await stream.write(bytes(100_000))

    future = Future()
    async with target() as (node, place), hostile(place) as peer:
        node.host.serve("/floods", floods)
        await peer.upgrade(MALLORY)
        said = b"\x13/multistream/1.0.0\n\x08/floods\n"
        peer.say_sealed(frame(Kind.DATA, Flag.SYN, 1, len(said)), said)
        got = 0
        while got < 262_144:
            got += sum(header.length for header in await peer.headers() if header.kind == Kind.DATA)
        assert got == 262_144
        future.comes(PATIENT.write_s)
        await peer.hears(lambda header: bool(header.flags & Flag.RST))
        assert (await blamed(node, "stalled")).score == 5


async def test_row_13_a_peer_that_does_not_read_its_socket_stops_what_is_written_for_it() -> None:
    written = 0

    async def floods(_connection: Connection, stream: Stream) -> None:
        nonlocal written
        while True:
            await stream.write(bytes(100_000))
            written += 100_000

    async with target() as (node, place), hostile(place) as peer:
        node.host.serve("/floods", floods)
        await peer.upgrade(MALLORY)
        said = b"\x13/multistream/1.0.0\n\x08/floods\n"
        grants = 100 * [frame(Kind.WINDOW_UPDATE, 0, 1, 16_000_000)]
        peer.say_sealed(frame(Kind.DATA, Flag.SYN, 1, len(said)), said, *grants)
        connection = await _the_connection(node)
        await until(lambda: not connection._wire.free)
        before = written
        for _ in range(100):
            await asyncio.sleep(0)
        assert written == before


async def _the_connection(node: Node) -> TcpConnection:
    await node.tells(Connected)
    (connection,) = node.host.connections()
    assert isinstance(connection, TcpConnection)
    return connection


async def test_row_11_after_a_farewell_what_stands_goes_on_and_more_farewells_mean_nothing() -> None:
    async def answers(_connection: Connection, stream: Stream) -> None:
        assert await stream.read() == b"still there?"
        await stream.write(b"yes")

    async with target() as (node, place), hostile(place) as peer:
        node.host.serve("/answers", answers)
        await peer.upgrade(MALLORY)
        said = b"\x13/multistream/1.0.0\n\x09/answers\n"
        peer.say_sealed(frame(Kind.DATA, Flag.SYN, 1, len(said)), said)
        await peer.hears(lambda header: header.kind == Kind.DATA)
        for _ in range(3):
            peer.say_sealed(frame(Kind.GO_AWAY, 0, 0, GoAway.NORMAL))
        peer.say_sealed(frame(Kind.DATA, 0, 1, 12), b"still there?")
        await peer.hears(lambda header: header.kind == Kind.DATA and header.length == len(b"yes"))
        assert node.told(PeerFault) == []


async def test_an_idle_connection_is_closed_with_a_farewell() -> None:
    future = Future()
    async with target() as (node, place), hostile(place) as peer:
        await peer.upgrade(MALLORY)
        await node.tells(Connected)
        future.comes(PATIENT.idle_s)
        await peer.hears(lambda header: header.kind == Kind.GO_AWAY)
        assert (await node.tells(Disconnected)).reason == "was idle for too long"


# --- who is dialled ---------------------------------------------------------------------------------------------------


async def test_row_05_a_listener_with_another_key_never_learns_who_has_dialled() -> None:
    heard = asyncio.get_running_loop().create_future()

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upgrade = Upgrade(
            dialler=False, key=NoiseKey.fresh(MALLORY), own=PeerId(MALLORY.public), expected=None, limits=NetLimits()
        )
        done = None
        while data := await reader.read(65_536):
            done = upgrade.receive(data)
            writer.write(upgrade.take())
        writer.close()
        heard.set_result(done)

    server = await asyncio.start_server(listens, "127.0.0.1", 0)
    place = Multiaddr.at("127.0.0.1", server.sockets[0].getsockname()[1], "tcp")
    async with hosts(1) as (node,):
        somebody = PeerId(identity(9).public)
        with pytest.raises(Exception, match=f"answered with another key, {MALLORYS_ID}"):
            await node.host.connect(somebody, [place])
        assert await heard is None
        assert node.told(PeerFault)[0].score == 0
    server.close()
    await server.wait_closed()


async def test_row_01_a_listener_that_never_says_a_word_is_given_up() -> None:
    said, gone = asyncio.Event(), asyncio.Event()

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            said.set()
        writer.close()
        gone.set()

    server = await asyncio.start_server(listens, "127.0.0.1", 0)
    place = Multiaddr.at("127.0.0.1", server.sockets[0].getsockname()[1], "tcp")
    future = Future()
    async with hosts(1) as (node,):
        dialling = asyncio.create_task(node.host.connect(PeerId(identity(9).public), [place]))
        await said.wait()
        future.comes(PATIENT.upgrade_s)
        with pytest.raises(OrlopError, match="did not finish the handshake") as caught:
            await dialling
        assert str(place) in str(caught.value)
        assert node.host.connections() == []
        await gone.wait()
    server.close()
    await server.wait_closed()
