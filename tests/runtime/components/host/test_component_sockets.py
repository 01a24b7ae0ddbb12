"""Sockets: what each operation does, what it refuses, and that a denial changes nothing."""

import dataclasses
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.components.bindings.ext_network_types import Ipv4, SocketAddress, SocketOptions
from runtime.components.host.context import HostLimits
from runtime.components.host.links import CHUNK, DATAGRAM_MAX
from runtime.components.permissions import Policy
from runtime.components.values import Err
from tests.runtime.components.host.frame import RememberingCore, case_of, value_of
from tests.runtime.components.host.network import (
    LONG_MS,
    LOOPBACK,
    NO_OPTIONS,
    SHORT_MS,
    Network,
    allowing,
    at,
    descriptors,
    network_in,
)

ANY = allowing((LOOPBACK, -1), ("::1", -1), inbound=[(LOOPBACK, 0), ("::1", 0)])


def given(**options: Any) -> SocketOptions:
    """Options of which some are given."""
    return dataclasses.replace(NO_OPTIONS, **options)


@pytest.fixture
def network() -> Iterator[Network]:
    """An instance that may reach all of loopback, and listen there."""
    network = network_in(ANY)
    yield network
    network.close()


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """A listening socket of somebody else."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        listening.settimeout(60)
        yield listening


@pytest.fixture
def datagrams() -> Iterator[socket.socket]:
    """A UDP socket of somebody else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((LOOPBACK, 0))
        bound.settimeout(60)
        yield bound


def listening(network: Network) -> Any:
    """A socket that accepts connections."""
    own = network.tcp()
    value_of(own.bind(at(LOOPBACK)))
    value_of(own.listen(5))
    return own


def dial_own(own: Any) -> socket.socket:
    """Somebody else connects."""
    return socket.create_connection((LOOPBACK, value_of(own.get_local_address()).port), timeout=60)


# --- making ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize(("kind", "protocol"), [("tcp-stream", "tcp"), ("udp-datagram", "udp")])
def test_there_are_tcp_and_udp_over_ipv4_and_ipv6(network: Network, family: Any, kind: Any, protocol: Any) -> None:
    own = value_of(network.sockets.create_socket(family, kind, protocol))
    assert value_of(network.connections.get_connection_info(own)).state == "created"
    options = value_of(own.get_socket_options())
    assert options.ipv6_only is (True if family == "ipv6" else None)


def test_type_and_protocol_must_agree(network: Network) -> None:
    assert case_of(network.sockets.create_socket("ipv4", "tcp-stream", "udp")) == "invalid-argument"
    assert case_of(network.sockets.create_socket("ipv4", "udp-datagram", "tcp")) == "invalid-argument"


def test_without_any_rule_there_is_no_socket() -> None:
    network = network_in(Policy())
    before = descriptors()
    answer = network.sockets.create_socket("ipv4", "tcp-stream", "tcp")
    assert case_of(answer) == "permission-denied"
    assert descriptors() == before


def test_sockets_are_counted_and_close_when_the_instance_ends() -> None:
    network = network_in(ANY, limits=HostLimits(sockets=2))
    before = descriptors()
    first = network.tcp()
    network.udp()
    assert case_of(network.sockets.create_socket("ipv4", "tcp-stream", "tcp")) == "resource-exhausted"
    value_of(first.close_socket())
    network.tcp()
    network.close()
    assert descriptors() == before


def test_a_closed_socket_does_nothing(network: Network) -> None:
    own = network.tcp()
    value_of(own.close_socket())
    tries = [
        own.bind(at(LOOPBACK)),
        own.listen(1),
        own.accept(0),
        own.get_socket_options(),
        own.set_socket_options(NO_OPTIONS),
        own.send(b"x"),
        own.send_to(b"x", at(LOOPBACK, 9)),
        own.receive(1, 0),
        own.receive_from(1, 0),
        own.send_all(b"x", 0),
        own.receive_all(1, 0),
        own.poll(frozenset({"readable"}), 0),
        own.get_local_address(),
        own.get_remote_address(),
        own.shutdown("both"),
        own.close_socket(),
        network.connections.connect(own, at(LOOPBACK, 9), 0),
        network.connections.get_connection_info(own),
        network.connections.is_connected(own),
        network.connections.set_idle_timeout(own, 1),
        network.connections.enable_keep_alive(own, 1),
        network.connections.get_connection_stats(own),
        network.connections.get_tls_info(own),
    ]
    assert {case_of(answer) for answer in tries} == {"closed"}


