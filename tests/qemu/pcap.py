"""Frames of Ethernet: out of a file that QEMU's `filter-dump` wrote, and what they carry."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

__all__ = ["ARP", "IP4", "IP6", "Frame", "frames", "leaves_the_link", "mac"]

IP4, IP6, ARP = 0x0800, 0x86DD, 0x0806
TCP, UDP = 6, 17
DNS = 53
_FILE_HEAD, _FRAME_HEAD = 24, 16
_MAGIC = 0xA1B2C3D4
_LINK4 = tuple(IPv4Network(one) for one in ("224.0.0.0/24", "239.255.0.0/16", "255.255.255.255/32", "0.0.0.0/32"))
_LINK6 = tuple(IPv6Network(one) for one in ("fe80::/10", "ff02::/16"))


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        target: MAC address of who is to get it.
        source: MAC address of its sender.
        kind: of Ethernet, such as `IP4`.
        data: what it carries.
    """

    target: str
    source: str
    kind: int
    data: bytes

    @classmethod
    def of(cls, raw: bytes) -> "Frame":
        """Reads one."""
        return cls(mac(raw[:6]), mac(raw[6:12]), int.from_bytes(raw[12:14]), raw[14:])

    @property
    def to(self) -> IPv4Address | IPv6Address | None:
        """Where its packet goes to; None of what is no packet of IP."""
        if self.kind == IP4:
            return ip_address(self.data[16:20])
        return ip_address(self.data[24:40]) if self.kind == IP6 else None

    @property
    def port(self) -> int | None:
        """The port where its packet of TCP or UDP goes to; None of others."""
        if self.kind == IP4 and self.data[9] in {TCP, UDP}:
            head = 4 * (self.data[0] & 15)
            return int.from_bytes(self.data[head + 2 : head + 4])
        if self.kind == IP6 and self.data[6] in {TCP, UDP}:
            return int.from_bytes(self.data[42:44])
        return None

    @property
    def asks_for(self) -> IPv4Address | None:
        """Whose address it asks for, if it is an ARP request."""
        if self.kind == ARP and self.data[6:8] == b"\0\1":
            return IPv4Address(self.data[24:28])
        return None


def mac(raw: bytes) -> str:
    """As people write it."""
    return raw.hex(":")


def frames(path: Path) -> Iterator[Frame]:
    """All whole frames of a capture."""
    raw = path.read_bytes()
    assert struct.unpack("<I", raw[:4])[0] == _MAGIC
    at = _FILE_HEAD
    while at + _FRAME_HEAD <= len(raw):
        held, length = struct.unpack("<II", raw[at + 8 : at + 16])
        assert held == length, "the capture keeps frames whole"
        at += _FRAME_HEAD
        if at + held > len(raw):
            break
        yield Frame.of(raw[at : at + held])
        at += held


def leaves_the_link(frame: Frame, link: IPv4Network) -> bool:
    """Whether a frame is meant for somebody beyond the link, or asks the domain name system.

    Args:
        frame: it.
        link: the network of the lease.
    """
    if frame.port == DNS:
        return True
    if frame.kind == ARP:
        return frame.asks_for is not None and frame.asks_for not in link
    to = frame.to
    if isinstance(to, IPv4Address):
        return to not in link and not any(to in one for one in _LINK4)
    if isinstance(to, IPv6Address):
        return not any(to in one for one in _LINK6)
    return True
