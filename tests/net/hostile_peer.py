"""A peer on a real socket that says whatever a test wants, after as much of the upgrade as the test wants."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.noise import NoiseKey
from net.noise_transport import NoiseTransport
from net.peer_id import PeerId
from net.upgrade import Upgrade
from net.yamux_frames import FrameReader, Header
from runtime.identity import Identity

__all__ = ["HostilePeer", "hostile"]


@dataclass
class HostilePeer:
    """The socket, and what the upgrade left."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    noise: NoiseTransport | None = None
    frames: FrameReader = field(default_factory=FrameReader)

    def say(self, data: bytes | bytearray) -> None:
        self.writer.write(data)

    def say_sealed(self, *pieces: bytes) -> None:
        """Bytes of yamux."""
        assert self.noise is not None
        self.say(self.noise.seal(*pieces))

    async def upgrade(self, who: Identity, *, own: Identity | None = None) -> PeerId:
        """Does what a good peer does, as `who`."""
        shown = own or who
        upgrade = Upgrade(
            dialler=True,
            key=NoiseKey.fresh(who),
            own=PeerId(bytes(32)) if own else PeerId(shown.public),
            expected=None,
            limits=NetLimits(),
        )
        done = None
        while done is None:
            self.say(upgrade.take())
            done = upgrade.receive(await self.read_some())
        self.say(upgrade.take())
        self.noise = done.noise
        return done.peer

    async def read_some(self) -> bytes:
        data = await self.reader.read(65_536)
        if not data:
            raise EOFError
        return data

    async def headers(self) -> list[Header]:
        """The headers that come next, some."""
        assert self.noise is not None
        plain = self.noise.receive(memoryview(await self.read_some()))
        return [part for piece in plain for part in self.frames.read(piece) if isinstance(part, Header)]

    async def hears(self, fits: Callable[[Header], bool]) -> Header:
        """The next header that fits; those that come with it are passed over."""
        while True:
            for header in await self.headers():
                if fits(header):
                    return header

    async def is_cut_off(self) -> None:
        """Reads until the other end has closed."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass


@asynccontextmanager
async def hostile(place: Multiaddr) -> AsyncIterator[HostilePeer]:
    """Connects to a host."""
    reader, writer = await asyncio.open_connection(place.socket_host, place.port)
    try:
        yield HostilePeer(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
