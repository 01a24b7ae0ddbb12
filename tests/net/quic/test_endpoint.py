"""Endpoints on real sockets: who is let in, what streams do, what is left."""

import asyncio
import contextlib
import dataclasses
import socket

import pytest

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
from net.quic.events import Address
from net.quic.session import Session
from net.stream import Connection, Stream, read_exactly
from runtime.errors import NetworkError
from runtime.identity import Identity
from tests.net.quic.certificates import FLAWS
from tests.net.quic.nodes import (
    LOOPBACK,
    LOOPBACK_6,
    PATIENCE_S,
    PATIENT,
    Node,
    all_of,
    heard,
    linked,
    node,
    stranger,
    until,
)
from tests.net.quic.wire import terms

BIG = bytes(range(256)) * 8192


@pytest.fixture(autouse=True)
async def _nothing_is_left() -> object:
    """After every test: no task but its own. Sockets left open fail it by their warning."""
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def asked(connection: Connection, data: bytes) -> bytes:
    """What the other end says to it."""
    async with asyncio.timeout(PATIENCE_S):
        stream = await connection.open("/echo/1")
        sending = asyncio.create_task(_send(stream, data))
        answer = await all_of(stream)
        await sending
        return answer


async def _send(stream: Stream, data: bytes) -> None:
    await stream.write(data)
    await stream.end()


# --- connections ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [LOOPBACK, LOOPBACK_6], ids=["ip4", "ip6"])
async def test_both_ends_know_each_other_and_speak(place: Multiaddr) -> None:
    async with node(1) as left, node(2) as right:
        where = await right.listen(place)
        there, here = await left.dial(right, where)
        assert (there.peer, there.remote, there.dialled, there.transport) == (right.peer, where, True, "quic")
        assert (here.peer, here.dialled, here.remote.host) == (left.peer, False, where.host)
        assert await asked(there, b"hello") == b"hello"
        assert await asked(here, b"and back") == b"and back"


async def test_one_socket_listens_and_dials() -> None:
    async with node(1) as left, node(2) as right:
        own = await left.listen()
        _, here = await left.dial(right, await right.listen())
        assert here.remote == own


async def test_another_peer_than_expected_is_an_error_that_names_both() -> None:
    async with node(1) as left, node(2) as right:
        where = await right.listen()
        with pytest.raises(WrongPeerError, match=str(right.peer)):
            await left.endpoint.dial(left.peer, where)
        assert left.endpoint.connections == ()


async def test_anybody_will_do_when_nobody_is_expected() -> None:
    async with node(1) as left, node(2) as right:
        assert (await left.endpoint.dial(None, await right.listen())).peer == right.peer


async def test_who_proves_nothing_is_told_that_it_is_refused_and_is_told_of() -> None:
    async with node(1) as left, node(2) as right:
        left.endpoint._credentials = FLAWS["signed-by-another"][0].credentials(left.identity)
        with pytest.raises(UnreachableError, match="refused"):
            await left.endpoint.dial(right.peer, await right.listen())
        place, peer, fault = right.faults[0]
        assert (place.host, peer, fault.rule, fault.score) == ("127.0.0.1", None, "bad-certificate", 50)
        assert right.accepted.empty()
        assert right.endpoint.connections == ()


async def test_a_listener_that_proves_nothing_is_the_error_of_the_dial() -> None:
    async with node(1) as left, node(2) as right:
        right.endpoint._credentials = FLAWS["expired"][0].credentials(right.identity)
        where = await right.listen()
        with pytest.raises(PeerFaultError, match="out of date") as caught:
            await left.endpoint.dial(right.peer, where)
        assert caught.value.where == str(where)
        assert left.faults == []  # who dials has heard of it


async def test_nobody_there_is_unreachable_after_the_time_for_it() -> None:
    async with node(1, NetLimits(upgrade_s=0.05)) as left, stranger() as silent:
        place = Multiaddr.at("127.0.0.1", silent.getsockname()[1], "quic")
        with pytest.raises(UnreachableError, match=r"did not answer within 0\.05 s"):
            await left.endpoint.dial(left.peer, place)
        assert (left.endpoint.connections, left.endpoint.known_ids) == ((), 0)


