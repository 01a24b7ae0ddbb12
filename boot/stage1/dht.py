"""Boot servers that the DHT knows, asked by a node that nobody will meet again; what it says are hints."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from net.dht.contact import Address
from net.dht.own_socket import OwnSocket
from net.dht.record import manifest_key
from net.dht.service import Dht, bootstrap_contact
from net.errors import AddressError
from net.multiaddr import Multiaddr
from runtime.errors import OrlopError
from runtime.identity import Identity, new_seed

__all__ = ["Sought", "look"]


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for.

    Attributes:
        channel: of releases.
        arch: of this machine.
        keys: of the root, one of which has signed.
        now_ms: the time, as far as it is known: a clock at 1970 would find every record to be from the future.
    """

    channel: str
    arch: str
    keys: tuple[str, ...]
    now_ms: int


class _Clock:
    """The time as it was known at the start, which runs on."""

    def __init__(self, now_ms: int) -> None:
        self._ahead_ms = now_ms - time.monotonic_ns() // 1_000_000

    def wall_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000 + self._ahead_ms

    def monotonic(self) -> float:
        return time.monotonic()


async def look(sought: Sought, starts: Iterable[str], ip: str, wait_s: float) -> list[str]:
    """Asks the DHT who serves such releases.

    Args:
        sought: which.
        starts: multiaddresses of nodes; those that are none are passed over.
        ip: an address of this machine.
        wait_s: at most.

    Returns:
        URLs, those of the newest versions first; none where nobody answers.
    """
    contacts = []
    for text in starts:
        try:
            contacts.append(bootstrap_contact(Multiaddr.parse(text)))
        except AddressError:
            continue
    if not contacts:
        return []
    found: dict[str, int] = {}
    received: list[Dht] = []

    def receive(data: bytes, address: Address) -> None:
        if received:
            received[0].receive(data, address)

    own = OwnSocket(receive)
    try:
        await own.open(ip)
    except OrlopError:
        return []
    dht = Dht(Identity(new_seed()), clock=_Clock(sought.now_ms), sender=own, serves=False)
    received.append(dht)
    try:
        async with asyncio.timeout(wait_s):
            await dht.start(contacts)
            for key in sought.keys:
                await _ask(dht, manifest_key(sought.channel, sought.arch, key), found)
    except (TimeoutError, OrlopError):
        pass  # what was found until then counts
    finally:
        await dht.aclose()
        await own.aclose()
    return sorted(found, key=lambda url: -found[url])


async def _ask(dht: Dht, key: str, found: dict[str, int]) -> None:
    for record in await dht.find(key):
        version, urls = record.body.get("version"), record.body.get("urls")
        if isinstance(version, int) and isinstance(urls, list):
            for url in urls:
                found[str(url)] = max(version, found.get(str(url), 0))
