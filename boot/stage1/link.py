"""Network interfaces: found, and brought up as the mode wants it."""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Final

from boot.stage1 import netlink
from runtime.errors import UnavailableError

__all__ = [
    "bring_up",
    "has_carrier",
    "has_default_route",
    "interfaces",
    "made_up_address",
    "refuse_advertisements",
    "set_address",
    "set_default_route",
    "set_hardware_address",
    "wait_for",
]

_ETHERNET: Final = "1"
_POLL_S: Final = 0.05
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,15}", re.ASCII)
NETWORKS: Final = Path("/sys/class/net")
IPV6: Final = Path("/proc/sys/net/ipv6/conf")
ROUTES: Final = Path("/proc/net")


def interfaces(folder: Path = NETWORKS) -> list[str]:
    """Every Ethernet interface, by name.

    Args:
        folder: in which the kernel lists them.
    """
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return []
    fitting = (name for name in names if _NAME.fullmatch(name) and name != "lo")
    return [name for name in fitting if _text(folder / name / "type").strip() == _ETHERNET]


def has_carrier(name: str, folder: Path = NETWORKS) -> bool:
    """Whether a cable is in it; known only of one that is up.

    Args:
        name: of the interface.
        folder: in which the kernel lists them.
    """
    return _text(folder / name / "carrier").strip() == "1"


def wait_for(true: Callable[[], bool], wait_s: float) -> bool:
    """Waits until something is true, and looks often.

    Args:
        true: what.
        wait_s: at most.
    """
    until = time.monotonic() + wait_s
    while not (done := true()) and time.monotonic() < until:
        time.sleep(_POLL_S)
    return done


def made_up_address(random: bytes) -> bytes:
    """A hardware address that belongs to nobody: of one interface, and marked as administered locally.

    Args:
        random: 6 bytes.
    """
    return bytes([(random[0] & 0xFC) | 0x02]) + random[1:6]


def refuse_advertisements(names: Iterable[str], folder: Path = IPV6) -> None:
    """Has the kernel take no address and no route from routers of IPv6; before the link goes up.

    Args:
        names: of the interfaces.
        folder: where the kernel keeps it; without it there is no IPv6.

    Raises:
        UnavailableError: it does not obey: then the link must not go up.
    """
    if not folder.exists():
        return
    for name in ("all", "default", *names):
        place = folder / name / "accept_ra"
        with contextlib.suppress(OSError):
            place.write_text("0\n", encoding="ascii")
        if _text(place).strip() != "0":
            raise UnavailableError("takes advertisements of routers, though it was told not to", where=name)


def set_hardware_address(name: str, address: bytes) -> None:
    """Gives an interface another hardware address; it is down then, as many cards want it.

    Args:
        name: of the interface.
        address: 6 bytes.

    Raises:
        UnavailableError: it keeps its own.
    """
    _ask(name, lambda index: netlink.set_up(index, up=False), "does not go down")
    _ask(name, lambda index: netlink.set_hardware_address(index, address), "keeps its hardware address")


def bring_up(name: str) -> None:
    """Brings an interface up.

    Args:
        name: of the interface.

    Raises:
        UnavailableError: it stays down.
    """
    _ask(name, netlink.set_up, "does not go up")


def set_address(name: str, address: IPv4Interface) -> None:
    """Gives an interface an address, and the kernel the network that it is in.

    Args:
        name: of the interface.
        address: with the length of its network's prefix.

    Raises:
        UnavailableError: it does not take it.
    """
    _ask(name, lambda index: netlink.add_address(index, address), f"does not take the address {address}")


def set_default_route(name: str, gateway: IPv4Address, *, on_link: bool) -> None:
    """Sends what is for nobody on the link to a router.

    Args:
        name: of the interface.
        gateway: the router.
        on_link: whether it is reached directly though it is in none of the interface's networks.

    Raises:
        UnavailableError: the kernel says no.
    """
    why = f"does not take the router {gateway}"
    _ask(name, lambda index: netlink.add_default_route(index, gateway, on_link=on_link), why)


def has_default_route(folder: Path = ROUTES) -> bool:
    """Whether anything that is for nobody on the link would be sent.

    Args:
        folder: where the kernel lists its routes.
    """
    four = [line.split() for line in _text(folder / "route").splitlines()[1:]]
    six = [line.split() for line in _text(folder / "ipv6_route").splitlines()]
    return any(len(words) > 7 and words[1] == words[7] == "0" * 8 for words in four) or any(  # noqa: PLR2004 - target, mask
        len(words) > 9 and words[0] == "0" * 32 and words[1] == "00" and words[9] != "lo"  # noqa: PLR2004 - interface
        for words in six
    )


def _ask(name: str, message: Callable[[int], bytes], why: str) -> None:
    try:
        netlink.request(message(socket.if_nametoindex(name)))
    except OSError as error:
        raise UnavailableError(f"{why}: {(error.strerror or str(error)).lower()}", where=name) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
