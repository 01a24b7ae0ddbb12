"""Addresses of sockets: as guests write them, as the system does, and those that nothing may be sent to."""

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from runtime.components.bindings.ext_network_types import Address, Ipv4, Ipv6, SocketAddress
from runtime.components.host.network_answers import NetworkRefusedError
from runtime.components.permissions.addresses import Address as IpAddress
from runtime.components.permissions.addresses import canonical

__all__ = ["Endpoint", "address_of", "destination", "is_one_host", "local_endpoint"]

_GROUPS: Final = struct.Struct(">8H")
_EVERYBODY: Final = IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port.

    Attributes:
        ip: in the family of the socket that it is for: an IPv4 address may stand in a mapped one.
        port: 0 for any that is free.
        scope: the interface of a link-local address; else 0.
    """

    ip: IpAddress
    port: int
    scope: int = 0

    @property
    def family(self) -> socket.AddressFamily:
        """Of the sockets that it is for."""
        return socket.AF_INET if isinstance(self.ip, IPv4Address) else socket.AF_INET6

    def for_system(self) -> tuple[str, int] | tuple[str, int, int, int]:
        """As the system's calls take it."""
        if isinstance(self.ip, IPv4Address):
            return str(self.ip), self.port
        return str(self.ip), self.port, 0, self.scope

    def for_guest(self) -> SocketAddress:
        """As guests see it."""
        return SocketAddress(address_of(self.ip), self.port, self.scope)

    @classmethod
    def from_system(cls, address: tuple[str, int] | tuple[str, int, int, int]) -> "Endpoint":
        """What the system says."""
        text, port = address[0].partition("%")[0], address[1]
        if ":" not in text:
            return cls(IPv4Address(text), port)
        return cls(IPv6Address(text), port, int(address[3]) if len(address) > 2 else 0)  # noqa: PLR2004 - IPv6

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if isinstance(self.ip, IPv6Address) else f"{self.ip}:{self.port}"


def address_of(ip: IpAddress) -> Address:
    """An address as guests see it."""
    if isinstance(ip, IPv4Address):
        first, second, third, fourth = ip.packed
        return Ipv4((first, second, third, fourth))
    return Ipv6(_GROUPS.unpack(ip.packed))


def is_one_host(ip: IpAddress) -> bool:
    """Whether an address is that of one host, and not of many, of all, or of none.

    The kernel takes the address of none for this machine's own, which no rule for it would have meant.
    """
    one = canonical(ip)
    return not (one.is_multicast or one.is_unspecified or one == _EVERYBODY)


def destination(address: SocketAddress, family: socket.AddressFamily | None) -> Endpoint:
    """Where something is to go.

    Args:
        address: as the guest gave it.
        family: of the socket; None for either.

    Raises:
        NetworkRefusedError: `invalid-address`, `invalid-port`, or `unsupported` for many hosts at once.
    """
    found = _read(address, family)
    if canonical(found.ip).is_unspecified:
        raise NetworkRefusedError("invalid-address", f"{found.ip} is the address of no host")
    if not is_one_host(found.ip):
        raise NetworkRefusedError("unsupported", f"{found.ip}: multicast and broadcast are not supported")
    if not found.port:
        raise NetworkRefusedError("invalid-port", "port 0 is no destination")
    return found


def local_endpoint(address: SocketAddress, family: socket.AddressFamily) -> Endpoint:
    """Where a socket is to be; all addresses of this machine, and any port, included.

    Args:
        address: as the guest gave it.
        family: of the socket.

    Raises:
        NetworkRefusedError: `invalid-address`, or `unsupported` for many hosts at once.
    """
    found = _read(address, family)
    if not is_one_host(found.ip) and not canonical(found.ip).is_unspecified:
        raise NetworkRefusedError("unsupported", f"{found.ip}: multicast and broadcast are not supported")
    return found


def _read(address: SocketAddress, family: socket.AddressFamily | None) -> Endpoint:
    where = address.address
    ip = IPv4Address(bytes(where.value)) if isinstance(where, Ipv4) else IPv6Address(_GROUPS.pack(*where.value))
    if address.scope_id and not (isinstance(ip, IPv6Address) and ip.is_link_local):
        raise NetworkRefusedError("invalid-address", "only a link-local IPv6 address has a scope-id")
    found = Endpoint(ip, address.port, address.scope_id)
    if family is not None and found.family != family:
        raise NetworkRefusedError("invalid-address", f"{ip} is not of the family of the socket")
    return found
