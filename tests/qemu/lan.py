"""A link of machines in QEMU, without root: this process is its switch, sees all frames, and puts in some of its own.

Each machine has a hub inside its QEMU with the card, a way to the switch (one datagram is one frame) and, on one
machine of the link at most, QEMU's router: it leases 10.0.2.15 and has the host at 10.0.2.2, and passes no multicast.
"""

import selectors
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from net.lan.announcement import BOOT, Boot, text_of
from net.peer_id import PeerId
from runtime.identity import Identity, new_seed
from tests.qemu.machine import DEADLINE_S
from tests.qemu.pcap import IP4, Frame

__all__ = ["HOST", "LINK", "MAC", "Answerer", "Lan", "announces", "leases", "routed"]

LINK: Final = IPv4Network("10.0.2.0/24")
"""Of QEMU's router."""
HOST: Final = "10.0.2.2"
"""The host, as machines see it."""
MAC: Final = "52:54:00:12:34:56"
"""Of a machine's card, unless it makes up another."""
_OURS: Final = bytes.fromhex("525400aabbcc")
_GROUP: Final = "224.0.0.251"
_MDNS: Final = 5353
_FRAME_MAX: Final = 1 << 16
_RECEIVED: Final = 1 << 21

Answerer = Callable[[Frame], Iterable[bytes]]
"""Looks at a frame that a machine sent, and gives those that are sent to all of them."""


def routed(*said: str, capture: Path | None = None) -> list[str]:
    """QEMU's words for a card behind QEMU's router, without a link to others.

    Args:
        said: further words for the router, such as `hostname=NAME`, which it tells with the lease.
        capture: a file for all frames at the card.
    """
    return ["-netdev", ",".join(("user,id=n0", *said)), *_card("n0", MAC), *_dump("n0", capture)]