# --- listening ------------------------------------------------------------------------------------------------------


def test_a_connection_is_accepted_with_its_peer(network: Network) -> None:
    own = listening(network)
    with dial_own(own) as other:
        accepted = value_of(own.accept(LONG_MS))
        assert value_of(accepted.get_remote_address()) == at(other)
        assert value_of(accepted.get_local_address()) == value_of(own.get_local_address())
        value_of(accepted.send_all(b"hello", LONG_MS))
        assert other.recv(5, socket.MSG_WAITALL) == b"hello"


def test_nobody_comes(network: Network) -> None:
    own = listening(network)
    assert case_of(own.accept(SHORT_MS)) == "timeout"
    assert case_of(own.accept(0)) == "would-block"
    value_of(own.set_socket_options(given(non_blocking=True)))
    assert case_of(own.accept(LONG_MS)) == "would-block"


def test_a_stop_cuts_waits_short(network: Network) -> None:
    own = listening(network)
    network.context.stopping = lambda: True
    assert case_of(own.accept(LONG_MS)) == "timeout"


def test_listening_needs_a_bound_tcp_socket(network: Network) -> None:
    assert case_of(network.tcp().listen(1)) == "invalid-state"
    assert case_of(network.tcp().accept(0)) == "invalid-state"
    assert case_of(network.udp().listen(1)) == "unsupported"
    own = listening(network)
    assert case_of(own.bind(at(LOOPBACK))) == "invalid-state"


def test_an_address_that_no_rule_names_is_not_bound(network: Network) -> None:
    own = network.tcp()
    for where in (at("127.0.0.2"), at("0.0.0.0"), at(LOOPBACK, 8080)):
        assert case_of(own.bind(where)) == "permission-denied"
        assert own.link.sock.getsockname() == ("0.0.0.0", 0)
    six = network.tcp("ipv6")
    assert case_of(six.bind(at("::"))) == "permission-denied"
    assert case_of(six.bind(at("::ffff:127.0.0.2"))) == "permission-denied"


def test_all_of_ipv6_is_all_of_ipv4_too_for_a_socket_of_both() -> None:
    network = network_in(allowing(inbound=[("::", 0)]))
    both = network.tcp("ipv6")
    value_of(both.set_socket_options(given(ipv6_only=False)))
    assert case_of(both.bind(at("::"))) == "permission-denied"
    value_of(network.tcp("ipv6").bind(at("::")))
    network.close()


def test_bind_refuses_what_cannot_be(network: Network, peer: socket.socket) -> None:
    own = network.tcp()
    assert case_of(own.bind(at("::1"))) == "invalid-address"
    assert case_of(own.bind(SocketAddress(Ipv4((127, 0, 0, 1)), 0, 7))) == "invalid-address"
    assert case_of(own.bind(at("224.0.0.1"))) == "unsupported"
    taken = peer.getsockname()[1]
    network.change(allowing(inbound=[(LOOPBACK, taken), ("192.0.2.1", 0)]))
    again = network.tcp()
    assert case_of(again.bind(at(LOOPBACK, taken))) == "address-in-use"
    assert case_of(again.bind(at("192.0.2.1"))) == "address-not-available"


def test_listening_and_accepting_are_asked_for_again(network: Network) -> None:
    own = network.tcp()
    value_of(own.bind(at(LOOPBACK)))
    network.context.policy = allowing((LOOPBACK, -1))
    assert case_of(own.listen(1)) == "permission-denied"
    network.context.policy = ANY
    value_of(own.listen(1))
    with dial_own(own):
        network.context.policy = allowing((LOOPBACK, -1))
        assert case_of(own.accept(LONG_MS)) == "permission-denied"


def test_a_peer_that_a_deny_rule_names_is_not_accepted() -> None:
    network = network_in(allowing(inbound=[(LOOPBACK, 0)], deny=[("127.0.0.2", -1)]))
    own = listening(network)
    port = value_of(own.get_local_address()).port
    with socket.create_connection((LOOPBACK, port), 60, source_address=("127.0.0.2", 0)) as denied:
        assert case_of(own.accept(LONG_MS)) == "permission-denied"
        assert denied.recv(1) == b""
    with dial_own(own):
        value_of(own.accept(LONG_MS))
    network.close()


