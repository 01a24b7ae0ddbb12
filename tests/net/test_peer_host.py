"""A host among others: who is connected to whom, by which of several connections, and who is not let in."""

import asyncio
import socket
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from net.connection import TcpConnection
from net.errors import AddressError, ConnectionLostError, PeerFaultError, UnreachableError, WrongPeerError
from net.host import Host
from net.host_events import Banned, Connected, DialFailed, Disconnected, HostEvent, Listening, PeerFault
from net.identify import ask
from net.multiaddr import Multiaddr
from net.ping import ping
from net.stream import Connection, Stream, read_exactly
from runtime.clock import ManualClock
from runtime.errors import NetworkError, RefusedError, UsageError
from tests.net.nodes import ANY_PORT, PATIENT, Node, hosts, identity, peer_of, until


async def echo(_connection: Connection, stream: Stream) -> None:
    while data := await stream.read():
        await stream.write(data)


async def until_gone(*nodes: Node) -> None:
    """Until none of them has a connection."""
    for node in nodes:
        await node.tells(Disconnected, lambda event: event.last)


async def test_a_host_says_where_it_listens_and_is_reached_there() -> None:
    async with hosts(2) as (alice, bob):
        place = await bob.host.listen(ANY_PORT)
        assert place.peer == bob.peer
        assert place.port
        assert bob.events == [Listening(address=str(place))]
        connection = await alice.host.connect(bob.peer, [place])
        assert connection.peer == bob.peer
        came = await bob.tells(Connected)
        assert (came.peer, came.dialled, came.transport) == (str(alice.peer), False, "tcp")
        assert alice.told(Connected)[0].remote == str(place.without_peer())


PLACES = ["/ip4/127.0.0.1/tcp/0", *(["/ip6/::1/tcp/0"] if Path("/proc/net/if_inet6").exists() else [])]


@pytest.mark.parametrize("place", PLACES)
async def test_identify_and_ping_are_served_by_default(place: str) -> None:
    async with hosts(2) as (alice, bob):
        address = await bob.host.listen(Multiaddr.parse(place, listening=True))
        connection = await alice.host.connect(bob.peer, [address])
        assert await ping(connection, within_s=60) > 0
        said = await ask(connection, PATIENT)
        assert said.listening == (address.without_peer(),)
        assert set(said.protocols) == {"/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0"}
        assert said.protocol_version == "orlop/1"
        assert said.observed is not None
        assert said.observed.host == connection.remote.host


async def test_a_second_connect_gives_the_connection_that_stands() -> None:
    async with hosts(2) as (alice, bob):
        place = await bob.host.listen(ANY_PORT)
        first, second = await asyncio.gather(
            alice.host.connect(bob.peer, [place]), alice.host.connect(bob.peer, [place])
        )
        assert first is second
        assert await alice.host.connect(bob.peer) is first
        await bob.tells(Connected)
        assert (await bob.host.connect(alice.peer)).dialled is False


async def test_a_stream_is_opened_on_whatever_connection_there_is() -> None:
    async with hosts(2) as (alice, bob):
        bob.host.serve("/echo", echo)
        place = await bob.host.listen(ANY_PORT)
        stream = await alice.host.open(bob.peer, "/echo", [place])
        await stream.write(b"hello")
        assert await read_exactly(stream, 5) == b"hello"
        stream.reset()


async def test_row_07_when_both_dial_at_once_what_the_smaller_peer_id_dialled_is_kept() -> None:
    async with hosts(2) as nodes:
        small, large = sorted(nodes, key=lambda node: node.peer.multihash)
        places = {node.peer: await node.host.listen(ANY_PORT) for node in nodes}
        large.host.serve("/echo", echo)
        small.host.serve("/echo", echo)
        # Both have dialled before either hears of the other: the dials are below what would find the one that stands.
        await asyncio.gather(small.host.dial_any(places[large.peer]), large.host.dial_any(places[small.peer]))
        for node in nodes:
            await node.tells(Disconnected)
        for node, other in ((small, large), (large, small)):
            (kept,) = node.host.connections()
            assert kept.dialled is (node is small)
            stream = await node.host.open(other.peer, "/echo")
            await stream.write(b"x")
            assert await stream.read() == b"x"
            stream.reset()
            assert [event.last for event in node.told(Disconnected)] == [False]


