"""Announcing and browsing on named interfaces: the edge to `zeroconf`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

import ifaddr
from zeroconf import BadTypeInNameException, IPVersion, NonUniqueNameException, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from net.errors import MalformedError
from net.lan.announcement import BOOT, PEERS, Announcement, Boot, Network, instance_of, read_announcement, text_of
from net.lan.sightings import Sighting, Sightings
from net.limits import NetLimits
from net.peer_id import PeerId
from runtime.errors import NetworkError

__all__ = ["Lan", "LanEvent", "Lost", "Sighted"]

_REQUEST_MS: Final = 3000
_QUEUE: Final = 256
_AT_ONCE: Final = 8
"""Names that are asked about at once: one that is never answered keeps no other waiting."""


@dataclass(frozen=True, slots=True)
class Sighted:
    """Somebody announces itself, or says something new.

    Attributes:
        kind: `PEERS` or `BOOT`.
        name: of the instance.
        announcement: checked for form; proven by nothing.
    """

    kind: str
    name: str
    announcement: Announcement


@dataclass(frozen=True, slots=True)
class Lost:
    """Somebody no longer announces itself.

    Attributes:
        kind: `PEERS` or `BOOT`.
        name: of the instance.
        peer: who it said that it was.
    """

    kind: str
    name: str
    peer: PeerId


LanEvent = Sighted | Lost


class Lan:
    """Multicast DNS on the running loop.

    Args:
        peer: this node, whose own announcement is passed over.
        interfaces: addresses of this machine, one for each interface; nothing is sent on others.
        limits: how much is taken from others.
        on_event: told who comes and goes.
    """

    def __init__(
        self,
        peer: PeerId,
        interfaces: Sequence[str],
        *,
        on_event: Callable[[LanEvent], None],
        limits: NetLimits = NetLimits(),
    ) -> None:
        self._peer = peer
        self._interfaces = list(interfaces)
        self._on_event = on_event
        self._limits = limits
        self._networks: list[Network] = []
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._announced: AsyncServiceInfo | None = None
        self._names: asyncio.Queue[tuple[str, str]] = asyncio.Queue(_QUEUE)
        self._resolvers: list[asyncio.Task[None]] = []
        self.sightings = Sightings(limits)

    async def start(self) -> None:
        """Begins to browse.

        Raises:
            NetworkError: no interface, one that is not there, or none that takes multicast.
        """
        self._networks = [network for text in self._interfaces if (network := _network_of(text)) is not None]
        if not self._interfaces or len(self._networks) != len(self._interfaces):
            raise NetworkError("is no address of this machine", where=", ".join(self._interfaces) or "no interface")
        try:
            self._zeroconf = AsyncZeroconf(interfaces=self._interfaces, ip_version=self._version())
            await self._zeroconf.zeroconf.async_wait_for_start()
        except (OSError, RuntimeError) as error:
            await self.aclose()
            raise NetworkError(f"takes no multicast: {error}", where=", ".join(self._interfaces)) from error
        zeroconf = self._zeroconf.zeroconf
        self._resolvers = [
            asyncio.create_task(self._resolve(zeroconf), name=f"orlop-lan-{number}") for number in range(_AT_ONCE)
        ]
        self._browser = AsyncServiceBrowser(zeroconf, [PEERS, BOOT], handlers=[self._changed])

    async def announce(self, *, tcp: int | None, quic: int | None, boot: Boot | None = None) -> str:
        """Announces this node until `aclose`; takes a second or two, in which a name that is taken is found out.

        Args:
            tcp: the port on which it listens, if it does.
            quic: the UDP port on which it listens, if it does.
            boot: to announce a boot server.

        Returns:
            The instance's name; another one than usual when that was taken.

        Raises:
            NetworkError: it cannot be announced.
        """
        if self._zeroconf is None:
            raise NetworkError("nothing is announced before the start", where="LAN")
        kind, instance = BOOT if boot else PEERS, instance_of(self._peer)
        info = self._info(kind, f"{instance}.{kind}", tcp, quic, boot)
        try:
            await (await self._zeroconf.async_register_service(info, allow_name_change=True))
        except (OSError, BadTypeInNameException, NonUniqueNameException) as error:
            raise NetworkError(f"cannot be announced: {error}", where=info.name) from error
        self._announced = info
        return info.name.removesuffix(f".{kind}")

    async def renew(self, *, tcp: int, boot: Boot) -> None:
        """Announces something else under the name that a boot server has; takes a second or two.

        Args:
            tcp: the port on which it listens.
            boot: what it serves now.

        Raises:
            NetworkError: it cannot be announced, or nothing was.
        """
        zeroconf, before = self._zeroconf, self._announced
        if zeroconf is None or before is None:
            raise NetworkError("nothing is announced that could be another", where="LAN")
        info = self._announced = self._info(before.type, before.name, tcp, None, boot)
        try:
            await (await zeroconf.async_update_service(info))
        except (OSError, BadTypeInNameException) as error:
            raise NetworkError(f"cannot be announced: {error}", where=info.name) from error

    def _info(self, kind: str, name: str, tcp: int | None, quic: int | None, boot: Boot | None) -> AsyncServiceInfo:
        return AsyncServiceInfo(
            kind,
            name,
            parsed_addresses=self._interfaces,
            port=tcp or quic or 0,
            properties=dict(text_of(self._peer, tcp, quic, boot)),
            server=f"{instance_of(self._peer)}.local.",
        )

    def may_dial(self, sighting: Sighting, now: float) -> bool:
        """Whether it may be dialled now; if so, not again for a minute."""
        return self.sightings.may_dial(sighting.kind, sighting.name, now)

    async def aclose(self) -> None:
        """Says goodbye and leaves no task and no socket."""
        resolvers, self._resolvers = self._resolvers, []
        for resolver in resolvers:
            resolver.cancel()
        await asyncio.gather(*resolvers, return_exceptions=True)
        if self._browser is not None:
            await self._browser.async_cancel()
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()
        self._browser = self._zeroconf = self._announced = None
        for resolver in resolvers:
            if not resolver.cancelled():
                resolver.result()  # it ends by itself only through a fault of ours

    # --- inside -----------------------------------------------------------------------------------------------------

    def _version(self) -> IPVersion:
        versions = {ip_address(text.partition("%")[0]).version for text in self._interfaces}
        return IPVersion.All if len(versions) > 1 else IPVersion.V4Only if 4 in versions else IPVersion.V6Only  # noqa: PLR2004

    def _changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:  # called by zeroconf, with these keywords
        del zeroconf
        if state_change is ServiceStateChange.Removed:
            lost = self.sightings.lost(service_type, name)
            if lost is not None:
                self._on_event(Lost(service_type, name, lost.announcement.peer))
        elif self.sightings.has_room(service_type, name) and not self._names.full():
            self._names.put_nowait((service_type, name))

    async def _resolve(self, zeroconf: Zeroconf) -> None:
        """Asks for what was named, one after another: a flood of names is a queue, not a flood of questions."""
        while True:
            kind, name = await self._names.get()
            info = AsyncServiceInfo(kind, name)
            if await info.async_request(zeroconf, _REQUEST_MS):
                self._saw(kind, name, info)

    def _saw(self, kind: str, name: str, info: AsyncServiceInfo) -> None:
        hosts = info.parsed_scoped_addresses()
        try:
            said = read_announcement(info.properties, hosts, self._networks, boot=kind == BOOT, limits=self._limits)
        except MalformedError:
            return
        if (said.peer != self._peer or kind == BOOT) and self.sightings.saw(kind, name, said):
            self._on_event(Sighted(kind, name, said))


def _network_of(interface: str) -> Network | None:
    """The network of an address of this machine; None when it has no such address."""
    wanted = interface.partition("%")[0]
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            host = address.ip if isinstance(address.ip, str) else address.ip[0]
            if host == wanted:
                return ip_network(f"{host}/{address.network_prefix}", strict=False)
    return None
