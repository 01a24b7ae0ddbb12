"""Acts for a room's session: gives its effects to the transport, to the log and to whoever listens, in order.

Nothing is sent before the account is saved: a one-time key that was used must be gone from the disk before anybody
hears the answer. A save or a write to the log that fails loses what would have followed, like a message on its way;
members ask again.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

from runtime.canonical import Json
from runtime.errors import OrlopError
from runtime.rooms.cards import Card
from runtime.rooms.entries import SignedEntry
from runtime.rooms.session import RoomSession
from runtime.rooms.session_effects import Adopt, Effect, Offer, Said, Send, Vouch
from runtime.rooms.session_state import Now
from runtime.rooms.transport import Outgoing, Received

__all__ = ["Log", "SavedAccount", "SessionDriver", "Wait"]

T = TypeVar("T")

Wait = Callable[["Future[object]", Callable[[], None]], None]
"""Calls the second when the first is done, on the session's thread, and never from within the call."""


class Log(Protocol):
    """What is done to the room's log."""

    def changed(self) -> None:
        """It may be another than it was: what was read of it is to be read again."""
        ...

    def offer(self, entries: Sequence[SignedEntry]) -> "Future[bool]":
        """Takes entries of others.

        Returns:
            Whether some wait for others before them.
        """
        ...

    def add_members(self, cards: Sequence[Card]) -> "Future[None]":
        """Vouches for newcomers."""
        ...

    def adopt(self, creator: Card) -> "Future[None]":
        """Keeps the room from now on."""
        ...


class SavedAccount(Protocol):
    """What is needed of `runtime.account.MemberAccount`."""

    @property
    def changed(self) -> bool:
        """Whether there is something to store."""
        ...

    def save(self) -> "Future[None]":
        """Stores the account."""
        ...


class SessionDriver:
    """Drives one session. For one thread.

    Args:
        session: which.
        account: the member's.
        log: the room's.
        send: to the transport.
        say: to whoever shows or passes on what the session tells.
        wait: for what takes its time.
        clock: the time now.
        failed: hears of a save or a write that failed; the session goes on.
    """

    def __init__(
        self,
        session: RoomSession,
        account: SavedAccount,
        log: Log,
        *,
        send: Callable[[Outgoing], None],
        say: Callable[[Said], None],
        wait: Wait,
        clock: Callable[[], Now],
        failed: Callable[[OrlopError], None],
    ) -> None:
        self._session = session
        self._account = account
        self._log = log
        self._send = send
        self._say = say
        self._wait = wait
        self._clock = clock
        self._failed = failed
        self._effects: deque[Effect] = deque()
        self._waits = False

    def receive(self, message: Received) -> None:
        """Something came from the transport."""
        self._do(self._session.receive(message, self._clock()))

    def tick(self) -> None:
        """Time has passed."""
        self._log.changed()
        self._do(self._session.tick(self._clock()))

    def entries(self, entries: Sequence[SignedEntry]) -> None:
        """This member has written into the log, and it is committed."""
        self._log.changed()
        self._do(self._session.entries(entries, self._clock()))

    def rotate(self) -> None:
        """This member wants another key."""
        self._do(self._session.rotate(self._clock()))

    def leases(self, leases: Mapping[str, Mapping[str, Json]]) -> None:
        """This member says something about the leases of agents, by their names."""
        self._do(self._session.leases(leases, self._clock()))

    def bye(self) -> None:
        """This member goes."""
        self._do(self._session.bye(self._clock()))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _do(self, effects: Sequence[Effect]) -> None:
        self._effects.extend(effects)
        self._go_on()

    def _go_on(self) -> None:
        while self._effects and not self._waits:
            match self._effects.popleft():
                case Send(message):
                    self._sent(message)
                case Offer(sender, entries):
                    self._offered(sender, self._log.offer(entries))
                case Vouch(card):
                    self._done(self._log.add_members(self._newcomers(card)), lambda: None)
                case Adopt(card):
                    self._done(self._log.adopt(card), self._session.adopt_failed)
                case said:
                    self._say(said)

    def _newcomers(self, first: Card) -> list[Card]:
        """All who are to be vouched for: many may come at once, and one entry after another would take long."""
        cards = [first, *(one.card for one in self._effects if isinstance(one, Vouch))]
        if len(cards) > 1:
            self._effects = deque(one for one in self._effects if not isinstance(one, Vouch))
        return list({card.identity_key: card for card in cards}.values())

    def _sent(self, message: Outgoing) -> None:
        if not self._account.changed:
            self._send(message)
            return

        def saved() -> None:
            if not self._trouble(saving):
                self._send(message)

        saving = self._account.save()
        self._until(saving, saved)

    def _offered(self, sender: str, taking: "Future[bool]") -> None:
        def taken() -> None:
            self._log.changed()
            lacking = self._trouble(taking) or taking.result()
            self._effects.extend(self._session.offered(sender, self._clock(), lacking=lacking))

        self._until(taking, taken)

    def _done(self, doing: "Future[None]", in_vain: Callable[[], None]) -> None:
        def done() -> None:
            if self._trouble(doing):
                in_vain()
            else:
                self._log.changed()
                self._effects.extend(self._session.entries((), self._clock()))

        self._until(doing, done)

    def _until(self, future: "Future[T]", then: Callable[[], None]) -> None:
        def resume() -> None:
            self._waits = False
            then()
            self._go_on()

        self._waits = True
        self._wait(future, resume)  # type: ignore[arg-type]  # whatever it holds is not looked at

    def _trouble(self, future: "Future[T]") -> bool:
        """Whether it failed; says why."""
        error = future.exception()
        if error is None:
            return False
        if not isinstance(error, OrlopError):
            raise error
        self._failed(error)
        return True
