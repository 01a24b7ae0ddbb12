"""TLS as a client: who is believed, who is not, and what is refused without a rule."""

import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.runtime.components.host.frame import case_of, value_of
from tests.runtime.components.host.network import (
    LONG_MS,
    LOOPBACK,
    SHORT_MS,
    Authority,
    Network,
    allowing,
    at,
    network_in,
    tls_options,
    tls_server,
)

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs for all tests."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def network() -> Iterator[Network]:
    """An instance that may reach all of loopback, and must verify."""
    network = network_in(allowing((LOOPBACK, -1)))
    yield network
    network.close()


def echo(secure: ssl.SSLSocket) -> None:
    """Sends back what comes, and ends in order."""
    while data := secure.recv(1 << 16):
        secure.sendall(data)
    secure.unwrap()


def start(network: Network, listening: socket.socket) -> Any:
    """A socket that is connected to a server."""
    own = network.tcp()
    value_of(network.connections.connect(own, at(listening), LONG_MS))
    return own


@pytest.mark.parametrize(
    ("most", "version"), [(ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")]
)
def test_who_is_signed_for_is_believed(
    network: Network, authority: Authority, most: ssl.TLSVersion, version: str
) -> None:
    certificate = authority.server()
    with tls_server(certificate, echo, protocols=["h2", "http/1.1"], most=most) as listening:
        own = start(network, listening)
        wanted = tls_options("Service.TEST.", alpn=("http/1.1",), trust_anchors=authority.pem)
        value_of(network.connections.upgrade_to_tls(own, wanted, LONG_MS))
        value_of(own.send_all(b"hello", LONG_MS))
        assert value_of(own.receive_all(5, LONG_MS)).data == b"hello"
        info = value_of(network.connections.get_tls_info(own))
        signed = x509.load_pem_x509_certificate(certificate.read_bytes())
        der = signed.public_bytes(serialization.Encoding.DER)
        assert (info.version, info.alpn, info.peer_name) == (version, "http/1.1", "service.test")
        assert (info.peer_fingerprint, info.verified) == (hashlib.sha256(der).hexdigest(), True)
        assert info.cipher_suite
        connection = value_of(network.connections.get_connection_info(own))
        assert (connection.tls, connection.bytes_sent, connection.bytes_received) == (True, 5, 5)
        assert value_of(network.connections.is_connected(own))
        value_of(own.close_socket())


def test_an_address_can_be_signed_for(network: Network, authority: Authority) -> None:
    with tls_server(authority.server(LOOPBACK), echo) as listening:
        own = start(network, listening)
        wanted = tls_options(LOOPBACK, trust_anchors=authority.pem)
        value_of(network.connections.upgrade_to_tls(own, wanted, LONG_MS))
        value_of(own.close_socket())


@pytest.mark.parametrize(
    ("server", "trusted", "why"),
    [
        ({"name": "other.test"}, True, "hostname mismatch"),
        ({"days": (-30, -1)}, True, "expired"),
        ({"days": (1, 30)}, True, "not yet valid"),
        ({"itself": True}, True, "self-signed"),
        ({}, False, "unable to get local issuer"),
    ],
)
def test_who_is_not_signed_for_is_not_believed(
    network: Network, authority: Authority, server: dict[str, Any], trusted: bool, why: str
) -> None:
    with tls_server(authority.server(**server), echo) as listening:
        own = start(network, listening)
        wanted = tls_options(trust_anchors=authority.pem if trusted else None)
        answer: Any = network.connections.upgrade_to_tls(own, wanted, LONG_MS)
        assert case_of(answer) == "tls-error"
        assert why in answer.error.reason
        assert case_of(own.send(b"secret")) == "closed"
    assert network.context.handles.count("socket") == 0


def test_versions_before_1_2_are_not_spoken(network: Network) -> None:
    hello = b"\x03\x02" + bytes(32) + b"\0" + b"\xc0\x13" + b"\0"  # TLS 1.1, no session, a cipher, no compression
    message = b"\x02" + len(hello).to_bytes(3, "big") + hello
    with socket.create_server((LOOPBACK, 0)) as listening:
        own = start(network, listening)
        other, _ = listening.accept()
        other.sendall(b"\x16\x03\x02" + len(message).to_bytes(2, "big") + message)
        answer: Any = network.connections.upgrade_to_tls(own, tls_options(), LONG_MS)
        assert case_of(answer) == "tls-error"
        assert "version" in answer.error.reason or "protocol" in answer.error.reason
        other.close()


def test_verification_is_not_switched_off_without_a_rule(network: Network, authority: Authority) -> None:
    with tls_server(authority.server(itself=True), echo) as listening:
        own = start(network, listening)
        wanted = tls_options(verify_certificate=False)
        assert case_of(network.connections.upgrade_to_tls(own, wanted, LONG_MS)) == "permission-denied"
        assert not value_of(network.connections.get_connection_info(own)).tls
        value_of(own.close_socket())


def test_a_rule_for_another_host_does_not_help(authority: Authority) -> None:
    network = network_in(allowing((LOOPBACK, -1), ("service.test", -1, "tls_insecure")))
    with tls_server(authority.server(itself=True), echo) as listening:
        own = start(network, listening)
        wanted = tls_options("service.test", verify_certificate=False)
        assert case_of(network.connections.upgrade_to_tls(own, wanted, LONG_MS)) == "permission-denied"
        value_of(own.close_socket())
    network.close()


def test_with_a_rule_nobody_is_verified_and_that_is_told(authority: Authority) -> None:
    with tls_server(authority.server("other.test", itself=True), echo) as listening:
        port = listening.getsockname()[1]
        network = network_in(allowing(("service.test", port, "private tls_insecure")), addresses=lambda _: [LOOPBACK])
        own: Any = value_of(network.connections.connect_host("service.test", port, LONG_MS))
        value_of(network.connections.upgrade_to_tls(own, tls_options(verify_certificate=False), LONG_MS))
        assert not value_of(network.connections.get_tls_info(own)).verified
        network.change(allowing(("service.test", port, "private")))
        assert case_of(own.send(b"x")) == "closed"
    network.close()


def test_a_server_that_says_nothing_is_not_waited_for(network: Network) -> None:
    with socket.create_server((LOOPBACK, 0)) as listening:
        own = start(network, listening)
        assert case_of(network.connections.upgrade_to_tls(own, tls_options(), SHORT_MS)) == "timeout"
        assert case_of(own.send(b"x")) == "closed"


def test_a_server_that_speaks_something_else_is_an_error(network: Network) -> None:
    with socket.create_server((LOOPBACK, 0)) as listening:
        own = start(network, listening)
        other, _ = listening.accept()
        other.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert case_of(network.connections.upgrade_to_tls(own, tls_options(), LONG_MS)) == "tls-error"
        other.close()


def test_a_server_that_goes_in_the_middle_is_an_error(network: Network) -> None:
    with socket.create_server((LOOPBACK, 0)) as listening:
        own = start(network, listening)
        other, _ = listening.accept()
        other.shutdown(socket.SHUT_WR)
        assert case_of(network.connections.upgrade_to_tls(own, tls_options(), LONG_MS)) == "tls-error"
        other.close()


def test_wrong_options_are_refused_and_change_nothing(network: Network, authority: Authority) -> None:
    with tls_server(authority.server(), echo) as listening:
        own = start(network, listening)
        for wrong, case in (
            (tls_options("a_b.test"), "invalid-hostname"),
            (tls_options(""), "invalid-hostname"),
            (tls_options(alpn=("",)), "invalid-argument"),
            (tls_options(alpn=("x" * 256,)), "invalid-argument"),
            (tls_options(alpn=("é",)), "invalid-argument"),
            (tls_options(alpn=("x",) * 17), "invalid-argument"),
            (tls_options(trust_anchors="nonsense"), "invalid-argument"),
            (tls_options(trust_anchors=""), "invalid-argument"),
            (tls_options(trust_anchors="x" * (MEBIBYTE + 1)), "invalid-argument"),
        ):
            assert case_of(network.connections.upgrade_to_tls(own, wrong, LONG_MS)) == case
        assert case_of(network.connections.get_tls_info(own)) == "invalid-state"
        wanted = tls_options(trust_anchors=authority.pem)
        value_of(network.connections.upgrade_to_tls(own, wanted, LONG_MS))
        assert case_of(network.connections.upgrade_to_tls(own, wanted, LONG_MS)) == "invalid-state"
        value_of(own.close_socket())


def test_tls_needs_a_tcp_connection(network: Network) -> None:
    assert case_of(network.connections.upgrade_to_tls(network.tcp(), tls_options(), 0)) == "not-connected"
    own = network.udp()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((LOOPBACK, 0))
        value_of(network.connections.connect(own, at(peer), LONG_MS))
        assert case_of(network.connections.upgrade_to_tls(own, tls_options(), 0)) == "unsupported"


def test_much_goes_through_while_both_speak(network: Network, authority: Authority) -> None:
    with tls_server(authority.server(), echo) as listening:
        own = start(network, listening)
        value_of(network.connections.upgrade_to_tls(own, tls_options(trust_anchors=authority.pem), LONG_MS))
        data = bytes(range(256)) * (MEBIBYTE // 256)
        sent, got = 0, b""
        while len(got) < len(data):
            ready = value_of(own.poll(frozenset({"readable", "writable"}), LONG_MS))
            if "readable" in ready:
                got += getattr(getattr(own.receive(MEBIBYTE, 0), "value", None), "data", b"")
            if sent < len(data):
                sent += getattr(getattr(own.send(data[sent:]), "value", None), "bytes_sent", 0)
        assert got == data
        value_of(own.close_socket())


def test_a_half_that_ends_leaves_the_other(network: Network, authority: Authority) -> None:
    said: list[bytes] = []
    sent = threading.Event()

    def talk(secure: ssl.SSLSocket) -> None:
        secure.sendall(b"first ")
        sent.set()
        while data := secure.recv(100):
            said.append(data)
        secure.sendall(b"answer")
        secure.unwrap()

    with tls_server(authority.server(), talk) as listening:
        own = start(network, listening)
        value_of(network.connections.upgrade_to_tls(own, tls_options(trust_anchors=authority.pem), LONG_MS))
        assert sent.wait(60)
        value_of(own.send_all(b"question", LONG_MS))
        assert value_of(own.receive(2, LONG_MS)).data == b"fi"
        value_of(own.shutdown("write"))
        assert case_of(own.send(b"x")) == "invalid-state"
        got = value_of(own.receive_all(100, LONG_MS))
        assert (got.data, got.end_of_stream) == (b"rst answer", True)
        value_of(own.close_socket())
    assert b"".join(said) == b"question"


def test_an_end_without_the_end_of_tls_is_told(network: Network, authority: Authority) -> None:
    with tls_server(authority.server(), lambda secure: secure.sendall(b"half of")) as listening:
        own = start(network, listening)
        value_of(network.connections.upgrade_to_tls(own, tls_options(trust_anchors=authority.pem), LONG_MS))
        assert value_of(own.receive_all(7, LONG_MS)).data == b"half of"
        assert case_of(own.receive(1, LONG_MS)) == "connection-reset"


def test_without_room_nothing_is_taken(network: Network, authority: Authority) -> None:
    over = threading.Event()

    def wait(_: ssl.SSLSocket) -> None:
        over.wait(60)

    with tls_server(authority.server(), wait) as listening:
        own = start(network, listening)
        value_of(network.connections.upgrade_to_tls(own, tls_options(trust_anchors=authority.pem), LONG_MS))
        while case(own.send(bytes(MEBIBYTE))) != "would-block":
            assert network.context.time_left(None) > 0
        assert case_of(own.send_all(bytes(MEBIBYTE), SHORT_MS)) == "timeout"
        over.set()
        value_of(own.close_socket())


def case(answer: Any) -> str:
    """The error's case; empty when it worked."""
    return "" if hasattr(answer, "value") else case_of(answer)
