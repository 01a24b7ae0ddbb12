"""yamux: many streams over one connection, each with its own credit. Pure: bytes and time in, events and bytes out.

Nothing is kept here of what streams carry. What comes in is handed on as it comes, and credit goes back when whoever
reads says so (`consume`); what goes out stays with its writer until a frame of it is made (`take`). So memory is
bounded by the windows that we gave, and a reader that does not read stops the writer at the other end.
"""

from collections.abc import Iterator
from typing import Final

from net.errors import PeerFaultError
from net.limits import NetLimits
from net.unread import Unread
from net.yamux_events import Blamed, Data, Eof, Event, Gone, Pong, Reset, StreamOpened
from net.yamux_frames import Flag, FrameReader, GoAway, Header, Kind
from net.yamux_guard import Guard, KeepAlive, LateCredit, broken
from net.yamux_outbox import YamuxOutbox
from net.yamux_stream import FIRST_CREDIT, MuxedStream

__all__ = ["Yamux"]

_CONTROLS: Final = 1024
"""Control frames that wait at most: a peer for whom more wait does not read."""
_FLOOD: Final = 2
_DEAF: Final = 5


class Yamux:
    """One end of a session.

    Args:
        initiator: we have dialled: our streams have odd numbers.
        limits: the table.
        unread: the count of the process; one of its own by default.
        now: monotonic seconds.
    """

    def __init__(self, initiator: bool, limits: NetLimits, *, unread: Unread | None = None, now: float = 0.0) -> None:
        self.listed = False
        """The peer is one that the operator has named: it may have more unread."""
        self.unread = 0
        """Bytes that were handed on and are not consumed."""
        self.closing = False
        """Either side has said that no more streams are to be opened."""
        self.quiet_since: float | None = now
        """Since when there is no stream; None while there is one."""
        self._limits = limits
        self._process = unread or Unread(limits)
        self._guard = Guard(limits)
        self._keep_alive = KeepAlive(limits, now)
        self._reader = FrameReader()
        self._receiving = Header(0, 0, 0, 0, 0)
        self._streams: dict[int, MuxedStream] = {}
        self._theirs = 0
        self._unacknowledged = 0
        self._next_ours = 1 if initiator else 2
        self._last_theirs = 0
        self._late = LateCredit()
        self._out = YamuxOutbox(self._emptied)
        self._due: set[int] = set()
        self._said_farewell = False
        self._heard_farewell = False
        self._now = now

    def __len__(self) -> int:
        """How many streams stand."""
        return len(self._streams)

    # --- what we do -------------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """Bytes that may be handed on before so much is unread that nothing more should be read from the network."""
        left = self._process.allowed(listed=self.listed) - self.unread
        return max(0, left)

    @property
    def fullest(self) -> int | None:
        """The stream of which most is unread."""
        streams = self._streams.values()
        return max(streams, key=lambda stream: stream.unread).id if self.unread and streams else None

    @property
    def can_open(self) -> bool:
        """Whether `open` finds a place."""
        ours = len(self._streams) - self._theirs
        return not self.closing and self._unacknowledged < self._limits.unacknowledged and ours < self._limits.streams

    def open(self, *, bulk: bool = False) -> int | None:
        """Opens a stream.

        Args:
            bulk: the peer may send 1 MiB ahead on it.

        Returns:
            Its number, or None: `can_open` says when to try again.
        """
        if not self.can_open:
            return None
        number, self._next_ours = self._next_ours, self._next_ours + 2
        window = self._limits.window_bulk if bulk else self._limits.window
        self._streams[number] = MuxedStream(number, ours=True, window=window, left=window)
        self._unacknowledged += 1
        self.quiet_since = None
        self._out.say(Kind.WINDOW_UPDATE, Flag.SYN, number, window - FIRST_CREDIT)
        return number

    def widen(self, number: int) -> None:
        """Lets the peer send 1 MiB ahead on a stream that stands."""
        stream = self._streams.get(number)
        if stream is None or stream.ended or stream.window >= self._limits.window_bulk:
            return
        more = self._limits.window_bulk - stream.window
        stream.window += more
        stream.left += more
        self._out.say(Kind.WINDOW_UPDATE, Flag.NONE, number, more)

    def send(self, number: int, data: bytes | memoryview, now: float) -> int:
        """Takes bytes to be sent; they must not change until `take_sent` names the stream.

        Args:
            number: the stream.
            data: any number of bytes.
            now: monotonic seconds.

        Returns:
            How many are taken: all of them, or 0 while earlier ones wait or when nothing can be sent on the stream.
        """
        stream = self._streams.get(number)
        if stream is None or stream.pending or stream.ending or not data:
            return 0
        stream.pending = memoryview(data)
        stream.moved = now
        self._out.enqueue(stream)
        return len(data)

    def consume(self, number: int, count: int) -> None:
        """So many bytes of what was handed on are read: the peer may send as many more.

        Credit is given back when it is half a window, and not while too much is unread elsewhere.
        """
        stream = self._streams.get(number)
        if stream is None:
            return
        count = min(count, stream.unread)
        stream.unread -= count
        stream.consumed += count
        self._count(-count)
        if not stream.ended and 2 * stream.consumed >= stream.window:
            self._due.add(number)
        self._give_back()
        self._drop_if_done(stream)

    def finish(self, number: int) -> None:
        """Ends our direction of a stream, behind what still waits to be sent."""
        stream = self._streams.get(number)
        if stream is None or stream.ending:
            return
        stream.ending = True
        if not stream.pending:
            self._say_end(stream)

    def reset(self, number: int) -> None:
        """Ends a stream both ways at once."""
        stream = self._streams.get(number)
        if stream is not None:
            self._out.say(Kind.WINDOW_UPDATE, Flag.RST, number, 0)
            self._late.add(0 if stream.ended else stream.left)
            self._forget(stream, reset=True)

    def go_away(self, code: int) -> None:
        """Says that no more streams are opened or taken; those that stand go on."""
        if not self._said_farewell:
            self._said_farewell = self.closing = True
            self._out.say(Kind.GO_AWAY, Flag.NONE, 0, code)

    def give_up(self) -> None:
        """Forgets everything, because the connection is lost."""
        self.closing = True
        for stream in list(self._streams.values()):
            self._forget(stream, reset=False)
        self._out.drop_controls()

    # --- what goes out ----------------------------------------------------------------------------------------------

    @property
    def has_more(self) -> bool:
        """Whether `take` has something to give, or may have."""
        return bool(self._out)

    def take(self, most: int, now: float) -> bytes:
        """What is to be sent next; see `YamuxOutbox.take`."""
        self._now = now
        return self._out.take(most, now)

    def take_sent(self) -> list[int]:
        """The streams of which all that was given is in frames; their writers may go on. Each is told once."""
        return self._out.take_sent()

    def tick(self, now: float, *, reading: bool = True) -> list[Event]:
        """Does what is due: pings, credit that was withheld, the end of streams that the peer does not read.

        Args:
            now: monotonic seconds.
            reading: we do read from the network; while we do not, the peer's silence is ours.

        Raises:
            PeerFaultError: the peer is silent since three pings; at no cost.
        """
        self._now = now
        self._give_back()
        events = list(self._end_stalled())
        number = self._keep_alive.ask(now, reading=reading)
        if number is not None:
            self._out.say(Kind.PING, Flag.SYN, 0, number)
        return events

    def _emptied(self, stream: MuxedStream) -> None:
        if stream.ending:
            self._say_end(stream)

    def _say_end(self, stream: MuxedStream) -> None:
        self._out.say(Kind.WINDOW_UPDATE, Flag.FIN, stream.id, 0)
        self._drop_if_done(stream)

    def _give_back(self) -> None:
        """Gives credit back to the streams that are due, unless too much is unread."""
        if self._due and self.room:
            for number in sorted(self._due):
                stream = self._streams[number]
                stream.left += stream.consumed
                self._out.say(Kind.WINDOW_UPDATE, Flag.NONE, number, stream.consumed)
                stream.consumed = 0
            self._due.clear()

    def _end_stalled(self) -> Iterator[Event]:
        patience = self._limits.write_s
        for stream in [each for each in self._streams.values() if each.pending and self._now - each.moved >= patience]:
            self.reset(stream.id)
            yield Reset(stream.id)
            yield Blamed(PeerFaultError("did not read for too long", rule="stalled", score=_DEAF))

    # --- what comes in ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes | memoryview, now: float) -> list[Event]:
        """Takes what has arrived, cut anywhere.

        Args:
            data: the next bytes of the session; what is handed on may be views of it.
            now: monotonic seconds.

        Raises:
            PeerFaultError: the peer broke the protocol. Its farewell is in `take`; nothing more may be received.
        """
        self._now = now
        self._keep_alive.heard()
        events: list[Event] = []
        try:
            for part in self._reader.read(data):
                if isinstance(part, Header):
                    self._header(part, events)
                else:
                    self._bytes(part, len(data), events)
            if self._out.controls > _CONTROLS:
                raise PeerFaultError("sends and does not read", rule="deaf", score=_DEAF)
        except PeerFaultError:
            self.go_away(GoAway.PROTOCOL_ERROR)
            raise
        return events

    def _header(self, header: Header, events: list[Event]) -> None:
        self._receiving = header
        if header.version or header.kind > Kind.GO_AWAY:
            raise broken("sent a frame of no kind that yamux has", "unknown-frame")
        if header.kind == Kind.PING:
            self._on_ping(header, events)
        elif header.kind == Kind.GO_AWAY:
            self._on_farewell(header, events)
        elif not header.stream:
            raise broken("sent data to no stream", "no-stream")
        else:
            if header.flags & Flag.SYN:
                self._on_open(header, events)
            stream = self._streams.get(header.stream)
            if stream is None:
                self._on_late(header)
            else:
                self._on_stream(stream, header, events)

    def _on_ping(self, header: Header, events: list[Event]) -> None:
        if header.flags & Flag.SYN:
            self._guard.ping(self._now)
            self._out.say(Kind.PING, Flag.ACK, 0, header.length)
        else:
            self._guard.small(self._now)
            seconds = self._keep_alive.answered(header.length, self._now)
            if seconds is not None:
                events.append(Pong(seconds))

    def _on_farewell(self, header: Header, events: list[Event]) -> None:
        self._guard.small(self._now)
        if not self._heard_farewell:
            self._heard_farewell = self.closing = True
            events.append(Gone(header.length))

    def _on_open(self, header: Header, events: list[Event]) -> None:
        number = header.stream
        if number % 2 == self._next_ours % 2 or number <= self._last_theirs:
            raise broken("opened a stream by a number that is not free", "bad-stream-number")
        self._last_theirs = number
        if self._guard.may_open(self._theirs, self._now) and not self.closing:
            self._theirs += 1
            self.quiet_since = None
            self._streams[number] = MuxedStream(number, ours=False, window=FIRST_CREDIT, left=FIRST_CREDIT)
            self._out.say(Kind.WINDOW_UPDATE, Flag.ACK, number, 0)
            events.append(StreamOpened(number))
            return
        self._out.say(Kind.WINDOW_UPDATE, Flag.RST, number, 0)
        self._late.add(FIRST_CREDIT)
        if not self.closing:
            events.append(Blamed(PeerFaultError("opened too many streams", rule="stream-flood", score=_FLOOD)))

    def _on_late(self, header: Header) -> None:
        """A frame of a stream that is no more: it was on its way when we reset or refused the stream."""
        ours = header.stream % 2 == self._next_ours % 2
        if header.stream >= self._next_ours if ours else header.stream > self._last_theirs:
            raise broken("sent data to a stream that was never opened", "no-stream")
        if header.kind == Kind.DATA and header.length:
            self._late.take(header.length)
        else:
            self._guard.small(self._now)

    def _on_stream(self, stream: MuxedStream, header: Header, events: list[Event]) -> None:
        if header.flags & Flag.ACK and stream.ours and not stream.acknowledged:
            stream.acknowledged = True
            self._unacknowledged -= 1
        if header.kind == Kind.DATA and header.length:
            if stream.ended or header.length > stream.left:
                raise broken("sent more than it had credit for", "window-overflow")
            stream.left -= header.length
        else:
            self._guard.small(self._now)
            if header.kind == Kind.WINDOW_UPDATE:
                stream.credit = min(stream.credit + header.length, self._limits.credit)
                self._out.enqueue(stream)
        if header.flags & Flag.RST:
            self._guard.reset(self._now)
            self._forget(stream, reset=True)
            events.append(Reset(stream.id))
        elif not self._reader.left:
            self._end_if_told(stream, header, events)

    def _bytes(self, piece: memoryview, whole: int, events: list[Event]) -> None:
        """Hands bytes of a DATA frame on: as a copy when a view would keep much more in memory than it shows."""
        stream = self._streams.get(self._receiving.stream)
        if stream is None:
            return
        stream.unread += len(piece)
        self._count(len(piece))
        events.append(Data(stream.id, piece if 2 * len(piece) >= whole else bytes(piece)))
        if not self._reader.left:
            self._end_if_told(stream, self._receiving, events)

    def _end_if_told(self, stream: MuxedStream, header: Header, events: list[Event]) -> None:
        if header.flags & Flag.FIN and not stream.ended:
            stream.ended = True
            events.append(Eof(stream.id))
            self._due.discard(stream.id)
            self._drop_if_done(stream)

    # --- what both need ---------------------------------------------------------------------------------------------

    def _count(self, change: int) -> None:
        self.unread += change
        self._process.total += change

    def _drop_if_done(self, stream: MuxedStream) -> None:
        if stream.ending and stream.ended and not stream.pending and not stream.unread:
            self._forget(stream, reset=False)

    def _forget(self, stream: MuxedStream, *, reset: bool) -> None:
        del self._streams[stream.id]
        self._due.discard(stream.id)
        self._count(-stream.unread)
        stream.pending = memoryview(b"")  # whoever finds it in the round passes it over
        stream.unread = 0
        if stream.ours:
            self._unacknowledged -= 0 if stream.acknowledged else 1
        else:
            self._theirs -= 1
            if reset:
                self._guard.was_reset(self._now)
        if not self._streams:
            self.quiet_since = self._now
