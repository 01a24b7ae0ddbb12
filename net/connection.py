"""A proven connection over TCP: Noise and yamux driven by one socket, and the tasks that serve its streams.

There is no task for writing: whoever has something to say, or hears that the socket or the peer takes more, sends all
that may be sent now, control frames first and streams in turns, until the socket is full.
"""

import asyncio
from typing import Final, Protocol

from net.errors import ConnectionLostError, PeerFaultError, StreamResetError, UnsupportedProtocolError
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.multistream import Multistream
from net.noise_transport import PLAINTEXT_MAX
from net.read_throttle import ReadThrottle
from net.serving import run_handler
from net.stream import Protocols, Served
from net.stream_deadlines import StreamDeadlines
from net.tcp_stream import TcpStream
from net.unread import Unread
from net.upgrade import Upgraded
from net.wire import Wire
from net.yamux import Yamux
from net.yamux_events import Blamed, Data, Eof, Event, Gone, Pong, Reset, StreamOpened
from net.yamux_frames import GoAway

__all__ = ["Owner", "TcpConnection"]


class Owner(Protocol):
    """Whoever keeps connections."""

    def ended(self, connection: "TcpConnection") -> None:
        """The connection is of no more use and is to be closed. Told once."""
        ...

    def blamed(self, connection: "TcpConnection", fault: PeerFaultError) -> None:
        """The peer broke a rule."""
        ...


