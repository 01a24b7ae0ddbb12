"""What tests of the network share: an instance with rules for hosts, peers on loopback, and certificates."""

import contextlib
import datetime as dt
import gc
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime.components.bindings.ext_network_types import (
    Ipv4,
    Ipv6,
    SocketAddress,
    SocketOptions,
    TlsOptions,
)
from runtime.components.host.connections import Connections
from runtime.components.host.context import Context, HostLimits
from runtime.components.host.endpoints import Endpoint
from runtime.components.host.names import Names
from runtime.components.host.reach import Reach
from runtime.components.host.sockets import Sockets
from runtime.components.permissions import Policy
from runtime.components.permissions.ports import PortRange
from runtime.components.permissions.rules import HostRule, PatternRule, Rules
from tests.runtime.components.host.frame import context_of, value_of

__all__ = [
    "LONG_MS",
    "LOOPBACK",
    "NO_OPTIONS",
    "SHORT_MS",
    "Authority",
    "Network",
    "allowing",
    "at",
    "descriptors",
    "network_in",
    "tls_options",
    "tls_server",
]

LOOPBACK = "127.0.0.1"
LONG_MS = 120_000
SHORT_MS = 50
WAIT_S = 60
NO_OPTIONS = SocketOptions(*[None] * 12)


def no_resolver(name: str) -> Sequence[str]:
    """No test asks the machine's."""
    raise AssertionError(name)


@dataclass
class Network:
    """Both interfaces of one instance."""

    context: Context
    sockets: Sockets
    connections: Connections
    reach: Reach

    def tcp(self, family: Any = "ipv4") -> Any:
        """A new TCP socket."""
        return value_of(self.sockets.create_socket(family, "tcp-stream", "tcp"))

    def udp(self, family: Any = "ipv4") -> Any:
        """A new UDP socket."""
        return value_of(self.sockets.create_socket(family, "udp-datagram", "udp"))

    def connected(self, peer: socket.socket) -> tuple[Any, socket.socket]:
        """A socket that is connected to a listening one, and the other end."""
        own = self.tcp()
        value_of(self.connections.connect(own, at(peer), LONG_MS))
        other, _ = peer.accept()
        other.settimeout(WAIT_S)
        return own, other

    def change(self, policy: Policy) -> None:
        """Puts another policy in force."""
        self.context.replace_policy(policy)
        self.context.adopt_policy()

    def close(self) -> None:
        """Ends the instance."""
        self.context.close()


def network_in(
    policy: Policy,
    *,
    limits: HostLimits | None = None,
    addresses: Callable[[str], Sequence[str]] = no_resolver,
    name: Callable[[Endpoint], str] | None = None,
    now: Callable[[], float] | None = None,
) -> Network:
    """An instance.

    Args:
        policy: what it may do.
        limits: what it may have.
        addresses: its resolver.
        name: likewise, for addresses.
        now: the time of what it remembers of names.
    """
    context = context_of(policy, limits)
    reach = Reach(context) if now is None else Reach(context, now)
    sockets = Sockets(context, reach)
    names = Names(context, addresses) if name is None else Names(context, addresses, name)
    return Network(context, sockets, Connections(context, sockets, reach, names), reach)


def allowing(
    *outbound: tuple[str, int] | tuple[str, int, str],
    inbound: Sequence[tuple[str, int]] = (),
    deny: Sequence[tuple[str, int]] = (),
    resolve: Sequence[str] | None = None,
) -> Policy:
    """A policy from hosts and ports; port -1 is any, flags are `private` and `tls_insecure`."""
    rules: list[HostRule] = []
    for group, given in (("outbound", outbound), ("inbound", inbound), ("deny", deny)):
        for index, (host, port, *flags) in enumerate(given):
            ports = PortRange(1, 65_535) if port < 0 else PortRange(port, port)
            wanted = set(" ".join(map(str, flags)).split())
            rules.append(
                HostRule(
                    f"network.{group}",
                    index,
                    "permissions",
                    str(host),
                    (ports,),
                    "private" in wanted,
                    "tls_insecure" in wanted,
                )
            )
    names = tuple(PatternRule("network.resolve", n, "permissions", text) for n, text in enumerate(resolve or ()))
    return Policy(Rules(names, hosts=tuple(rules), resolve_as_outbound=resolve is None))


def at(where: socket.socket | str, port: int = 0) -> SocketAddress:
    """An address as guests write it: of a socket, or of a text and a port."""
    if isinstance(where, socket.socket):
        text, port = where.getsockname()[:2]
    else:
        text = where
    ip = ipaddress.ip_address(text)
    if isinstance(ip, ipaddress.IPv4Address):
        return SocketAddress(Ipv4(tuple(ip.packed)), port, 0)  # type: ignore[arg-type]
    groups = tuple(int.from_bytes(ip.packed[n : n + 2], "big") for n in range(0, 16, 2))
    return SocketAddress(Ipv6(groups), port, 0)  # type: ignore[arg-type]


def descriptors() -> int:
    """How many sockets this process has open, but for those that only wait to be collected."""
    gc.collect()
    links = list(Path("/proc/self/fd").iterdir())
    found = 0
    for link in links:
        with contextlib.suppress(OSError):
            found += str(link.readlink()).startswith("socket:")
    return found


class Authority:
    """Signs certificates of servers.

    Args:
        place: where their files go.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
        self._made = 0
        self._certificate = self._sign(self._name, self._key, authority=True, days=(-1, 30))

    @property
    def pem(self) -> str:
        """Its own certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server(self, name: str = "service.test", *, days: tuple[int, int] = (-1, 30), itself: bool = False) -> Path:
        """A file with a certificate and its key.

        Args:
            name: a name or an address.
            days: from when until when it is good, from today.
            itself: it is signed by its own key.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = self._sign(subject, key, authority=False, days=days, by=key if itself else None, named=name)
        self._made += 1
        path = self._place / f"{self._made}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
        return path

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        authority: bool,
        days: tuple[int, int],
        by: ec.EllipticCurvePrivateKey | None = None,
        named: str = "",
    ) -> x509.Certificate:
        today = dt.datetime.now(dt.UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if by is not None else self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today + dt.timedelta(days=days[0]))
            .not_valid_after(today + dt.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if named:
            built = built.add_extension(x509.SubjectAlternativeName([_general(named)]), critical=False)
        return built.sign(by or self._key, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextlib.contextmanager
def tls_server(
    certificate: Path,
    talk: Callable[[ssl.SSLSocket], None],
    *,
    protocols: Sequence[str] = (),
    most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> Iterator[socket.socket]:
    """A server for one connection; gives the listening socket.

    Args:
        certificate: a file with its key too.
        talk: what it does once TLS stands.
        protocols: of ALPN.
        most: the version of TLS that it speaks at most.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.maximum_version = most
    if protocols:
        context.set_alpn_protocols(list(protocols))
    listening = socket.create_server((LOOPBACK, 0))
    listening.settimeout(WAIT_S)

    def serve() -> None:
        with contextlib.suppress(OSError), listening.accept()[0] as plain:
            plain.settimeout(WAIT_S)
            with context.wrap_socket(plain, server_side=True) as secure:
                talk(secure)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        thread.join(WAIT_S)
        listening.close()
        assert not thread.is_alive()


def tls_options(name: str = "service.test", **changed: Any) -> TlsOptions:
    """Options of a client."""
    values: dict[str, Any] = {"hostname": name, "verify_certificate": True, "alpn": (), "trust_anchors": None}
    return TlsOptions(**(values | changed))
