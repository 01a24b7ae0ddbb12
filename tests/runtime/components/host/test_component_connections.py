"""Connections by address and by name: rules, names that change their minds, time limits, statistics and silence."""

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from runtime.components.bindings.ext_network_types import Ipv4
from runtime.components.host.context import HostLimits
from runtime.components.host.names import THREADS_MAX
from runtime.components.host.reach import REMEMBERED_S
from tests.runtime.components.host.frame import case_of, value_of
from tests.runtime.components.host.name_server import name_server
from tests.runtime.components.host.network import (
    LONG_MS,
    LOOPBACK,
    SHORT_MS,
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
    network = network_in(allowing((LOOPBACK, -1), ("::1", -1), ("127.0.0.0/8", -1)))
    yield network
    network.close()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A listening socket whose queue is full: the kernel does not answer who connects."""
    with socket.socket() as listening:
        listening.bind((LOOPBACK, 0))
        listening.listen(0)
        listening.settimeout(60)
        with socket.create_connection(listening.getsockname(), 60):
            yield listening


@pytest.fixture
def nobody() -> Iterator[socket.socket]:
    """A socket that is bound and does not listen: who connects to it is refused."""
    with socket.socket() as bound:
        bound.bind((LOOPBACK, 0))
        yield bound


def port_of(listening: socket.socket) -> int:
    """Its port."""
    return int(listening.getsockname()[1])


def saying(*addresses: str) -> Callable[[str], Sequence[str]]:
    """A resolver that says the same to every name."""
    return lambda _: addresses


# --- by address -----------------------------------------------------------------------------------------------------


def test_a_connection_has_addresses_a_state_and_a_time(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    with other:
        info = value_of(network.connections.get_connection_info(own))
        assert (info.local_address, info.remote_address) == (
            at(other.getpeername()[0], other.getpeername()[1]),
            at(peer),
        )
        assert (info.state, info.tls) == ("connected", False)
        assert info.established_time is not None
        assert value_of(network.connections.is_connected(own))
        stats = value_of(network.connections.get_connection_stats(own))
        assert stats.rtt_us
        assert stats.retransmits == 0
    value_of(own.poll(frozenset({"readable"}), LONG_MS))
    assert not value_of(network.connections.is_connected(own))


def test_a_socket_that_is_not_connected_says_so(network: Network) -> None:
    own = network.tcp()
    info = value_of(network.connections.get_connection_info(own))
    assert (info.remote_address, info.established_time, info.state) == (None, None, "created")
    assert not value_of(network.connections.is_connected(own))


def test_a_connection_is_made_once(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    with other:
        assert case_of(network.connections.connect(own, at(peer), LONG_MS)) == "already-connected"
        retried = network.connections.connect_with_retry(own, at(peer), 1, 0, LONG_MS)
        assert case_of(retried) == "already-connected"


def test_a_listening_socket_does_not_connect(peer: socket.socket) -> None:
    network = network_in(allowing((LOOPBACK, -1), inbound=[(LOOPBACK, 0)]))
    own = network.tcp()
    value_of(own.bind(at(LOOPBACK)))
    value_of(own.listen(1))
    assert case_of(network.connections.connect(own, at(peer), LONG_MS)) == "invalid-state"
    network.close()


def test_what_no_rule_names_is_not_connected_to(peer: socket.socket) -> None:
    network = network_in(allowing((LOOPBACK, 9)))
    own = network.tcp()
    answer = network.connections.connect(own, at(peer), LONG_MS)
    assert case_of(answer) == "permission-denied"
    assert case_of(network.connections.connect_with_retry(own, at(peer), 3, 0, LONG_MS)) == "permission-denied"
    assert value_of(network.connections.get_connection_info(own)).state == "created"
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.accept()
    network.close()


@pytest.mark.parametrize(
    ("address", "case"),
    [
        ("0.0.0.0", "invalid-address"),
        ("255.255.255.255", "unsupported"),
        ("224.0.0.1", "unsupported"),
        ("::1", "invalid-address"),
    ],
)
def test_an_address_of_many_or_none_is_refused(address: str, case: str, peer: socket.socket) -> None:
    network = network_in(allowing(("0.0.0.0/0", -1), ("::/0", -1)))
    assert case_of(network.connections.connect(network.tcp(), at(address, port_of(peer)), LONG_MS)) == case
    network.close()


@pytest.mark.parametrize(
    "address",
    ["::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::1", "::ffff:0.0.0.0", "ff02::1"],
)
def test_an_address_that_hides_another_needs_a_rule_of_its_own(address: str, peer: socket.socket) -> None:
    network = network_in(allowing(("2000::/3", -1), ("8.0.0.0/8", -1)))
    own = network.tcp("ipv6")
    assert case_of(network.connections.connect(own, at(address, port_of(peer)), LONG_MS)) in {
        "permission-denied",
        "invalid-address",
        "unsupported",
    }
    network.close()


@pytest.mark.parametrize("address", ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"])
def test_a_deny_rule_reaches_what_an_address_hides(address: str, peer: socket.socket) -> None:
    allowed = [("::/0", -1), ("0.0.0.0/0", -1), ("64:ff9b::/96", -1), ("2002::/16", -1)]
    network = network_in(allowing(*allowed, deny=[(LOOPBACK, -1)]))
    own = network.tcp("ipv6")
    assert case_of(network.connections.connect(own, at(address, port_of(peer)), LONG_MS)) == "permission-denied"
    network.close()


def test_a_mapped_address_is_the_one_inside(network: Network, peer: socket.socket) -> None:
    own = network.tcp("ipv6")
    both = value_of(own.get_socket_options())
    assert both.ipv6_only
    own.link.set(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    value_of(network.connections.connect(own, at("::ffff:127.0.0.1", port_of(peer)), LONG_MS))


def test_port_0_is_no_destination(network: Network) -> None:
    assert case_of(network.connections.connect(network.tcp(), at(LOOPBACK, 0), LONG_MS)) == "invalid-port"
    assert case_of(network.connections.connect_host(LOOPBACK, 0, LONG_MS)) == "invalid-port"


def test_after_a_refusal_the_handle_has_a_new_socket(
    network: Network, peer: socket.socket, nobody: socket.socket
) -> None:
    own = network.tcp()
    value_of(network.connections.enable_keep_alive(own, 9))
    assert case_of(network.connections.connect(own, at(nobody), LONG_MS)) == "connection-refused"
    assert value_of(own.get_socket_options()).keep_alive_interval_s == 9
    value_of(network.connections.connect(own, at(peer), LONG_MS))


def test_after_a_refusal_the_socket_is_bound_as_before(nobody: socket.socket) -> None:
    network = network_in(allowing((LOOPBACK, -1), inbound=[(LOOPBACK, 0)]))
    own = network.tcp()
    value_of(own.bind(at(LOOPBACK)))
    assert case_of(network.connections.connect(own, at(nobody), LONG_MS)) == "connection-refused"
    assert value_of(own.get_local_address()).address == Ipv4((127, 0, 0, 1))
    network.close()


def test_who_does_not_answer_is_not_waited_for(network: Network, silent: socket.socket) -> None:
    own = network.tcp()
    assert case_of(network.connections.connect(own, at(silent), SHORT_MS)) == "connection-timeout"
    assert value_of(network.connections.get_connection_info(own)).state == "created"
    assert case_of(network.connections.connect_host(LOOPBACK, port_of(silent), SHORT_MS)) == "connection-timeout"


def test_a_socket_that_does_not_wait_goes_on_connecting(network: Network, silent: socket.socket) -> None:
    own = network.tcp()
    options = value_of(own.get_socket_options())
    value_of(own.set_socket_options(_only(options, non_blocking=True)))
    assert case_of(network.connections.connect(own, at(silent), LONG_MS)) == "would-block"
    assert value_of(network.connections.get_connection_info(own)).state == "connecting"
    assert case_of(own.send(b"x")) == "not-connected"
    assert case_of(network.connections.connect(own, at(silent), LONG_MS)) == "invalid-state"
    assert not value_of(network.connections.is_connected(own))
    silent.accept()[0].close()
    silent.accept()[0].close()
    value_of(own.poll(frozenset({"writable"}), LONG_MS))
    assert value_of(network.connections.get_connection_info(own)).state == "connected"


def test_a_rule_that_is_taken_back_ends_what_still_connects(network: Network, silent: socket.socket) -> None:
    own = network.tcp()
    value_of(own.set_socket_options(_only(value_of(own.get_socket_options()), non_blocking=True)))
    assert case_of(network.connections.connect(own, at(silent), LONG_MS)) == "would-block"
    network.change(allowing((LOOPBACK, 9)))
    assert case_of(own.poll(frozenset({"writable"}), LONG_MS)) == "closed"


def _only(options: Any, **changed: Any) -> Any:
    return type(options)(**{name: changed.get(name) for name in options.__slots__})


def test_tries_are_made_until_one_succeeds(network: Network, nobody: socket.socket) -> None:
    own = network.tcp()
    refused: list[int] = []
    waited = network.context.wait_any

    def wait(wanted: Any, timeout_ms: int | None) -> Any:
        if not wanted:
            refused.append(timeout_ms or 0)
            if len(refused) == 3:
                nobody.listen()
            return []
        return waited(wanted, timeout_ms)

    network.context.wait_any = wait  # type: ignore[method-assign]
    value_of(network.connections.connect_with_retry(own, at(nobody), 10, 5, LONG_MS))
    assert refused == [5, 10, 20]


def test_tries_are_bounded(network: Network, silent: socket.socket, nobody: socket.socket) -> None:
    own, where = network.tcp(), at(nobody)
    assert case_of(network.connections.connect_with_retry(own, where, 11, 0, LONG_MS)) == "invalid-argument"
    assert case_of(network.connections.connect_with_retry(own, where, 3, 1, LONG_MS)) == "connection-refused"
    assert case_of(network.connections.connect_with_retry(own, where, 10, 1 << 63, SHORT_MS)) == "connection-refused"
    assert case_of(network.connections.connect_with_retry(own, at(silent), 10, 1, SHORT_MS)) == "connection-timeout"


# --- by name --------------------------------------------------------------------------------------------------------


def test_a_name_is_connected_to_by_its_address(peer: socket.socket) -> None:
    policy = allowing(("bücher.example", port_of(peer), "private"))
    with name_server(**{"xn--bcher-kva_example": [LOOPBACK]}) as server:
        network = network_in(policy, addresses=server.resolve)
        own = value_of(network.connections.connect_host("BÜCHER。example.", port_of(peer), LONG_MS))
        assert value_of(own.get_remote_address()) == at(peer)
        assert server.asked == ["xn--bcher-kva.example"]
        network.close()


def test_a_name_that_changes_its_mind_gains_nothing(peer: socket.socket) -> None:
    port = port_of(peer)
    policy = allowing(("rebinding.example", port))
    with name_server(rebinding_example=["8.8.8.8", LOOPBACK]) as server:
        network = network_in(policy, addresses=server.resolve)
        value_of(network.connections.resolve_hostname("rebinding.example", LONG_MS))
        assert case_of(network.connections.connect_host("rebinding.example", port, LONG_MS)) == "permission-denied"
        assert case_of(network.connections.connect(network.tcp(), at(LOOPBACK, port), LONG_MS)) == "permission-denied"
        peer.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.accept()
        network.close()


def test_what_is_dialled_is_what_was_checked_and_nothing_is_resolved_again(peer: socket.socket) -> None:
    port = port_of(peer)
    with name_server(twice_example=[f"224.0.0.1 0.0.0.0 {LOOPBACK}", "8.8.8.8"]) as server:
        network = network_in(allowing(("twice.example", port, "private")), addresses=server.resolve)
        own = value_of(network.connections.connect_host("twice.example", port, LONG_MS))
        assert value_of(own.get_remote_address()) == at(peer)
        assert server.asked == ["twice.example"]
        network.close()


def test_the_next_address_is_tried_when_one_fails(peer: socket.socket) -> None:
    port = port_of(peer)
    addresses = saying("127.0.0.2", LOOPBACK)
    network = network_in(allowing(("two.example", port, "private")), addresses=addresses)
    own = value_of(network.connections.connect_host("two.example", port, LONG_MS))
    assert value_of(own.get_remote_address()) == at(peer)
    assert network.context.handles.count("socket") == 1
    network.close()


def test_a_name_that_no_rule_names_is_not_even_resolved() -> None:
    network = network_in(allowing(("a.example", 443)))
    for name in ("b.example", "a.example.evil.test", "\N{CYRILLIC SMALL LETTER A}.example"):
        assert case_of(network.connections.connect_host(name, 443, LONG_MS)) == "permission-denied"
        assert case_of(network.connections.resolve_hostname(name, LONG_MS)) == "permission-denied"
        assert case_of(network.connections.resolve_hostname_single(name, LONG_MS)) == "permission-denied"
    assert case_of(network.connections.connect_host("a.example", 80, LONG_MS)) == "permission-denied"
    network.close()


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "0", "a\0.example", "", "a_b.example"])
def test_what_is_no_name_is_refused(network: Network, host: str) -> None:
    assert case_of(network.connections.connect_host(host, 443, LONG_MS)) == "invalid-hostname"
    assert case_of(network.connections.resolve_hostname(host, LONG_MS)) == "invalid-hostname"


@pytest.mark.parametrize("address", [LOOPBACK, "10.0.0.5", "169.254.169.254", "64:ff9b::7f00:1", "::ffff:127.0.0.1"])
def test_a_name_without_private_never_reaches_a_special_address(address: str) -> None:
    network = network_in(allowing(("a.example", 443)), addresses=saying(address))
    before = descriptors()
    assert case_of(network.connections.connect_host("a.example", 443, LONG_MS)) == "permission-denied"
    assert descriptors() == before
    network.close()


def test_an_address_is_a_host_too(network: Network, peer: socket.socket) -> None:
    own = value_of(network.connections.connect_host(f"{LOOPBACK}.", port_of(peer), LONG_MS))
    assert value_of(own.get_remote_address()) == at(peer)
    everywhere = network_in(allowing(("0.0.0.0/0", -1), ("::/0", -1)))
    for host, case in (("0.0.0.0", "invalid-address"), ("[::]", "invalid-address"), ("224.0.0.1", "unsupported")):
        assert case_of(everywhere.connections.connect_host(host, port_of(peer), LONG_MS)) == case


def test_sockets_to_names_are_counted(peer: socket.socket) -> None:
    network = network_in(allowing((LOOPBACK, -1)), limits=HostLimits(sockets=1))
    value_of(network.connections.connect_host(LOOPBACK, port_of(peer), LONG_MS))
    assert case_of(network.connections.connect_host(LOOPBACK, port_of(peer), LONG_MS)) == "resource-exhausted"
    network.close()


def test_a_rule_for_a_name_that_is_taken_back_closes_its_connections(peer: socket.socket) -> None:
    port = port_of(peer)
    network = network_in(allowing(("a.example", port, "private")), addresses=saying(LOOPBACK))
    own = value_of(network.connections.connect_host("a.example", port, LONG_MS))
    network.change(allowing(("b.example", port, "private")))
    assert case_of(own.send(b"x")) == "closed"
    network.close()


# --- names ----------------------------------------------------------------------------------------------------------


def test_names_lead_to_addresses_in_order() -> None:
    with name_server(a_example=["93.184.216.34 2001:db8::1 93.184.216.34"]) as server:
        network = network_in(allowing(resolve=["*.example", "a.example"][1:]), addresses=server.resolve)
        found = value_of(network.connections.resolve_hostname("A.example", LONG_MS))
        assert (found.hostname, found.ttl) == ("a.example", None)
        assert [one.address.case for one in found.addresses] == ["ipv4", "ipv6"]
        assert {(one.port, one.socket_type, one.protocol) for one in found.addresses} == {(0, "tcp-stream", "tcp")}
        first = value_of(network.connections.resolve_hostname_single("a.example", LONG_MS))
        assert first.address == Ipv4((93, 184, 216, 34))
        network.close()


def test_an_address_leads_to_itself_and_nobody_is_asked(network: Network) -> None:
    assert value_of(network.connections.resolve_hostname_single(LOOPBACK, LONG_MS)).address == Ipv4((127, 0, 0, 1))
    assert case_of(network.connections.resolve_hostname("8.8.8.8", LONG_MS)) == "permission-denied"


def test_a_name_without_addresses_is_an_error() -> None:
    def nothing(_: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for resolver in (nothing, saying()):
        network = network_in(allowing(("a.example", 443)), addresses=resolver)
        assert case_of(network.connections.resolve_hostname("a.example", LONG_MS)) == "dns-resolution-failed"
        assert case_of(network.connections.resolve_hostname_single("a.example", LONG_MS)) == "dns-resolution-failed"
        assert case_of(network.connections.connect_host("a.example", 443, LONG_MS)) == "dns-resolution-failed"
        network.close()


def test_a_resolver_that_does_not_answer_is_given_up_and_few_wait_for_it() -> None:
    answer = threading.Event()

    def never(_: str) -> Sequence[str]:
        answer.wait(60)
        return ["8.8.8.8"]

    network = network_in(allowing(("a.example", 443)), addresses=never)
    for _ in range(THREADS_MAX):
        assert case_of(network.connections.resolve_hostname("a.example", 1)) == "timeout"
    assert case_of(network.connections.resolve_hostname("a.example", LONG_MS)) == "resource-exhausted"
    assert case_of(network.connections.connect_host("a.example", 443, LONG_MS)) == "resource-exhausted"
    answer.set()
    for thread in threading.enumerate():
        if thread.name == "resolver":
            thread.join(60)
    assert value_of(network.connections.resolve_hostname_single("a.example", LONG_MS)).address == Ipv4((8, 8, 8, 8))
    network.close()


def test_the_name_of_an_address_is_only_told(peer: socket.socket) -> None:
    network = network_in(allowing((LOOPBACK, 443)), name=lambda to: f"host of {to}\x1b[31m")
    told = value_of(network.connections.reverse_lookup(at(LOOPBACK, 443), LONG_MS))
    assert told.startswith("host of 127.0.0.1:443")
    assert "\x1b" not in told
    assert case_of(network.connections.reverse_lookup(at(LOOPBACK, 80), LONG_MS)) == "permission-denied"
    assert case_of(network.connections.reverse_lookup(at(LOOPBACK, 0), LONG_MS)) == "invalid-port"
    network.close()


def test_an_address_without_a_name_is_an_error() -> None:
    def nothing(_: object) -> str:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    network = network_in(allowing((LOOPBACK, 443)), name=nothing)
    assert case_of(network.connections.reverse_lookup(at(LOOPBACK, 443), LONG_MS)) == "dns-resolution-failed"
    network.close()


def test_what_a_name_led_to_may_be_connected_to_for_a_minute(peer: socket.socket) -> None:
    port, clock = port_of(peer), [1000.0]
    policy = allowing(("a.example", port, "private"))
    network = network_in(policy, addresses=saying(LOOPBACK), now=lambda: clock[0])

    def connect(where: Any) -> Any:
        return network.connections.connect(network.tcp(), where, LONG_MS)

    assert case_of(connect(at(peer))) == "permission-denied"
    value_of(network.connections.resolve_hostname("a.example", LONG_MS))
    value_of(connect(at(peer)))
    assert case_of(connect(at(LOOPBACK, port % 65_535 + 1))) == "permission-denied"
    assert case_of(connect(at("127.0.0.2", port))) == "permission-denied"
    clock[0] += REMEMBERED_S
    value_of(connect(at(peer)))
    clock[0] += 0.1
    assert case_of(connect(at(peer))) == "permission-denied"
    network.close()


# --- silence and being alive ----------------------------------------------------------------------------------------


def test_a_silent_socket_is_closed(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    with other:
        value_of(network.connections.set_idle_timeout(own, SHORT_MS))
        assert case_of(own.receive(1, LONG_MS)) == "closed"
        assert other.recv(1) == b""
    assert network.context.handles.count("socket") == 0
    assert network.context.alarms.seconds() is None


def test_a_silent_socket_is_closed_while_the_component_waits_for_another(network: Network, peer: socket.socket) -> None:
    silent, other = network.connected(peer)
    busy, third = network.connected(peer)
    with other, third:
        value_of(network.connections.set_idle_timeout(silent, 1))
        waiting = threading.Thread(target=lambda: (other.recv(1), third.sendall(b"x")))
        waiting.start()
        assert value_of(busy.receive(1, LONG_MS)).data == b"x"
        waiting.join(60)
        assert case_of(silent.send(b"x")) == "closed"


def test_silence_can_be_allowed_again(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    with other:
        value_of(network.connections.set_idle_timeout(own, 1 << 62))
        assert network.context.alarms.seconds() is not None
        value_of(network.connections.set_idle_timeout(own, 0))
        assert network.context.alarms.seconds() is None
        network.context.alarms.run()
        value_of(own.send_all(b"x", LONG_MS))


def test_what_moves_is_not_silent(network: Network, peer: socket.socket) -> None:
    own, other = network.connected(peer)
    with other:
        value_of(network.connections.set_idle_timeout(own, LONG_MS))
        own.link.last = time.monotonic() - LONG_MS
        value_of(own.send_all(b"x", LONG_MS))
        network.context.alarms.run()
        value_of(own.send_all(b"x", LONG_MS))


def test_the_kernel_asks_for_silent_peers(network: Network) -> None:
    own = network.tcp()
    value_of(network.connections.enable_keep_alive(own, 30))
    options = value_of(own.get_socket_options())
    assert (options.tcp_keep_alive, options.keep_alive_interval_s) == (True, 30)
    value_of(network.connections.enable_keep_alive(own, 0))
    assert value_of(own.get_socket_options()).tcp_keep_alive is False
    assert case_of(network.connections.enable_keep_alive(own, 32_768)) == "invalid-argument"
    assert case_of(network.connections.enable_keep_alive(network.udp(), 1)) == "unsupported"


@pytest.mark.parametrize(
    ("code", "case"),
    [
        (errno.EHOSTUNREACH, "host-unreachable"),
        (errno.ENETUNREACH, "network-unreachable"),
        (errno.ETIMEDOUT, "connection-timeout"),
        (errno.EPROTO, "protocol-error"),
        (errno.EADDRNOTAVAIL, "address-not-available"),
        (errno.ENOBUFS, "resource-exhausted"),
        (errno.EIO, "io-error"),
    ],
)
def test_what_the_kernel_says_is_passed_on(network: Network, code: int, case: str) -> None:
    own = network.tcp()

    class Failing(socket.socket):
        def connect_ex(self, _: Any) -> int:
            return code

    own.link.sock.close()
    own.link.sock = Failing(socket.AF_INET, socket.SOCK_STREAM)
    assert case_of(network.connections.connect(own, at(LOOPBACK, 9), LONG_MS)) == case
    assert value_of(network.connections.get_connection_info(own)).state == "created"
