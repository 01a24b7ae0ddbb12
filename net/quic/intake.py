"""What becomes of a datagram that no connection expects: pure, but for the random ids that it makes.

Once many handshakes are pending, or come fast, nothing is kept of a sender before it has shown that it can receive: it
gets a Retry, which is shorter than what it sent, and comes back with the token in it.
"""

import os
from dataclasses import dataclass
from typing import Final

from aioquic.buffer import Buffer  # type: ignore[attr-defined]  # it is there, without `__all__`
from aioquic.quic.packet import (
    QuicHeader,
    QuicPacketType,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.retry import QuicRetryTokenHandler

from net.bucket import Bucket
from net.limits import NetLimits
from net.quic.events import Address
from net.quic.private import VERSIONS

__all__ = ["CID_BYTES", "FIRST_QUIC_BYTE", "Admission", "Intake", "destination"]

CID_BYTES: Final = 8
"""Of ids that we give; and of those that a dialler chooses for us, at least."""
FIRST_QUIC_BYTE: Final = 0x40
"""Every QUIC packet has this bit or the one above it; datagrams of others on the same socket have neither."""

_LONG: Final = 0x80
_SIZE_AT: Final = 5
"""Where the length of the id stands in a long header."""
_FIRST_BYTES: Final = 1_200
"""A dialler fills its first datagrams up to this, so that no answer is an amplification."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A dialler that is let in.

    Attributes:
        original: the id that it chose for us first.
        retried: the one that a Retry told it to use; None when there was none.
    """

    original: bytes
    retried: bytes | None


class Intake:
    """Judges first datagrams.

    Args:
        limits: how many handshakes may be pending; beyond half of them senders are asked to come back, and so are those
            that come faster than handshakes may.
    """

    def __init__(self, limits: NetLimits) -> None:
        self._half_open = limits.half_open
        self._trusting = Bucket(limits.handshakes_rate, limits.handshakes_burst)
        self._tokens = QuicRetryTokenHandler()

    def judge(self, datagram: bytes, address: Address, *, pending: int, now: float) -> Admission | bytes | None:
        """Looks at a datagram whose id nobody knows.

        Args:
            datagram: as it came.
            address: of the sender, as it claims.
            pending: handshakes that are pending.
            now: monotonic seconds.

        Returns:
            Who is let in, or what to answer, or None to pass over it.
        """
        header = _header(datagram)
        if header is None or len(datagram) < _FIRST_BYTES or header.packet_type is QuicPacketType.VERSION_NEGOTIATION:
            return None
        if header.version is not None and header.version not in VERSIONS:
            return encode_quic_version_negotiation(
                source_cid=header.destination_cid,
                destination_cid=header.source_cid,
                supported_versions=list(VERSIONS),
            )
        if header.packet_type is not QuicPacketType.INITIAL or len(header.destination_cid) < CID_BYTES:
            return None
        return self._first(header, address, pending, now)

    def _first(self, header: QuicHeader, address: Address, pending: int, now: float) -> Admission | bytes | None:
        """What becomes of a dialler's first packet."""
        if pending >= self._half_open:
            return None
        if header.token:
            return self._returned(header, address, now)
        if pending >= self._half_open // 2 or not self._trusting.take(now):
            return self._retry(header, address, now)
        return Admission(header.destination_cid, None)

    def _returned(self, header: QuicHeader, address: Address, now: float) -> Admission | None:
        cid = header.destination_cid
        try:
            original = self._tokens.validate_token(address=address, destination_cid=cid, token=header.token, now=now)
        except ValueError:
            return None  # old, or not ours: it gives up, or dials anew
        return Admission(original, cid)

    def _retry(self, header: QuicHeader, address: Address, now: float) -> bytes:
        cid = os.urandom(CID_BYTES)
        token = self._tokens.create_token(
            address=address,
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=cid,
            now=now,
        )
        return encode_quic_retry(
            version=VERSIONS[0],
            source_cid=cid,
            destination_cid=header.source_cid,
            original_destination_cid=header.destination_cid,
            retry_token=token,
        )


def destination(datagram: bytes) -> bytes:
    """The id for which a datagram is; empty for what is no QUIC packet.

    Args:
        datagram: at least one byte.
    """
    if not datagram[0] & _LONG:
        return datagram[1 : 1 + CID_BYTES] if datagram[0] >= FIRST_QUIC_BYTE else b""
    size = datagram[_SIZE_AT] if len(datagram) > _SIZE_AT else 0
    return datagram[_SIZE_AT + 1 : _SIZE_AT + 1 + size]


def _header(datagram: bytes) -> QuicHeader | None:
    try:
        return pull_quic_header(Buffer(data=datagram), host_cid_length=CID_BYTES)
    except ValueError:  # also what is cut short
        return None
