"""A component with rules for hosts speaks to those hosts only: what it tries, from inside, to reach this machine.

What listens on loopback is what it must not reach; its rule names every host, but not private ones.
"""

import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import node
from tests.runtime.components.puppet import Puppet, RefusedError
from tests.runtime.components.puppets_here import puppet

LONG = 60_000
LOOPBACK = [
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0",
    "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::",
]  # fmt: skip
ADDRESSES = [
    *LOOPBACK, "169.254.169.254", "10.0.0.1", "192.168.0.1", "fe80::1",
    "fc00::1", "255.255.255.255", "224.0.0.1", "ff02::1",
]  # fmt: skip
NAMES = [
    "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "0",
    "0.0.0.0", "::1", "[::1]", "::ffff:127.0.0.1", "::ffff:7f00:1", "\u2460\u2461\u2466.0.0.1",
    "127\u30020\u30020\u30021", "\uff11\uff12\uff17.0.0.1", "\u217cocalhost", "local\u200bhost",
    "localhost\0.example.org", "localhost%00", "user@localhost", "localhost:80", "/localhost", "",
    "a" * 64 + ".example.org",
]  # fmt: skip
"""Ways to write this machine's name, and what is none; no resolver but the file of hosts is asked for one of them."""
REFUSALS = {"permission-denied", "invalid-address", "invalid-hostname", "unsupported"}
"""What is said before anything is sent."""


@pytest.fixture
def service() -> Iterator[socket.socket]:
    """Listens on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture
async def guest(tmp_path: Path, service: socket.socket, component_compiler: Compiler) -> AsyncIterator[Puppet]:
    port = service.getsockname()[1]
    rules = f"""[permissions.network]
outbound = [
  {{ host = "*", ports = [{port}] }},
  {{ host = "203.0.113.0/24", ports = [{port}] }},
]
inbound = [{{ address = "127.0.0.1", ports = [0] }}]
resolve = ["localhost"]
[limits]
call_timeout = "2m"
"""
    async with node(tmp_path, lambda: component_compiler) as here:
        yield await puppet(here, tmp_path, rules)


def at(text: str, port: int, scope: int = 0) -> tuple[Any, ...]:
    """An address as the WIT has it."""
    ip = ipaddress.ip_address(text)
    if ip.version == 4:
        return ("ipv4", tuple(ip.packed)), port, 0
    groups = tuple(int.from_bytes(ip.packed[index : index + 2], "big") for index in range(0, 16, 2))
    return ("ipv6", groups), port, scope


def nobody_came(service: socket.socket) -> bool:
    with pytest.raises(BlockingIOError):
        service.accept()
    return True


@pytest.mark.parametrize("scope", [0, 1])
async def test_no_address_of_this_machine_or_its_networks_is_reached(
    guest: Puppet, service: socket.socket, scope: int
) -> None:
    port = service.getsockname()[1]
    for text in ADDRESSES:
        for family in ("ipv4", "ipv6"):
            stream = await guest("create-socket", family, "tcp-stream", "tcp")
            datagrams = await guest("create-socket", family, "udp-datagram", "udp")
            pool = await guest("create-pool", 1, LONG, LONG)
            address = at(text, port, scope)
            for name, *values in [
                ("connection.connect", stream, address, LONG),
                ("connect-with-retry", stream, address, 1, 1, LONG),
                ("send-to", datagrams, b"x", address),
                ("connection.connect", datagrams, address, LONG),
                ("pool-acquire", pool, address, LONG),
                ("reverse-lookup", address, LONG),
            ]:
                with pytest.raises(RefusedError) as caught:
                    await guest(name, *values)
                assert caught.value.case in REFUSALS | {"invalid-argument"}, (text, str(caught.value))
            for handle in (stream, datagrams):
                await guest.drop("socket.socket", handle)
            await guest.drop("connection.connection-pool", pool)
    assert nobody_came(service)


async def test_a_denied_network_is_not_reached_in_the_clothes_of_another(
    tmp_path: Path, service: socket.socket, component_compiler: Compiler
) -> None:
    port = service.getsockname()[1]
    wide = f"""[permissions.network]
outbound = [{{ host = "0.0.0.0/0", ports = [{port}] }}, {{ host = "::/0", ports = [{port}] }}]
deny = [{{ host = "127.0.0.0/8", ports = ["*"] }}, {{ host = "::1", ports = ["*"] }}]
[limits]
call_timeout = "2m"
"""
    async with node(tmp_path, lambda: component_compiler) as here:
        guest = await puppet(here, tmp_path, wide)
        for text in LOOPBACK:
            for family in ("ipv4", "ipv6"):
                own = await guest("create-socket", family, "tcp-stream", "tcp")
                with pytest.raises(RefusedError) as caught:
                    await guest("connection.connect", own, at(text, port), LONG)
                assert caught.value.case in REFUSALS | {"invalid-argument"}, (text, str(caught.value))
                with pytest.raises(RefusedError):
                    await guest("connect-host", text, port, LONG)
                await guest.drop("socket.socket", own)
    assert nobody_came(service)


async def test_no_name_leads_to_this_machine(guest: Puppet, service: socket.socket) -> None:
    for name in NAMES:
        with pytest.raises(RefusedError) as caught:
            await guest("connect-host", name, service.getsockname()[1], LONG)
        assert caught.value.case in REFUSALS, (name, str(caught.value))
    assert nobody_came(service)


async def test_what_a_name_was_told_to_be_is_not_reached_by_address_either(
    guest: Puppet, service: socket.socket
) -> None:
    found = (await guest("resolve-hostname", "localhost", LONG))[1]
    assert found
    own = await guest("create-socket", "ipv4", "tcp-stream", "tcp")
    with pytest.raises(RefusedError) as caught:
        await guest("connection.connect", own, at("127.0.0.1", service.getsockname()[1]), LONG)
    assert caught.value.case == "permission-denied"
    assert nobody_came(service)


async def test_other_ports_and_wider_addresses_are_not_listened_on(guest: Puppet, service: socket.socket) -> None:
    port = service.getsockname()[1]
    for text, wanted in [
        ("0.0.0.0", 0),
        ("127.0.0.1", port),
        ("127.0.0.2", 0),
        ("127.0.0.1", 80),
        ("::", 0),
        ("::1", 0),
    ]:
        family = "ipv4" if ":" not in text else "ipv6"
        for kind, protocol in (("tcp-stream", "tcp"), ("udp-datagram", "udp")):
            own = await guest("create-socket", family, kind, protocol)
            with pytest.raises(RefusedError):
                await guest("socket.bind", own, at(text, wanted))
            await guest.drop("socket.socket", own)
