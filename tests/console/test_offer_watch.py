"""Who has asked what this node offers hears when that changes; nobody else does, and nobody of what is the same."""

import asyncio
from dataclasses import replace

from console.offer_watch import OfferWatch
from net.capabilities.exchange import PROTOCOL, Exchange, ask
from net.capabilities.measured import Measured
from net.capabilities.record import Capabilities, Offered, make_record
from net.memory import MemoryConnection, pair
from net.peer_id import PeerId
from net.stream import Protocols
from runtime.clock import ManualClock
from runtime.identity import Identity
from tests.net.nodes import until

NOW, US = 1_700_000_000_000, Identity(b"1" * 32)
MACHINE = Measured("x86_64", "linux", 8, 6500, 1 << 34, 1 << 33)
OFFERED = Offered(
    slots_total=4, slots_free=4, queue=0, kinds=("wasm",), runtimes={"wasmtime": "50.0.1"}, abi={"jobs": 1},
    maxima={"module": 1, "input": 1, "output": 1, "memory": 1, "wall_ms": 1, "fuel": 1}, relay=False, version="0.2.0",
)  # fmt: skip


class Node:
    """A node that offers something, and whoever connects with it."""

    def __init__(self, every_s: float = 0) -> None:
        self.offered, self.seq = OFFERED, 0
        self.watch = OfferWatch(lambda: (MACHINE, self.offered), self.packed, every_s=every_s)
        exchange = Exchange(self.packed, ManualClock(NOW), asked=self.watch.asked, heard=lambda _: None)
        self.serves = Protocols()
        self.serves.serve(PROTOCOL, exchange.serve)
        self.pushed: dict[int, list[Capabilities]] = {}

    def packed(self) -> bytes:
        self.seq += 1
        return make_record(US, MACHINE, self.offered, seq=self.seq, now_ms=NOW)

    def connect(self, number: int) -> MemoryConnection:
        """Somebody comes, and notes what is pushed to it."""
        who, heard = Identity(bytes([number]) * 32), self.pushed.setdefault(number, [])
        own = make_record(who, MACHINE, OFFERED, seq=1, now_ms=NOW)
        exchange = Exchange(lambda: own, ManualClock(NOW), asked=lambda _: None, heard=heard.append)
        serves = Protocols()
        serves.serve(PROTOCOL, exchange.serve)
        return pair(PeerId(who.public), PeerId(US.public), serves, self.serves)[0]


async def test_who_has_asked_hears_of_a_change_and_who_has_not_does_not() -> None:
    node = Node()
    asker, other = node.connect(2), node.connect(3)
    await ask(asker, lambda: NOW)
    await node.watch.look()
    assert node.pushed == {2: [], 3: []}
    node.offered = replace(OFFERED, slots_total=0)
    await node.watch.look()
    assert [record.offered.slots_total for record in node.pushed[2]] == [0]
    assert node.pushed[3] == []
    await node.watch.look()
    assert len(node.pushed[2]) == 1
    for connection in (asker, other):
        await connection.close()


async def test_who_is_gone_is_forgotten() -> None:
    node = Node()
    gone, asker = node.connect(2), node.connect(3)
    for connection in (gone, asker):
        await ask(connection, lambda: NOW)
    await gone.close()
    node.offered = replace(OFFERED, queue=9)
    await node.watch.look()
    assert (len(node.pushed[2]), len(node.pushed[3])) == (0, 1)
    await asker.close()


async def test_after_one_telling_the_next_waits() -> None:
    node = Node(every_s=3600)
    asker = node.connect(2)
    await ask(asker, lambda: NOW)
    for queue in (1, 2):
        node.offered = replace(OFFERED, queue=queue)
        await node.watch.look()
    assert [record.offered.queue for record in node.pushed[2]] == [1]
    await asker.close()


async def test_it_looks_by_itself() -> None:
    node = Node(every_s=0.01)
    asker = node.connect(2)
    await ask(asker, lambda: NOW)
    node.offered = replace(OFFERED, queue=1)
    task = asyncio.ensure_future(node.watch.run())
    await until(lambda: bool(node.pushed[2]))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asker.close()