async def test_what_the_system_will_not_send_is_unreachable_at_once() -> None:
    async with node(1) as left:
        await left.listen()
        place = Multiaddr.parse("/ip4/255.255.255.255/udp/9/quic-v1")  # a broadcast, which sockets are not allowed
        with pytest.raises(UnreachableError, match="cannot be sent to"):
            await left.endpoint.dial(left.peer, place)


async def test_names_are_looked_up_by_somebody_else() -> None:
    async with node(1) as left:
        with pytest.raises(AddressError, match="is a name"):
            await left.endpoint.dial(None, Multiaddr.parse("/dns4/localhost/udp/9/quic-v1"))


async def test_a_taken_port_is_one_line() -> None:
    async with node(1) as left, node(2) as right:
        where = await left.listen()
        with pytest.raises(NetworkError, match="cannot be listened on: address already in use"):
            await right.endpoint.listen(where)


async def test_a_dial_that_is_given_up_leaves_nothing() -> None:
    async with node(1) as left, stranger() as silent:
        place = Multiaddr.at("127.0.0.1", silent.getsockname()[1], "quic")
        dial = asyncio.create_task(left.endpoint.dial(left.peer, place))
        await heard(silent)
        dial.cancel()
        await asyncio.gather(dial, return_exceptions=True)
        assert dial.cancelled()
        assert (left.endpoint.connections, left.endpoint.known_ids) == ((), 0)


async def test_who_is_not_admitted_and_has_shown_where_it_is_hears_nothing() -> None:
    always_retry = NetLimits(half_open=1)
    async with node(1, NetLimits(upgrade_s=0.2)) as left, node(2, always_retry) as right:
        asked_for = refusing(right)
        with pytest.raises(UnreachableError, match="did not answer"):
            await left.endpoint.dial(right.peer, await right.listen())
        assert asked_for[0] == "127.0.0.1"
        assert right.endpoint.connections == ()


async def test_who_is_not_admitted_is_put_out_as_soon_as_it_has_shown_where_it_is() -> None:
    async with node(1) as left, node(2) as right:
        asked_for = refusing(right)
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(UnreachableError):  # or it stands for a moment
                await (await left.endpoint.dial(right.peer, await right.listen())).wait_closed()
        assert asked_for == ["127.0.0.1"]
        assert right.accepted.empty()
        assert right.endpoint.connections == left.endpoint.connections == ()


def refusing(node: Node) -> list[str]:
    """Lets a node admit nobody; what it was asked for."""
    asked_for: list[str] = []
    node.endpoint._admits = lambda host: asked_for.append(host) or False  # type: ignore[func-returns-value]
    return asked_for


async def test_a_stranger_cannot_use_up_what_somebody_else_is_allowed() -> None:
    async with node(2) as right, stranger() as bare:
        asked_for = refusing(right)
        await pending(right, await right.listen(), bare)
        assert asked_for == []


def first_datagram() -> bytes:
    where: Address = ("127.0.0.1", 1)
    return Session.dial(terms(Identity(bytes([9]) * 32)), where, None, 0.0).take(0.0)[0][0]


async def pending(right: Node, where: Multiaddr, bare: socket.socket) -> None:
    """A handshake that the listener has begun, and whose dialler never goes on."""
    bare.sendto(first_datagram(), (where.host, where.port))
    await heard(bare)
    assert len(right.endpoint.connections) == 1


async def test_row_29_with_many_pending_handshakes_a_dialler_has_to_show_that_it_hears() -> None:
    async with node(1) as left, node(2, dataclasses.replace(PATIENT, half_open=2)) as right, stranger() as bare:
        where = await right.listen()
        await pending(right, where, bare)
        there, _ = await left.dial(right, where)
        assert there._session._quic._retry_count == 1
        assert await asked(there, b"hello") == b"hello"


async def test_one_prefix_does_not_fill_all_places() -> None:
    limits = dataclasses.replace(PATIENT, half_open_per_prefix=1, spare_loopback=False)
    async with node(1, NetLimits(upgrade_s=0.2)) as left, node(2, limits) as right, stranger() as bare:
        where = await right.listen()
        await pending(right, where, bare)
        with pytest.raises(UnreachableError, match="did not answer"):
            await left.endpoint.dial(right.peer, where)


