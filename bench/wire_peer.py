"""The other process of the row `wire`: a host and a TLS server that count what they get, or say it back.

It prints one line of JSON with its address and ports, and ends when its standard input does. A conversation is: 8 bytes
of a count, big-endian, then so many bytes; the answer is 8 bytes, the CPU seconds of this process since the count, as a
double. A count of 0 means that every 64 bytes are said back until the end; over TLS that has a port of its own, where a
task reads and writes as the handler of a stream does.
"""

import asyncio
import json
import ssl
import struct
import sys
import time
from pathlib import Path

from net.host import Host
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.stream import READ_MOST, Connection, Stream, read_exactly
from runtime.clock import SystemClock
from runtime.identity import Identity

__all__ = ["BULK", "COUNT", "LIMITS", "PIECE", "PLAIN", "SECONDS", "SEED"]

SEED = bytes([201]) * 32
PLAIN = "/bench/plain"
BULK = "/bench/bulk"
COUNT = struct.Struct(">Q")
SECONDS = struct.Struct(">d")
PIECE = 64
LIMITS = NetLimits(
    connections=4000, inbound=4000, per_peer=4000, half_open=4000, handshakes_rate=1e6, handshakes_burst=4000
)


async def _talk(_connection: Connection, stream: Stream) -> None:
    missing = COUNT.unpack(await read_exactly(stream, COUNT.size))[0]
    if not missing:
        while piece := await stream.read(PIECE):
            await stream.write(piece)
        return
    began = time.process_time()
    while missing:
        missing -= len(await stream.read(READ_MOST))
    await stream.write(SECONDS.pack(time.process_time() - began))


async def _tls_echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(COUNT.size)
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    writer.close()


class _TlsTalk(asyncio.BufferedProtocol):
    """The same over TLS, with the receiver that asyncio serves fastest."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(524_288))
        self._head = b""
        self._missing = 0
        self._began = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = self._buffer[:nbytes]
        if len(self._head) < COUNT.size:
            head, data = data[: COUNT.size - len(self._head)], data[COUNT.size - len(self._head) :]
            self._head += head
            if len(self._head) < COUNT.size:
                return
            self._missing = COUNT.unpack(self._head)[0]
            self._began = time.process_time()
        if self._transport is None or not data:
            return
        self._missing -= len(data)
        if not self._missing:
            self._transport.write(SECONDS.pack(time.process_time() - self._began))
            self._head = b""


async def _main(certificate: Path) -> None:
    host = Host(Identity(SEED), LIMITS, clock=SystemClock(), on_event=lambda _: None)
    host.serve(PLAIN, _talk)
    host.serve(BULK, _talk, bulk=True)
    place = await host.listen(Multiaddr.parse("/ip4/127.0.0.1/tcp/0", listening=True))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_TlsTalk, "127.0.0.1", 0, ssl=context)
    echo = await asyncio.start_server(_tls_echo, "127.0.0.1", 0, ssl=context)
    ports = [each.sockets[0].getsockname()[1] for each in (server, echo)]
    print(json.dumps({"place": str(place), "tls": ports}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    echo.close()
    await host.aclose()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
