"""What the kernel counts of a TCP connection (Linux, `struct tcp_info`)."""

import socket
import struct
from dataclasses import dataclass
from typing import Final

__all__ = ["TcpInfo", "tcp_info"]

_RTT_AT: Final = 68
_RETRANSMITS_AT: Final = 100
_BYTES: Final = 104
_NUMBER: Final = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """Some of it.

    Attributes:
        rtt_us: microseconds to the peer and back, smoothed.
        retransmits: segments that were sent again since the beginning.
    """

    rtt_us: int
    retransmits: int


def tcp_info(sock: socket.socket) -> TcpInfo | None:
    """Asks the kernel; None when it says less than is needed.

    Raises:
        OSError: it is no TCP socket.
    """
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES)
    if len(raw) < _BYTES:
        return None
    return TcpInfo(_NUMBER.unpack_from(raw, _RTT_AT)[0], _NUMBER.unpack_from(raw, _RETRANSMITS_AT)[0])
