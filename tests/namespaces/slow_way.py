"""A way between two nodes that is long: datagrams come late and out of order, and TCP comes late and in crumbs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import cast

from tests.namespaces.gate import on_machine
from tests.namespaces.network import Host

__all__ = ["SlowWay", "slow_way"]

_LATE_S = 0.02
_READ = 65_536
_CRUMB = 700

Address = tuple[str, int]


class SlowWay:
    """Serves on the loopback of a machine in the place of a node there, over TCP and UDP.

    Args:
        tcp: where the node listens.
        udp: the same.

    Attributes:
        tcp: where this listens instead.
        udp: the same.
        overtaken: how many datagrams came behind one that was sent later.
        doubled: how many came twice.
    """

    def __init__(self, tcp: int, udp: int) -> None:
        self.tcp, self.udp = 0, 0
        self.overtaken = 0
        self.doubled = 0
        self._targets = (tcp, udp)
        self._chance = Random(7)

    @contextlib.asynccontextmanager
    async def serves(self) -> AsyncIterator[None]:
        """Serves meanwhile; see `gate.on_machine`."""
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.tcp = server.sockets[0].getsockname()[1]
        front = _Front(self, ("127.0.0.1", self._targets[1]))
        here, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: front, ("127.0.0.1", 0))
        self.udp = here.get_extra_info("sockname")[1]
        try:
            yield
        finally:
            server.close()
            front.close()
            await asyncio.sleep(0)  # sockets are closed at the loop's next turn

    async def _accepted(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        there, on = await asyncio.open_connection("127.0.0.1", self._targets[0])
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(self._crumbs(here, on), self._crumbs(there, back))
        for end in (on, back):
            end.close()

    async def _crumbs(self, come: asyncio.StreamReader, go: asyncio.StreamWriter) -> None:
        """One direction, a few bytes at a time, each a little late."""
        while data := await come.read(self._chance.randint(1, _CRUMB)):
            await asyncio.sleep(self._chance.uniform(0, _LATE_S / 10))
            go.write(data)
            await go.drain()
        go.close()

    def carry(self, data: bytes, go: asyncio.DatagramTransport, to: Address | None, sent: "_Order") -> None:
        """Sends a datagram on, later: each by another time, so that they overtake one another; some twice."""
        number = sent.next()
        loop = asyncio.get_running_loop()

        def arrive() -> None:
            self.overtaken += sent.arrives(number)
            if not go.is_closing():
                go.sendto(data, to)

        loop.call_later(self._chance.uniform(0, _LATE_S), arrive)
        if self._chance.random() < 0.05:
            self.doubled += 1
            loop.call_later(2 * _LATE_S, arrive)


class _Order:
    """The numbers of datagrams that went one way."""

    def __init__(self) -> None:
        self._sent = 0
        self._last = 0

    def next(self) -> int:
        self._sent += 1
        return self._sent

    def arrives(self, number: int) -> bool:
        """Whether one that was sent later has arrived before it."""
        late = number < self._last
        self._last = max(self._last, number)
        return late


class _Front(asyncio.DatagramProtocol):
    """Towards those who dial: a socket of its own towards the node for each of them."""

    def __init__(self, way: SlowWay, target: Address) -> None:
        self._way = way
        self._target = target
        self._sent = _Order()
        self._backs: dict[Address, asyncio.Future[asyncio.DatagramTransport]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # which Python 3.11 does not derive it from

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr not in self._backs:
            self._backs[addr] = asyncio.ensure_future(self._back(addr))
        self._backs[addr].add_done_callback(lambda back: self._way.carry(data, back.result(), None, self._sent))

    async def _back(self, asker: Address) -> asyncio.DatagramTransport:
        assert self._transport is not None
        made = _Back(self._way, self._transport, asker)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, remote_addr=self._target)
        return transport

    def close(self) -> None:
        """Closes all."""
        for back in self._backs.values():
            if back.done() and not back.cancelled():
                back.result().close()
        if self._transport is not None:
            self._transport.close()


class _Back(asyncio.DatagramProtocol):
    """Towards the node, for one who dialled."""

    def __init__(self, way: SlowWay, front: asyncio.DatagramTransport, asker: Address) -> None:
        self._way = way
        self._front = front
        self._asker = asker
        self._sent = _Order()

    def datagram_received(self, data: bytes, addr: Address) -> None:  # noqa: ARG002 - asyncio's
        self._way.carry(data, self._front, self._asker, self._sent)


@contextlib.contextmanager
def slow_way(host: Host, tcp: int, udp: int) -> Iterator[SlowWay]:
    """One on a machine."""
    made = SlowWay(tcp, udp)
    with on_machine(host, made.serves):
        yield made