async def test_garbage_on_the_socket_does_nothing() -> None:
    async with node(1) as left, node(2) as right, stranger() as bare:
        where = await right.listen()
        whole = first_datagram()
        rubbish = [b"", b"\0", b"@", b"\xc0", b"\xff" * 1200, b"\x01punch", b"\x40" + bytes(1300), whole[:600]]
        rubbish += [whole[:5] + bytes([size]) + whole[6:] for size in (0, 3, 20, 21, 255)]
        rubbish += [whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in range(0, 60, 3)]
        for datagram in rubbish:
            bare.sendto(datagram, (where.host, where.port))
        there, _ = await left.dial(right, where)
        assert await asked(there, b"hello") == b"hello"
        assert right.faults == []
        assert len(right.endpoint.connections) == 1


async def test_who_speaks_another_version_is_told_ours() -> None:
    async with node(2) as right, stranger() as bare:
        where = await right.listen()
        whole = first_datagram()
        bare.sendto(whole[:1] + b"\x0a\x1a\x2a\x3a" + whole[5:], (where.host, where.port))
        answer = await heard(bare)
        assert answer[1:5] == bytes(4)
        assert answer[-4:] == bytes([0, 0, 0, 1])
        assert len(answer) < len(whole)
        assert right.endpoint.connections == ()


# --- what else is on the socket ---------------------------------------------------------------------------------------


async def test_others_share_the_socket_by_their_first_byte() -> None:
    async with node(2) as right, stranger() as bare:
        where = await right.listen()
        came: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()
        right.endpoint.on_datagram(2, lambda data, address: came.put_nowait((data, address)))
        bare.sendto(b"\x01nobody asked for this", (where.host, where.port))
        bare.sendto(b"\x02find node", (where.host, where.port))
        async with asyncio.timeout(PATIENCE_S):
            assert await came.get() == (b"\x02find node", bare.getsockname())
        right.endpoint.send_datagram(b"\x02nodes", Multiaddr.at(*bare.getsockname(), "quic"))
        assert await heard(bare) == b"\x02nodes"
        assert came.empty()


async def test_a_byte_that_is_quics_is_not_given_away() -> None:
    async with node(1) as left:
        with pytest.raises(ValueError, match="may be QUIC's"):
            left.endpoint.on_datagram(0x40, lambda *_: None)


# --- streams ----------------------------------------------------------------------------------------------------------


async def test_megabytes_go_through_both_ways() -> None:
    async with linked() as (_, _, there, here):
        assert await asyncio.gather(asked(there, BIG), asked(here, BIG[::-1])) == [BIG, BIG[::-1]]


async def test_a_protocol_that_nobody_serves_is_refused_and_the_connection_stays() -> None:
    async with linked() as (_, _, there, _):
        with pytest.raises(UnsupportedProtocolError, match="does not speak /nothing"):
            await there.open("/nothing")
        assert await asked(there, b"x") == b"x"


async def test_a_writer_waits_for_the_reader_while_another_stream_goes_on() -> None:
    async with linked() as (_, right, there, _):
        go = asyncio.Event()
        held: asyncio.Queue[bytes] = asyncio.Queue()

        async def later(_: Connection, stream: Stream) -> None:
            await go.wait()
            held.put_nowait(await all_of(stream))

        right.protocols.serve("/later", later)
        async with asyncio.timeout(PATIENCE_S):
            stuck = await there.open("/later")
            writing = asyncio.create_task(_send(stuck, BIG))
            assert await asked(there, BIG) == BIG
            assert not writing.done()
            assert 0 < right.unread.total <= NetLimits().window
            go.set()
            assert await held.get() == BIG
            await writing
            await asked(there, b"x")
        assert right.unread.total == 0


