"""aioquic's connection with what libp2p needs of it and what it has no switch for: the one file with private names.

Mutual TLS with a judge of certificates, receive windows of our own, the sender's backlog, limits of streams. aioquic is
pinned to one version for these; `PRIVATE_NAMES` is what a test looks for in it.
"""

import ssl
from collections.abc import Callable
from typing import Final

from aioquic import tls
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.quic.stream import QuicStream, QuicStreamReceiver, QuicStreamSender
from cryptography import x509

from net.limits import NetLimits
from net.quic.certificate import Credentials
from net.quic.windows import Windows

__all__ = ["ALPN", "PRIVATE_NAMES", "VERSIONS", "Judge", "Libp2pQuic", "configuration"]

ALPN: Final = "libp2p"
VERSIONS: Final = (int(QuicProtocolVersion.VERSION_1),)
_HANDSHAKE_MOST: Final = 16_384
"""Bytes of one TLS message: a certificate with its chain has some 500 here, some thousand elsewhere."""

Judge = Callable[[x509.Certificate | None, list[x509.Certificate]], bool]
"""Looks at the certificate that a peer showed, if any, and those behind it; says whether the handshake goes on."""

PRIVATE_NAMES: Final[tuple[tuple[type, tuple[str, ...]], ...]] = (
    (QuicConnection, ("_initialize", "_write_stream_limits", "_write_connection_limits")),
    (QuicConnection, ("_local_max_data", "_local_max_streams_bidi", "_local_max_streams_uni", "_streams")),
    (QuicConnection, ("_close_event", "_close_pending", "tls")),
    (tls.Context, ("_request_client_certificate", "_check_certificate_verify_signature", "_server_expect_finished")),
    (tls.Context, ("_peer_certificate", "_peer_certificate_chain", "_receive_buffer")),
    (QuicStream, ("max_stream_data_local", "max_stream_data_local_sent", "receiver", "sender")),
    (QuicStreamReceiver, ("highest_offset", "is_finished", "starting_offset")),
    (QuicStreamSender, ("_buffer_start", "_buffer_stop", "is_finished")),
)
"""What is used of the library beyond its documentation, class by class; the first line is overridden."""


def configuration(credentials: Credentials, limits: NetLimits, *, is_client: bool) -> QuicConfiguration:
    """The library's settings for one end: no chain of trust, no session tickets, no server name, our windows."""
    return QuicConfiguration(
        alpn_protocols=[ALPN],
        is_client=is_client,
        verify_mode=ssl.CERT_NONE,  # the judge knows the key that is to be there; no authority does
        certificate=credentials.certificate,
        private_key=credentials.key,
        max_data=limits.unread_stranger,
        max_stream_data=limits.window,
        max_datagram_size=limits.quic_packet,
        idle_timeout=limits.quic_idle_s,
        supported_versions=list(VERSIONS),
    )


class Libp2pQuic(QuicConnection):
    """One end of a connection in which both ends show certificates.

    Args:
        configuration: of `configuration`.
        judge: of the peer's certificate.
        windows: how much the peer may send.
        streams: how many of its streams may be open at once.
        original: of an accepted connection, the id that the dialler chose first.
        retried: of one that had to ask twice, the id that it was told to use.

    Attributes:
        reason: in words of the library, why it closed.
    """

    def __init__(
        self,
        *,
        configuration: QuicConfiguration,
        judge: Judge,
        windows: Windows,
        streams: int,
        original: bytes | None = None,
        retried: bytes | None = None,
    ) -> None:
        super().__init__(
            configuration=configuration,
            original_destination_connection_id=original,
            retry_source_connection_id=retried,
        )
        self._judge = judge
        self._windows = windows
        self._proven = False
        self.reason = ""
        self._local_max_streams_bidi.value = self._local_max_streams_bidi.sent = streams
        self._local_max_streams_uni.value = self._local_max_streams_uni.sent = 0

    @property
    def overlong(self) -> bool:
        """Whether the peer writes a TLS message that nobody needs, which would be kept until it is whole."""
        return hasattr(self, "tls") and len(self.tls._receive_buffer) > _HANDSHAKE_MOST  # noqa: SLF001

    def backlog(self, stream_id: int) -> int:
        """Bytes of a stream that are not sent or not acknowledged."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.sender.is_finished:
            return 0
        return stream.sender._buffer_stop - stream.sender._buffer_start  # noqa: SLF001

    def delivered(self, stream_id: int) -> bool:
        """Whether all that we sent of a stream, and its end, is acknowledged."""
        stream = self._streams.get(stream_id)
        return stream is None or stream.sender.is_finished

    def stop(self, stream_id: int, error_code: int) -> None:
        """Asks the peer to send no more on a stream; of one whose end has come it is nothing."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.receiver.is_finished:
            self.stop_stream(stream_id, error_code)

    @property
    def closing(self) -> ConnectionTerminated | None:
        """Why it is closed or about to be; None while it stands. The library itself tells it only when all is over."""
        return self._close_event

    @property
    def close_pending(self) -> bool:
        """Whether it is about to tell the peer that it closes; not when it was the peer who closed."""
        return self._close_pending

    @property
    def stream_entries(self) -> int:
        """How many streams the library keeps."""
        return len(self._streams)

    def close(self, error_code: int = 0, frame_type: int | None = None, reason_phrase: str = "") -> None:
        """Closes, by the library or by us. The peer is told a code; the words stay here."""
        self.reason = self.reason or reason_phrase
        super().close(error_code=error_code, frame_type=frame_type)

    # --- overridden --------------------------------------------------------------------------------------------------

    def _initialize(self, peer_cid: bytes) -> None:
        """Makes the TLS context, on both ends; a Retry makes a dialler's anew."""
        super()._initialize(peer_cid)
        context = self.tls
        verified, finish = context._check_certificate_verify_signature, context._server_expect_finished  # noqa: SLF001

        def check(verify: tls.CertificateVerify) -> None:
            verified(verify)
            self._proven = self._judge(context._peer_certificate, context._peer_certificate_chain)  # noqa: SLF001
            if not self._proven:
                raise tls.AlertBadCertificate  # without a word: who is refused is told a code

        def require() -> None:
            if not self._proven:  # TLS lets a client show nothing
                self._judge(None, [])
                raise tls.AlertHandshakeFailure
            finish()

        context._request_client_certificate = not self._is_client  # noqa: SLF001
        context._check_certificate_verify_signature = check  # type: ignore[method-assign]  # noqa: SLF001
        context._server_expect_finished = require  # type: ignore[method-assign]  # noqa: SLF001

    def _write_stream_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream) -> None:
        receiver = stream.receiver
        if stream.stream_id is not None and not receiver.is_finished:
            limit = self._windows.stream_limit(stream.stream_id, stream.max_stream_data_local)
            stream.max_stream_data_local = limit
        # The library doubles what is half used. With nothing used it only writes what changed.
        used, receiver.highest_offset = receiver.highest_offset, 0
        try:
            super()._write_stream_limits(builder, space, stream)
        finally:
            receiver.highest_offset = used

    def _write_connection_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace) -> None:
        data = self._local_max_data
        gaps = sum(s.receiver.highest_offset - s.receiver.starting_offset() for s in self._streams.values())
        data.value = self._windows.connection_limit(data.value, data.used, gaps)
        used, data.used = data.used, 0
        try:
            super()._write_connection_limits(builder, space)
        finally:
            data.used = used