async def test_a_stream_on_the_connection_that_is_set_aside_goes_on_to_its_end() -> None:
    async with hosts(2) as nodes:
        small, large = sorted(nodes, key=lambda node: node.peer.multihash)
        places = {node.peer: await node.host.listen(ANY_PORT) for node in nodes}
        small.host.serve("/echo", echo)
        loser = await large.host.connect(small.peer, [places[small.peer]])
        stream = await loser.open("/echo")
        kept = await small.host.dial_any(places[large.peer])
        await stream.write(b"still here")
        assert await read_exactly(stream, 10) == b"still here"
        await stream.end()
        assert await stream.read() == b""
        await loser.wait_closed()
        assert not kept.closed
        await small.tells(Disconnected)
        assert small.host.connections() == [kept]


async def test_a_peer_that_takes_no_more_streams_on_a_connection_is_dialled_anew() -> None:
    async with hosts(2) as (alice, bob):
        bob.host.serve("/echo", echo)
        place = await bob.host.listen(ANY_PORT)
        first = await alice.host.open(bob.peer, "/echo", [place])
        (there,) = bob.host.connections()
        draining = asyncio.create_task(there.drain())
        (here,) = alice.host.connections()
        assert isinstance(here, TcpConnection)
        await until(lambda: here._mux.closing)
        with pytest.raises(ConnectionLostError, match="takes no more streams"):
            await alice.host.open(bob.peer, "/echo")
        second = await alice.host.open(bob.peer, "/echo", [place])
        for stream in (first, second):
            await stream.write(b"x")
            assert await stream.read() == b"x"
            await stream.end()
            assert await stream.read() == b""
        await draining
        await alice.tells(Disconnected)
        assert len(alice.host.connections()) == 1


async def test_what_the_operator_says_of_a_peer_is_done_at_once() -> None:
    async with hosts(2) as (alice, bob):
        place = await bob.host.listen(ANY_PORT)
        connection = await alice.host.connect(bob.peer, [place])
        await bob.tells(Connected)
        (there,) = bob.host.connections()
        assert isinstance(there, TcpConnection)
        bob.standing.listed.add(alice.peer)
        bob.host.heed(alice.peer)
        assert there._mux.listed
        bob.standing.banned.add(alice.peer)
        bob.host.heed(alice.peer)
        await connection.wait_closed()
        assert connection.end_reason


async def test_row_07_four_connections_of_one_peer_in_one_direction_are_served_and_a_fifth_is_not() -> None:
    async with hosts(1) as (server,):
        place = await server.host.listen(ANY_PORT)
        async with hosts(2) as (_unused, first):
            # One-shot commands have the key of their node and dial on their own.
            for _ in range(4):
                assert await ping(await first.host.dial_any(place), within_s=60) > 0
            connected = server.told(Connected)
            assert [event.peer for event in connected] == [str(first.peer)] * 4
            with pytest.raises(UnreachableError):
                await first.host.dial_any(place)


async def test_nobody_else_is_taken_for_the_peer_that_was_dialled() -> None:
    async with hosts(2) as (alice, bob):
        place = await bob.host.listen(ANY_PORT)
        stranger = peer_of(identity(9))
        with pytest.raises(WrongPeerError, match="answered with another key"):
            await alice.host.connect(stranger, [place.without_peer()])
        assert alice.told(DialFailed)[0].peer == str(stranger)
        assert alice.host.connections() == []
        assert await alice.host.connect(bob.peer, [place])


async def test_an_address_of_another_peer_is_not_tried() -> None:
    async with hosts(2) as (alice, bob):
        place = await bob.host.listen(ANY_PORT)
        with pytest.raises(UsageError, match="has no known address"):
            await alice.host.connect(peer_of(identity(9)), [place])


