"""Pools: what is kept and for how long, what is used again, and what is not."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.components.host.context import HostLimits
from runtime.components.host.pools import CONNECTIONS_MAX
from runtime.components.permissions import Policy
from runtime.components.values import Ok
from tests.runtime.components.host.frame import case_of, value_of
from tests.runtime.components.host.network import (
    LONG_MS,
    LOOPBACK,
    Network,
    allowing,
    at,
    descriptors,
    network_in,
)


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """A listening socket of somebody else."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        listening.settimeout(60)
        yield listening


@pytest.fixture
def network() -> Iterator[Network]:
    """An instance that may reach all of loopback."""
    network = network_in(allowing((LOOPBACK, -1)), limits=HostLimits(sockets=4))
    yield network
    network.close()


def pool_of(network: Network, most: int = 2, idle_ms: int = LONG_MS) -> Any:
    """A pool."""
    return value_of(network.connections.create_pool(most, LONG_MS, idle_ms))


def give_back(network: Network, pool: Any, own: Any) -> Any:
    """Releases a socket as the guest does: its handle is gone."""
    network.context.handles.take(network.context.handles.number_of(own))
    return pool.pool_release(own)


def counts(pool: Any) -> tuple[int, int]:
    """Open and idle."""
    stats = value_of(pool.pool_stats())
    assert stats.waiting == 0
    return stats.open, stats.idle


def test_a_connection_is_used_again(network: Network, peer: socket.socket) -> None:
    pool = pool_of(network)
    own = value_of(pool.pool_acquire(at(peer), LONG_MS))
    here = value_of(own.get_local_address())
    assert counts(pool) == (1, 0)
    value_of(give_back(network, pool, own))
    assert counts(pool) == (1, 1)
    again = value_of(pool.pool_acquire(at(peer), LONG_MS))
    assert value_of(again.get_local_address()) == here
    assert counts(pool) == (1, 0)


def test_a_pool_needs_a_rule_for_connecting() -> None:
    for policy in (Policy(), allowing(inbound=[(LOOPBACK, 0)])):
        network = network_in(policy)
        assert case_of(network.connections.create_pool(1, 1, 1)) == "permission-denied"
        network.close()


def test_each_address_is_asked_for(peer: socket.socket) -> None:
    network = network_in(allowing((LOOPBACK, 9)))
    pool = pool_of(network)
    assert case_of(pool.pool_acquire(at(peer), LONG_MS)) == "permission-denied"
    assert counts(pool) == (0, 0)
    network.close()


def test_pools_are_bounded(network: Network) -> None:
    for most in (0, CONNECTIONS_MAX + 1, 2**32 - 1):
        assert case_of(network.connections.create_pool(most, 1, 1)) == "invalid-argument"


def test_no_more_are_given_out_than_it_may_have(network: Network, peer: socket.socket) -> None:
    pool = pool_of(network, 1)
    own = value_of(pool.pool_acquire(at(peer), LONG_MS))
    assert case_of(pool.pool_acquire(at(peer), LONG_MS)) == "resource-exhausted"
    value_of(own.close_socket())
    assert counts(pool) == (0, 0)
    value_of(pool.pool_acquire(at(peer), LONG_MS))


def test_what_is_kept_makes_room_for_another_address(network: Network, peer: socket.socket) -> None:
    pool = pool_of(network, 1)
    value_of(give_back(network, pool, value_of(pool.pool_acquire(at(peer), LONG_MS))))
    first, _ = peer.accept()
    with socket.create_server((LOOPBACK, 0)) as second, first:
        value_of(pool.pool_acquire(at(second), LONG_MS))
        assert counts(pool) == (1, 0)
        first.settimeout(60)
        assert first.recv(1) == b""


def test_what_is_kept_counts_among_the_sockets(network: Network, peer: socket.socket) -> None:
    pool = pool_of(network, 4)
    given = [value_of(pool.pool_acquire(at(peer), LONG_MS)) for _ in range(4)]
    for own in given:
        value_of(give_back(network, pool, own))
    assert network.context.handles.count("socket") == 4
    assert case_of(network.sockets.create_socket("ipv4", "tcp-stream", "tcp")) == "resource-exhausted"
    value_of(pool.pool_acquire(at(peer), LONG_MS))
    value_of(pool.close_pool())
    assert network.context.handles.count("socket") == 1


def test_a_dead_connection_is_not_given_out(network: Network, peer: socket.socket) -> None:
    pool = pool_of(network)
    own = value_of(pool.pool_acquire(at(peer), LONG_MS))
    value_of(give_back(network, pool, own))
    peer.accept()[0].close()
    until_ended(own)
    again = value_of(pool.pool_acquire(at(peer), LONG_MS))
    assert again is not own
    assert counts(pool) == (1, 0)


