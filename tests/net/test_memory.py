"""The pair in memory keeps the promises of streams and connections."""

import asyncio

import pytest

from net.errors import ConnectionLostError, PeerFaultError, StreamResetError, UnsupportedProtocolError
from net.memory import MemoryConnection, pair
from net.stream import Connection, Protocols, Stream, read_exactly, read_varint_frame
from net.varint import encode_varint
from tests.net.nodes import identity, peer_of

LEFT, RIGHT = peer_of(identity(1)), peer_of(identity(2))


async def echo(_connection: Connection, stream: Stream) -> None:
    while data := await stream.read():
        await stream.write(data)


async def waits(_connection: Connection, _stream: Stream) -> None:
    await asyncio.Event().wait()


def connected() -> tuple[MemoryConnection, MemoryConnection, Protocols]:
    serves = Protocols()
    serves.serve("/echo", echo)
    serves.serve("/waits", waits)
    return *pair(LEFT, RIGHT, Protocols(), serves), serves


async def test_both_ends_know_each_other() -> None:
    left, right, _ = connected()
    assert (left.peer, right.peer) == (RIGHT, LEFT)
    assert (left.dialled, right.dialled) == (True, False)
    assert left.transport == right.transport == "tcp"


async def test_bytes_come_back_and_directions_end() -> None:
    left, _, _ = connected()
    stream = await left.open("/echo")
    await stream.write(b"hello")
    assert await read_exactly(stream, 5) == b"hello"
    assert await _ended(stream) == b""
    await left.close()


async def _ended(stream: Stream) -> bytes:
    await stream.end()
    with pytest.raises(StreamResetError):
        await stream.write(b"more")
    return await stream.read()


async def test_a_writer_waits_for_its_reader() -> None:
    left, _, _ = connected()
    stream = await left.open("/waits")
    writing = asyncio.create_task(stream.write(bytes(300_000)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not writing.done()
    left.cut()
    with pytest.raises(StreamResetError):
        await writing
    await left.close()


async def test_what_is_not_served_is_refused() -> None:
    left, _, _ = connected()
    with pytest.raises(UnsupportedProtocolError, match="/nothing"):
        await left.open("/nothing")


async def test_a_cut_ends_both_ends_and_all_streams() -> None:
    before = asyncio.all_tasks()
    left, right, _ = connected()
    stream = await left.open("/waits")
    reading = asyncio.create_task(stream.read())
    await asyncio.sleep(0)
    right.cut()
    with pytest.raises(StreamResetError):
        await reading
    await left.wait_closed()
    assert left.closed
    assert right.closed
    with pytest.raises(ConnectionLostError):
        await left.open("/echo")
    await right.close()
    assert asyncio.all_tasks() == before


async def test_what_a_handler_blames_the_peer_for_is_kept() -> None:
    async def blames(_connection: Connection, _stream: Stream) -> None:
        raise PeerFaultError("lied", rule="lie", score=1)

    left, right, serves = connected()
    serves.serve("/blames", blames)
    stream = await left.open("/blames")
    with pytest.raises(StreamResetError):
        await stream.read()
    assert [fault.rule for fault in right.faults] == ["lie"]


async def test_a_mistake_in_a_handler_resets_the_stream_and_is_told_to_the_loop() -> None:
    async def breaks(_connection: Connection, _stream: Stream) -> None:
        raise ZeroDivisionError

    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    left, _, serves = connected()
    serves.serve("/breaks", breaks)
    stream = await left.open("/breaks")
    with pytest.raises(StreamResetError):
        await stream.read()
    assert [context["message"] for context in told] == ["the handler of /breaks failed"]


# --- what is read of a stream -----------------------------------------------------------------------------------------


async def said(data: bytes) -> Stream:
    """A stream on which the other end says this and no more."""

    async def says(_connection: Connection, stream: Stream) -> None:
        for at in range(len(data)):
            await stream.write(data[at : at + 1])

    serves = Protocols()
    serves.serve("/says", says)
    left, _ = pair(LEFT, RIGHT, Protocols(), serves)
    return await left.open("/says")


@pytest.mark.parametrize("size", [0, 1, 127, 128, 300])
async def test_a_message_with_its_length_is_read_whole(size: int) -> None:
    stream = await said(encode_varint(size) + bytes(size) + b"rest")
    assert await read_varint_frame(stream, 300) == bytes(size)
    assert await read_exactly(stream, 4) == b"rest"


async def test_a_message_longer_than_allowed_is_refused_before_it_is_read() -> None:
    with pytest.raises(PeerFaultError) as caught:
        await read_varint_frame(await said(encode_varint(301)), 300)
    assert (caught.value.rule, caught.value.score) == ("oversized-message", 20)


@pytest.mark.parametrize("head", [b"\x80\x00", b"\xff" * 9 + b"\x01"])
async def test_a_length_in_a_form_that_nobody_writes_is_refused(head: bytes) -> None:
    with pytest.raises(PeerFaultError) as caught:
        await read_varint_frame(await said(head), 300)
    assert caught.value.rule == "bad-varint"


@pytest.mark.parametrize("data", [b"", b"\x05", b"\x05abc", b"\x85"])
async def test_a_stream_that_ends_in_a_message_says_so(data: bytes) -> None:
    with pytest.raises(StreamResetError, match="early"):
        await read_varint_frame(await said(data), 300)