async def test_dialling_ourselves_is_refused_by_name_and_by_key() -> None:
    async with hosts(1) as (alice,):
        place = await alice.host.listen(ANY_PORT)
        with pytest.raises(UsageError, match="is this node itself"):
            await alice.host.connect(alice.peer, [place])
        with pytest.raises(PeerFaultError, match="own key"):
            await alice.host.dial_any(place.without_peer())


async def test_a_dead_address_does_not_hold_up_a_good_one_and_is_left_alone_for_a_while() -> None:
    async with hosts(3) as (alice, bob, dead):
        nowhere = (await dead.host.listen(ANY_PORT)).without_peer()
        await dead.host.aclose()
        place = await bob.host.listen(ANY_PORT)
        with pytest.raises(UnreachableError, match="connection refused"):
            await alice.host.connect(bob.peer, [nowhere])
        with pytest.raises(UnreachableError, match="a moment ago; try again in 1 s"):
            await alice.host.connect(bob.peer, [nowhere])
        assert await alice.host.connect(bob.peer, [nowhere, place])
        alice.clock.advance(2)
        await alice.host.disconnect(bob.peer)
        await until_gone(alice)
        with pytest.raises(UnreachableError, match="connection refused"):
            await alice.host.connect(bob.peer, [nowhere])
        with pytest.raises(UnreachableError, match="try again in 2 s"):
            await alice.host.connect(bob.peer, [nowhere])


async def test_addresses_that_others_tell_of_are_tried_only_where_they_can_be_meant() -> None:
    async with hosts(2) as (alice, bob):
        place = await bob.host.listen(ANY_PORT)
        with pytest.raises(UsageError, match="has no known address"):
            await alice.host.connect(bob.peer, hearsay=[place])
        assert await alice.host.connect(bob.peer, [place], hearsay=[place])


async def test_a_banned_peer_is_neither_dialled_nor_let_in() -> None:
    async with hosts(2) as (alice, bob):
        places = [await node.host.listen(ANY_PORT) for node in (alice, bob)]
        alice.standing.banned.add(bob.peer)
        with pytest.raises(RefusedError, match="is banned"):
            await alice.host.connect(bob.peer, [places[1]])
        refused = await bob.host.dial_any(places[0])
        await refused.wait_closed()
        assert alice.host.connections() == []
        assert alice.told(Connected) == []


def fault(score: int) -> PeerFaultError:
    return PeerFaultError("lied", rule="lie", score=score)


async def test_where_it_is_decides_whom_an_address_is_counted_as() -> None:
    events: list[HostEvent] = []
    link = [ip_network("2001:db8::/64")]
    host = Host(identity(1), PATIENT, clock=ManualClock(), on_event=events.append, own_networks=lambda: link)
    for address in ("/ip6/2001:db8::7/tcp/1", "/ip6/2001:db8:1::7/tcp/1"):
        host.blame(fault(100), peer=None, remote=Multiaddr.parse(address))
    banned = [event.subject for event in events if isinstance(event, Banned)]
    assert banned == ["2001:db8::7", "2001:db8:1::/64"]
    await host.aclose()


async def test_a_hundred_points_ban_a_peer_for_an_hour() -> None:
    async with hosts(2) as (alice, bob):
        place = await alice.host.listen(ANY_PORT)
        connection = await bob.host.connect(alice.peer, [place])
        await alice.tells(Connected)
        alice.host.blame(fault(50), peer=bob.peer, remote=connection.remote)
        assert alice.told(Banned) == []
        alice.host.blame(fault(50), peer=bob.peer, remote=connection.remote)
        (banned,) = alice.told(Banned)
        assert (banned.kind, banned.subject, banned.seconds, banned.spared) == ("peer", str(bob.peer), 3600.0, False)
        await connection.wait_closed()
        again = await bob.host.dial_any(place)
        await again.wait_closed()
        with pytest.raises(RefusedError):
            await alice.host.connect(bob.peer)
        alice.clock.advance(3600)
        with pytest.raises(UsageError, match="no known address"):
            await alice.host.connect(bob.peer)


