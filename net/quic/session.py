"""One QUIC connection without sockets and clocks: datagrams and the time in, datagrams, a time and events out.

It stands when the *listener* has judged the dialler: TLS lets a client believe that it is connected before the server
has looked at its certificate. So the dialler sends a PING of the last key phase, which nobody can acknowledge who has
not finished the handshake.
"""

import contextlib
from collections.abc import Callable
from typing import Final, Self

from aioquic.quic import events as quic
from aioquic.quic.packet import QuicErrorCode
from cryptography import x509

from net.errors import ConnectionLostError, PeerFaultError, UnreachableError, WrongPeerError
from net.peer_id import PeerId
from net.quic.certificate import proven_peer
from net.quic.events import (
    Address,
    Arrived,
    Ended,
    Established,
    Event,
    IdIssued,
    IdRetired,
    Misbehaved,
    Opened,
    Stopped,
    StreamLost,
)
from net.quic.inbound import Inbound
from net.quic.private import Libp2pQuic, configuration
from net.quic.terms import Terms
from net.quic.windows import Windows
from runtime.errors import OrlopError
from runtime.sanitise import clean

__all__ = ["SEND_MOST", "Session"]

SEND_MOST: Final = 262_144
"""Bytes of a stream that are kept until they are sent and acknowledged; beyond it the writer waits."""

_CRYPTO_ERROR: Final = 0x100
"""Above it, codes are TLS alerts."""
_RESET: Final = 0
"""The error code of streams, which libp2p leaves to applications."""
_PING: Final = 0

_UNPROVEN: Final = 50
_NONSENSE: Final = 20
_SLOW: Final = 5
_FLOOD: Final = 2