def until_ended(own: Any) -> None:
    """Waits until the kernel knows of the peer's end."""
    while not own.link.ended():
        own.link.wait(1, own.link.until(LONG_MS))


@pytest.mark.parametrize("use", ["unread", "shut", "closed by the peer"])
def test_what_cannot_be_used_again_is_closed(network: Network, peer: socket.socket, use: str) -> None:
    pool = pool_of(network)
    own = value_of(pool.pool_acquire(at(peer), LONG_MS))
    other, _ = peer.accept()
    with other:
        if use == "unread":
            other.sendall(b"more")
            value_of(own.poll(frozenset({"readable"}), LONG_MS))
        elif use == "shut":
            value_of(own.shutdown("write"))
        else:
            other.close()
            until_ended(own)
        assert isinstance(give_back(network, pool, own), Ok)
        assert counts(pool) == (0, 0)
        assert case_of(own.send(b"x")) == "closed"


def test_only_its_own_come_back(network: Network, peer: socket.socket) -> None:
    pool, other = pool_of(network), pool_of(network)
    before = descriptors()
    foreign = value_of(other.pool_acquire(at(peer), LONG_MS))
    assert case_of(give_back(network, pool, foreign)) == "invalid-argument"
    assert case_of(give_back(network, pool, network.tcp())) == "invalid-argument"
    assert counts(other) == (0, 0)
    assert descriptors() == before


def test_what_is_kept_too_long_is_closed(network: Network, peer: socket.socket) -> None:
    pool = pool_of(network, idle_ms=1)
    value_of(give_back(network, pool, value_of(pool.pool_acquire(at(peer), LONG_MS))))
    kept, _ = peer.accept()
    with kept:
        kept.settimeout(60)
        while network.context.alarms.seconds() is not None:
            network.context.wait_any([], 10)
            network.context.alarms.run()
        assert kept.recv(1) == b""
    assert counts(pool) == (0, 0)
    assert network.context.handles.count("socket") == 0


def test_how_it_was_used_is_forgotten(network: Network, peer: socket.socket) -> None:
    pool = pool_of(network)
    own = value_of(pool.pool_acquire(at(peer), LONG_MS))
    options = value_of(own.get_socket_options())
    quick = type(options)(*[None] * 10, True, None)
    value_of(own.set_socket_options(quick))
    value_of(network.connections.set_idle_timeout(own, LONG_MS))
    value_of(give_back(network, pool, own))
    again = value_of(pool.pool_acquire(at(peer), LONG_MS))
    assert value_of(again.get_socket_options()).non_blocking is False
    assert again.link.idle is None


def test_a_closed_pool_takes_back_only_to_close(network: Network, peer: socket.socket) -> None:
    before = descriptors()
    pool = pool_of(network)
    lent = value_of(pool.pool_acquire(at(peer), LONG_MS))
    value_of(give_back(network, pool, value_of(pool.pool_acquire(at(peer), LONG_MS))))
    value_of(pool.close_pool())
    value_of(lent.send_all(b"x", LONG_MS))
    tries = [pool.pool_acquire(at(peer), 0), pool.pool_stats(), pool.close_pool(), give_back(network, pool, lent)]
    assert {case_of(answer) for answer in tries} == {"closed"}
    assert descriptors() == before


def test_a_pool_that_is_dropped_closes_what_it_kept(network: Network, peer: socket.socket) -> None:
    before = descriptors()
    pool = pool_of(network)
    value_of(give_back(network, pool, value_of(pool.pool_acquire(at(peer), LONG_MS))))
    network.context.handles.drop(network.context.handles.number_of(pool))
    assert descriptors() == before


def test_a_rule_that_is_taken_back_closes_what_was_kept_for_it(network: Network, peer: socket.socket) -> None:
    before = descriptors()
    pool = pool_of(network)
    value_of(give_back(network, pool, value_of(pool.pool_acquire(at(peer), LONG_MS))))
    network.change(allowing((LOOPBACK, 9)))
    assert descriptors() == before
    assert counts(pool) == (0, 0)
    assert case_of(pool.pool_acquire(at(peer), LONG_MS)) == "permission-denied"
    network.change(Policy())
    assert case_of(pool.pool_stats()) == "closed"


def test_who_does_not_listen_is_not_kept(network: Network) -> None:
    with socket.socket() as bound:
        bound.bind((LOOPBACK, 0))
        pool = pool_of(network)
        assert case_of(pool.pool_acquire(at(bound), LONG_MS)) == "connection-refused"
        assert counts(pool) == (0, 0)
    assert case_of(pool.pool_acquire(at("224.0.0.1", 9), LONG_MS)) == "unsupported"
    assert network.context.handles.count("socket") == 0
