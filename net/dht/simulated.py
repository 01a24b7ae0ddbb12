"""A DHT of many nodes in one process and no time at all: datagrams on a heap of moments, for tests and measurements.

Nothing of the nodes is replaced; their addresses, the way between them and, for speed, their signatures are made up.
"""

import hashlib
import heapq
from collections.abc import Callable
from random import Random
from typing import Final

from net.dht.contact import Address, Contact
from net.dht.events import Done
from net.dht.node import DhtNode
from net.dht.record import Record, Signer, Verify
from net.limits import NetLimits
from runtime import identity

__all__ = ["HashSigner", "SimulatedDht", "Transport", "hash_fits"]

WALL_MS: Final = 1_700_000_000_000

Transport = Callable[[bytes, Address], None]
"""Takes a datagram that arrives, and where it came from."""


class HashSigner:
    """Signs by a hash that anybody could make: only for simulations, where nobody tries.

    Args:
        seed: makes the key.
    """

    def __init__(self, seed: bytes) -> None:
        self.public = identity.Identity(hashlib.sha256(seed).digest()).public

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """64 bytes that `hash_fits` takes for a signature."""
        return hashlib.sha512(self.public + domain + message).digest()


def hash_fits(public: bytes, domain: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a `HashSigner` made it."""
    return signature == hashlib.sha512(public + domain + message).digest()


class SimulatedDht:
    """The network and its nodes.

    Args:
        seed: of all chance: the same seed, the same run.
        limits: of the nodes.
    """

    def __init__(self, seed: int, limits: NetLimits = NetLimits()) -> None:
        self.random = Random(seed)  # noqa: S311 - a simulation
        self.now = 0.0
        self.datagrams = 0
        self.bytes = 0
        self.largest = 0
        self._limits = limits
        self._moments: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._ports: dict[Address, Transport] = {}
        self._timers: dict[Address, float] = {}
        self._done: dict[tuple[Address, int], Done] = {}
        self.nodes: dict[Address, DhtNode] = {}
        self.contacts: dict[Address, Contact] = {}

    def wall_ms(self) -> int:
        """The wall clock of all nodes."""
        return WALL_MS + round(self.now * 1000)

    def add(self, number: int, signer: Signer | None = None, verify: Verify = hash_fits) -> Address:
        """Makes a node, alone in its network of addresses.

        Args:
            number: from 0 to 65,535; another one for each.
            signer: its key; one that signs by hashes by default.
            verify: which fits the signer.
        """
        address = (f"20.{number >> 8}.{number & 0xFF}.1", 4001)
        signer = signer or HashSigner(self.random.randbytes(32))
        node = DhtNode(
            signer,
            wall_ms=self.wall_ms,
            now=self.now,
            limits=self._limits,
            random_bytes=self.random.randbytes,
            verify=verify,
        )
        self.nodes[address] = node
        self.contacts[address] = Contact(signer.public, address)

        def arrive(raw: bytes, source: Address) -> None:
            node.receive(raw, source, self.now)
            self._flush(address)

        self._ports[address] = arrive
        return address

    def place(self, address: Address, transport: Transport) -> None:
        """Puts something else at an address, such as a liar; a node that was there no longer hears anything."""
        self._ports[address] = transport
        self.nodes.pop(address, None)
        self._timers.pop(address, None)

    def kill(self, address: Address) -> None:
        """Nothing is at an address any more."""
        self.place(address, lambda _raw, _source: None)

    def send(self, raw: bytes, source: Address, target: Address) -> None:
        """Lets a datagram travel 10 to 80 ms."""
        self.datagrams += 1
        self.bytes += len(raw)
        self.largest = max(self.largest, len(raw))
        self._at(self.now + self.random.uniform(0.010, 0.080), lambda: self._arrive(raw, source, target))

    def join(self, address: Address, known: Address) -> None:
        """A node looks for itself, beginning with another."""
        node = self.nodes[address]
        node.hint([self.contacts[known]])
        self._finish(address, node.find_nodes(node.id, self.now))

    def publish(self, address: Address, record: Record) -> Done:
        """A node stores a record."""
        return self._finish(address, self.nodes[address].publish(record, self.now))

    def find(self, address: Address, key_id: bytes) -> Done:
        """A node looks for the records of a key."""
        return self._finish(address, self.nodes[address].find_records(key_id, self.now))

    def run_until(self, over: Callable[[], bool]) -> None:
        """Lets time pass.

        Raises:
            RuntimeError: nothing happens any more.
        """
        while not over():
            if not self._moments:
                raise RuntimeError("nothing happens any more")
            self.now, _, deliver = heapq.heappop(self._moments)
            deliver()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _finish(self, address: Address, query: int) -> Done:
        self._flush(address)
        self.run_until(lambda: (address, query) in self._done)
        return self._done.pop((address, query))

    def _at(self, moment: float, deliver: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._moments, (moment, self._sequence, deliver))

    def _arrive(self, raw: bytes, source: Address, target: Address) -> None:
        transport = self._ports.get(target)
        if transport is not None:
            transport(raw, source)

    def _flush(self, address: Address) -> None:
        """Sends what a node has to send, keeps its results, sets its timer."""
        node = self.nodes.get(address)
        if node is None:
            return
        for raw, target in node.take():
            self.send(raw, address, target)
        for event in node.events():
            if isinstance(event, Done):
                self._done[address, event.query] = event
        moment = node.timer(self.now)
        if self._timers.get(address, moment + 1) > moment:
            self._timers[address] = moment
            self._at(moment, lambda: self._tick(address, moment))

    def _tick(self, address: Address, moment: float) -> None:
        if self._timers.get(address) == moment:
            del self._timers[address]
            self.nodes[address].tick(self.now)
            self._flush(address)
