"""The routing table on disk, so that a restart needs nobody's help: checked JSON, written whole or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from net.dht.contact import Contact
from net.dht.scopes import NOWHERE, plain_address, scope_of
from net.errors import AddressError
from net.peer_id import PeerId
from runtime import durable
from runtime.canonical import Json, decode, encode
from runtime.errors import RefusedError

__all__ = ["SAVED_MAX", "load_contacts", "save_contacts"]

SAVED_MAX: Final = 200
_SIZE_MAX: Final = 65_536
_PORT_MAX: Final = 65_535


def save_contacts(path: Path, contacts: Sequence[Contact]) -> None:
    """Writes contacts, the first 200.

    Args:
        path: the file; its directory exists.
        contacts: proven ones.

    Raises:
        UnavailableError: it cannot be written; what was there stays.
    """
    items: list[Json] = [
        {"ip": contact.address[0], "peer": str(PeerId(contact.key)), "port": contact.address[1]}
        for contact in contacts[:SAVED_MAX]
    ]
    durable.replace(path, encode({"contacts": items, "v": 1}))


def load_contacts(path: Path) -> Sequence[Contact]:
    """Reads what `save_contacts` wrote; none when there is no file.

    Raises:
        RefusedError: the file has another form; nothing of it is used.
        UnavailableError: it cannot be read.
    """
    raw = durable.read(path, limit=_SIZE_MAX)
    if raw is None:
        return []
    try:
        document = decode(raw, limit=_SIZE_MAX)
        if not isinstance(document, Mapping) or set(document) != {"contacts", "v"} or document["v"] != 1:
            raise RefusedError("is not a saved table of contacts")
        items = document["contacts"]
        if not isinstance(items, list) or len(items) > SAVED_MAX:
            raise RefusedError(f"contacts: expected a list of at most {SAVED_MAX}")
        return [_contact(item) for item in items]
    except (RefusedError, AddressError) as error:
        raise RefusedError(error.why, where=str(path), hint="it is only a memory: remove it") from None


def _contact(item: Json) -> Contact:
    if not isinstance(item, Mapping) or set(item) != {"ip", "peer", "port"}:
        raise RefusedError("contacts: expected objects of ip, peer and port")
    ip, peer, port = item["ip"], item["peer"], item["port"]
    if not isinstance(ip, str) or plain_address(ip) != ip or scope_of(ip) == NOWHERE:
        raise RefusedError("contacts: ip: expected an address that may be asked")
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port <= _PORT_MAX:
        raise RefusedError("contacts: port: expected 1 to 65535")
    if not isinstance(peer, str):
        raise RefusedError("contacts: peer: expected a PeerId")
    return Contact(PeerId.parse(peer).key, (ip, port))
