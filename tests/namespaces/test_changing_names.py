"""Names that lead somewhere else when they are asked for again: a component in a namespace, with the system's resolver.

The name server is ours and the only one that the machine knows. Its first answer is a public address, which the machine
has too, and the next one is this machine itself, or a private address of it: where nothing may be reached.
"""

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from runtime.canonical import Json
from tests.cli.program import inside
from tests.cli.running import SECONDS, Running
from tests.namespaces.network import Host, Network, ip
from tests.runtime.components.host.name_server import name_server
from tests.runtime.components.puppet import PUPPET, Puppet, RefusedError

pytestmark = [pytest.mark.net, pytest.mark.timeout(400)]

T = TypeVar("T")

PUBLIC = "93.184.216.34"
DOCUMENTATION = "203.0.113.80"
PRIVATE = "10.20.30.40"
FORBIDDEN = ("127.0.0.1", PRIVATE, DOCUMENTATION)
PORT = 8080
LONG_MS = 60_000
NAMES = ("steady", "turns", "hides", "both", "inward", "paper")
RULES = f"""[permissions.network]
outbound = [{{ host = "*.example.org", ports = [{PORT}] }}]
[limits]
call_timeout = "2m"
"""
RESOLVER = "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n"
ITS_RESOLVER = (
    'at=$(readlink -m /etc/resolv.conf); mkdir -p "${at%/*}"; [ -e "$at" ] || : >"$at"; '
    'mount --bind "$0" "$at" && exec "$@"'
)
"""In the mount namespace that `ip netns exec` has made: there the machine has this file, and nowhere else."""


@dataclass
class Street:
    """A machine with a component on it, and who listens there."""

    guest: Puppet
    open: socket.socket
    closed: list[socket.socket]

    def came(self) -> bool:
        """Whether somebody came to the public address since this was asked last."""
        with contextlib.suppress(BlockingIOError):
            self.open.accept()[0].close()
            return True
        return False

    def kept_out(self) -> bool:
        """Whether nobody came anywhere else."""
        for listening in self.closed:
            with pytest.raises(BlockingIOError):
                listening.accept()
        return True


def there(host: Host, work: Callable[[], T]) -> T:
    """Does something on a machine; sockets that it makes stay there."""
    done: list[T] = []

    def enter() -> None:
        host.enter()
        done.append(work())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(SECONDS)
    return done[0]


def listens(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.create_server((address, PORT), family=family)
    listening.setblocking(False)
    return listening


def datagrams() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 53))
    return made


def installed(home: Path, folder: Path) -> Puppet:
    """A component with a rule for names, on a node that runs with that home."""
    folder.mkdir()
    (folder / "puppet.wasm").write_bytes(PUPPET)
    (folder / "Component.toml").write_text(
        'schema = 1\n[package]\nname = "puppet"\nversion = "1.0.0"\n[component]\nfile = "puppet.wasm"\n'
        f'sha256 = "{hashlib.sha256(PUPPET).hexdigest()}"\nworld = "orlop:worlds/full"\n{RULES}'
    )
    ran = inside(home, ["components", "install", str(folder), "--yes"], cwd=home)
    assert ran.code == 0, ran.talk

    async def told(operation: str, given: bytes) -> Json:
        words = ["components", "run", "puppet", operation, *(["-"] if given else []), "--json"]
        ran = inside(home, words, stdin=given, cwd=home)
        assert ran.code == 0, ran.talk
        return {"ok": ran.json["output"]}

    return Puppet(told)


