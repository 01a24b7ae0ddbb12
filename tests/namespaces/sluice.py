"""What stands between two nodes over QUIC: it passes so many datagrams on, both ways together, and then none.

What a datagram of a handshake says cannot be told from outside, so the steps of one are counted.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from tests.namespaces.gate import on_machine
from tests.namespaces.network import Host
from tests.namespaces.slow_way import Address, SlowWay

__all__ = ["Sluice", "sluice"]


class Sluice(SlowWay):
    """Serves on the loopback of a machine in the place of a node there.

    Args:
        port: where the node listens, over TCP and UDP.
        passes: how many datagrams.

    Attributes:
        reached: set once somebody sent one more.
    """

    def __init__(self, port: int, passes: int) -> None:
        super().__init__(port, port)
        self.reached = threading.Event()
        self._left = passes

    def carry(self, data: bytes, go: asyncio.DatagramTransport, to: Address | None, sent: object) -> None:  # noqa: ARG002 - their order stays
        """Sends a datagram on, or nothing any more."""
        if self._left == 0:
            self.reached.set()
        elif not go.is_closing():
            self._left -= 1
            go.sendto(data, to)


@contextlib.contextmanager
def sluice(host: Host, port: int, passes: int) -> Iterator[Sluice]:
    """One on a machine."""
    made = Sluice(port, passes)
    with on_machine(host, made.serves):
        yield made
