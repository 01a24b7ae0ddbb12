"""Nodes and attackers on real sockets of the loopback, each on an address of its own."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from net.dht.contact import Address, Contact
from net.dht.cookies import HELLO_DOMAIN, hello_message
from net.dht.datagram import Body, Datagram, Kind, parse, write
from net.dht.own_socket import OwnSocket
from net.dht.service import Dht, DhtEvent
from net.limits import NetLimits
from runtime.clock import Clock, SystemClock
from runtime.identity import Identity

PATIENCE_S = 60.0
PATIENT = NetLimits(dht_wait_least_s=PATIENCE_S / 2, dht_wait_most_s=PATIENCE_S / 2, dht_lookup_s=PATIENCE_S)
"""A loaded machine may stand still for longer than an answer takes; where nobody is dead, nobody need be given up."""


class Machine:
    """A node with its socket."""

    def __init__(
        self,
        identity: Identity,
        *,
        serves: bool = True,
        saved: Path | None = None,
        limits: NetLimits = PATIENT,
        clock: Clock | None = None,
    ) -> None:
        self.identity = identity
        self.events: list[DhtEvent] = []
        self.received = 0
        self.sent: list[tuple[bytes, Address]] = []
        self.socket = OwnSocket(self._arrived)
        self._moved = asyncio.Event()
        self.dht = Dht(
            identity,
            clock=clock or SystemClock(),
            sender=self,
            serves=serves,
            saved=saved,
            limits=limits,
            on_event=self.events.append,
        )
        self.address: Address = ("", 0)

    async def open(self, ip: str, port: int = 0, known: list[Contact] | None = None) -> "Machine":
        self.address = await self.socket.open(ip, port)
        await self.dht.start(known or [])
        return self

    @property
    def contact(self) -> Contact:
        return Contact(self.identity.public, self.address)

    def send(self, data: bytes, address: Address) -> None:
        self.sent.append((data, address))
        self.socket.send(data, address)

    def _arrived(self, data: bytes, address: Address) -> None:
        self.received += 1
        self.dht.receive(data, address)
        self._moved.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something that a datagram to this machine makes true."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._moved.clear()
                await self._moved.wait()

    async def aclose(self) -> None:
        await self.dht.aclose()
        await self.socket.aclose()


class Attacker:
    """A socket with a key, and no scruples."""

    def __init__(self, identity: Identity | None = None) -> None:
        self.identity = identity or Identity(os.urandom(32))
        self.inbox: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()
        self.socket = OwnSocket(lambda data, address: self.inbox.put_nowait((data, address)))
        self.address: Address = ("", 0)

    async def open(self, ip: str) -> "Attacker":
        self.address = await self.socket.open(ip)
        return self

    @property
    def contact(self) -> Contact:
        return Contact(self.identity.public, self.address)

    async def hear(self) -> Datagram:
        async with asyncio.timeout(PATIENCE_S):
            return parse((await self.inbox.get())[0])

    async def cookie_of(self, victim: Machine) -> bytes:
        self.socket.send(write(Kind.PING, os.urandom(16), self.identity.public, {"p": bytes(40)}), victim.address)
        answer = await self.hear()
        assert answer.kind is Kind.RETRY
        return answer.cookie

    async def ask(self, victim: Machine, kind: Kind, body: Body, *, serves: bool = False) -> Datagram:
        """A request as an honest node would send it."""
        cookie = await self.cookie_of(victim)
        signed = self.hello(victim, cookie)
        more: Body = {"s": signed, **({"a": True} if serves else {})}
        self.socket.send(write(kind, os.urandom(16), self.identity.public, {**body, **more}, cookie), victim.address)
        return await self.hear()

    def hello(self, victim: Machine, cookie: bytes) -> bytes:
        return self.identity.sign(HELLO_DOMAIN, hello_message(cookie, self.identity.public, victim.identity.public))


Town = Callable[..., Awaitable[Machine]]


@contextlib.asynccontextmanager
async def town() -> AsyncIterator[Town]:
    """Makes machines, each at 127.9.0.N and knowing those before it, and closes them all."""
    machines: list[Machine] = []

    async def add(**options: object) -> Machine:
        number = len(machines) + 1
        machine = Machine(Identity(number.to_bytes(32)), **options)  # type: ignore[arg-type]
        known = [other.contact for other in machines]
        machines.append(machine)
        return await machine.open(f"127.9.0.{number}", known=known)

    try:
        yield add
    finally:
        for machine in machines:  # the first are those that publish, and take it back while others still hear it
            await machine.aclose()