async def test_a_writer_gives_up_on_a_reader_that_takes_nothing() -> None:
    async with linked() as (_, right, there, _):

        async def never(_: Connection, stream: Stream) -> None:
            await asyncio.Event().wait()

        right.protocols.serve("/never", never)
        there._limits = dataclasses.replace(there._limits, write_s=0.05)
        stream = await there.open("/never")
        right.endpoint._sockets[0].close()  # nothing is heard there any more
        with pytest.raises(StreamResetError, match=r"took nothing for 0\.05 s"):
            await stream.write(BIG)
        with pytest.raises(StreamResetError):
            await stream.read()


async def test_a_reset_by_either_side_is_an_error_at_the_other() -> None:
    async with linked() as (_, right, there, _):
        told: asyncio.Queue[str] = asyncio.Queue()

        async def handler(_: Connection, stream: Stream) -> None:
            if await stream.read(1) == b"!":
                stream.reset()
                return
            try:
                await all_of(stream)
            except StreamResetError as error:
                told.put_nowait(error.why)
                raise

        right.protocols.serve("/reset", handler)
        async with asyncio.timeout(PATIENCE_S):
            ours = await there.open("/reset")
            await ours.write(b"??")
            assert await asked(there, b"x") == b"x"  # by now the handler reads
            ours.reset()
            ours.reset()
            assert await told.get() == "the stream is reset"
            with pytest.raises(StreamResetError):
                await ours.write(b"?")
            theirs = await there.open("/reset")
            await theirs.write(b"!")
            with pytest.raises(StreamResetError):
                await theirs.read()


async def test_an_ended_direction_takes_no_more() -> None:
    async with linked() as (_, _, there, _):
        stream = await there.open("/echo/1")
        await stream.write(b"last")
        await stream.end()
        await stream.end()
        with pytest.raises(StreamResetError, match="ended"):
            await stream.write(b"more")
        assert await all_of(stream) == b"last"
        assert await stream.read() == b""


async def test_what_a_handler_does_not_read_is_dropped_and_its_answer_arrives() -> None:
    async with linked() as (_, right, there, here):

        async def brief(_: Connection, stream: Stream) -> None:
            await stream.write(b"no, thank you")

        right.protocols.serve("/brief", brief)
        async with asyncio.timeout(PATIENCE_S):
            stream = await there.open("/brief")
            await stream.write(BIG)
            await stream.end()
            assert await all_of(stream) == b"no, thank you"
        await until(lambda: not here.stream_entries and not there.stream_entries)
        assert right.unread.total == 0


async def test_a_fault_of_the_peer_is_told_and_a_mistake_of_ours_is_not_its() -> None:
    async with linked() as (left, right, there, _):

        async def blames(_: Connection, stream: Stream) -> None:
            await stream.read()
            raise PeerFaultError("lied", rule="lie", score=7)

        right.protocols.serve("/blames", blames)
        stream = await there.open("/blames")
        await stream.write(b"a lie")
        with pytest.raises(StreamResetError):
            await all_of(stream)
        assert [(peer, fault.rule) for _, peer, fault in right.faults] == [(left.peer, "lie")]


async def test_a_stream_that_never_says_what_it_wants_is_reset() -> None:
    async with linked() as (_, _, there, here):
        here._limits = dataclasses.replace(here._limits, upgrade_s=0.05)
        stream = there._stream(there._session.open())
        await stream.write(b"\x13/multi")
        with pytest.raises(StreamResetError):
            await all_of(stream)


async def test_nonsense_in_place_of_a_protocol_counts() -> None:
    async with linked() as (left, right, there, _):
        stream = there._stream(there._session.open())
        await stream.write(b"GET / HTTP/1.1\r\n\r\n" + bytes(200))
        with pytest.raises(StreamResetError):
            await all_of(stream)
        assert [(peer, fault.rule, fault.score) for _, peer, fault in right.faults] == [(left.peer, "multistream", 20)]


# --- ends -------------------------------------------------------------------------------------------------------------


async def test_what_was_written_and_ended_arrives_before_a_close() -> None:
    async with linked() as (_, right, there, _):
        came: asyncio.Queue[bytes] = asyncio.Queue()

        async def takes(_: Connection, stream: Stream) -> None:
            came.put_nowait(await all_of(stream))

        right.protocols.serve("/takes", takes)
        stream = await there.open("/takes")
        await stream.write(BIG[:200_000])
        await stream.end()
        await there.close()
        async with asyncio.timeout(PATIENCE_S):
            assert await came.get() == BIG[:200_000]


