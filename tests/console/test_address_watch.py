"""Connections outlive a change of this machine's addresses. Which it has is made up; hosts and sockets are real."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from console.address_watch import AddressWatch
from net.multiaddr import Multiaddr
from net.ping import ping
from tests.net.nodes import ANY_PORT, Future, Node, hosts, until

QUIC = Multiaddr.parse("/ip4/127.0.0.1/udp/0/quic-v1", listening=True)


class Machine:
    """Its addresses, and how often they were asked for."""

    def __init__(self) -> None:
        self.addresses = ["192.0.2.1"]
        self.asked = 0

    def __call__(self) -> list[str]:
        self.asked += 1
        return self.addresses


@asynccontextmanager
async def connected(place: Multiaddr, *, listens: bool = False) -> AsyncIterator[tuple[Node, Node]]:
    """Who dialled, and who was dialled."""
    async with hosts(2) as (alice, bob):
        if listens:
            await alice.host.listen(place)
        await alice.host.connect(bob.peer, [await bob.host.listen(place)])
        await until(lambda: bool(bob.host.connections()))
        yield alice, bob


@asynccontextmanager
async def watching(node: Node, machine: Machine) -> AsyncIterator["asyncio.Task[None]"]:
    """A watch that has looked once."""
    task = asyncio.create_task(AddressWatch(node.host, machine).run())
    try:
        await until(lambda: machine.asked == 1)
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def port_of(node: Node) -> int:
    """Whence the one connection of a node comes."""
    (connection,) = node.host.connections()
    return connection.remote.port


async def test_a_connection_goes_on_from_another_address() -> None:
    async with connected(QUIC) as (alice, bob):
        machine, before = Machine(), port_of(bob)
        async with watching(alice, machine):
            machine.addresses = ["192.0.2.2"]
            Future().comes(5)
            await until(lambda: port_of(bob) != before)
            (connection,) = alice.host.connections()
            assert await ping(connection, within_s=60) > 0


async def test_where_it_listens_it_stays_to_be_found() -> None:
    async with connected(QUIC, listens=True) as (alice, bob):
        machine, before = Machine(), port_of(bob)
        async with watching(alice, machine):
            machine.addresses = ["192.0.2.2"]
            Future().comes(5)
            await until(lambda: machine.asked == 2)
            (connection,) = alice.host.connections()
            assert await ping(connection, within_s=60) > 0
            assert port_of(bob) == before == alice.host.listening()[0].port


async def test_nothing_moves_while_the_addresses_are_the_same_or_none() -> None:
    async with connected(QUIC) as (alice, bob):
        machine, before, future = Machine(), port_of(bob), Future()
        async with watching(alice, machine):
            future.comes(5)
            await until(lambda: machine.asked == 2)
            machine.addresses = []
            future.comes(5)
            await until(lambda: machine.asked == 3)
            (connection,) = alice.host.connections()
            assert await ping(connection, within_s=60) > 0
            assert port_of(bob) == before


async def test_it_ends_with_the_last_connection_that_could_move() -> None:
    async with connected(QUIC) as (alice, bob):
        machine = Machine()
        async with watching(alice, machine) as task:
            await alice.host.disconnect(bob.peer)
            Future().comes(5)
            await task
        assert machine.asked == 1


async def test_it_is_due_once_for_connections_that_were_dialled_and_can_move() -> None:
    async with connected(QUIC) as (alice, bob):
        machine = Machine()
        watch = AddressWatch(alice.host, machine)
        due = [watch.is_due]
        assert not AddressWatch(bob.host, machine).is_due
        task = asyncio.create_task(watch.run())
        await until(lambda: machine.asked == 1)
        due.append(watch.is_due)
        assert due == [True, False]
        await watch.run()
        assert machine.asked == 1
        task.cancel()
    async with connected(ANY_PORT) as (alice, _):
        assert not AddressWatch(alice.host, machine).is_due


async def test_tcp_stays_what_it_is() -> None:
    async with connected(ANY_PORT) as (alice, bob):
        before = port_of(bob)
        alice.host.rebind()
        (connection,) = alice.host.connections()
        assert await ping(connection, within_s=60) > 0
        assert port_of(bob) == before


async def test_it_is_due_where_somebody_is_to_hear_of_other_addresses() -> None:
    async with connected(ANY_PORT) as (_, bob):
        assert not AddressWatch(bob.host, Machine()).is_due  # it listens at one address, and that stays
        bob.host._listening.append(Multiaddr.parse("/ip4/0.0.0.0/tcp/1"))
        assert AddressWatch(bob.host, Machine()).is_due
