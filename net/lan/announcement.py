"""What a node announces on the LAN, and what is left of what others announce once it is checked. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from net.errors import AddressError, MalformedError
from net.limits import NetLimits
from net.multiaddr import Multiaddr, Transport
from net.peer_id import PeerId

__all__ = ["BOOT", "PEERS", "Announcement", "Boot", "instance_of", "read_announcement", "text_of"]

PEERS: Final = "_orlop._tcp.local."
BOOT: Final = "_orlop-boot._tcp.local."
_ADDRESSES: Final = 8
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_WORD: Final = re.compile(r"[a-z0-9._-]{1,32}", re.ASCII)
_ROOT: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
_PORT_MAX: Final = 65_535

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Boot:
    """What a boot server says that it serves; only the manifest it gives proves anything.

    Attributes:
        channel: such as `stable`.
        arch: such as `x86_64`.
        version: of the manifest.
        root: the root key, 64 hexadecimal characters.
    """

    channel: str
    arch: str
    version: int
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What somebody says on the link.

    Attributes:
        peer: who it says that it is: the key that a dial must expect, and no more.
        addresses: where it says that it is; of others only those within our own networks.
        boot: of a boot server.
    """

    peer: PeerId
    addresses: Sequence[Multiaddr]
    boot: Boot | None = None


def instance_of(peer: PeerId) -> str:
    """The name under which a peer is announced: 16 characters of its id after those that all have."""
    return str(peer)[8:24]


def text_of(peer: PeerId, tcp: int | None, quic: int | None, boot: Boot | None = None) -> dict[str, str]:
    """The TXT record of an announcement; far below the 400 bytes that others take.

    Args:
        peer: this node.
        tcp: the port on which it listens, if it does.
        quic: the UDP port on which it listens, if it does.
        boot: of a boot server.
    """
    fields = {"v": "1", "id": str(peer)}
    fields |= {name: str(port) for name, port in (("tcp", tcp), ("quic", quic)) if port}
    if boot is not None:
        fields |= {"ch": boot.channel, "arch": boot.arch, "mv": str(boot.version), "root": boot.root}
    return fields


def read_announcement(
    fields: Mapping[bytes, bytes | None],
    hosts: Iterable[str],
    networks: Iterable[Network],
    *,
    boot: bool,
    limits: NetLimits = NetLimits(),
) -> Announcement:
    """Checks what somebody announced.

    Args:
        fields: the TXT record.
        hosts: the addresses that were announced, link-local ones with their interface (`fe80::1%eth0`).
        networks: those of the interfaces on which we listen: nobody makes us dial anything else.
        boot: whether it was announced as a boot server.
        limits: how large the record may be.

    Raises:
        MalformedError: too large, of another version, without a PeerId, a port or an address in our networks.
    """
    size = sum(len(name) + len(value or b"") + 2 for name, value in fields.items())
    if size > limits.mdns_txt:
        raise MalformedError(f"announces {size} bytes")
    if _text(fields, "v") != "1":
        raise MalformedError("is announced in another version")
    try:
        peer = PeerId.parse(_text(fields, "id"))
    except AddressError as error:
        raise MalformedError(f"announces what is no PeerId: {error.why}") from None
    ports: dict[Transport, int] = {
        transport: port for transport in _TRANSPORTS if (port := _port(_text(fields, transport))) is not None
    }
    inside = [host for host in dict.fromkeys(hosts) if _is_within(host, networks)]
    try:
        addresses = [Multiaddr.at(host, port, transport) for transport, port in ports.items() for host in inside]
    except AddressError as error:
        raise MalformedError(f"announces an address that is none: {error.why}") from None
    if not addresses:
        raise MalformedError("announces no port, or no address in our networks")
    return Announcement(peer=peer, addresses=tuple(addresses[:_ADDRESSES]), boot=_boot(fields) if boot else None)


_TRANSPORTS: Final[tuple[Transport, ...]] = ("quic", "tcp")


def _text(fields: Mapping[bytes, bytes | None], name: str) -> str:
    return (fields.get(name.encode()) or b"").decode("latin-1")


def _port(text: str) -> int | None:
    if not text:
        return None
    if not _PORT.fullmatch(text) or int(text) > _PORT_MAX:
        raise MalformedError("announces what is no port")
    return int(text)


def _boot(fields: Mapping[bytes, bytes | None]) -> Boot:
    channel, arch, version, root = (_text(fields, name) for name in ("ch", "arch", "mv", "root"))
    if not (
        _WORD.fullmatch(channel) and _WORD.fullmatch(arch) and _NUMBER.fullmatch(version) and _ROOT.fullmatch(root)
    ):
        raise MalformedError("announces a boot manifest of another form")
    return Boot(channel, arch, int(version), root)


def _is_within(host: str, networks: Iterable[Network]) -> bool:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(network.version == address.version and address in network for network in networks)