@pytest.fixture(scope="module")
def street(net: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    place = tmp_path_factory.mktemp("street")
    host = net.lonely("names")
    for address in (PUBLIC, PRIVATE, DOCUMENTATION):
        ip(f"-n {host.name} addr add {address}/32 dev lo")
    (place / "resolv.conf").write_text(RESOLVER)
    within = (*host.within, "sh", "-c", ITS_RESOLVER, str(place / "resolv.conf"))
    answers: dict[str, Any] = {
        "steady_example_org": [PUBLIC],
        "turns_example_org": [PUBLIC, "127.0.0.1"],
        "hides_example_org": [PUBLIC, PRIVATE],
        "both_example_org": [f"127.0.0.1 ::1 {PRIVATE} {PUBLIC}"],
        "inward_example_org": ["::1 ::ffff:127.0.0.1"],
        "paper_example_org": [DOCUMENTATION],
    }
    with contextlib.ExitStack() as stack:
        asked = stack.enter_context(there(host, datagrams))
        stack.enter_context(name_server(asked, **answers))
        public = stack.enter_context(there(host, lambda: listens(PUBLIC)))
        closed = [stack.enter_context(there(host, partial(listens, one))) for one in (*FORBIDDEN, "::1")]
        node = Running(place / "home", "--no-ui", within=within)
        stack.callback(node.close)
        node.until("core.ready")
        yield Street(installed(place / "home", place / "puppet"), public, closed)


def address(text: str) -> tuple[Any, ...]:
    return ("ipv4", tuple(map(int, text.split(".")))), PORT, 0


async def refused(guest: Puppet, *call: object) -> str:
    with pytest.raises(RefusedError) as caught:
        await guest(str(call[0]), *call[1:])
    return caught.value.case


async def test_a_name_that_stays_where_it_is_is_reached(street: Street) -> None:
    for _ in range(2):
        own = await street.guest("connect-host", "steady.example.org", PORT, LONG_MS)
        assert await street.guest("get-remote-address", own) == address(PUBLIC)
        assert street.came()
        await street.guest.drop("socket.socket", own)
    found = await street.guest("resolve-hostname", "steady.example.org", LONG_MS)
    assert [one[0] for one in found[1]] == [("ipv4", (93, 184, 216, 34))]
    assert street.kept_out()


@pytest.mark.parametrize(("name", "target"), [("turns", "127.0.0.1"), ("hides", PRIVATE)])
async def test_a_name_that_turns_inwards_leads_nowhere(street: Street, name: str, target: str) -> None:
    guest, host = street.guest, f"{name}.example.org"
    told = await guest("resolve-hostname", host, LONG_MS)
    assert [one[0] for one in told[1]] == [("ipv4", (93, 184, 216, 34))]
    # Now it leads here: by its name, by the address that it is told, and to whoever was told the first.
    assert await refused(guest, "connect-host", host, PORT, LONG_MS) == "permission-denied"
    told = await guest("resolve-hostname", host, LONG_MS)
    assert [one[0] for one in told[1]] == [address(target)[0]]
    pool = await guest("create-pool", 1, LONG_MS, LONG_MS)
    own = await guest("create-socket", "ipv4", "tcp-stream", "tcp")
    assert await refused(guest, "connection.connect", own, address(target), LONG_MS) == "permission-denied"
    assert await refused(guest, "connect-with-retry", own, address(target), 2, 1, LONG_MS) == "permission-denied"
    assert await refused(guest, "pool-acquire", pool, address(target), LONG_MS) == "permission-denied"
    assert not street.came()
    await guest("connection.connect", own, address(PUBLIC), LONG_MS)  # told a moment ago, and public
    assert street.came()
    await guest.drop("socket.socket", own)
    await guest.drop("connection.connection-pool", pool)
    assert street.kept_out()


async def test_of_several_answers_the_public_one_alone_is_dialled(street: Street) -> None:
    own = await street.guest("connect-host", "both.example.org", PORT, LONG_MS)
    assert await street.guest("get-remote-address", own) == address(PUBLIC)
    assert street.came()
    await street.guest.drop("socket.socket", own)
    assert street.kept_out()


@pytest.mark.parametrize("name", ["inward", "paper"])
async def test_a_name_that_never_was_public_is_not_dialled(street: Street, name: str) -> None:
    assert await refused(street.guest, "connect-host", f"{name}.example.org", PORT, LONG_MS) == "permission-denied"
    assert not street.came()
    assert street.kept_out()
