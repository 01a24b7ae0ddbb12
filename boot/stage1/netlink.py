"""Interfaces, addresses and routes, as rtnetlink(7) has them: messages as pure functions, and one socket."""

import os
import socket
import struct
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

__all__ = ["add_address", "add_default_route", "answer_of", "request", "set_hardware_address", "set_up"]

_REQUEST: Final = 0x1
_ACK: Final = 0x4
_REPLACE: Final = 0x100
_CREATE: Final = 0x400
_ERROR: Final = 2
_NEWLINK: Final = 16
_NEWADDR: Final = 20
_NEWROUTE: Final = 24

_LINK_ADDRESS: Final = 1
_IFF_UP: Final = 1
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_BROADCAST: Final = 4
_RTA_OIF: Final = 4
_RTA_GATEWAY: Final = 5
_MAIN: Final = 254
_BY_DHCP: Final = 16
_UNICAST: Final = 1
_ONLINK: Final = 4

_HEAD: Final = struct.Struct("=IHHII")
_ANSWER_S: Final = 10.0


def set_up(index: int, *, up: bool = True) -> bytes:
    """Brings an interface up, or down."""
    return _message(_NEWLINK, 0, struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, _IFF_UP if up else 0, _IFF_UP))


def set_hardware_address(index: int, address: bytes) -> bytes:
    """Gives an interface another hardware address."""
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 0, 0)
    return _message(_NEWLINK, 0, body + _attribute(_LINK_ADDRESS, address))


def add_address(index: int, address: IPv4Interface) -> bytes:
    """Gives an interface an address, and with it the network that it is in."""
    network = address.network
    body = struct.pack("=BBBBI", socket.AF_INET, network.prefixlen, 0, 0, index)
    body += _attribute(_IFA_LOCAL, address.ip.packed) + _attribute(_IFA_ADDRESS, address.ip.packed)
    body += _attribute(_IFA_BROADCAST, network.broadcast_address.packed)
    return _message(_NEWADDR, _CREATE | _REPLACE, body)


def add_default_route(index: int, gateway: IPv4Address, *, on_link: bool) -> bytes:
    """Sends what is for nobody on the link to a router.

    Args:
        index: of the interface.
        gateway: the router.
        on_link: whether it is reached directly though it is in none of the interface's networks.
    """
    flags = _ONLINK if on_link else 0
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, _MAIN, _BY_DHCP, 0, _UNICAST, flags)
    body += _attribute(_RTA_GATEWAY, gateway.packed) + _attribute(_RTA_OIF, struct.pack("=I", index))
    return _message(_NEWROUTE, _CREATE | _REPLACE, body)


def answer_of(raw: bytes) -> int:
    """The number of the error that the kernel answers; 0 of none.

    Args:
        raw: one answer.

    Raises:
        OSError: this is no answer.
    """
    if len(raw) < _HEAD.size + 4 or _HEAD.unpack_from(raw)[1] != _ERROR:
        raise OSError("the kernel gives no answer")
    (number,) = struct.unpack_from("=i", raw, _HEAD.size)
    return -int(number)


def request(message: bytes) -> None:
    """Asks the kernel.

    Args:
        message: one of those above.

    Raises:
        OSError: it says no, or nothing.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as link:
        link.settimeout(_ANSWER_S)
        link.bind((0, 0))
        link.send(message)
        number = answer_of(link.recv(4096))
    if number:
        raise OSError(number, os.strerror(number))


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return _HEAD.pack(_HEAD.size + len(body), kind, _REQUEST | _ACK | flags, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    raw = struct.pack("=HH", 4 + len(value), kind) + value
    return raw + bytes(-len(raw) % 4)
