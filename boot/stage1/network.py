"""From no network to an address, as the mode wants it: nothing is sent before what must not be sent is switched off."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from boot.errors import BootUnavailableError
from boot.modes import Rules
from boot.stage1 import dhcp, link
from boot.stage1.lease import Lease

__all__ = ["Links", "System", "connect"]

_APPEAR_S: Final = 10.0
_CARRIER_S: Final = 5.0
RESOLVERS: Final = Path("/etc/resolv.conf")


class Links(Protocol):
    """What is done to interfaces; `System` in truth."""

    def names(self) -> list[str]:
        """Every interface, once there is one or one was long waited for."""
        ...

    def refuse_advertisements(self, names: list[str]) -> None:
        """IPv6 takes nothing from routers."""
        ...

    def make_up_address(self, name: str) -> None:
        """A hardware address of nobody's."""
        ...

    def bring_up(self, name: str) -> None:
        """Up."""
        ...

    def with_carrier_first(self, names: list[str]) -> list[str]:
        """The same names, those with a cable first, once there is one or one was long waited for."""
        ...

    def ask(self, name: str) -> Lease:
        """A lease that can be true."""
        ...

    def apply(self, lease: Lease, rules: Rules) -> None:
        """Address, and as the rules allow it route and name servers."""
        ...


@dataclass(frozen=True, slots=True)
class System:
    """The interfaces of this machine.

    Attributes:
        random: gives so many random bytes.
    """

    random: Callable[[int], bytes] = os.urandom

    def names(self) -> list[str]:
        """Every interface."""
        link.wait_for(lambda: bool(link.interfaces()), _APPEAR_S)
        return link.interfaces()

    def refuse_advertisements(self, names: list[str]) -> None:
        """IPv6 takes nothing from routers."""
        link.refuse_advertisements(names)

    def make_up_address(self, name: str) -> None:
        """A hardware address of nobody's."""
        link.set_hardware_address(name, link.made_up_address(self.random(6)))

    def bring_up(self, name: str) -> None:
        """Up."""
        link.bring_up(name)

    def with_carrier_first(self, names: list[str]) -> list[str]:
        """Those with a cable first."""
        link.wait_for(lambda: any(link.has_carrier(name) for name in names), _CARRIER_S)
        return sorted(names, key=lambda name: not link.has_carrier(name))

    def ask(self, name: str) -> Lease:
        """A lease."""
        return dhcp.ask(name)

    def apply(self, lease: Lease, rules: Rules) -> None:
        """Address, and as the rules allow it route and name servers."""
        link.set_address(lease.interface, lease.address)
        if rules.routes and lease.router is not None:
            link.set_default_route(lease.interface, lease.router, on_link=lease.router_is_outside)
        if rules.dns and lease.dns:
            text = "".join(f"nameserver {server}\n" for server in lease.dns)
            RESOLVERS.write_text(text, encoding="ascii")


def connect(rules: Rules, links: Links, said: Callable[[str], None]) -> Lease:
    """Gets an address by the first interface that gives one.

    Args:
        rules: of the mode.
        links: of this machine.
        said: takes lines for the console.

    Raises:
        BootUnavailableError: there is no interface, or no address; of several interfaces, what the first one said.
        UnavailableError: an interface does not do what the mode needs: then none of them may be used.
    """
    names = links.names()
    if not names:
        raise BootUnavailableError("no network interface is there", where="network")
    if not rules.ipv6_advertisements:
        links.refuse_advertisements(names)
    for name in names:
        if rules.random_mac:
            links.make_up_address(name)
        links.bring_up(name)
    missing: BootUnavailableError | None = None
    for name in links.with_carrier_first(names):
        try:
            lease = links.ask(name)
        except BootUnavailableError as error:
            missing = missing or error
            continue
        links.apply(lease, rules)
        said(f"address {lease.address} via {name}")
        return lease
    raise missing or BootUnavailableError("no address", where="network")
