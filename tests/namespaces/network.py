"""Networks of the kernel's own: hosts in namespaces, each with one cable to a bridge that has a namespace to itself."""

import contextlib
import ctypes
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.program import Ran, command, environment, orlop
from tests.cli.running import SECONDS, Running

__all__ = ["Host", "Network", "network"]

_PREFIX = f"ol{os.getpid()}"
_CLONE_NEWNET = 0x40000000


def ip(words: str) -> None:
    """One command of iproute2."""
    subprocess.run(["ip", *words.split()], check=True, timeout=SECONDS, stdin=subprocess.DEVNULL)


@dataclass(frozen=True, slots=True)
class Host:
    """A machine of the network: addresses for documentation, a home, and the program run on it."""

    name: str
    home: Path
    ip4: str
    ip6: str

    @property
    def within(self) -> tuple[str, ...]:
        """What runs a command on it."""
        return ("ip", "netns", "exec", self.name)

    def enter(self) -> None:
        """Takes the calling thread there for good: the sockets that it makes from now on are this machine's."""
        descriptor = os.open(Path("/run/netns") / self.name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)

    def configured(self, **settings: object) -> "Host":
        """The same, with these settings of `[p2p]`."""
        folder = self.home / ".config/orlop"
        folder.mkdir(parents=True)
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
        folder.joinpath("config.toml").write_text("[p2p]\n" + "".join(lines))
        return self

    def listening(self, *places: str) -> Running:
        """A node on it that listens and is ready; whoever begins it ends it."""
        node = Running(self.home, "--no-ui", "--p2p-listen", " ".join(places), within=self.within)
        node.until("core.ready")
        return node

    def begun(self, *words: str) -> "subprocess.Popen[bytes]":
        """A command on it that goes on."""
        return subprocess.Popen(
            [*self.within, *command(*words)],
            env=environment(self.home),
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def orlop(self, *words: str, stdin: bytes = b"") -> Ran:
        """One command on it, run to its end."""
        self.home.mkdir(exist_ok=True)
        return orlop(self.home, *words, stdin=stdin, timeout=2 * SECONDS, within=self.within)

    def peer(self) -> str:
        """Who it is, while no node runs on it."""
        self.orlop("init", "--yes")
        return str(self.orlop("status", "--json").json["peer_id"])

    def moves(self, address: str) -> None:
        """Takes its IPv4 address away, and gives it another one; TCP from there hears of it, as on phones."""
        ip(f"-n {self.name} addr del {self.ip4}/24 dev eth0")
        ip(f"-n {self.name} addr add {address}/24 dev eth0")
        # Where the kernel cannot do that, it takes 45 s until TCP is given up.
        subprocess.run([*self.within, "ss", "-K", "src", self.ip4], timeout=SECONDS, check=False, capture_output=True)

    @contextlib.contextmanager
    def filtering(self, rules: str) -> Iterator[None]:
        """Has the kernel judge by these rules of nftables, until the end of the block, what comes to this machine."""
        chain = f"table inet {_PREFIX} {{ chain incoming {{ type filter hook input priority 0; {rules}; }}; }}"
        self._nft(chain)
        try:
            yield
        finally:
            self._nft(f"delete table inet {_PREFIX}")

    def _nft(self, text: str) -> None:
        subprocess.run([*self.within, "nft", "-f", "-"], input=text.encode(), check=True, timeout=SECONDS)


@dataclass(slots=True)
class Network:
    """The bridge, and what hangs on it.

    Attributes:
        folder: where the homes lie.
        hosts: the machines so far, by their short names.
    """

    folder: Path
    hosts: dict[str, Host] = field(default_factory=dict)
    _made: list[str] = field(default_factory=list)

    def build(self) -> None:
        """Makes the bridge."""
        middle = self._namespace("middle")
        ip(f"-n {middle} link add br0 type bridge mcast_snooping 0")
        ip(f"-n {middle} link set br0 up")

    def host(self, name: str, *, mtu: int = 1500) -> Host:
        """One more machine, whose cable is in.

        Args:
            name: short: eight characters.
            mtu: of its end of the cable.
        """
        namespace, number = self._namespace(name), len(self.hosts) + 1
        host = Host(namespace, self.folder / name, f"203.0.113.{number}", f"2001:db8::{number:x}")
        ip(f"link add eth0 netns {namespace} type veth peer name to-{name} netns {self._made[0]}")
        ip(f"-n {self._made[0]} link set to-{name} master br0 up")
        ip(f"-n {namespace} link set eth0 mtu {mtu} up")
        ip(f"-n {namespace} addr add {host.ip4}/24 dev eth0")
        if mtu >= 1280:  # what IPv6 asks of every cable
            ip(f"-n {namespace} addr add {host.ip6}/64 dev eth0 nodad")
        self.hosts[name] = host
        return host

    def lonely(self, name: str) -> Host:
        """A machine without any cable, whose own addresses alone work."""
        return Host(self._namespace(name), self.folder / name, "127.0.0.1", "::1")

    def remove(self) -> None:
        """Deletes all of it."""
        while self._made:
            ip(f"netns del {self._made.pop()}")

    def _namespace(self, name: str) -> str:
        namespace = f"{_PREFIX}-{name}"
        ip(f"netns add {namespace}")
        self._made.append(namespace)
        ip(f"-n {namespace} link set lo up")
        return namespace


@contextlib.contextmanager
def network(folder: Path) -> Iterator[Network]:
    """A network without machines, deleted in the end."""
    made = Network(folder)
    try:
        made.build()
        yield made
    finally:
        made.remove()
