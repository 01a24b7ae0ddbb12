"""Two sessions and a network between them, on a time of their own: nothing waits, nothing is random that matters."""

from collections.abc import Callable

from net.limits import NetLimits
from net.peer_id import PeerId
from net.quic.certificate import Credentials, make_credentials
from net.quic.events import Address, Arrived, Ended, Established, Event
from net.quic.intake import destination
from net.quic.session import Session
from net.quic.terms import Terms
from net.unread import Unread
from runtime.clock import ManualClock
from runtime.identity import Identity
from tests.net.quic.certificates import NOW_MS

DIALLER, LISTENER = Identity(bytes([1]) * 32), Identity(bytes([2]) * 32)
HERE: Address = ("192.0.2.1", 4001)
THERE: Address = ("192.0.2.2", 4002)
LIMITS = NetLimits()


def peer(identity: Identity) -> PeerId:
    return PeerId(identity.public)


def terms(identity: Identity, credentials: Credentials | None = None, limits: NetLimits = LIMITS) -> Terms:
    made = credentials or make_credentials(identity, NOW_MS)
    return Terms(peer(identity), made, limits, ManualClock(NOW_MS), Unread(limits))


class End:
    """One session, and what it has told."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.told: list[Event] = []
        self.reading = True

    @property
    def peer(self) -> PeerId | None:
        """Who was proven to it."""
        return next((event.peer for event in self.told if isinstance(event, Established)), None)

    @property
    def error(self) -> Exception | None:
        return next((event.error for event in self.told if isinstance(event, Ended)), None)

    def received(self, stream: int) -> bytes:
        return b"".join(e.data for e in self.told if isinstance(e, Arrived) and e.stream == stream)

    def of(self, kind: type[Event]) -> list[Event]:  # type: ignore[valid-type]
        return [event for event in self.told if isinstance(event, kind)]

    def collect(self) -> None:
        for event in self.session.events():
            self.told.append(event)
            if self.reading and isinstance(event, Arrived):
                self.session.read(event.stream, len(event.data))


class Wire:
    """The network. `route` sees every datagram on its way and says what arrives in its place."""

    def __init__(
        self,
        dialler: Terms | None = None,
        listener: Terms | None = None,
        *,
        expected: PeerId | None = None,
        tamper: Callable[[Session], None] = lambda _: None,
    ) -> None:
        self.now = 0.0
        self.route: Callable[[bytes, Address], list[tuple[bytes, Address]]] = lambda data, source: [(data, source)]
        self.carried: list[tuple[bytes, Address]] = []
        self.source = HERE
        self._listener = listener or terms(LISTENER)
        self.left = End(Session.dial(dialler or terms(DIALLER), THERE, expected or peer(LISTENER), self.now))
        tamper(self.left.session)
        self.right: End | None = None

    @property
    def there(self) -> End:
        assert self.right is not None, "nothing has come to the listener"
        return self.right

    def settle(self, seconds: float = 1.0) -> "Wire":
        """Lets time pass, and everything happen in it."""
        until = self.now + seconds
        while True:
            while self._carry():
                pass
            due = self._due()
            if due is None or due > until:
                self.now = until
                return self
            self.now = max(self.now, due)
            for end in self._ends():
                at = end.session.next_at()
                if at is not None and at <= self.now:
                    end.session.tick(self.now)

    def _ends(self) -> list[End]:
        return [end for end in (self.left, self.right) if end is not None]

    def _due(self) -> float | None:
        times = [at for end in self._ends() if (at := end.session.next_at()) is not None]
        return min(times, default=None)

    def _carry(self) -> int:
        """Carries what both ends have to send now; says how much that was."""
        out = [(data, self.source, True) for data, _ in self.left.session.take(self.now)]
        if self.right is not None:
            out += [(data, THERE, False) for data, _ in self.right.session.take(self.now)]
        for data, source, to_listener in out:
            self.carried.append((data, source))
            for arrives, claimed in self.route(data, source):
                self._deliver(arrives, claimed, to_listener=to_listener)
        for end in self._ends():
            end.collect()
        return len(out)

    def _deliver(self, data: bytes, source: Address, *, to_listener: bool) -> None:
        if not to_listener:
            self.left.session.receive(data, source, self.now)
        elif self.right is not None:
            self.right.session.receive(data, source, self.now)
        else:
            session = Session.accept(self._listener, (destination(data), None), data, source, self.now)
            self.right = End(session) if session is not None else None
