"""What the acceptance list asks of two nodes: over real sockets, with keys of their own, by both transports."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from net.host import Host
from net.jobs.messages import Accepted, Rejected, Requirements
from net.jobs.reasons import ArchMismatch
from net.jobs.requester import JobRequester
from net.jobs.terms import PROTOCOL
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.stream import Connection
from runtime.canonical import encode
from runtime.clock import SystemClock
from runtime.jobs import JobRequest, Streams, submitters
from runtime.sandbox.compile import Compiler
from tests.net.jobs import job_peers
from tests.net.jobs.job_peers import Talk, machine, manifest, offer, open_worker
from tests.net.nodes import PATIENT, Table
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node, open_node

ROOT = Path(__file__).parents[3]


@dataclass
class Pair:
    """A requester, and a worker that listens; nothing between them but the network."""

    here: Node
    there: Node
    host: Host
    place: Multiaddr

    @property
    def worker(self) -> PeerId:
        return PeerId(self.there.identity.public)

    async def dial(self) -> Connection:
        return await self.host.connect(self.worker, [self.place])


@contextlib.asynccontextmanager
async def host_of(node: Node) -> AsyncIterator[Host]:
    host = Host(node.identity, PATIENT, clock=SystemClock(), on_event=lambda _event: None, standing=Table())
    try:
        yield host
    finally:
        await host.aclose()


@pytest.fixture(params=["tcp/0", "udp/0/quic-v1"], ids=["tcp", "quic"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path, compiler: Compiler) -> AsyncIterator[Pair]:
    small = machine("x86_64", 2, 4096)
    async with (
        open_node(tmp_path / "here", compiler) as here,
        open_worker(tmp_path / "there", compiler, [], measured=small) as (there, worker),
        host_of(here) as requester,
        host_of(there) as listener,
    ):
        listener.serve(PROTOCOL, worker.serve, bulk=True)
        place = await listener.listen(Multiaddr.parse(f"/ip4/127.0.0.1/{request.param}", listening=True))
        there.store.write(lambda tx: submitters.add(tx, here.identity.public_hex)).result()
        yield Pair(here, there, requester, place)


async def test_11_1_p4_a_remote_offer_is_accepted_by_the_peer_that_was_dialled(pair: Pair) -> None:
    assert pair.here.identity.peer_id != pair.there.identity.peer_id
    connection = await pair.dial()
    assert str(connection.peer) == pair.there.identity.peer_id
    talk = Talk(await connection.open(PROTOCOL))
    signed = manifest(pair.here.identity)
    await talk.say(offer(signed))
    accepted = await talk.word()
    assert isinstance(accepted, Accepted)
    assert accepted.job_id == signed.job


async def test_11_1_an_offer_for_riscv64_is_an_arch_mismatch(pair: Pair) -> None:
    talk = Talk(await (await pair.dial()).open(PROTOCOL))
    signed = manifest(pair.here.identity)
    await talk.say(offer(signed, requirements=Requirements("riscv64", "wasmtime", 1, 16)))
    assert await talk.word() == Rejected(signed.job, ArchMismatch("riscv64", "x86_64"))
    assert await pair.there.jobs.rows() == []


async def test_p1_11_1_a_receipt_that_came_over_the_wire_is_checked_by_its_bytes_and_a_key_in_hex(pair: Pair) -> None:
    """In a process that knows neither node."""
    client = JobRequester(pair.here.receipts, SystemClock(), terms=job_peers.PATIENT, on_fault=lambda *_: None)
    end = await pair.here.jobs.run_elsewhere(
        JobRequest(name="remote.wasm", limits=LIMITS),
        module=HELLO,
        streams=Streams(stdin=b"over the wire"),
        where=str(pair.worker),
        carry=client.carrier(pair.worker, pair.dial),
    )
    assert (end.outcome, end.exit_code) == ("exit", 0)
    assert (await pair.here.jobs.output(end.job)).stdout == b"eriw eht revo"
    assert end.receipt_document is not None
    code = (
        "import sys; from runtime.jobs.evidence import Evidence; from runtime.jobs.verify import verify\n"
        "raw = sys.stdin.buffer.read()\n"
        "slow = raw.replace(b'\"total_duration_ms\":', b'\"total_duration_ms\":1')\n"
        "assert slow != raw\n"
        "print(verify(raw, Evidence(key=sys.argv[1])).ok, verify(slow, Evidence(key=sys.argv[1])).ok,"
        " verify(raw, Evidence(key=sys.argv[2])).ok)\n"
    )
    command = [sys.executable, "-c", code, pair.there.identity.public_hex, pair.here.identity.public_hex]
    raw = encode(end.receipt_document)
    done = await asyncio.to_thread(subprocess.run, command, input=raw, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == b"True False False\n"