class TcpConnection:
    """One connection; satisfies `net.endpoint.HeldConnection`.

    Args:
        wire: its socket.
        upgraded: what the handshake left.
        dialled: whether we have opened it.
        owner: is told of faults and of the end.
        protocols: what is served on streams that the peer opens.
        limits: the table.
        unread: the count of the process.
    """

    def __init__(
        self,
        wire: Wire,
        upgraded: Upgraded,
        *,
        dialled: bool,
        owner: Owner,
        protocols: Protocols,
        limits: NetLimits,
        unread: Unread,
    ) -> None:
        self.peer: Final = upgraded.peer
        self.remote: Final = Multiaddr.at(*wire.remote, "tcp")
        self.transport: Final = "tcp"
        self.dialled: Final = dialled
        self.latency_s: float | None = None
        """How long the last ping took."""
        self.end_reason = ""
        """Why it ended, in words; empty while it stands."""
        self._loop = asyncio.get_running_loop()
        self._wire = wire
        self._noise = upgraded.noise
        self._owner = owner
        self._protocols = protocols
        self._limits = limits
        self._mux = Yamux(initiator=dialled, limits=limits, unread=unread, now=self._loop.time())
        self._broken = False
        """The peer broke the protocol: it is not waited for."""
        self._streams: dict[int, TcpStream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._deadlines = StreamDeadlines(self.reset)
        self._throttle = ReadThrottle(wire, self._mux, limits, self._overfull)
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._timer = self._loop.call_later(self._tick_s, self._tick)

    def start(self, upgraded: Upgraded) -> None:
        """Begins to read; the owner knows the connection by now.

        Args:
            upgraded: with what the peer has said behind the handshake.
        """
        self._wire.reader = self
        self._understand(upgraded.leftover)
        self.receive(memoryview(upgraded.sealed))

    # --- of whoever uses it -------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether it is of no more use."""
        return bool(self.end_reason)

    @property
    def streams(self) -> int:
        """How many streams stand."""
        return len(self._mux)

    async def open(self, protocol: str, *, bulk: bool = False) -> TcpStream:
        """Opens a stream; see `net.stream.Connection`."""
        try:
            async with asyncio.timeout(self._limits.upgrade_s):
                return await self._open(protocol, bulk=bulk)
        except TimeoutError:
            why = f"did not answer within {self._limits.upgrade_s:g} s"
            raise ConnectionLostError(why, where=str(self.peer)) from None

    async def close(self) -> None:
        """Says goodbye and closes; see `net.stream.Connection`. Streams that are not finished are reset."""
        self.part("closed by us")
        await self._wire.close(gently=not self._broken)
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        await asyncio.gather(*others, return_exceptions=True)

    async def wait_closed(self) -> None:
        """Returns when it is closed, by whomever."""
        await self._over.wait()

    async def drain(self) -> None:
        """Opens and takes no more streams, and closes when those that stand have ended."""
        self._mux.go_away(GoAway.NORMAL)
        self._pump()
        while self._mux and not self.closed:
            await self._change()
        await self.close()

    def trust(self) -> None:
        """The operator has named the peer: it may have more unread."""
        self._mux.listed = True
        self._throttle.look()

    # --- of its streams -----------------------------------------------------------------------------------------------

    def send(self, number: int, data: bytes | memoryview) -> None:
        """Takes bytes of a stream, and sends what may be sent."""
        self._mux.send(number, data, self._loop.time())
        self._pump()

    def consumed(self, number: int, count: int) -> None:
        """So many bytes of a stream are read."""
        self._mux.consume(number, count)
        if not self._wire.reading:
            self._throttle.look()
        self._settle(number)

    def finish(self, number: int) -> None:
        """Ends our direction of a stream."""
        self._mux.finish(number)
        self._settle(number)

    def reset(self, number: int) -> None:
        """Ends a stream both ways."""
        self._mux.reset(number)
        self._fail(number, "the stream was reset by us")
        self._throttle.look()
        self._settle(number)

    # --- of its socket ------------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """Bytes that may be read at once."""
        return self._throttle.room

    def receive(self, data: memoryview) -> None:
        """The socket has received bytes."""
        if self.closed:
            return
        self._throttle.begin()
        try:
            for plain in self._noise.receive(data):
                self._understand(plain)
        except PeerFaultError as fault:
            self._blame(fault, fatal=True)
        except ConnectionLostError as error:
            self._end(error.why)
        if not self.closed:
            self._throttle.look()
            self._pump()

    def writable(self) -> None:
        """The socket takes more again."""
        self._pump()

    def lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        self._end("closed by the peer" if error is None else "the connection broke off")

    def _lost(self) -> ConnectionLostError:
        return ConnectionLostError(self.end_reason or "the peer takes no more streams", where=str(self.peer))

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    # --- inside: bytes ------------------------------------------------------------------------------------------------

    def _understand(self, plain: bytes) -> None:
        if self.closed:
            return
        try:
            events = self._mux.receive(plain, self._loop.time())
        except PeerFaultError as fault:
            self._blame(fault, fatal=True)
            return
        self._throttle.came(len(events))
        for event in events:
            self._handle(event)

    def _handle(self, event: Event) -> None:
        match event:
            case Data():
                self._feed(event)
            case StreamOpened():
                self._accept(event.id)
            case Eof():
                stream = self._streams.get(event.id)
                if stream is not None:
                    stream.feed_end()
                    self._settle(event.id)
            case Reset():
                self._fail(event.id, "the stream was reset by the peer")
            case Blamed():
                self._blame(event.fault, fatal=False)
            case Gone():
                self._changed.set()
            case Pong():
                self.latency_s = event.seconds

    def _feed(self, event: Data) -> None:
        stream = self._streams.get(event.id)
        if stream is None:
            self._mux.consume(event.id, len(event.data))
            return
        fresh = not stream.protocol
        try:
            stream.feed(event.data)
        except PeerFaultError as fault:
            self.reset(event.id)
            self._blame(fault, fatal=False)
            return
        if fresh and stream.protocol and event.id in self._deadlines:
            self._serve(event.id, stream)

    def _pump(self) -> None:
        """Sends all that may be sent now."""
        if self._may_send():
            now = self._loop.time()
            while self._may_send():
                frames = self._mux.take(PLAINTEXT_MAX, now)
                if frames:
                    self._wire.write(self._noise.seal(frames))
            for number in self._mux.take_sent():
                stream = self._streams.get(number)
                if stream is not None:
                    stream.sent()
        self._changed.set()

    def _may_send(self) -> bool:
        return self._mux.has_more and self._wire.free

    def _overfull(self, number: int) -> None:
        """Nothing of a stream was read for too long, and it holds up all others."""
        self._mux.reset(number)
        self._fail(number, "too much of what the peer sent was not read")

    # --- inside: streams ----------------------------------------------------------------------------------------------

    async def _open(self, protocol: str, *, bulk: bool) -> TcpStream:
        while (number := self._mux.open(bulk=bulk)) is None:
            if self.closed or self._mux.closing:
                raise self._lost()
            await self._change()
        stream = TcpStream(self, number, Multistream(dialler=True, names=[protocol], limits=self._limits))
        self._streams[number] = stream
        try:
            await stream.agree()
        except UnsupportedProtocolError:
            raise UnsupportedProtocolError(f"does not speak {protocol}", where=str(self.peer)) from None
        except StreamResetError as error:
            if self.closed or self._mux.closing:
                raise self._lost() from None
            raise UnsupportedProtocolError(f"does not speak {protocol}: {error.why}", where=str(self.peer)) from None
        finally:
            if not stream.protocol:
                stream.reset()
        return stream

    def _accept(self, number: int) -> None:
        stream = TcpStream(self, number, Multistream(dialler=False, names=self._protocols, limits=self._limits))
        self._streams[number] = stream
        self._deadlines.start(number, self._limits.upgrade_s)
        stream.greet()

    def _serve(self, number: int, stream: TcpStream) -> None:
        self._deadlines.stop(number)
        served = self._protocols[stream.protocol]
        if served.bulk:
            self._mux.widen(number)
        task = self._loop.create_task(self._run(number, stream, served))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, number: int, stream: TcpStream, served: Served) -> None:
        fault = await run_handler(served.handler, self, stream)
        stream.abandon()
        if not stream.finished:
            # The peer has not ended its direction; it gets as long for that as for anything that it must read.
            self._deadlines.start(number, self._limits.write_s)
        if fault is not None:
            self._blame(fault, fatal=False)

    def _fail(self, number: int, why: str) -> None:
        stream = self._streams.get(number)
        if stream is not None:
            stream.fail(why)
            self._settle(number)

    def _settle(self, number: int) -> None:
        """Forgets a stream that is finished, and sends what its end has to say."""
        stream = self._streams.get(number)
        if stream is not None and stream.finished:
            del self._streams[number]
            self._deadlines.stop(number)
        self._pump()

    # --- inside: life and end -----------------------------------------------------------------------------------------

    @property
    def _tick_s(self) -> float:
        return min(self._limits.ping_s, self._limits.write_s, self._limits.idle_s)

    def _tick(self) -> None:
        now = self._loop.time()
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        try:
            events = self._mux.tick(now, reading=self._wire.reading)
        except PeerFaultError as fault:
            self._end(fault.why)
            self._wire.abort()
            return
        for event in events:
            self._handle(event)
        self._throttle.look()
        self._pump()
        quiet = self._mux.quiet_since
        if quiet is not None and now - quiet >= self._limits.idle_s:
            self.part("was idle for too long")

    def part(self, why: str) -> None:
        """Takes leave of the peer; streams whose end it could take for the whole are reset."""
        if self.closed:
            return
        for number, stream in self._streams.items():
            if not stream.over:
                self._mux.reset(number)
        self._mux.go_away(GoAway.NORMAL)
        self._pump()
        self._end(why)

    def _blame(self, fault: PeerFaultError, *, fatal: bool) -> None:
        if fatal and not self.closed:
            self._broken = True
            self._pump()
            self._end(fault.why)
        self._owner.blamed(self, fault)

    def _end(self, why: str) -> None:
        """Is of no more use from now on; whoever waits for anything of it is told why."""
        if self.closed:
            return
        self.end_reason = why
        self._timer.cancel()
        self._throttle.stop()
        self._deadlines.clear()
        self._mux.give_up()
        for stream in self._streams.values():
            stream.fail(f"the connection ended: {why}")
        self._streams.clear()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._over.set()
        self._changed.set()
        self._owner.ended(self)
