"""`/orlop/capabilities/1.0.0`: an empty question, and the record as the answer."""

import asyncio
from collections.abc import Callable
from typing import Final

from net.capabilities.record import Capabilities, read_record
from net.errors import UnreachableError
from net.limits import NetLimits
from net.stream import Connection, Handler, Stream, finish, read_varint_frame
from net.varint import encode_varint

__all__ = ["PROTOCOL", "ask", "says"]

PROTOCOL: Final = "/orlop/capabilities/1.0.0"


async def ask(connection: Connection, now_ms: Callable[[], int], limits: NetLimits = NetLimits()) -> Capabilities:
    """Asks a peer what it offers.

    Args:
        connection: to the peer.
        now_ms: Unix milliseconds, when the answer is there.
        limits: how long it may take, and how much it may be.

    Raises:
        UnsupportedProtocolError: it says nothing.
        UnreachableError: not in time.
        ConnectionLostError: the connection ended.
        StreamResetError: it took the stream away.
        PeerFaultError: what it said is no record of its own; the connection is to be closed.
    """
    try:
        async with asyncio.timeout(limits.capabilities_s):
            stream = await connection.open(PROTOCOL)
            try:
                await stream.end()
                packed = await read_varint_frame(stream, limits.capabilities)
            except BaseException:
                stream.reset()
                raise
    except TimeoutError:
        why = f"did not say what it offers within {limits.capabilities_s:g} s"
        raise UnreachableError(why, where=str(connection.peer)) from None
    await finish(stream)
    return read_record(packed, connection.peer, now_ms(), limits)


def says(record: Callable[[], bytes]) -> Handler:
    """Serves `PROTOCOL`.

    Args:
        record: this node's, as it is now.
    """

    async def handle(_connection: Connection, stream: Stream) -> None:
        packed = record()
        await stream.write(encode_varint(len(packed)) + packed)

    return handle
