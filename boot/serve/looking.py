"""Boot servers that announce themselves on the link: hints, which only the manifest of one of them can prove."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from net.lan.announcement import Announcement, Boot
from net.lan.service import Lan, LanEvent, Sighted
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.identity import Identity, new_seed

__all__ = ["Found", "look"]


@dataclass(frozen=True, slots=True)
class Found:
    """A server that was announced.

    Attributes:
        name: of the instance.
        urls: where it says that it is; all within our own networks.
        boot: what it says that it serves.
    """

    name: str
    urls: tuple[str, ...]
    boot: Boot


async def look(interfaces: Sequence[str], wait_s: float, *, enough: int | None = None) -> list[Found]:
    """Listens on the link for boot servers.

    Args:
        interfaces: addresses of this machine, one for each interface.
        wait_s: how long.
        enough: ends as soon as so many are known; None for the whole time.

    Raises:
        NetworkError: an interface that is not there, or none that takes multicast.
    """
    found: dict[str, Found] = {}
    done = asyncio.Event()

    def heard(event: LanEvent) -> None:
        one = _found(event.name, event.announcement) if isinstance(event, Sighted) else None
        if one is not None:
            found[one.name] = one
        if enough is not None and len(found) >= enough:
            done.set()

    lan = Lan(PeerId.parse(Identity(new_seed()).peer_id), interfaces, on_event=heard)
    try:
        await lan.start()
        async with asyncio.timeout(wait_s):
            await done.wait()
    except TimeoutError:
        pass
    finally:
        await lan.aclose()
    return list(found.values())


def _found(name: str, said: Announcement) -> Found | None:
    urls = tuple(_url(place) for place in said.addresses if place.transport == "tcp")
    return Found(name, urls, said.boot) if said.boot is not None and urls else None


def _url(place: Multiaddr) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"http://{host}:{place.port}/"
