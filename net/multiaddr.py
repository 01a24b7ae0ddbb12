"""Multiaddrs: where a node is, as libp2p writes it, in text and in bytes.

orlop speaks to `(ip4|ip6|dns|dns4|dns6)/HOST/(tcp/N | udp/N/quic-v1)[/p2p/PEERID]`, with an `ip6zone` before a
link-local `ip6`, and to a relay's with `/p2p-circuit/p2p/PEERID` behind it. Everything else is refused by name.
"""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Literal, Self

from net.errors import AddressError, MalformedError
from net.limits import NetLimits
from net.peer_id import PeerId
from net.varint import decode_varint, encode_varint
from runtime.identity import public_of
from runtime.sanitise import clean

__all__ = ["HostKind", "Multiaddr", "Transport"]

HostKind = Literal["ip4", "ip6", "dns", "dns4", "dns6"]
Transport = Literal["tcp", "quic"]

_TEXT_MOST: Final = NetLimits().multiaddr_text
_BYTES_MOST: Final = NetLimits().multiaddr_binary
_NAME_MOST: Final = 253
_NAME_SURE: Final = 160
"""Characters of a name with which every address is short enough in its binary form."""
_ZONE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,15}")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label by which resolvers take a name for an IPv4 address in one of its odder forms."""
_PORT: Final = re.compile(r"0|[1-9][0-9]{0,4}")
_PORT_MAX: Final = 0xFFFF
_HINT: Final = "write /ip4/192.0.2.1/tcp/4001 or /ip4/192.0.2.1/udp/4001/quic-v1"

_CODES: Final = {
    "ip4": 0x04, "tcp": 0x06, "ip6": 0x29, "ip6zone": 0x2A, "dns": 0x35, "dns4": 0x36, "dns6": 0x37, "dnsaddr": 0x38,
    "udp": 0x0111, "p2p-circuit": 0x0122, "unix": 0x0190, "p2p": 0x01A5, "quic": 0x01CC, "quic-v1": 0x01CD,
}  # fmt: skip
_NAMES: Final = {code: name for name, code in _CODES.items()}
_BARE: Final = frozenset({"p2p-circuit", "quic", "quic-v1"})
"""Names that no value follows."""
_FIXED: Final = {"ip4": 4, "ip6": 16, "tcp": 2, "udp": 2}
"""Bytes of values that carry no length of their own."""
_HOST_KINDS: Final[dict[str, HostKind]] = {
    "ip4": "ip4", "ip6": "ip6", "dns": "dns", "dns4": "dns4", "dns6": "dns6",
}  # fmt: skip