async def test_no_score_keeps_a_peer_out_that_the_operator_has_named() -> None:
    async with hosts(2) as (alice, bob):
        alice.standing.listed.add(bob.peer)
        place = await alice.host.listen(ANY_PORT)
        connection = await bob.host.connect(alice.peer, [place])
        await alice.tells(Connected)
        alice.host.blame(fault(100), peer=bob.peer, remote=connection.remote)
        assert [event.spared for event in alice.told(Banned)] == [True]
        assert await ping(connection, within_s=60) > 0
        alice.standing.listed.clear()
        with pytest.raises(RefusedError):
            await alice.host.connect(bob.peer)
        alice.host.forgive(bob.peer)
        assert await alice.host.connect(bob.peer)


async def test_the_same_fault_again_and_again_is_one_event_in_ten_seconds_with_a_count() -> None:
    async with hosts(1) as (alice,):
        somebody, place = peer_of(identity(9)), Multiaddr.parse("/ip4/203.0.113.9/tcp/1")
        for _ in range(5):
            alice.host.blame(fault(0), peer=somebody, remote=place)
        alice.clock.advance(10)
        alice.host.blame(fault(0), peer=somebody, remote=place)
        assert [event.count for event in alice.told(PeerFault)] == [1, 5]


async def test_no_more_connections_than_the_table_says() -> None:
    async with hosts(1, replace(PATIENT, inbound=2)) as (server,), hosts(4) as clients:
        place = await server.host.listen(ANY_PORT)
        for client in clients[1:3]:
            assert await ping(await client.host.connect(server.peer, [place]), within_s=60) > 0
        with pytest.raises(UnreachableError):
            await clients[3].host.connect(server.peer, [place])
        assert len(server.host.connections()) == 2
        await clients[1].host.disconnect(server.peer)
        await server.tells(Disconnected)
        clients[3].clock.advance(5)
        assert await ping(await clients[3].host.connect(server.peer, [place]), within_s=60) > 0


async def test_listening_where_one_cannot_is_one_clear_line() -> None:
    async with hosts(1) as (alice,):
        with pytest.raises(NetworkError, match=r"/ip4/203.0.113.7/tcp/4001: cannot be listened on"):
            await alice.host.listen(Multiaddr.parse("/ip4/203.0.113.7/tcp/4001"))
        with pytest.raises(AddressError):
            await alice.host.listen(ANY_PORT.with_peer(peer_of(identity(9))))


async def test_a_host_that_ends_in_the_middle_of_a_dial_says_so_and_leaves_nothing() -> None:
    somebody = peer_of(identity(9))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        place = Multiaddr.at("127.0.0.1", silent.getsockname()[1], "tcp")
        async with hosts(1) as (alice,):
            dialling = asyncio.create_task(alice.host.connect(somebody, [place]))
            reached, _ = await asyncio.get_running_loop().sock_accept(silent)
            with reached:
                await alice.host.aclose()
            with pytest.raises(ConnectionLostError, match="the node is stopping"):
                await dialling
            with pytest.raises(ConnectionLostError):
                await alice.host.connect(somebody)


async def test_p4_quic_is_listened_on_and_dialled_by_the_same_host() -> None:
    async with hosts(2) as (alice, bob):
        bob.host.serve("/echo", echo)
        place = await bob.host.listen(Multiaddr.parse("/ip4/127.0.0.1/udp/0/quic-v1", listening=True))
        assert str(place).startswith("/ip4/127.0.0.1/udp/")
        connection = await alice.host.connect(bob.peer, [place])
        assert connection.transport == "quic"
        assert await ping(connection, within_s=60) > 0
        stream = await alice.host.open(bob.peer, "/echo")
        await stream.write(b"hello")
        assert await read_exactly(stream, 5) == b"hello"
        stream.reset()


async def test_a_peer_that_listens_on_both_is_reached_by_tcp() -> None:
    async with hosts(2) as (alice, bob):
        places = [
            await bob.host.listen(Multiaddr.parse(text, listening=True))
            for text in ("/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0")
        ]
        assert (await alice.host.connect(bob.peer, places)).transport == "tcp"
        assert {str(place) for place in bob.host.listening()} == {str(place) for place in places}