class Lan:
    """A link; use it as a context.

    Args:
        answerers: what is on the link beside machines.
    """

    def __init__(self, *answerers: Answerer) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lan", dir="/tmp")  # names of sockets have 108 bytes at most
        self._answerers = answerers
        self._ports: dict[socket.socket, Path] = {}
        self._frames: list[Frame] = []
        self._came = threading.Condition()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._switch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake.close()
        self._thread.join(60)
        for one in (*self._ports, self._woken):
            one.close()
        self._folder.cleanup()

    @property
    def frames(self) -> list[Frame]:
        """All that machines, and QEMU's router, sent until now."""
        with self._came:
            return list(self._frames)

    def until(self, fits: Callable[[Frame], bool], seconds: float = DEADLINE_S) -> Frame:
        """Waits for a frame, since the link was there.

        Args:
            fits: which.
            seconds: the deadline.
        """

        def found() -> Frame | None:
            return next((frame for frame in self._frames if fits(frame)), None)

        with self._came:
            assert self._came.wait_for(lambda: found() is not None, seconds), f"none of {len(self._frames)} frames fits"
            frame = found()
        assert frame is not None
        return frame

    def plug(
        self,
        name: str,
        *,
        router: bool = True,
        address: str = MAC,
        capture: Path | None = None,
        card: str = "virtio-net-pci",
    ) -> list[str]:
        """QEMU's words for a machine on this link.

        Args:
            name: of its way to the switch.
            router: whether QEMU's router is there too, which leases addresses.
            address: MAC address.
            capture: a file for all frames at its card.
            card: as QEMU names it.
        """
        folder = Path(self._folder.name)
        here, there = folder / f"{name}.host", folder / f"{name}.qemu"
        port = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED)
        port.bind(str(here))
        port.setblocking(False)
        with self._came:
            self._ports[port] = there
        self._wake.send(b"+")
        words = ["-netdev", "user,id=u", "-netdev", "hubport,id=h0,hubid=0,netdev=u"] if router else []
        words += ["-netdev", f"dgram,id=d,local.type=unix,local.path={there},remote.type=unix,remote.path={here}"]
        words += ["-netdev", "hubport,id=h1,hubid=0,netdev=d", "-netdev", "hubport,id=n0,hubid=0"]
        return [*words, *_card("n0", address, card), *_dump("n0", capture)]

    def _switch(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            known: set[socket.socket] = set()
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._woken and not self._woken.recv(64):
                        return
                    if isinstance(key.fileobj, socket.socket) and key.fileobj is not self._woken:
                        self._carry(key.fileobj)
                with self._came:
                    for port in self._ports.keys() - known:
                        selector.register(port, selectors.EVENT_READ)
                        known.add(port)

    def _carry(self, port: socket.socket) -> None:
        try:
            raw = port.recv(_FRAME_MAX)
        except BlockingIOError:
            return
        frame = Frame.of(raw)
        with self._came:
            self._frames.append(frame)
            self._came.notify_all()
            others = [one for one in self._ports if one is not port]
        _send(raw, [(one, self._ports[one]) for one in others])
        for answerer in self._answerers:
            for answer in answerer(frame):
                _send(answer, list(self._ports.items()))


def announces(*servers: tuple[int, Boot]) -> Answerer:
    """Boot servers on the host, which answer questions of multicast DNS by the library that real ones use.

    All of them answer in one packet, so that who hears one of them hears all.

    Args:
        servers: port of TCP, and what it says that it serves.
    """
    from zeroconf import DNSIncoming, DNSOutgoing, ServiceInfo

    address = IPv4Address(HOST).packed
    infos = [
        ServiceInfo(
            BOOT,
            f"tests-{port}.{BOOT}",
            port=port,
            properties=text_of(PeerId.parse(Identity(new_seed()).peer_id), port, None, boot),
            server=f"tests-{port}.local.",
            addresses=[address],
        )
        for port, boot in servers
    ]

    def answer(frame: Frame) -> Iterable[bytes]:
        question = _datagram(frame, _MDNS)
        if question is None:
            return
        asked = DNSIncoming(question.data)
        if not asked.valid or not any(one.name == BOOT for one in asked.questions):
            return
        alone = question.source[1] != _MDNS
        said = DNSOutgoing(0x8400, multicast=not alone, id_=asked.id if alone else 0)
        for info in infos:
            said.add_answer_at_time(info.dns_pointer(), 0)
            for record in (info.dns_service(), info.dns_text(), *info.dns_addresses()):
                said.add_additional_answer(record)
        to = (question.source, frame.source) if alone else ((_GROUP, _MDNS), "01:00:5e:00:00:fb")
        for packet in said.packets():
            yield _udp((HOST, _MDNS), *to, packet)

    return answer


def leases(address: str, mask: str, *, router: str = HOST, server: str = HOST, more: bytes = b"") -> Answerer:
    """A DHCP server that gives every machine this, sense or nonsense, and knows the addresses of no one.

    Args:
        address: of the machine.
        mask: of the network.
        router: where the rest of the world is.
        server: who it says that it is.
        more: further options as they stand in the packet, which need not be well-formed.
    """

    def answer(frame: Frame) -> Iterable[bytes]:
        question = _datagram(frame, 67)
        if question is None:
            return
        asked = question.data
        kind = asked.partition(b"\x35\x01")[2][:1]
        if kind not in {b"\1", b"\3"}:
            return
        reply = b"\2" if kind == b"\1" else b"\5"
        head = struct.pack("!BBBB4sHH", 2, 1, 6, 0, asked[4:8], 0, 0x8000)
        body = head + bytes(4) + _packed(address) + _packed(server) + bytes(4) + asked[28:44] + bytes(192)
        options = b"\x63\x82\x53\x63\x35\x01" + reply + b"\x36\x04" + _packed(server) + b"\x33\x04\0\0\x0e\x10"
        options += b"\x01\x04" + _packed(mask) + b"\x03\x04" + _packed(router) + more + b"\xff"
        yield _udp((server, 67), ("255.255.255.255", 68), "ff:ff:ff:ff:ff:ff", (body + options).ljust(300, b"\0"))

    return answer


@dataclass(frozen=True, slots=True)
class _Datagram:
    """What somebody sent, and from which address and port."""

    source: tuple[str, int]
    data: bytes


def _datagram(frame: Frame, port: int) -> _Datagram | None:
    """A datagram of UDP over IPv4 to this port."""
    if frame.kind != IP4 or frame.port != port or frame.data[9] != socket.IPPROTO_UDP:
        return None
    head = 4 * (frame.data[0] & 15)
    source = str(IPv4Address(frame.data[12:16])), int.from_bytes(frame.data[head : head + 2])
    return _Datagram(source, frame.data[head + 8 : head + int.from_bytes(frame.data[head + 4 : head + 6])])


def _udp(source: tuple[str, int], target: tuple[str, int], to: str, data: bytes) -> bytes:
    """A frame with a datagram; its own checksum is left out, as IPv4 allows."""
    datagram = struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0) + data
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 255, socket.IPPROTO_UDP, 0)
    head += _packed(source[0]) + _packed(target[0])
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:]
    return bytes.fromhex(to.replace(":", "")) + _OURS + struct.pack("!H", IP4) + head + datagram


def _send(raw: bytes, ports: Iterable[tuple[socket.socket, Path]]) -> None:
    for port, there in ports:
        try:
            port.sendto(raw, str(there))
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            continue  # not on yet, off already, or too slow: as on a cable


def _packed(address: str) -> bytes:
    return IPv4Address(address).packed


def _card(netdev: str, address: str, card: str = "virtio-net-pci") -> list[str]:
    return ["-device", f"{card},netdev={netdev},mac={address},romfile="]


def _dump(netdev: str, capture: Path | None) -> list[str]:
    return [] if capture is None else ["-object", f"filter-dump,id=fd,netdev={netdev},file={capture}"]