_Part = tuple[str, str]
"""A protocol and the text of its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiaddr:
    """Where a node listens or is reached; made by `parse`, `from_bytes` or `at`. There is one for each place.

    Args:
        kind: what `host` is.
        host: an address in its shortest form, or a DNS name in lower case. An IPv6 address that only wraps an IPv4
            address is unwrapped.
        transport: `quic` is `/udp/N/quic-v1`.
        port: 0 lets the system choose, and only when listening.
        zone: the interface of a link-local IPv6 address, else empty.
        relay: by whose relay `peer` is reached; the host is the relay's then.
        peer: who is expected there.

    Raises:
        AddressError: there is no such place.
    """

    kind: HostKind
    host: str
    transport: Transport
    port: int
    zone: str = ""
    relay: PeerId | None = None
    peer: PeerId | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", _CHECKS[self.kind](self.host))
        if self.kind == "ip6" and (inner := IPv6Address(self.host).ipv4_mapped):
            object.__setattr__(self, "kind", "ip4")
            object.__setattr__(self, "host", str(inner))
        if not 0 <= self.port <= _PORT_MAX:
            raise AddressError("has a port beyond 65535", where=str(self.port))
        if self.zone and not (self.kind == "ip6" and IPv6Address(self.host).is_link_local):
            raise AddressError("has an ip6zone, which belongs before a link-local ip6", where=clean(self.zone, 40))
        if self.zone and not _ZONE.fullmatch(self.zone):
            raise AddressError("is not the name of an interface", where=clean(self.zone, 40))
        if self.relay and not self.peer:
            raise AddressError("does not say who is reached by the relay", hint="end it with /p2p/ and the PeerId")
        if len(self.host) > _NAME_SURE and len(self.to_bytes()) > _BYTES_MOST:
            raise AddressError(f"has more than {_BYTES_MOST} bytes in its binary form", where=clean(self.host, 40))

    def __str__(self) -> str:
        """The address as text."""
        return "".join(f"/{name}" if name in _BARE else f"/{name}/{value}" for name, value in self._parts())

    @classmethod
    def parse(cls, text: str, *, listening: bool = False) -> Self:
        """Reads the text form.

        Args:
            text: at most 1,024 characters.
            listening: whether port 0 may stand in it.

        Raises:
            AddressError: no multiaddr, or not of a kind that orlop speaks to.
        """
        if len(text) > _TEXT_MOST:
            raise AddressError(f"has more than {_TEXT_MOST} characters", where=clean(text, 40))
        try:
            return cls._from_parts(_split(text), listening=listening)
        except AddressError as error:
            shown = clean(text, 200) or '""'
            raise AddressError(error.why, where=shown, hint=error.hint or _HINT) from None

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Reads the binary form, in which peers tell addresses.

        Args:
            raw: at most 256 bytes.

        Raises:
            AddressError: no multiaddr, or not of a kind that orlop speaks to.
        """
        if len(raw) > _BYTES_MOST:
            raise AddressError(f"has more than {_BYTES_MOST} bytes")
        try:
            return cls._from_parts(_unpack(raw), listening=False)
        except MalformedError:
            raise AddressError("is cut short") from None

    @classmethod
    def at(cls, host: str, port: int, transport: Transport) -> Self:
        """The place that a socket names.

        Args:
            host: an address as sockets give it; an IPv6 address may have its `%zone`.
            port: of the socket.
            transport: that is spoken over it.

        Raises:
            AddressError: no address.
        """
        bare, _, zone = host.partition("%")
        return cls(kind="ip6" if ":" in bare else "ip4", host=bare, zone=zone, transport=transport, port=port)

    @property
    def socket_host(self) -> str:
        """What a socket is told to connect to: the host, with its zone."""
        return f"{self.host}%{self.zone}" if self.zone else self.host

    def to_bytes(self) -> bytes:
        """The binary form, at most 256 bytes."""
        return b"".join(_pack(name, value) for name, value in self._parts())

    def without_peer(self) -> Self:
        """The place alone, whoever is there."""
        return replace(self, relay=None, peer=None)

    def with_peer(self, peer: PeerId) -> Self:
        """The same place, where that peer is expected."""
        return replace(self, peer=peer)

    def _parts(self) -> list[_Part]:
        parts = [("ip6zone", self.zone)] if self.zone else []
        parts.append((self.kind, self.host))
        parts += [("tcp", str(self.port))] if self.transport == "tcp" else [("udp", str(self.port)), ("quic-v1", "")]
        if self.relay:
            parts += [("p2p", str(self.relay)), ("p2p-circuit", "")]
        if self.peer:
            parts.append(("p2p", str(self.peer)))
        return parts

    @classmethod
    def _from_parts(cls, parts: list[_Part], *, listening: bool) -> Self:
        names = [name for name, _ in parts]
        zone = parts[0][1] if names[:1] == ["ip6zone"] else ""
        rest = parts[1:] if names[:1] == ["ip6zone"] else parts
        if not rest or rest[0][0] not in _HOST_KINDS:
            raise _unspoken(rest[:1] or parts)
        kind, host = _HOST_KINDS[rest[0][0]], rest[0][1]
        transport, port, behind = _transport(rest[1:])
        if not port and not listening:
            raise AddressError("has port 0, on which nobody is reached")
        relay, peer = _peers(behind)
        if names[0] == "ip6zone" and not zone:
            raise AddressError("has an empty ip6zone")
        return cls(kind=kind, host=host, transport=transport, port=port, zone=zone, relay=relay, peer=peer)


def _transport(parts: list[_Part]) -> tuple[Transport, int, list[_Part]]:
    """What follows the host, and the parts behind it."""
    names = [name for name, _ in parts[:2]]
    if names[:1] == ["tcp"]:
        return "tcp", _port(parts[0][1]), parts[1:]
    if names == ["udp", "quic-v1"]:
        return "quic", _port(parts[0][1]), parts[2:]
    raise _unspoken(parts[1:2] if names[:1] == ["udp"] else parts[:1])


def _peers(parts: list[_Part]) -> tuple[PeerId | None, PeerId | None]:
    """The relay and the peer that the last parts name."""
    names = [name for name, _ in parts]
    if names == []:
        return None, None
    if names == ["p2p"]:
        return None, PeerId.parse(parts[0][1])
    if names == ["p2p", "p2p-circuit", "p2p"]:
        return PeerId.parse(parts[0][1]), PeerId.parse(parts[2][1])
    if "p2p-circuit" in names:
        raise AddressError("names a relay and not both peers", hint="write RELAY/p2p/ID/p2p-circuit/p2p/ID")
    raise _unspoken([part for part in parts if part[0] != "p2p"] or parts[1:])


