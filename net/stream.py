"""The seam between what carries bytes and what is said with them: streams, connections and who serves which protocol.

TCP (`net.tcp`), QUIC (`net.quic`) and the pair in memory (`net.memory`) give the same two interfaces; everything above
knows only these.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from net.errors import MalformedError, PeerFaultError, StreamResetError
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.varint import decode_varint

__all__ = [
    "READ_MOST",
    "Connection",
    "Handler",
    "Protocols",
    "Served",
    "Stream",
    "finish",
    "read_exactly",
    "read_varint_frame",
]

READ_MOST: Final = 65_536
"""Bytes that one read gives at most unless it asks otherwise."""


class Stream(Protocol):
    """Two directions of bytes in order. One task reads and one task writes at a time."""

    @property
    def protocol(self) -> str:
        """What both ends agreed to speak."""
        ...

    async def read(self, most: int = READ_MOST) -> bytes:
        """The next bytes, as soon as there are any; what is read makes room for the peer to send more.

        Args:
            most: how many at most, at least 1.

        Returns:
            At least one byte; `b""` when the peer has ended its direction.

        Raises:
            StreamResetError: the stream is reset, by either side, or the connection is lost.
        """
        ...

    async def write(self, data: bytes | memoryview) -> None:
        """Sends bytes; returns when all are taken, which waits for the peer to have read (back-pressure).

        Args:
            data: any number of bytes. They may change after the return, not before.

        Raises:
            StreamResetError: the stream is reset or our direction ended, or the peer took nothing for too long.
        """
        ...

    async def end(self) -> None:
        """Ends our direction: the peer reads `b""` after what was written. Ending twice is nothing."""
        ...

    def reset(self) -> None:
        """Ends both directions at once; what was not read is lost. Of a finished stream it is nothing."""
        ...


class Connection(Protocol):
    """A way to one peer whose key is proven."""

    @property
    def peer(self) -> PeerId:
        """Who is at the other end."""
        ...

    @property
    def remote(self) -> Multiaddr:
        """Where it is, without `/p2p`."""
        ...

    @property
    def transport(self) -> Literal["tcp", "quic"]:
        """What carries it."""
        ...

    @property
    def dialled(self) -> bool:
        """Whether we opened it."""
        ...

    @property
    def closed(self) -> bool:
        """Whether it is of no more use."""
        ...

    async def open(self, protocol: str, *, bulk: bool = False) -> Stream:
        """Opens a stream.

        Args:
            protocol: what is to be spoken on it, such as `/ipfs/ping/1.0.0`.
            bulk: much is to be received on it: the peer may send 1 MiB ahead, not 256 KiB.

        Raises:
            UnsupportedProtocolError: the peer does not speak that.
            ConnectionLostError: the connection is closed, or closes meanwhile.
        """
        ...

    async def close(self) -> None:
        """Says goodbye and closes; returns when nothing of it is left. Closing twice is nothing."""
        ...

    async def wait_closed(self) -> None:
        """Returns when it is closed, by whomever."""
        ...


Handler = Callable[[Connection, Stream], Awaitable[None]]
"""Serves one inbound stream. When it returns, our direction is ended and what the peer still sends is dropped; when it
raises, the stream is reset, and a `PeerFaultError` counts against the peer."""


@dataclass(frozen=True, slots=True)
class Served:
    """A protocol that is served.

    Attributes:
        handler: of each inbound stream.
        bulk: much is received on its streams: the peer may send 1 MiB ahead.
        listed: asked whether peers are told now that it is served; it is served all the same.
    """

    handler: Handler
    bulk: bool = False
    listed: Callable[[], bool] = lambda: True


class Protocols(Mapping[str, Served]):
    """What a host serves; connections look into it at each stream, so that it may grow while they stand."""

    def __init__(self) -> None:
        self._served: dict[str, Served] = {}

    def serve(
        self, protocol: str, handler: Handler, *, bulk: bool = False, listed: Callable[[], bool] = lambda: True
    ) -> None:
        """Serves a protocol from now on, in the place of who served it before.

        Args:
            protocol: its name, beginning with `/`.
            handler: of each inbound stream.
            bulk: much is received on its streams.
            listed: as in `Served`.
        """
        self._served[protocol] = Served(handler, bulk, listed)

    def listed(self) -> tuple[str, ...]:
        """The names that peers are told now."""
        return tuple(name for name, served in self._served.items() if served.listed())

    def __getitem__(self, protocol: str) -> Served:
        return self._served[protocol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._served)

    def __len__(self) -> int:
        return len(self._served)


async def read_exactly(stream: Stream, size: int) -> bytes:
    """So many bytes of a stream.

    Args:
        stream: what is read.
        size: how many; the caller has checked that it wants that much in memory.

    Raises:
        StreamResetError: the stream is reset, or ends earlier.
    """
    pieces: list[bytes] = []
    missing = size
    while missing:
        piece = await stream.read(min(missing, READ_MOST))
        if not piece:
            raise StreamResetError(f"the stream ended {missing} bytes early")
        pieces.append(piece)
        missing -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read_varint_frame(stream: Stream, limit: int, *, head: bytes = b"") -> bytes:
    """One message with its length before it, an unsigned LEB128.

    Args:
        stream: what is read; nothing after the message is taken.
        limit: bytes of the message at most.
        head: its first byte, where that was read already.

    Raises:
        StreamResetError: the stream is reset, or ends before the message does.
        PeerFaultError: the length is above the limit or is not written in its shortest form.
    """
    head = head or await read_exactly(stream, 1)
    while (size := _size(head)) is None:
        head += await read_exactly(stream, 1)
    if size > limit:
        raise PeerFaultError(f"announced a message of more than {limit} bytes", rule="oversized-message", score=20)
    return await read_exactly(stream, size)


def _size(head: bytes) -> int | None:
    try:
        found = decode_varint(head)
    except MalformedError as error:
        raise PeerFaultError(f"wrote a bad length: {error.why}", rule="bad-varint", score=20) from None
    return None if found is None else found[0]


async def finish(stream: Stream, within_s: float = 1.0) -> None:
    """Ends a stream on which all is said; raises nothing, and leaves nothing of the stream.

    Args:
        stream: our direction ends, and the peer's is given a moment to end by itself before the stream is reset.
        within_s: how long that is.
    """
    try:
        with contextlib.suppress(TimeoutError, StreamResetError):
            async with asyncio.timeout(within_s):
                await stream.end()
                await stream.read(1)
    finally:
        stream.reset()
