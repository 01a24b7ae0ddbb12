"""A room of `Rooms` as its session sees it: what it reads, and what its driver does to it."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

from runtime.canonical import Json
from runtime.errors import NotFoundError
from runtime.rooms.cards import Card
from runtime.rooms.entries import SignedEntry
from runtime.rooms.replica import Offered
from runtime.rooms.room import Rooms
from runtime.rooms.roster import EMPTY_ROSTER, Roster
from runtime.rooms.settings import RoomSettings
from runtime.rooms.summary import Summary

__all__ = ["RoomLog"]

T = TypeVar("T")
U = TypeVar("U")


class RoomLog:
    """One room, which need not be there yet.

    Args:
        rooms: all rooms.
        room: its id.
        name: as the invitation says, for a room that is not there yet.
        link: how this node reaches the others; likewise.
    """

    def __init__(self, rooms: Rooms, room: str, *, name: str = "", link: Mapping[str, Json] | None = None) -> None:
        self._rooms = rooms
        self._room = room
        self._name = name
        self._link = {} if link is None else link
        self._roster: Roster | None = None
        self._settings: RoomSettings | None = None

    # --- read by the session ----------------------------------------------------------------------------------------

    def roster(self) -> Roster:
        """Who is in the room; asked for at each message, so it is kept until `changed`."""
        if self._roster is None:
            self._roster = self._or(EMPTY_ROSTER, self._rooms.roster)
        return self._roster

    def settings(self) -> RoomSettings:
        """What it is like; likewise."""
        if self._settings is None:
            self._settings = self._or(RoomSettings(), self._rooms.settings)
        return self._settings

    def summary(self) -> Summary:
        """What there is."""
        nothing: Summary = {}
        return self._or(nothing, self._rooms.summary)

    def missing(self, theirs: Summary, to: str) -> Sequence[SignedEntry]:
        """What the member `to` lacks and may see."""
        nothing: Sequence[SignedEntry] = ()
        return self._or(nothing, lambda room: self._rooms.missing(room, theirs, to))

    # --- done by its driver -----------------------------------------------------------------------------------------

    def changed(self) -> None:
        """The room may be another than it was."""
        self._roster = self._settings = None

    def offer(self, entries: Sequence[SignedEntry]) -> "Future[bool]":
        """Takes entries of others; whether some wait for others before them."""
        return _mapped(self._rooms.offer(self._room, entries), _lacking)

    def add_members(self, cards: Sequence[Card]) -> "Future[None]":
        """Vouches for newcomers."""
        return self._rooms.add_member(self._room, *cards)

    def adopt(self, creator: Card) -> "Future[None]":
        """Keeps the room from now on; nothing happens when it is there."""
        if any(info.room == self._room for info in self._rooms.list()):
            there: Future[None] = Future()
            there.set_result(None)
            return there
        return _mapped(self._rooms.adopt(self._room, self._name, creator, self._link), lambda _: None)

    def _or(self, nothing: T, read: Callable[[str], T]) -> T:
        try:
            return read(self._room)
        except NotFoundError:
            return nothing


def _lacking(offered: Offered) -> bool:
    return bool(offered.held)


def _mapped(future: "Future[T]", change: Callable[[T], U]) -> "Future[U]":
    """A future of what becomes of another one's result; it fails as that does.

    Args:
        future: the other one.
        change: makes the result.
    """
    made: Future[U] = Future()

    def done(source: "Future[T]") -> None:
        error = source.exception()
        if error is not None:
            made.set_exception(error)
        else:
            made.set_result(change(source.result()))

    future.add_done_callback(done)
    return made