def _unspoken(parts: list[_Part]) -> AddressError:
    """The error about the first part that does not belong where it is."""
    if not parts:
        return AddressError("is not the whole of an address")
    return AddressError(f"has /{parts[0][0]} where orlop does not understand it")


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > _PORT_MAX:
        raise AddressError("has no port from 0 to 65535")
    return int(text)


# --- hosts ------------------------------------------------------------------------------------------------------------


def _ip4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise AddressError("is not an IPv4 address", where=clean(text, 60)) from None


def _ip6(text: str) -> str:
    try:
        address = IPv6Address(text)
        if address.scope_id is not None:
            raise ValueError("a zone has a part of its own")
        return socket.inet_ntop(socket.AF_INET6, address.packed)
    except ValueError:
        raise AddressError("is not an IPv6 address", where=clean(text, 60)) from None


def _dns(text: str) -> str:
    name = text.lower()
    labels = name.split(".")
    sound = text.isascii() and len(name) <= _NAME_MOST and all(_LABEL.fullmatch(label) for label in labels)
    if not sound or _NUMBER.fullmatch(labels[-1]):
        raise AddressError("is not a DNS name", where=clean(text, 60))
    return name


_CHECKS: Final[dict[HostKind, Callable[[str], str]]] = {
    "ip4": _ip4, "ip6": _ip6, "dns": _dns, "dns4": _dns, "dns6": _dns,
}  # fmt: skip


# --- the two forms ----------------------------------------------------------------------------------------------------


def _split(text: str) -> list[_Part]:
    """The parts of a text."""
    first, *words = text.split("/")
    if first or not words:
        raise AddressError("does not begin with a slash")
    parts: list[_Part] = []
    while words:
        name = {"ipfs": "p2p"}.get(words[0], words[0])
        if name not in _CODES:
            raise AddressError(f"has /{clean(name, 40)}, which orlop does not know")
        if name not in _BARE and len(words) == 1:
            raise AddressError(f"has nothing behind /{name}")
        parts.append((name, "" if name in _BARE else words[1]))
        words = words[1:] if name in _BARE else words[2:]
    return parts


def _unpack(raw: bytes) -> list[_Part]:
    """The parts of a binary address."""
    parts: list[_Part] = []
    at = 0
    while at < len(raw):
        code, at = _number(raw, at)
        name = _NAMES.get(code)
        if name is None:
            raise AddressError(f"has a protocol of number {code}, which orlop does not know")
        size = 0 if name in _BARE else _FIXED.get(name)
        if size is None:
            size, at = _number(raw, at)
        value, at = raw[at : at + size], at + size
        if len(value) != size:
            raise MalformedError("a value is cut short")
        parts.append((name, _READERS.get(name, _text)(value)))
    return parts


def _number(raw: bytes, at: int) -> tuple[int, int]:
    found = decode_varint(raw, at)
    if found is None:
        raise MalformedError("a number is cut short")
    return found


def _text(value: bytes) -> str:
    # Whatever is not ASCII is refused by who looks at the value; it only must not become another value on its way.
    return value.decode("latin-1")


_READERS: Final[dict[str, Callable[[bytes], str]]] = {
    "ip4": lambda value: str(IPv4Address(value)),
    "ip6": lambda value: str(IPv6Address(value)),
    "tcp": lambda value: str(int.from_bytes(value)),
    "udp": lambda value: str(int.from_bytes(value)),
    "p2p": lambda value: str(PeerId.from_multihash(value)),
}


def _pack(name: str, value: str) -> bytes:
    code = encode_varint(_CODES[name])
    if name in _BARE:
        return code
    if name in _WRITERS:
        raw = _WRITERS[name](value)
        return code + raw if name in _FIXED else code + encode_varint(len(raw)) + raw
    return code + encode_varint(len(value)) + value.encode()


_WRITERS: Final[dict[str, Callable[[str], bytes]]] = {
    "ip4": lambda value: IPv4Address(value).packed,
    "ip6": lambda value: IPv6Address(value).packed,
    "tcp": lambda value: int(value).to_bytes(2),
    "udp": lambda value: int(value).to_bytes(2),
    "p2p": lambda value: PeerId(public_of(value)).multihash,
}