def test_accepted_sockets_are_counted(peer: socket.socket) -> None:
    network = network_in(ANY, limits=HostLimits(sockets=1))
    own = listening(network)
    with dial_own(own):
        assert case_of(own.accept(LONG_MS)) == "resource-exhausted"
    network.close()


def test_the_backlog_is_cut(network: Network) -> None:
    own = network.tcp()
    value_of(own.bind(at(LOOPBACK)))
    value_of(own.listen(2**32 - 1))


# --- options --------------------------------------------------------------------------------------------------------


def test_options_are_what_the_kernel_has(network: Network) -> None:
    own = network.tcp("ipv6")
    wanted = SocketOptions(True, None, True, True, 7, 20_000, 30_000, 11, 12, 13, True, False)
    value_of(own.set_socket_options(wanted))
    found = value_of(own.get_socket_options())
    kept = dataclasses.replace(found, send_buffer_size=20_000, receive_buffer_size=30_000, reuse_port=None)
    assert kept == wanted
    assert (found.send_buffer_size, found.receive_buffer_size) == (40_000, 60_000)
    value_of(own.set_socket_options(NO_OPTIONS))
    assert value_of(own.get_socket_options()) == found


def test_options_of_the_other_protocol_are_not_there(network: Network) -> None:
    own = network.udp()
    found = value_of(own.get_socket_options())
    assert (found.tcp_no_delay, found.tcp_keep_alive, found.keep_alive_interval_s) == (None, None, None)
    assert case_of(own.set_socket_options(given(tcp_no_delay=True))) == "unsupported"
    assert case_of(own.set_socket_options(given(ipv6_only=True))) == "unsupported"


def test_nothing_is_set_when_one_option_is_wrong(network: Network) -> None:
    own = network.tcp()
    for wrong in ({"send_buffer_size": (4 << 20) + 1}, {"receive_buffer_size": 0}, {"keep_alive_interval_s": 0}):
        assert case_of(own.set_socket_options(given(tcp_no_delay=True, **wrong))) == "invalid-argument"
    assert value_of(own.get_socket_options()).tcp_no_delay is False
    six = network.tcp("ipv6")
    value_of(six.bind(at("::1")))
    assert case_of(six.set_socket_options(given(ipv6_only=False))) == "invalid-state"


def test_a_port_is_shared_only_by_who_may_listen(peer: socket.socket) -> None:
    network = network_in(allowing((LOOPBACK, -1)))
    own = network.tcp()
    assert case_of(own.set_socket_options(given(reuse_port=True))) == "permission-denied"
    assert value_of(own.get_socket_options()).reuse_port is False
    network.change(ANY)
    value_of(own.set_socket_options(given(reuse_port=True)))
    assert value_of(own.get_socket_options()).reuse_port is True
    network.close()


# --- streams --------------------------------------------------------------------------------------------------------


