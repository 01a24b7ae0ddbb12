"""Jobs on a peer, in another process over the loopback, beside the same jobs here.

And a large module over a slow line that is cut once, and what a worker holds of strangers who never prove a key.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.guests import HELLO
from bench.measure import Figure, figure
from bench.processes import ROOT, cpu_s, memory_kib
from bench.slow_line import slow_line
from console.core import Core, CoreOptions
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.quic.certificate import make_credentials
from net.quic.session import Session
from net.quic.terms import Terms
from net.unread import Unread
from runtime.clock import SystemClock
from runtime.identity import Identity
from runtime.jobs.limits import JobLimits
from runtime.jobs.spec import JobRequest
from runtime.jobs.streams import Streams

__all__ = ["measure"]

_OVER_LOCAL_MS: Final = 15.0
_ON_THE_WIRE: Final = 1.1
_NEW: Final = 65_536
_MODULE: Final = 16 << 20
_RATE: Final = 8e6
_SECOND_KIB: Final = 64.0
_HOSTILE: Final = 50
_HOSTILE_MIB: Final = 1.0
_WARM_UP: Final = 10
_SELECTS: Final = b"\x13/multistream/1.0.0\n\x07/noise\n"
_HANDSHAKE: Final = 1250
_PROPOSAL: Final = 1024
_TYPE: Final = 0xB0
"""The bits of a QUIC packet's first byte that say of which kind it is."""

_RETRY: Final = 0xB0
"""Of the packet that asks for the hello once more, to see whose address it is."""

_PATIENCE_S: Final = 10.0


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    return asyncio.run(_measure(quick=quick))