class Session:
    """One end; made by `dial` or `accept`. After each call `events` says what happened and `take` what is to be sent.

    Args:
        terms: ours.
        now: monotonic seconds, as everywhere here.
        expected: who must be there; None for anybody.
        accepts: of an end that was dialled, the id that the dialler chose for it first, and the id that a Retry told
            the dialler to use, or None; None of an end that dials.

    Attributes:
        dialled: whether we opened it.
        peer: who is at the other end, once its certificate was judged.
    """

    def __init__(
        self, terms: Terms, now: float, *, expected: PeerId | None, accepts: tuple[bytes, bytes | None] | None
    ) -> None:
        self.dialled: Final = accepts is None
        self.peer: PeerId | None = None
        self._own = terms.own
        self._clock = terms.clock
        self._limits = terms.limits
        self._expected = expected
        original = accepts[0] if accepts is not None else None
        self._retried = accepts[1] if accepts is not None else None
        self._windows = Windows(stream=terms.limits.window, unread=terms.unread)
        self._quic = Libp2pQuic(
            configuration=configuration(terms.credentials, terms.limits, is_client=self.dialled),
            judge=self._judge,
            windows=self._windows,
            streams=terms.limits.streams,
            original=original,
            retried=self._retried,
        )
        self._cids = [cid for cid in (self._quic.host_cid, original, self._retried) if cid is not None]
        self._now = now
        self._deadline = now + terms.limits.upgrade_s
        self._keep_alive_at = now + terms.limits.quic_keep_alive_s
        self._inbound = Inbound(1 if self.dialled else 0, terms.limits.opened_rate)
        self._established = False
        self._fault: PeerFaultError | None = None
        self._events: list[Event] = []
        self._early: list[Event] = []
        self._outbox: list[tuple[bytes, Address]] = []
        self._ended = False

    @classmethod
    def dial(cls, terms: Terms, address: Address, expected: PeerId | None, now: float) -> Self:
        """Begins a connection to a peer that listens at an address; None expects anybody."""
        session = cls(terms, now, expected=expected, accepts=None)
        session._quic.connect(address, now=now)
        return session

    @classmethod
    def accept(
        cls, terms: Terms, ids: tuple[bytes, bytes | None], datagram: bytes, address: Address, now: float
    ) -> Self | None:
        """Takes a dialler's first datagram; None when it is not what it claims to be, so that nothing is kept of it.

        Args:
            terms: ours.
            ids: the one that the dialler chose for us first, and the one that a Retry told it to use, or None.
            datagram: as it came.
            address: of the dialler.
            now: monotonic seconds.
        """
        session = cls(terms, now, expected=None, accepts=ids)
        session.receive(datagram, address, now)
        session._outbox = session.take(now)
        return session if session._outbox else None

    @property
    def cids(self) -> list[bytes]:
        """The ids by which datagrams for this end are known before any is issued."""
        return list(self._cids)

    @property
    def address(self) -> Address | None:
        """Where the peer is now; None before anything was heard of it."""
        found: Address | None = self._quic.get_peer_address()
        return found

    @property
    def established(self) -> bool:
        """Whether both ends have proven their keys, and the listener knows it."""
        return self._established

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._ended

    @property
    def stream_entries(self) -> int:
        """How many streams are known of, here or in the library."""
        return max(self._quic.stream_entries, len(self._windows), len(self._inbound))

    # --- the side of the network -------------------------------------------------------------------------------------

    def receive(self, datagram: bytes, address: Address, now: float) -> None:
        """Takes a datagram that carries one of our ids. One that is not the peer's changes nothing."""
        self._advance(now, lambda: self._quic.receive_datagram(datagram, address, now=now), self._why_closed)

    def tick(self, now: float) -> None:
        """Does what is due at `next_at`."""
        if not self._established and now >= self._deadline:
            self._end(self._why_silent(), now)
            return
        self._advance(now, lambda: self._run_timers(now), self._why_silent)

    def take(self, now: float) -> list[tuple[bytes, Address]]:
        """The datagrams that are to be sent now."""
        out: list[tuple[bytes, Address]] = []
        self._advance(now, lambda: out.extend(self._quic.datagrams_to_send(now=now)), self._why_closed)
        out, self._outbox = self._outbox + out, []
        return out

    def next_at(self) -> float | None:
        """When `tick` is due; None for never."""
        if self._ended:
            return None
        own = self._keep_alive_at if self._established else self._deadline
        timer = self._quic.get_timer()
        return own if timer is None else min(own, timer)

    def events(self) -> list[Event]:
        """What happened since it was asked last."""
        happened, self._events = self._events, []
        return happened

    # --- the side of streams -----------------------------------------------------------------------------------------

    def open(self, *, bulk: bool = False) -> int:
        """A stream of ours.

        Args:
            bulk: the peer may send more ahead on it.
        """
        stream = self._quic.get_next_available_stream_id()
        self._quic.send_stream_data(stream, b"")
        self.widen(stream, bulk=bulk)
        return stream

    def widen(self, stream: int, *, bulk: bool) -> None:
        """Says how much the peer may send ahead on a stream."""
        self._windows.begin(stream, self._limits.window_bulk if bulk else None)

    def trust(self) -> None:
        """The operator has named the peer: it may send more ahead on all streams together."""
        self._windows.listed = True

    def room(self, stream: int) -> int:
        """How many bytes `send` takes of a stream now; 0 or less for none."""
        return SEND_MOST - self._quic.backlog(stream)

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Sends bytes of a stream that neither ended nor was stopped.

        Args:
            stream: the stream.
            data: what is sent.
            end: nothing follows.
        """
        self._quic.send_stream_data(stream, data, end_stream=end)

    def read(self, stream: int, size: int) -> bool:
        """Counts bytes that the application has read.

        Returns:
            Whether the peer may be due to hear of it, so that `take` is worth a call.
        """
        return self._windows.read(stream, size)

    def reset(self, stream: int) -> None:
        """Ends both directions of a stream; of one that has ended it is nothing."""
        self.forget(stream)
        if not self._ended:
            self._quic.reset_stream(stream, _RESET)
            self._quic.stop(stream, _RESET)

    def forget(self, stream: int) -> None:
        """Nothing more will be read of a stream."""
        self._windows.forget(stream)

    def ping(self) -> None:
        """Lets the peer, and the routers on the way, hear of us."""
        self._quic.send_ping(_PING)

    def delivered(self, stream: int) -> bool:
        """Whether the peer has all of a stream that we have ended."""
        return self._ended or self._quic.delivered(stream)

    def close(self, now: float, error: OrlopError | None = None) -> None:
        """Says goodbye; `take` has it.

        Args:
            now: monotonic seconds.
            error: why; None when it is merely of no more use.
        """
        self._end(error or ConnectionLostError("the connection is closed"), now)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _advance(self, now: float, step: Callable[[], None], why: Callable[[], OrlopError]) -> None:
        """Lets the library do something, and tells what came of it."""
        if self._ended:
            return
        self._now = now
        try:
            step()
        except Exception as error:  # noqa: BLE001  # whatever strange bytes do to the library, they end one connection
            self._fault = self._blame(f"sent what cannot be read ({type(error).__name__})", "bad-quic", _NONSENSE)
            self._quic.close(QuicErrorCode.INTERNAL_ERROR)
        self._translate()
        if self._quic.overlong:
            self._fault = self._blame("sent an oversized TLS message", "oversized-frame", _NONSENSE)
            self._quic.close(QuicErrorCode.CRYPTO_BUFFER_EXCEEDED)
        if self._quic.closing is not None and not self._ended:
            self._end(self._fault or why(), now)

    def _run_timers(self, now: float) -> None:
        timer = self._quic.get_timer()
        if timer is not None and now >= timer:
            self._quic.handle_timer(now=now)
        if self._established and now >= self._keep_alive_at:
            self._keep_alive_at = now + self._limits.quic_keep_alive_s
            self.ping()

    def _end(self, error: OrlopError, now: float) -> None:
        if self._ended:
            return
        self._quic.close()
        with contextlib.suppress(Exception):  # a library that has lost its way says no goodbye
            self._outbox += self._quic.datagrams_to_send(now=now)
        self._ended = True
        self._early.clear()
        self._windows.forget_all()
        self._events.append(Ended(error))

    def _translate(self) -> None:
        while (event := self._quic.next_event()) is not None:
            match event:
                case quic.ConnectionIdIssued(connection_id=cid):
                    self._events.append(IdIssued(cid))
                case quic.ConnectionIdRetired(connection_id=cid):
                    self._events.append(IdRetired(cid))
                case quic.HandshakeCompleted():
                    self._shook_hands()
                case quic.PingAcknowledged():
                    self._establish()
                case quic.StreamDataReceived(stream_id=stream, data=data, end_stream=end):
                    self._begin(stream)
                    self._windows.arrived(stream, len(data))
                    self._tell(Arrived(stream, data, end))
                case quic.StreamReset(stream_id=stream):
                    self._begin(stream)
                    self._tell(StreamLost(stream))
                case quic.StopSendingReceived(stream_id=stream):
                    self._begin(stream)
                    self._tell(Stopped(stream))

    def _shook_hands(self) -> None:
        if self.dialled:
            self.ping()
        else:
            self._establish()

    def _establish(self) -> None:
        if self._established or self.peer is None:
            return
        self._established = True
        self._keep_alive_at = self._now + self._limits.quic_keep_alive_s
        self._events += [Established(self.peer), *self._early]
        self._early.clear()

    def _begin(self, stream: int) -> None:
        """Opens a stream of the peer's at the first sign of it; what is told of one that was refused, nobody knows."""
        match self._inbound.look(stream, self._now):
            case "new":
                self._windows.begin(stream)
                self._tell(Opened(stream))
            case "refused":
                self.reset(stream)
                self._tell(Misbehaved(self._blame("opened streams too fast", "stream-flood", _FLOOD)))
            case "known":
                pass

    def _tell(self, event: Event) -> None:
        # A listener may send before it has looked at the dialler; nobody hears of it until it has.
        (self._events if self._established else self._early).append(event)

    def _judge(self, certificate: x509.Certificate | None, chain: list[x509.Certificate]) -> bool:
        try:
            if certificate is None:
                raise PeerFaultError("showed no certificate", rule="bad-certificate", score=_UNPROVEN)
            self.peer = proven_peer(certificate, chain, self._clock.wall_ms())
            if self._expected is not None and self.peer != self._expected:
                raise WrongPeerError(str(self._expected), str(self.peer))
            if self.peer == self._own:
                raise PeerFaultError("has this node's own key", rule="own-key", score=0)
        except PeerFaultError as fault:
            self._fault = fault
            return False
        return True

    def _why_closed(self) -> OrlopError:
        """Why the library has closed after a datagram."""
        closing = self._quic.closing
        code = 0 if closing is None else closing.error_code
        if self._quic.close_pending:
            detail = _detail(code, self._quic.reason)
            if code >= _CRYPTO_ERROR:
                return self._blame(f"failed the TLS handshake ({detail})", "handshake", _SLOW)
            return self._blame(f"broke the rules of QUIC ({detail})", "bad-quic", _NONSENSE)
        detail = _detail(code, "" if closing is None else closing.reason_phrase)
        if self._established:
            return ConnectionLostError(f"the peer closed the connection ({detail})")
        return UnreachableError(f"refused the connection ({detail})")

    def _why_silent(self) -> OrlopError:
        """Why a timer has ended it."""
        if self._established:
            return ConnectionLostError(f"nothing was heard for {self._limits.quic_idle_s:g} s")
        within = f"within {self._limits.upgrade_s:g} s"
        if self.dialled:
            return UnreachableError(f"did not answer {within}")
        return self._blame(f"did not end the handshake {within}", "handshake-timeout", _SLOW)

    def _blame(self, why: str, rule: str, score: int) -> PeerFaultError:
        # An address that nobody has proven may be somebody else's: it is not made to pay.
        certain = self.dialled or self.peer is not None or self._retried is not None
        return PeerFaultError(why, rule=rule, score=score if certain else 0)


def _detail(code: int, said: str) -> str:
    words = clean(said, 80)
    return f"{code:#x}: {words}" if words else f"{code:#x}"
