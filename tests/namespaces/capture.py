"""What goes over a machine's cable, as the kernel shows it to whoever listens in."""

import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address

from tests.namespaces.network import Host

__all__ = ["TCP", "UDP", "Capture", "Segment", "stream"]

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS = 263, 6
IP4, TCP, UDP = 0x0800, 6, 17
SYN = 2
KEPT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Segment:
    """What one packet carried.

    Attributes:
        protocol: TCP or UDP, by number.
        source: where it came from, address and port.
        target: where it went, address and port.
        sequence: TCP's number of the first byte, after the SYN if it is one; 0 in UDP.
        data: what it carried.
    """

    protocol: int
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    data: bytes


class Capture:
    """All packets of TCP and UDP over IPv4 at one machine's cable, both ways, from now on: some hundreds fit.

    Args:
        host: the machine.
    """

    def __init__(self, host: Host) -> None:
        # A socket stays in the namespace of the thread that made it; that thread ends here.
        with ThreadPoolExecutor(1) as thread:
            self._socket = thread.submit(_listening, host).result()

    def segments(self) -> list[Segment]:
        """What came until now; nothing may have been lost."""
        packets: list[bytes] = []
        while True:
            try:
                packets.append(self._socket.recv(1 << 17))
            except BlockingIOError:
                break
        _, dropped = struct.unpack("=II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        assert dropped == 0
        return [segment for packet in packets for segment in _segment(packet)]

    def close(self) -> None:
        """Ends it."""
        self._socket.close()


def stream(segments: list[Segment], source: tuple[str, int]) -> bytes:
    """All that TCP carried from one end of the only connection that this end had."""
    ours = [one for one in segments if one.protocol == TCP and one.source == source]
    pieces = [((one.sequence - ours[0].sequence) % 2**32, one.data) for one in ours if one.data]
    whole = bytearray()
    for at, data in sorted(pieces):
        assert at <= len(whole)
        whole[at : at + len(data)] = data
    return bytes(whole)


def _listening(host: Host) -> socket.socket:
    host.enter()
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KEPT)  # the kernel gives what it gives to users
    made.bind(("eth0", ETH_P_ALL))
    made.setblocking(False)
    return made


def _segment(frame: bytes) -> Iterator[Segment]:
    if int.from_bytes(frame[12:14]) != IP4:
        return
    packet = frame[14:]
    packet = packet[: int.from_bytes(packet[2:4])]
    head, protocol = 4 * (packet[0] & 15), packet[9]
    if protocol not in {TCP, UDP}:
        return
    source, target = str(ip_address(packet[12:16])), str(ip_address(packet[16:20]))
    inner = packet[head:]
    ports = struct.unpack("!HH", inner[:4])
    sequence, data = 0, inner[8:]
    if protocol == TCP:
        sequence = (int.from_bytes(inner[4:8]) + (inner[13] & SYN) // SYN) % 2**32
        data = inner[4 * (inner[12] >> 4) :]
    yield Segment(protocol, (source, ports[0]), (target, ports[1]), sequence, data)
