"""Connections between peers beside TLS 1.3: bytes a second, the round trip of a short message, memory of idle ones."""

import asyncio
import contextlib
import datetime as dt
import gc
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.measure import Figure, figure
from bench.processes import ROOT, memory_kib
from bench.wire_peer import BULK, COUNT, LIMITS, PIECE, PLAIN, SECONDS
from net.host import Host
from net.multiaddr import Multiaddr
from net.stream import Stream, read_exactly
from runtime.clock import SystemClock
from runtime.identity import Identity

__all__ = ["measure"]

_WRITE: Final = 262_144
_MB: Final = 1e6
_SLOWER: Final = 2.0
"""At least half of what TLS carries."""
_LONGER: Final = 1.5
_IDLE_MB: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Transfer:
    """Milliseconds for each million bytes, and CPU milliseconds of both ends for the same."""

    wall: float
    sender: float
    receiver: float


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    return asyncio.run(_measure(quick=quick))


async def _measure(*, quick: bool) -> list[Figure]:
    size, rounds, trips, idle = (1 << 25, 1, 200, 50) if quick else (1 << 29, 5, 2000, 1000)
    with _certificate() as certificate, _peer(certificate) as (process, place, ports):
        host = Host(Identity(bytes([202]) * 32), LIMITS, clock=SystemClock(), on_event=lambda _: None)
        peer = place.peer
        if peer is None:
            raise RuntimeError("the other process does not say who it is")
        await host.connect(peer, [place])

        def stream(protocol: str) -> Callable[[], contextlib.AbstractAsyncContextManager["_Line"]]:
            return lambda: _stream(host, place, protocol)

        def tls(port: int) -> Callable[[], contextlib.AbstractAsyncContextManager["_Line"]]:
            return lambda: _tls(certificate, port)

        lines = {"TLS 1.3": tls(ports[0]), "256 KiB": stream(PLAIN), "1 MiB": stream(BULK)}
        sent: dict[str, list[_Transfer]] = {name: [] for name in lines}
        ours, theirs = list[float](), list[float]()
        for _ in range(rounds):
            for name, line in lines.items():
                sent[name].append(await _send(line, size))
            theirs.append(await _trips(tls(ports[1]), trips))
            ours.append(await _trips(stream(PLAIN), trips))
        memory, handshake = await _idle(host, place, process.pid, idle)
        await host.aclose()
    base = [each.wall for each in sent["TLS 1.3"]]
    figures = [
        figure(
            f"Noise and yamux, window {name}, one way, each MB",
            "ms",
            [each.wall for each in sent[name]],
            against=("TLS 1.3 of asyncio", base),
            bound=_SLOWER,
            bound_of="ratio",
            note=_rates(sent[name], sent["TLS 1.3"]),
        )
        for name in ("256 KiB", "1 MiB")
    ]
    return [
        *figures,
        figure(
            "Noise and yamux, there and back of 64 bytes",
            "us",
            ours,
            against=("TLS 1.3 of asyncio, streams on both ends", theirs),
            bound=_LONGER,
            bound_of="ratio",
        ),
        figure(f"{idle:,} idle connections, memory of the listener", "MB", [memory], bound=_IDLE_MB, bound_of="median"),
        figure("connect and handshake, both ends, 20 at once", "ms", [handshake]),
    ]


def _rates(ours: list[_Transfer], theirs: list[_Transfer]) -> str:
    """Bytes in wall and CPU time, the best of each."""
    wall, other = 1000 / min(each.wall for each in ours), 1000 / min(each.wall for each in theirs)
    sender, receiver = (1000 / min(each.sender for each in ours), 1000 / min(each.receiver for each in ours))
    tls = (1000 / min(each.sender for each in theirs), 1000 / min(each.receiver for each in theirs))
    return (
        f"best {wall:,.0f} MB/s, TLS {other:,.0f}; per CPU second of sender / receiver "
        f"{sender:,.0f} / {receiver:,.0f} MB, TLS {tls[0]:,.0f} / {tls[1]:,.0f}"
    )


# --- what is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """Either transport: writes bytes, and reads so many."""

    write: Callable[[bytes], Awaitable[None]]
    read: Callable[[int], Awaitable[bytes]]


Open = Callable[[], contextlib.AbstractAsyncContextManager[_Line]]


async def _send(open_line: Open, size: int) -> _Transfer:
    piece = bytes(_WRITE)
    gc.collect()
    async with open_line() as line:
        await line.write(COUNT.pack(size))
        began, busy = time.perf_counter(), time.process_time()
        for _ in range(size // _WRITE):
            await line.write(piece)
        receiver = SECONDS.unpack(await line.read(SECONDS.size))[0]
        wall, sender = time.perf_counter() - began, time.process_time() - busy
    each = 1000 / (size / _MB)
    return _Transfer(wall * each, sender * each, receiver * each)


async def _trips(open_line: Open, count: int) -> float:
    """The median of many, in microseconds."""
    piece, took = bytes(PIECE), []
    async with open_line() as line:
        await line.write(COUNT.pack(0))
        for _ in range(count):
            began = time.perf_counter()
            await line.write(piece)
            await line.read(PIECE)
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6


async def _idle(host: Host, place: Multiaddr, pid: int, count: int) -> tuple[float, float]:
    """Megabytes that the listener needs for so many connections, and milliseconds that each took to be made."""
    before = memory_kib(pid)[0]
    began = time.perf_counter()
    for _ in range(count // 20):
        await asyncio.gather(*(host.dial_any(place) for _ in range(20)))
    took = (time.perf_counter() - began) * 1000 / (count // 20 * 20)
    return (memory_kib(pid)[0] - before) * 1024 / _MB, took


# --- the two transports -----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _stream(host: Host, place: Multiaddr, protocol: str) -> AsyncIterator[_Line]:
    if place.peer is None:
        raise RuntimeError("nobody is named")
    stream: Stream = await host.open(place.peer, protocol, [place])
    try:
        yield _Line(stream.write, lambda size: read_exactly(stream, size))
    finally:
        await stream.end()
        stream.reset()


@contextlib.asynccontextmanager
async def _tls(certificate: Path, port: int) -> AsyncIterator[_Line]:
    context = ssl.create_default_context(cafile=certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")

    async def write(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    try:
        yield _Line(write, reader.readexactly)
    finally:
        writer.close()
        await writer.wait_closed()


@contextlib.contextmanager
def _peer(certificate: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Multiaddr, list[int]]]:
    argv = [sys.executable, "-m", "bench.wire_peer", str(certificate)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("the other process has no pipes")
        try:
            said = json.loads(process.stdout.readline())
            yield process, Multiaddr.parse(said["place"]), said["tls"]
        finally:
            process.stdin.close()


@contextlib.contextmanager
def _certificate() -> Iterator[Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        path = Path(folder) / "tls.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
        yield path
