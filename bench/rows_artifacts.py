"""The boot server: bytes a second to many clients on the loopback, beside a bare loop of `sendfile`, and its memory."""

import asyncio
import multiprocessing
import os
import socket
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from bench.measure import Figure, figure
from bench.processes import memory_kib
from boot.folder import artifacts_of
from boot.serve.server import BootServer
from boot.trust.signing import Release, sign_manifest
from runtime.identity import Identity

__all__ = ["measure"]

_READ: Final = 1 << 18
_MB: Final = 1e6
_MS_EACH_MB: Final = 2.0
"""500 MB a second."""
_GROWTH_MB: Final = 50.0
_DAY_MS: Final = 86_400_000


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    clients, size, rounds = (50, 4_000_000, 1) if quick else (200, 20_000_000, 3)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _release(folder, size)
        ours, growth = _served(_Serve, folder, clients, rounds)
        bare, _ = _served(_Bare, folder, clients, rounds)
    what = f"artifacts to {clients} clients at once"
    return [
        figure(f"{what}, each MB", "ms", ours, against=("a bare loop of sendfile", bare), bound=_MS_EACH_MB),
        figure(f"{what}, memory growth", "MB", [growth], bound=_GROWTH_MB),
    ]


def _release(folder: Path, size: int) -> None:
    for name, count in (("kernel", 1000), ("initramfs", 1000), ("rootfs", size)):
        (folder / name).write_bytes(os.urandom(count))
    now_ms = time.time_ns() // 1_000_000
    release = Release(
        manifest_version=1,
        channel="stable",
        arch="x86_64",
        release="bench",
        cmdline="",
        artifacts=artifacts_of(folder),
        created_ms=now_ms,
        expires_ms=now_ms + _DAY_MS,
    )
    (folder / "manifest.json").write_bytes(sign_manifest(release, [Identity(bytes(32))]))


def _served(serve: "type[_Serve]", folder: Path, clients: int, rounds: int) -> tuple[list[float], float]:
    """Milliseconds for each MB of every round, and MB by which the server's process grew."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve.run, args=(folder, there))
    process.start()
    try:
        port: int = here.recv()
        before = sum(memory_kib(process.pid or 0)[:1])
        samples = [asyncio.run(_load(port, clients, (folder / "rootfs").stat().st_size)) for _ in range(rounds)]
        growth = (sum(memory_kib(process.pid or 0)[:1]) - before) / 1024
    finally:
        here.close()
        process.terminate()
        process.join()
    return samples, growth


class _Serve:
    """The server of orlop, in a process of its own."""

    @classmethod
    def run(cls, folder: Path, told: Connection) -> None:
        asyncio.run(cls.serve(folder, told))

    @staticmethod
    async def serve(folder: Path, told: Connection) -> None:
        server = BootServer(folder, lambda _event: None)
        await server.open()
        told.send((await server.listen("127.0.0.1", 0))[1])
        await asyncio.Event().wait()


class _Bare(_Serve):
    """The least that could send a file."""

    @staticmethod
    async def serve(folder: Path, told: Connection) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            with (folder / "rootfs").open("rb") as file:
                await asyncio.get_running_loop().sendfile(writer.transport, file)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
        told.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()


async def _load(port: int, clients: int, size: int) -> float:
    began = time.perf_counter()
    got = await asyncio.gather(*(_client(port) for _ in range(clients)))
    total = sum(got)
    if min(got) < size:
        raise RuntimeError("a client did not get all of it")
    return (time.perf_counter() - began) * 1000 / (total / _MB)


async def _client(port: int) -> int:
    loop, buffer, got = asyncio.get_running_loop(), bytearray(_READ), 0
    with socket.socket() as line:
        line.setblocking(False)
        await loop.sock_connect(line, ("127.0.0.1", port))
        await loop.sock_sendall(line, b"GET /rootfs HTTP/1.1\r\nHost: bench\r\n\r\n")
        while count := await loop.sock_recv_into(line, buffer):
            got += count
    return got