async def test_a_close_is_seen_by_both_ends_and_by_their_streams() -> None:
    async with linked() as (left, right, there, here):
        stream = await there.open("/echo/1")
        await here.close()
        await here.close()
        async with asyncio.timeout(PATIENCE_S):
            await there.wait_closed()
            with pytest.raises(StreamResetError):
                await all_of(stream)
            with pytest.raises(StreamResetError):
                await stream.write(b"x")
        assert there.closed
        assert here.closed
        with pytest.raises(ConnectionLostError, match="the peer closed the connection"):
            await there.open("/echo/1")
        assert left.endpoint.connections == right.endpoint.connections == ()
        assert left.endpoint.known_ids == right.endpoint.known_ids == 0


async def test_draining_lets_streams_end_and_takes_no_more() -> None:
    async with linked() as (_, _, there, here):
        stream = await there.open("/echo/1")
        draining = asyncio.create_task(there.drain())
        assert (await asked_on(stream, b"still here")) == b"still here"
        with pytest.raises(ConnectionLostError):
            await there.open("/echo/1")
        assert not draining.done()
        await stream.end()
        assert await all_of(stream) == b""
        async with asyncio.timeout(PATIENCE_S):
            await draining
            await here.wait_closed()


async def asked_on(stream: Stream, data: bytes) -> bytes:
    await stream.write(data)
    async with asyncio.timeout(PATIENCE_S):
        return await read_exactly(stream, len(data))


async def test_closing_an_endpoint_ends_dials_handlers_and_sockets() -> None:
    async with node(1) as left, node(2) as right, stranger() as silent:
        there, _ = await left.dial(right, await right.listen())
        started, cancelled = asyncio.Event(), asyncio.Event()

        async def waits(_: Connection, stream: Stream) -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        right.protocols.serve("/waits", waits)
        await there.open("/waits")
        await started.wait()
        dial = asyncio.create_task(right.endpoint.dial(None, Multiaddr.at(*silent.getsockname(), "quic")))
        await heard(silent)
        await right.endpoint.aclose()
        assert cancelled.is_set()
        with pytest.raises((UnreachableError, ConnectionLostError)):
            await dial
        with pytest.raises(UnreachableError, match="closed"):
            await right.endpoint.dial(None, Multiaddr.at(*silent.getsockname(), "quic"))


# --- moving -----------------------------------------------------------------------------------------------------------


async def test_a_dialler_moves_to_another_port_under_load() -> None:
    async with linked() as (left, _, there, here):
        before = here.remote
        async with asyncio.timeout(PATIENCE_S):
            stream = await there.open("/echo/1")
            sending = asyncio.create_task(_send(stream, BIG))
            first = await read_exactly(stream, len(BIG) // 4)
            left.endpoint.rebind()
            rest = await all_of(stream)
            await sending
        assert first + rest == BIG
        assert here.remote.port != before.port
        assert await asked(here, b"found again") == b"found again"


async def test_a_listener_keeps_its_port() -> None:
    async with node(2) as right:
        where = await right.listen(dataclasses.replace(LOOPBACK, port=0))
        again = dataclasses.replace(LOOPBACK, port=where.port)
        await right.endpoint.aclose()
    async with node(1) as left, node(2) as right:
        assert await right.listen(again) == where
        right.endpoint.rebind()
        there, _ = await left.dial(right, where)
        assert there.remote == where


async def test_certificates_are_made_anew_in_time() -> None:
    async with node(1) as left, node(2) as right:
        before = left.endpoint._credentials
        left.endpoint._clock.advance(181 * 86_400)  # type: ignore[attr-defined]
        right.endpoint._clock.advance(181 * 86_400)  # type: ignore[attr-defined]
        there, _ = await left.dial(right, await right.listen())
        assert there.peer == PeerId(right.identity.public)
        assert left.endpoint._credentials is not before
