"""TLS as a client, 1.2 or later: names are always checked, and certificates unless a rule allows not to.

The engine of the standard library works on memory; its bytes are carried here, so that no operation waits in it.
"""

import contextlib
import hashlib
import select
import socket
import ssl
from typing import Final

from runtime.components.bindings.ext_network_types import TlsInfo, TlsOptions
from runtime.components.host.network_answers import NetworkRefusedError
from runtime.sanitise import clean

__all__ = ["Tls", "tls_context"]

_PIECE: Final = 16_384
"""Bytes of one record."""
_READ: Final = 65_536
_ANCHORS_MAX: Final = 1 << 20
_PROTOCOLS_MAX: Final = 16
_PROTOCOL_BYTES: Final = 255
_HANDSHAKE_MAX: Final = 1 << 20
_REASON: Final = 200


_IGNORE_UNEXPECTED_EOF: Final = 1 << 7
"""`SSL_OP_IGNORE_UNEXPECTED_EOF` of OpenSSL 3."""


def tls_context(options: TlsOptions) -> ssl.SSLContext:
    """What a client is held to.

    Args:
        options: of the guest; whether it may do without verification was decided before.

    Raises:
        NetworkRefusedError: `invalid-argument` for its protocols or anchors.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    # Some releases of Python set it: a connection that was cut would look like one that ended.
    context.options &= ~_IGNORE_UNEXPECTED_EOF
    if not options.verify_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif options.trust_anchors is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _trust(context, options.trust_anchors)
    if options.alpn:
        context.set_alpn_protocols(_protocols(options.alpn))
    return context


def _trust(context: ssl.SSLContext, anchors: str) -> None:
    if len(anchors) > _ANCHORS_MAX:
        raise NetworkRefusedError("invalid-argument", "trust-anchors are at most 1 MiB")
    try:
        context.load_verify_locations(cadata=anchors)
    except (ssl.SSLError, ValueError):
        raise NetworkRefusedError("invalid-argument", "trust-anchors are not certificates in PEM") from None


def _protocols(names: tuple[str, ...]) -> list[str]:
    sound = all(name.isascii() and 0 < len(name) <= _PROTOCOL_BYTES for name in names)
    if not sound or len(names) > _PROTOCOLS_MAX:
        raise NetworkRefusedError("invalid-argument", "alpn: at most 16 names of 1 to 255 ASCII characters")
    return list(names)


class Tls:
    """A client's end of TLS over a socket; `shake` comes first.

    Args:
        sock: connected, and never blocking.
        context: what it is held to.
        name: of the peer, in its one form, or its address.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str) -> None:
        self._sock = sock
        self._name = name
        self._verified = context.verify_mode == ssl.CERT_REQUIRED
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._engine = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._unsent = memoryview(b"")
        self._ready = bytearray()
        self._fed = 0

    @property
    def pending(self) -> bool:
        """Whether bytes can be read although the system has none."""
        return bool(self._ready or self._engine.pending() or self._incoming.pending)

    @property
    def unsent(self) -> bool:
        """Whether records wait for room in the system."""
        return bool(self._unsent or self._outgoing.pending)

    def shake(self) -> None:
        """Goes on with the handshake; returns once it is done.

        Raises:
            OSError: `BlockingIOError` when the peer, or room for what goes to it, has to be waited for.
            NetworkRefusedError: `tls-error`.
        """
        while True:
            try:
                self._engine.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                self._feed()
                if self._fed > _HANDSHAKE_MAX:
                    raise NetworkRefusedError("tls-error", "the handshake is larger than 1 MiB") from None
            except ssl.SSLError as error:
                self._last_words()
                raise _told(error) from None
            else:
                self.flush()
                return

    def receive(self, size: int) -> bytes:
        """Some bytes."""
        if self._ready:
            taken = bytes(self._ready[:size])
            del self._ready[:size]
            return taken
        self._send_on()
        while True:
            try:
                return self._engine.read(size)
            except ssl.SSLWantReadError:
                self._feed()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                self._last_words()
                raise _cut_off(error) or _told(error) from None

    def send(self, data: memoryview) -> int:
        """Takes a record's worth of bytes when the system has room for it."""
        self.flush()
        poll = select.poll()
        poll.register(self._sock, select.POLLOUT)
        if not poll.poll(0):
            raise BlockingIOError
        try:
            taken = self._engine.write(data[:_PIECE])
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except ssl.SSLError as error:
            raise _told(error) from None
        self._send_on()
        return taken

    def flush(self) -> None:
        """Gives the system what waits."""
        if self._outgoing.pending:
            self._unsent = memoryview(bytes(self._unsent) + self._outgoing.read())
        while self._unsent:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]

    def end_writing(self) -> None:
        """Says that nothing follows; what was sent to us can still be read."""
        self._keep_what_came()
        # The peer has not said the same yet, as a rule; ours is on its way all the same.
        with contextlib.suppress(ssl.SSLError):
            self._engine.unwrap()
        self._send_on()
        self._sock.shutdown(socket.SHUT_WR)

    def info(self) -> TlsInfo:
        """What was agreed on."""
        cipher = self._engine.cipher()
        certificate = self._engine.getpeercert(binary_form=True) or b""
        return TlsInfo(
            version=self._engine.version() or "",
            cipher_suite=cipher[0] if cipher else "",
            alpn=self._engine.selected_alpn_protocol(),
            peer_name=self._name,
            peer_fingerprint=hashlib.sha256(certificate).hexdigest(),
            verified=self._verified,
        )

    def _keep_what_came(self) -> None:
        """Reads what has arrived: the engine would take it for a fault when it ends its half."""
        while self._incoming.pending or self._engine.pending():
            try:
                self._ready += self._engine.read(_PIECE)
            except ssl.SSLError:
                return

    def _feed(self) -> None:
        data = self._sock.recv(_READ)
        if data:
            self._fed += len(data)
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _send_on(self) -> None:
        try:
            self.flush()
        except BlockingIOError:
            # The next operation on this socket sends it.
            return

    def _last_words(self) -> None:
        """Tells the peer what is wrong, if it still listens."""
        try:
            self.flush()
        except OSError:
            return


def _cut_off(error: ssl.SSLError) -> NetworkRefusedError | None:
    """The connection ended where TLS did not; some releases of Python have no error of its own for that."""
    if isinstance(error, ssl.SSLEOFError) or error.reason == "UNEXPECTED_EOF_WHILE_READING":
        return NetworkRefusedError("connection-reset", "the peer closed without an end of TLS")
    return None


def _told(error: ssl.SSLError) -> NetworkRefusedError:
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason
    words = str(why or "the peer does not speak TLS as agreed")
    return NetworkRefusedError("tls-error", clean(words.replace("_", " ").lower(), _REASON))
