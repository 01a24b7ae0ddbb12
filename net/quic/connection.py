"""A QUIC connection as the rest of orlop knows connections (`net.stream.Connection`): a session, a timer, streams."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Protocol

from net.errors import ConnectionLostError, PeerFaultError, StreamResetError, UnreachableError, UnsupportedProtocolError
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.multistream import Multistream, Selected
from net.peer_id import PeerId
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
from net.quic.session import Session
from net.quic.stream import QuicStream
from net.quic.udp import place_of
from net.serving import run_handler
from net.stream import Protocols, Served
from runtime.errors import OrlopError

__all__ = ["Owner", "QuicConnection"]


class Owner(Protocol):
    """Whoever keeps connections: the endpoint."""

    def issued(self, connection: "QuicConnection", cid: bytes) -> None:
        """Datagrams for an id are the connection's from now on."""
        ...

    def retired(self, cid: bytes) -> None:
        """They are nobody's from now on."""
        ...

    def established(self, connection: "QuicConnection") -> None:
        """Both ends have proven who they are."""
        ...

    def ended(self, connection: "QuicConnection") -> None:
        """It is over."""
        ...

    def blamed(self, connection: "QuicConnection", fault: PeerFaultError) -> None:
        """The peer broke a rule."""
        ...


class QuicConnection:
    """One connection; satisfies `net.stream.Connection` once it is established.

    Args:
        session: what speaks the protocol.
        address: where the peer is at first.
        send: sends a datagram; gives what the system has against it.
        owner: keeps the connection.
        protocols: what is served on the peer's streams.
        limits: the table.
    """

    def __init__(
        self,
        session: Session,
        address: Address,
        *,
        send: Callable[[bytes, Address], OSError | None],
        owner: Owner,
        protocols: Protocols,
        limits: NetLimits,
    ) -> None:
        self.transport: Final = "quic"
        self.dialled: Final = session.dialled
        self._session = session
        self._address = address
        self._remote: Multiaddr | None = None
        self._send = send
        self._owner = owner
        self._protocols = protocols
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, QuicStream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Handle | None = None
        self._established = asyncio.Event()
        self._over = asyncio.Event()
        self._heard = asyncio.Event()
        self._draining = False
        self._error: OrlopError | None = None

    @property
    def peer(self) -> PeerId:
        """Who is at the other end."""
        if self._session.peer is None:
            raise ValueError("nobody has proven a key yet")
        return self._session.peer

    @property
    def remote(self) -> Multiaddr:
        """Where it is now; a dialler may move."""
        address = self._session.address or self._address
        if self._remote is None or address != self._address:
            self._address = address
            self._remote = place_of(address)
        return self._remote

    @property
    def closed(self) -> bool:
        """Whether it is of no more use."""
        return self._session.ended

    @property
    def end_reason(self) -> str:
        """Why it ended, in words; empty while it stands."""
        return "" if self._error is None else self._error.why

    @property
    def proven(self) -> PeerId | None:
        """Who is at the other end, as soon as it is known; None before."""
        return self._session.peer

    @property
    def half_open(self) -> bool:
        """Whether it is not established yet."""
        return not self._session.established and not self._session.ended

    @property
    def stream_entries(self) -> int:
        """How many streams anything here still knows of."""
        return max(len(self._streams), self._session.stream_entries)

    def trust(self) -> None:
        """The operator has named the peer: it may send more ahead."""
        self._session.trust()

    async def open(self, protocol: str, *, bulk: bool = False) -> QuicStream:
        """Opens a stream.

        Args:
            protocol: what is to be spoken on it.
            bulk: much is to be received on it.

        Raises:
            UnsupportedProtocolError: the peer does not speak that.
            ConnectionLostError: the connection is closed, or closes meanwhile.
        """
        if self._session.ended or self._draining:
            raise self._lost()
        stream = self._stream(self._session.open(bulk=bulk))
        try:
            async with asyncio.timeout(self._limits.upgrade_s):
                await self._propose(stream, protocol)
        except TimeoutError:
            raise ConnectionLostError(
                f"did not answer within {self._limits.upgrade_s:g} s", where=str(self.peer)
            ) from None
        except StreamResetError as error:
            if self._session.ended:
                raise self._lost() from None
            raise UnsupportedProtocolError(f"does not speak {protocol}: {error.why}", where=str(self.peer)) from None
        except PeerFaultError as fault:
            self._owner.blamed(self, fault)
            raise
        finally:
            if not stream.protocol:
                stream.reset()
        return stream

    async def close(self) -> None:
        """Says goodbye and closes; returns when nothing of it is left. Closing twice is nothing."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.close_s):
                await self._delivered()
        self.end()
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        await asyncio.gather(*others, return_exceptions=True)

    async def drain(self) -> None:
        """Opens and takes no more streams, and closes when those that stand have ended."""
        self._draining = True
        while self._streams and not self._session.ended:
            self._heard.clear()
            await self._heard.wait()
        await self.close()

    async def wait_closed(self) -> None:
        """Returns when it is closed, by whomever."""
        await self._over.wait()

    # --- the side of the endpoint -------------------------------------------------------------------------------------

    async def wait_established(self) -> None:
        """Returns when both ends have proven who they are, and the listener knows it.

        Raises:
            WrongPeerError: the peer proved another key than expected.
            PeerFaultError: it proved none, or broke a rule.
            UnreachableError: it did not answer, or refused.
        """
        await self._established.wait()
        if self._error is not None:
            raise self._error

    def receive(self, datagram: bytes, address: Address) -> None:
        """Takes a datagram; what it leads to is sent by the next `flush`."""
        self._session.receive(datagram, address, self._loop.time())
        self._settle()

    def flush(self) -> None:
        """Sends what is to be sent, and waits for the next time that something is due."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        for datagram, address in self._session.take(self._loop.time()):
            problem = self._send(datagram, address)
            if problem is not None and self.half_open:
                why = (problem.strerror or type(problem).__name__).lower()
                self._session.close(self._loop.time(), UnreachableError(f"cannot be sent to: {why}"))
        self._settle()
        self._set_timer()

    def ping(self) -> None:
        """Lets the peer hear of us, perhaps from another address."""
        self._session.ping()
        self.flush()

    def end(self) -> None:
        """Closes it at once."""
        self._session.close(self._loop.time())
        self._settle()
        self.flush()

    # --- what happens -------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Tells everybody what came of the last step."""
        for event in self._session.events():
            if not self._over.is_set():  # whoever heard of one may have closed it
                self._handle(event)
        for stream in tuple(self._streams.values()):
            stream.look_for_room()
        self._forget_finished()
        self._heard.set()

    def _handle(self, event: Event) -> None:
        match event:
            case Arrived() | StreamLost() | Stopped():
                stream = self._streams.get(event.stream)
                if stream is not None:
                    _tell(stream, event)
            case Opened(stream=stream_id):
                self._accept(stream_id)
            case Established():
                self._established.set()
                self._owner.established(self)
            case IdIssued(cid=cid):
                self._owner.issued(self, cid)
            case IdRetired(cid=cid):
                self._owner.retired(cid)
            case Misbehaved(fault=fault):
                self._owner.blamed(self, fault)
            case Ended(error=error):
                self._finish(error)

    def _finish(self, error: OrlopError) -> None:
        self._error = error
        for stream in self._streams.values():
            stream.cut()
        self._streams.clear()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._established.set()
        self._over.set()
        if isinstance(error, PeerFaultError) and not (self.dialled and not self._session.established):
            self._owner.blamed(self, error)  # else the one who dials hears of it
        self._owner.ended(self)

    def _forget_finished(self) -> None:
        for stream in [stream for stream in self._streams.values() if stream.finished]:
            if not stream.ended or self._session.delivered(stream.id):
                del self._streams[stream.id]

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._session.next_at()
        if due is not None:
            self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._session.tick(self._loop.time())
        self.flush()

    def _changed(self) -> None:
        """A stream has something to send: once for all that do so in this turn of the loop."""
        if self._flushing is None and not self._session.ended:
            self._flushing = self._loop.call_soon(self.flush)

    async def _delivered(self) -> None:
        """Waits until the peer has what ended streams have sent."""
        while any(s.ended and not self._session.delivered(s.id) for s in self._streams.values()):
            self._heard.clear()
            await self._heard.wait()

    def _lost(self) -> ConnectionLostError:
        return ConnectionLostError(self.end_reason or "the connection is being closed", where=str(self.peer))

    # --- streams ------------------------------------------------------------------------------------------------------

    def _stream(self, stream_id: int) -> QuicStream:
        stream = QuicStream(self._session, stream_id, write_s=self._limits.write_s, changed=self._changed)
        self._streams[stream_id] = stream
        return stream

    async def _propose(self, stream: QuicStream, protocol: str) -> None:
        negotiation = Multistream(dialler=True, names=[protocol], limits=self._limits)
        found = None
        while found is None:
            await stream.write(negotiation.take())
            data = await stream.read()
            if not data:
                raise UnsupportedProtocolError(f"does not speak {protocol}", where=str(self.peer))
            found = negotiation.receive(data)
        if not isinstance(found, Selected):
            raise UnsupportedProtocolError(f"does not speak {protocol}", where=str(self.peer))
        stream.agreed(found.name, found.leftover)

    def _accept(self, stream_id: int) -> None:
        stream = self._stream(stream_id)
        # Of streams that the peer has ended and our handlers have not, the library knows nothing any more.
        if self._draining or len(self._tasks) >= self._limits.streams:
            stream.reset()
            return
        task = self._loop.create_task(self._serve(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: QuicStream) -> None:
        served = await self._agree(stream)
        if served is None:
            stream.reset()
            return
        fault = await run_handler(served.handler, self, stream)
        stream.abandon()
        self._settle()
        if fault is not None:
            self._owner.blamed(self, fault)
        # The peer gets as long to end its direction as for anything that it must read.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.write_s):
                await stream.wait_finished()
        stream.reset()

    async def _agree(self, stream: QuicStream) -> Served | None:
        """Lets the peer say what it wants to speak; None when nothing comes of it."""
        negotiation = Multistream(dialler=False, names=list(self._protocols), limits=self._limits)
        try:
            async with asyncio.timeout(self._limits.upgrade_s):
                while True:
                    await stream.write(negotiation.take())
                    data = await stream.read()
                    if not data:
                        return None
                    found = negotiation.receive(data)
                    if isinstance(found, Selected):
                        await stream.write(negotiation.take())
                        break
        except PeerFaultError as fault:
            self._owner.blamed(self, fault)
            return None
        except (TimeoutError, OrlopError):
            return None
        served = self._protocols[found.name]
        self._session.widen(stream.id, bulk=served.bulk)
        stream.agreed(found.name, found.leftover)
        return served


def _tell(stream: QuicStream, event: Arrived | StreamLost | Stopped) -> None:
    match event:
        case Arrived(data=data, end=end):
            stream.arrived(data, end=end)
        case StreamLost():
            stream.lost()
        case Stopped():
            stream.stopped()