def test_bytes_go_both_ways_and_are_counted(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    with other:
        assert value_of(own.send(b"abc")).bytes_sent == 3
        assert other.recv(3, socket.MSG_WAITALL) == b"abc"
        other.sendall(b"defg")
        got = value_of(own.receive_all(4, LONG_MS))
        assert (got.data, got.end_of_stream, got.sender_address) == (b"defg", False, None)
        info = value_of(network.connections.get_connection_info(own))
        assert (info.bytes_sent, info.bytes_received) == (3, 4)


def test_receiving_is_bounded(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    with other:
        assert case_of(own.receive(0, LONG_MS)) == "invalid-argument"
        assert case_of(own.receive(1, SHORT_MS)) == "timeout"
        assert case_of(own.receive(1, 0)) == "would-block"
        other.sendall(b"12345")
        assert value_of(own.receive(2, LONG_MS)).data == b"12"
        assert value_of(own.receive_all(100, SHORT_MS)).data == b"345"
        value_of(own.set_socket_options(given(read_timeout_ms=SHORT_MS)))
        assert case_of(own.receive(1, LONG_MS)) == "timeout"
        value_of(own.set_socket_options(given(non_blocking=True)))
        assert case_of(own.receive(1, LONG_MS)) == "would-block"


def test_more_than_a_chunk_is_not_taken_at_once(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    with other:
        assert case_of(own.send_all(bytes(CHUNK + 1), LONG_MS)) == "message-too-large"
        assert value_of(own.send(bytes(4 * CHUNK))).bytes_sent <= CHUNK


def test_what_does_not_fit_is_not_waited_for(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    with other:
        value_of(own.set_socket_options(given(write_timeout_ms=SHORT_MS)))
        while not isinstance(answer := own.send(bytes(CHUNK)), Err):
            assert answer.value.bytes_sent
        assert case_of(answer) == "would-block"
        assert case_of(own.send_all(bytes(CHUNK), LONG_MS)) == "timeout"
        value_of(own.set_socket_options(given(non_blocking=True)))
        assert case_of(own.send_all(bytes(CHUNK), LONG_MS)) == "would-block"


def test_everything_is_sent_while_the_peer_reads(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    got: list[int] = []

    def read() -> None:
        while piece := other.recv(1 << 16):
            got.append(len(piece))

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(8):
        value_of(own.send_all(bytes(CHUNK), LONG_MS))
    value_of(own.close_socket())
    thread.join(60)
    other.close()
    assert sum(got) == 8 * CHUNK


def test_a_half_that_is_closed_leaves_the_other(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    with other:
        value_of(own.send_all(b"question", LONG_MS))
        value_of(own.shutdown("write"))
        assert other.recv(100, socket.MSG_WAITALL) == b"question"
        assert case_of(own.send(b"more")) == "invalid-state"
        assert value_of(network.connections.get_connection_info(own)).state == "closing"
        other.sendall(b"answer")
        other.shutdown(socket.SHUT_WR)
        got = value_of(own.receive_all(100, LONG_MS))
        assert (got.data, got.end_of_stream) == (b"answer", True)
        assert value_of(own.receive(1, LONG_MS)).end_of_stream


@pytest.mark.parametrize("how", ["read", "both"])
def test_nothing_comes_through_a_half_that_was_shut_for_reading(
    network: Network, peer: socket.socket, how: Any
) -> None:
    own, other = network.connected(peer)
    with other:
        value_of(own.shutdown(how))
        assert value_of(own.receive(1, LONG_MS)).end_of_stream
        assert not value_of(network.connections.is_connected(own))


def test_a_reset_is_told(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    other.close()
    assert case_of(own.receive(1, LONG_MS)) == "connection-reset"
    assert case_of(own.send_all(b"x", LONG_MS)) == "connection-reset"


def test_without_a_peer_nothing_is_sent_or_received(network: Network) -> None:
    for own in (network.tcp(), network.udp()):
        tries = [own.send(b"x"), own.send_all(b"x", 0), own.receive(1, 0), own.receive_all(1, 0)]
        tries += [own.get_remote_address(), own.shutdown("write"), network.connections.get_connection_stats(own)]
        assert {case_of(answer) for answer in tries} == {"not-connected"}
        assert case_of(own.get_local_address()) == "invalid-state"


def test_readiness_is_waited_for(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    assert value_of(own.poll(frozenset({"readable", "writable"}), LONG_MS)) == {"writable"}
    assert value_of(own.poll(frozenset({"readable"}), SHORT_MS)) == frozenset()
    other.sendall(b"x")
    assert value_of(own.poll(frozenset({"readable"}), LONG_MS)) == {"readable"}
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    other.close()
    assert "failed" in value_of(own.poll(frozenset(), LONG_MS))


# --- datagrams ------------------------------------------------------------------------------------------------------


def test_a_datagram_goes_out_and_comes_back(network: Network, datagrams: socket.socket) -> None:
    own = network.udp()
    assert value_of(own.send_to(b"ping", at(datagrams))).bytes_sent == 4
    data, sender = datagrams.recvfrom(100)
    datagrams.sendto(b"pong!", sender)
    got = value_of(own.receive_from(4, LONG_MS))
    assert (got.data, got.truncated, got.sender_address) == (b"pong", True, at(datagrams))
    assert data == b"ping"


def test_a_connected_udp_socket_speaks_to_one(network: Network, datagrams: socket.socket) -> None:
    own = network.udp()
    value_of(network.connections.connect(own, at(datagrams), LONG_MS))
    value_of(own.send_all(b"one", LONG_MS))
    data, sender = datagrams.recvfrom(100)
    datagrams.sendto(b"two", sender)
    assert (data, value_of(own.receive(100, LONG_MS)).data) == (b"one", b"two")
    assert case_of(own.send_to(b"x", at(datagrams))) == "already-connected"
    assert case_of(own.receive_all(1, 0)) == "unsupported"
    stats = value_of(network.connections.get_connection_stats(own))
    assert (stats.bytes_sent, stats.bytes_received, stats.rtt_us, stats.retransmits) == (3, 3, None, None)
    assert value_of(network.connections.is_connected(own))


def test_each_destination_of_datagrams_is_asked_for(datagrams: socket.socket) -> None:
    network = network_in(allowing((LOOPBACK, 9), inbound=[(LOOPBACK, 0)]))
    own = network.udp()
    value_of(own.bind(at(LOOPBACK)))
    assert case_of(own.send_to(b"x", at(datagrams))) == "permission-denied"
    datagrams.setblocking(False)
    with pytest.raises(BlockingIOError):
        datagrams.recv(1)
    network.close()


def test_datagrams_of_strangers_are_dropped(network: Network, datagrams: socket.socket) -> None:
    own = network.udp()
    value_of(own.send_to(b"hello", at(datagrams)))
    _, where = datagrams.recvfrom(100)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.sendto(b"psst", where)
    datagrams.sendto(b"me", where)
    assert value_of(own.receive_from(10, LONG_MS)).data == b"me"
    assert case_of(own.receive_from(10, SHORT_MS)) == "timeout"


def test_who_listens_hears_all_but_the_denied() -> None:
    network = network_in(allowing(inbound=[(LOOPBACK, 0)], deny=[("127.0.0.2", -1)]))
    own = network.udp()
    value_of(own.bind(at(LOOPBACK)))
    where = (LOOPBACK, value_of(own.get_local_address()).port)
    for source, text in (("127.0.0.2", b"denied"), ("127.0.0.3", b"heard")):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            sender.sendto(text, where)
    assert value_of(own.receive_from(10, LONG_MS)).data == b"heard"
    network.close()


def test_datagrams_refuse_what_cannot_be(network: Network, datagrams: socket.socket) -> None:
    own = network.udp()
    assert case_of(own.send_to(bytes(DATAGRAM_MAX + 1), at(datagrams))) == "message-too-large"
    assert case_of(own.send_to(b"x", at("::1", 9))) == "invalid-address"
    assert case_of(own.send_to(b"x", at(LOOPBACK, 0))) == "invalid-port"
    assert case_of(own.send_to(b"x", at("0.0.0.0", 9))) == "invalid-address"
    for many in ("224.0.0.1", "255.255.255.255"):
        assert case_of(own.send_to(b"x", at(many, 9))) == "unsupported"
    assert case_of(own.receive_from(1, 0)) == "invalid-state"
    assert case_of(network.tcp().send_to(b"x", at(datagrams))) == "unsupported"
    assert case_of(network.tcp().receive_from(1, 0)) == "unsupported"


def test_the_broadcast_of_a_network_is_not_supported() -> None:
    network = network_in(allowing(("127.0.0.0/8", -1)))
    assert case_of(network.udp().send_to(b"x", at("127.255.255.255", 9))) == "unsupported"
    network.close()


# --- grants and records ---------------------------------------------------------------------------------------------


def test_a_grant_that_is_taken_back_closes_what_it_opened(network: Network, peer: socket.socket) -> None:
    before = descriptors()
    own, other = network.connected(peer)
    serving = listening(network)
    with dial_own(serving) as client, other:
        accepted = value_of(serving.accept(LONG_MS))
        network.change(allowing((LOOPBACK, peer.getsockname()[1])))
        assert {case_of(one.get_socket_options()) for one in (serving, accepted)} == {"closed"}
        assert client.recv(1) == b""
        value_of(own.send_all(b"still here", LONG_MS))
        network.change(allowing((LOOPBACK, 9)))
        assert case_of(own.send(b"x")) == "closed"
    assert descriptors() == before


def test_records_name_the_peer_and_the_rule(network: Network, peer: socket.socket) -> None:
    core = network.context.core
    assert isinstance(core, RememberingCore)
    own = network.tcp()
    refused = at("127.0.0.1", 1)
    network.change(allowing((LOOPBACK, peer.getsockname()[1])))
    for where in (at(peer), refused):
        network.context.call(
            "connection.connect",
            lambda own=own, where=where: network.connections.connect(own, where, LONG_MS),
            Err,
            hot=False,
        )
        own = network.tcp()
    network.context.audit.flush()
    allowed, denied = core.records()
    assert (allowed["decision"], allowed["target"]) == ("allowed", f"tcp 127.0.0.1:{peer.getsockname()[1]}")
    assert allowed["rule"] == "permissions.network.outbound[0]"
    assert (denied["decision"], denied["outcome"]) == ("denied", "permission-denied")
    assert denied["remedy"] == "--grant network.outbound=127.0.0.1:1"