async def _measure(*, quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        core = await Core.start(CoreOptions(state_path=Path(folder, "here"), owner=True))
        try:
            with _worker(Path(folder, "there"), core) as there:
                pair = _Pair(core, there.place)
                figures = [*await _hello(pair, there, 10 if quick else 100), *await _large(pair)]
            with _worker(Path(folder, "attacked"), core) as attacked:
                return [*figures, *_hostile(attacked)]
        finally:
            await core.stop("the end")


# --- hello ------------------------------------------------------------------------------------------------------------


async def _hello(pair: "_Pair", there: "_There", rounds: int) -> list[Figure]:
    dials, news, olds = [], [], []
    for _ in range(max(5, rounds // 10)):
        await pair.part()
        began = time.perf_counter()
        await pair.core.mesh.dial(pair.place)
        dials.append((time.perf_counter() - began) * 1000)
        news.append(await pair.remote(_padded(_NEW)))
        olds.append(await pair.local(_padded(_NEW)))
    module = HELLO.read_bytes()
    for _ in range(_WARM_UP):
        await pair.remote(module)
        await pair.local(module)
    far, near = [], []
    here_ms = there_ms = 0.0
    for _ in range(rounds):
        here, busy = time.process_time(), cpu_s(there.pid)
        far.append(await pair.remote(module))
        here_ms += (time.process_time() - here) * 1000
        there_ms += (cpu_s(there.pid) - busy) * 1000
        near.append(await pair.local(module))
    return [
        figure(
            "hello job on a peer, longer than the fastest of the same jobs here",
            "ms",
            [one - min(near) for one in far],
            bound=_OVER_LOCAL_MS,
            note=f"CPU of requester and worker {here_ms / rounds:.1f} and {there_ms / rounds:.1f} ms",
        ),
        figure("hello job on a peer, connected, module known", "ms", far, against=("the same job here", near)),
        figure("dialling, until both keys are proven", "ms", dials),
        figure("first job with a module", "ms", news, against=("the same job here", olds), note="sent and kept there"),
    ]


# --- a large module ---------------------------------------------------------------------------------------------------


async def _large(pair: "_Pair") -> list[Figure]:
    module, port = _padded(_MODULE), pair.place.port
    await pair.part()
    async with slow_line(port, _RATE) as (line, begins):
        slow = _Pair(pair.core, Multiaddr.at("127.0.0.1", begins, "tcp").with_peer(pair.peer))
        line.cut_after(_MODULE // 2)
        took = await slow.remote(module)
        first = line.carried
        await slow.remote(module)
        second = line.carried - first
        if line.cuts != 1:
            raise RuntimeError("the line was not cut")
        await pair.part()
    return [
        figure(
            "module of 16 MiB over a line that is cut once, bytes on the line",
            "MiB",
            [first / (1 << 20)],
            against=("the module", [_MODULE / (1 << 20)]),
            bound=_ON_THE_WIRE,
            bound_of="ratio",
            note=f"{_RATE / 1e6:g} MB/s, {took / 1000:.1f} s in all",
        ),
        figure("second job with it, bytes on the line", "KiB", [second / 1024], bound=_SECOND_KIB),
    ]


def _padded(size: int) -> bytes:
    """Hello, and a custom section of random bytes behind it that makes it so large: a module nobody has seen."""
    module = HELLO.read_bytes()
    body = b"\x03pad" + os.urandom(size - len(module) - 6 - 4)
    length = bytes([len(body) & 127 | 128, len(body) >> 7 & 127 | 128, len(body) >> 14 & 127 | 128])
    return module + b"\x00" + length + bytes([len(body) >> 21 & 127 | 128, len(body) >> 28]) + body


# --- strangers --------------------------------------------------------------------------------------------------------


def _hostile(there: "_There") -> list[Figure]:
    """None ends its handshake; all stay until both kinds are measured."""
    with contextlib.ExitStack() as stack:
        return [
            figure(
                f"memory of a worker for each of {_HOSTILE} connections of {name} that prove no key",
                "MiB",
                [_grown_mib(there, attack, stack)],
                bound=_HOSTILE_MIB,
            )
            for name, attack in (("TCP", _by_tcp), ("QUIC", _by_quic))
        ]


def _grown_mib(
    there: "_There", attack: Callable[["_There", contextlib.ExitStack], None], stack: contextlib.ExitStack
) -> float:
    before = memory_kib(there.pid)[1]
    attack(there, stack)
    return max(0, memory_kib(there.pid)[1] - before) / 1024 / _HOSTILE


def _by_tcp(there: "_There", stack: contextlib.ExitStack) -> None:
    """Half of them stop within a proposal, half within the handshake, each one byte short."""
    proposal = b"\x13/multistream/1.0.0\n\xff\x07" + b"/" * (_PROPOSAL - 2)
    handshake = _SELECTS + _HANDSHAKE.to_bytes(2, "big") + bytes(_HANDSHAKE - 1)
    at = ("127.0.0.1", there.place.port)
    lines = [stack.enter_context(socket.create_connection(at, _PATIENCE_S)) for _ in range(_HOSTILE)]
    for number, line in enumerate(lines):
        line.sendall(handshake if number % 2 else proposal)
        while len(line.recv(4096, socket.MSG_PEEK)) < len(_SELECTS) * (number % 2):
            time.sleep(0.001)
    _fail_if_closed(lines)


def _by_quic(there: "_There", stack: contextlib.ExitStack) -> None:
    """Each says hello, once more if it is asked to, and then nothing to the worker's answer."""
    identity, limits, clock = Identity(os.urandom(32)), NetLimits(), SystemClock()
    credentials = make_credentials(identity, clock.wall_ms())
    terms = Terms(PeerId(identity.public), credentials, limits, clock, Unread(limits))
    at = ("127.0.0.1", there.quic.port)
    for _ in range(_HOSTILE):
        line = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        line.settimeout(_PATIENCE_S)
        line.connect(at)
        session = Session.dial(terms, at, None, time.monotonic())
        answer = _answer(line, session)
        if answer[0] & _TYPE == _RETRY:
            session.receive(answer, at, time.monotonic())
            answer = _answer(line, session)
        if answer[0] & _TYPE == _RETRY:
            raise RuntimeError("the worker asks twice")


def _answer(line: socket.socket, session: Session) -> bytes:
    for datagram, _ in session.take(time.monotonic()):
        line.send(datagram)
    return line.recv(65_536)


def _fail_if_closed(lines: list[socket.socket]) -> None:
    for line in lines:
        line.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while line.recv(65_536):
                pass
            raise RuntimeError("the worker has closed a connection that was to be measured")


# --- the two programs -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _There:
    """The other program."""

    pid: int
    place: Multiaddr
    quic: Multiaddr


@dataclass(frozen=True, slots=True)
class _Pair:
    """This program, and where the other is."""

    core: Core
    place: Multiaddr

    @property
    def peer(self) -> PeerId:
        if self.place.peer is None:
            raise RuntimeError("the other program does not say who it is")
        return self.place.peer

    async def part(self) -> None:
        """Ends the connections."""
        await self.core.mesh.end(self.peer)

    async def remote(self, module: bytes) -> float:
        """Milliseconds of a job there."""
        began = time.perf_counter()
        request, streams = _job()
        end = await self.core.mesh.jobs.run(
            self.peer, request, module=module, streams=streams, address=self.place.without_peer()
        )
        took = (time.perf_counter() - began) * 1000
        if end.outcome != "exit" or end.exit_code or end.verification is None or not end.verification.ok:
            raise RuntimeError(f"the job ended otherwise: {end.outcome} {end.reason}")
        return took

    async def local(self, module: bytes) -> float:
        """Milliseconds of the same job here."""
        began = time.perf_counter()
        request, streams = _job()
        end = await self.core.jobs.run(request, module=module, streams=streams)
        took = (time.perf_counter() - began) * 1000
        if end.outcome != "exit" or end.exit_code:
            raise RuntimeError(f"the job ended otherwise: {end.outcome} {end.reason}")
        return took


def _job() -> tuple[JobRequest, Streams]:
    return JobRequest(name="hello.wasm", limits=JobLimits()), Streams(stdin=b"hello, orlop")


@contextlib.contextmanager
def _worker(state: Path, core: Core) -> Iterator[_There]:
    argv = [sys.executable, "-m", "bench.job_peer", str(state), str(core.mesh.host.peer)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("the other process has no pipes")
        try:
            place, quic = (Multiaddr.parse(text) for text in process.stdout.readline().split())
            yield _There(process.pid, place, quic)
        finally:
            process.stdin.close()
