"""Boot servers on the link, by one question of multicast DNS; the answers are hints, and believed in nothing.

It is asked from a port of its own, so answers come to this machine alone, and no name is taken on the link.
"""

import contextlib
import re
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from typing import Final, TypeVar

from boot.stage1.mdns_messages import PTR, SRV, TXT, A, MessageError, question, records_of, service_of, text_of
from net.errors import MalformedError
from net.lan.announcement import BOOT, Boot, read_announcement

__all__ = ["Hearing", "Offer", "look"]

_GROUP: Final = ("224.0.0.251", 5353)
_NAMES_MAX: Final = 16
_ASKED: Final = re.compile(r"[ -\[\]-~]{1,200}", re.ASCII)
_AGAIN_S: Final = 1.0
_AT_ONCE: Final = 8
_GRACE_S: Final = 0.3
"""How long others are listened for after the first that fits."""
_DATAGRAM: Final = 9000

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Offer:
    """A server that was announced.

    Attributes:
        url: where it says that it is, within the network of this machine.
        boot: what it says that it serves.
    """

    url: str
    boot: Boot


@dataclass(slots=True)
class Hearing:
    """What was heard so far; of each kind, only so much.

    Args:
        network: that of this machine: nobody makes it ask anything else.
    """

    network: IPv4Interface
    _instances: dict[str, None] = field(default_factory=dict)
    _hosts: dict[str, str] = field(default_factory=dict)
    _texts: dict[str, bytes] = field(default_factory=dict)
    _addresses: dict[str, set[IPv4Address]] = field(default_factory=dict)

    def take(self, raw: bytes) -> None:
        """Hears a datagram; one that is not sound is passed over.

        Args:
            raw: as it came.
        """
        with contextlib.suppress(MessageError):
            for record in records_of(raw):
                name, value = record.name, record.value
                if record.kind == PTR and name == BOOT:
                    _put(self._instances, value.decode("ascii"), None)
                elif record.kind == SRV:
                    _put(self._hosts, name, service_of(value)[1])
                elif record.kind == TXT:
                    _put(self._texts, name, value)
                elif record.kind == A and len(self._addresses.setdefault(name, set())) < _NAMES_MAX:
                    self._addresses[name].add(IPv4Address(value))
                    while len(self._addresses) > 2 * _NAMES_MAX:
                        del self._addresses[next(iter(self._addresses))]

    def asks(self) -> list[tuple[str, int]]:
        """What is to be asked next: who is there, and what is still missing of those that are."""
        asked: list[tuple[str, int]] = [(BOOT, PTR)]
        for name in self._instances:
            host = self._hosts.get(name)
            if host is None:
                asked.append((name, SRV))
            elif host not in self._addresses:
                asked.append((host, A))
            if name not in self._texts:
                asked.append((name, TXT))
        return [(name, kind) for name, kind in asked if _can_be_asked(name)]

    def offers(self) -> list[Offer]:
        """The servers of which all is known and sound, in the order in which they were heard."""
        found: list[Offer] = []
        for name in self._instances:
            text, addresses = self._texts.get(name), self._addresses.get(self._hosts.get(name, ""), ())
            if text is None or not addresses:
                continue
            hosts = [str(address) for address in sorted(addresses)]
            try:
                said = read_announcement(text_of(text), hosts, [self.network.network], boot=True)
            except MalformedError:
                continue
            places = [place for place in said.addresses if place.transport == "tcp"]
            found += [
                Offer(f"http://{place.host}:{place.port}/", said.boot) for place in places if said.boot is not None
            ]
        return found


def look(address: IPv4Interface, wait_s: float, fits: Callable[[Offer], bool]) -> list[Offer]:
    """Asks the link who serves machines; blocks.

    Args:
        address: of this machine, by which it is asked.
        wait_s: at most.
        fits: whether an offer is one that this machine looks for; with the first, it waits only a little longer.

    Returns:
        Those that fit; none where nothing can be sent.
    """
    hearing = Hearing(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asker:
        try:
            asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, address.ip.packed)
            asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
            asker.bind((str(address.ip), 0))
            _listen(asker, hearing, time.monotonic() + wait_s, fits)
        except OSError:
            return []
    return [offer for offer in hearing.offers() if fits(offer)]


def _listen(asker: socket.socket, hearing: Hearing, until: float, fits: Callable[[Offer], bool]) -> None:
    """Asks again each second, for what is still missing; for what is new at once, but not for ever."""
    ask_at, enough, at_once = 0.0, False, _AT_ONCE
    while (now := time.monotonic()) < until:
        if now >= ask_at:
            asker.sendto(question(hearing.asks()), _GROUP)
            ask_at = now + _AGAIN_S
        ready, _, _ = select.select([asker], [], [], max(0.0, min(until, ask_at) - now))
        if not ready:
            continue
        before = hearing.asks()
        hearing.take(asker.recv(_DATAGRAM))
        if at_once and hearing.asks() != before and len(hearing.asks()) > 1:
            ask_at, at_once = 0.0, at_once - 1
        if not enough and any(fits(offer) for offer in hearing.offers()):
            enough, until = True, min(until, time.monotonic() + _GRACE_S)


def _put(place: dict[str, _Value], name: str, value: _Value) -> None:
    """Remembers something of a name; what comes later counts, and of too many names the oldest is forgotten."""
    place.pop(name, None)
    place[name] = value
    while len(place) > _NAMES_MAX:
        del place[next(iter(place))]


def _can_be_asked(name: str) -> bool:
    return bool(_ASKED.fullmatch(name)) and all(0 < len(label) < 64 for label in name.rstrip(".").split("."))  # noqa: PLR2004 - of DNS
