"""The steps of a job between two nodes, as the requester tells of them: in their order, in words for people."""

import asyncio
import os
import re
from dataclasses import replace

from net.errors import StreamResetError
from net.jobs.requester import JobRequester
from net.jobs.steps import StepName, input_words, module_words
from net.memory import MemoryConnection
from net.stream import Connection, Stream
from runtime.clock import SystemClock
from runtime.errors import UnavailableError
from runtime.jobs import Streams
from tests.net.jobs.job_peers import CAT, PATIENT, Peers
from tests.runtime.jobs.jobs_node import HELLO


class Heard:
    """What was told, and who waits for a step."""

    def __init__(self) -> None:
        self.steps: list[tuple[StepName, str]] = []
        self.started = asyncio.Event()

    def tell(self, _job: str, step: StepName, detail: str) -> None:
        self.steps.append((step, detail))
        if step == "started":
            self.started.set()

    @property
    def names(self) -> list[str]:
        return [step for step, _ in self.steps]

    def client(self, peers: Peers) -> JobRequester:
        terms = replace(PATIENT, retry_s=0, retry_most_s=0)
        return JobRequester(peers.requester.receipts, SystemClock(), terms=terms, on_step=self.tell)


async def test_each_step_is_told_once_in_its_order(peers: Peers) -> None:
    heard = Heard()
    carry = heard.client(peers).carrier(peers.worker_id, peers.dial)
    await peers.run(HELLO, b"seven b", carry=carry)
    size = f"{len(HELLO):,} bytes"
    assert heard.names == ["dialled", "offered", "accepted", "sent", "started", "result", "verified"]
    assert heard.steps[1] == ("offered", f"module {size}, input 7 bytes")
    assert re.fullmatch(r"lease of [\d,]+ ms", heard.steps[2][1])
    assert heard.steps[3] == ("sent", f"module {size}, input 7 bytes")
    assert heard.steps[-2:] == [("result", "exit, a receipt"), ("verified", "valid")]
    await peers.run(HELLO, b"seven b", carry=carry)
    assert heard.steps[10] == ("sent", "module known there, input 7 bytes")


async def test_a_cut_and_the_way_back_are_told(peers: Peers) -> None:
    heard = Heard()
    reader, writer = os.pipe()
    carry = heard.client(peers).carrier(peers.worker_id, peers.dial)
    run = asyncio.create_task(peers.run(CAT, carry=carry, streams=Streams(stdin=reader)))
    async with asyncio.timeout(120):
        await heard.started.wait()
    connection = await peers.dial()
    assert isinstance(connection, MemoryConnection)
    connection.cut()
    os.write(writer, b"on")
    os.close(writer)
    assert (await run).outcome == "exit"
    before, after = heard.names[:5], heard.names[5:]
    assert before == ["dialled", "offered", "accepted", "sent", "started"]
    # The end of the input may have been told before the cut was noticed; it is told once more for the new stream.
    assert [step for step in after if step != "sent"] == ["cut", "dialled", "resumed", "result", "verified"]
    assert heard.steps[3] == ("sent", f"module {len(CAT):,} bytes, input as it comes")
    assert ("resumed", "there it is running") in heard.steps
    assert ("sent", "all of the input 2 bytes") in heard.steps


class Cut:
    """A connection whose streams break before the first answer."""

    transport, remote = "tcp", "/ip4/192.0.2.1/tcp/1"

    def __init__(self, inner: Connection) -> None:
        self._inner = inner

    async def open(self, protocol: str, *, bulk: bool = False) -> Stream:
        stream = await self._inner.open(protocol, bulk=bulk)
        stream.reset()

        class Broken:
            async def write(self, _data: bytes) -> None:
                raise StreamResetError("the stream is reset")

            def reset(self) -> None:
                """It is."""

        return Broken()  # type: ignore[return-value]


async def test_a_worker_that_breaks_off_again_and_again_fills_no_journal(peers: Peers) -> None:
    heard, dials = Heard(), 0

    async def dial() -> Connection:
        nonlocal dials
        dials += 1
        if dials > 60:
            raise UnavailableError("that was enough")
        return Cut(await peers.dial())  # type: ignore[return-value]

    end = await peers.run(HELLO, carry=heard.client(peers).carrier(peers.worker_id, dial))
    assert end.outcome == "lost"
    assert heard.names[:4] == ["dialled", "offered", "cut", "dialled"]
    assert len(heard.steps) == 100


async def test_what_is_refused_says_why(peers: Peers) -> None:
    heard = Heard()
    carry = heard.client(peers).carrier(peers.worker_id, peers.dial, arch="pdp11")
    assert (await peers.run(HELLO, carry=carry)).outcome == "refused"
    assert heard.names == ["dialled", "offered", "rejected"]
    assert "pdp11" in heard.steps[-1][1]


def test_how_much_goes_over_is_told_in_words() -> None:
    assert module_words(2_000, 0) == "module 2,000 bytes"
    assert module_words(2_000, 500) == "module 1,500 bytes, 500 known there"
    assert module_words(2_000, 2_000) == "module known there"
    assert (input_words(None), input_words(0)) == ("input as it comes", "input 0 bytes")
