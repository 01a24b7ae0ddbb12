"""Nodes of the DHT as others name them: a key, from which the id follows, and where it was last."""

import hashlib
import struct
from functools import cached_property, lru_cache
from ipaddress import ip_address
from typing import Final

from kademlia.node import Node

from net.dht.scopes import NOWHERE, scope_of
from net.errors import MalformedError
from net.peer_id import PeerId

__all__ = ["ID_BYTES", "KEY_BYTES", "Address", "Contact", "node_id", "parse_contact"]

Address = tuple[str, int]
"""IP address in its one spelling, and UDP port."""

ID_BYTES: Final = 20
KEY_BYTES: Final = 32
_PORT: Final = struct.Struct(">H")
_SIZES: Final = {KEY_BYTES + 2 + 4, KEY_BYTES + 2 + 16}


@lru_cache(maxsize=8192)
def node_id(key: bytes) -> bytes:
    """The place of a node: nobody chooses it but by making keys.

    Args:
        key: its public key, 32 bytes.
    """
    return hashlib.sha256(b"orlop-dht-node:v1:" + PeerId(key).multihash).digest()[:ID_BYTES]


class Contact(Node):
    """A node: its id is that of its key.

    Args:
        key: its public key, 32 bytes.
        address: where it is.
    """

    def __init__(self, key: bytes, address: Address) -> None:
        super().__init__(node_id(key), *address)
        self.key = key
        self.address = address

    def __repr__(self) -> str:
        return f"<Contact {PeerId(self.key)} at {self.ip} {self.port}>"

    @cached_property
    def packed(self) -> bytes:
        """As it travels: key, port, IP address of 4 or 16 bytes."""
        return self.key + _PORT.pack(self.address[1]) + ip_address(self.address[0]).packed


@lru_cache(maxsize=8192)
def parse_contact(raw: bytes) -> Contact | None:
    """Reads what `Contact.packed` writes.

    Returns:
        None for a well-formed contact at an address to which nobody's word makes us send.

    Raises:
        MalformedError: another length, or no port.
    """
    if len(raw) not in _SIZES:
        raise MalformedError(f"a contact of {len(raw)} bytes")
    (port,) = _PORT.unpack_from(raw, KEY_BYTES)
    ip = ip_address(raw[KEY_BYTES + _PORT.size :])
    if not port:
        raise MalformedError("a contact without a port")
    if getattr(ip, "ipv4_mapped", None) is not None or scope_of(str(ip)) == NOWHERE:
        return None
    return Contact(raw[:KEY_BYTES], (str(ip), port))
