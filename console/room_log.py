"""A room's log as the session of its members reads and writes it, in a running core."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from runtime.errors import NotFoundError
from runtime.rooms.cards import Card
from runtime.rooms.entries import SignedEntry
from runtime.rooms.roster import EMPTY_ROSTER, Roster
from runtime.rooms.settings import RoomSettings
from runtime.rooms.summary import Summary

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["Book", "Log", "nothing", "then"]

T = TypeVar("T")
U = TypeVar("U")


class Book:
    """What the session reads of the room's log; nothing as long as the room is not kept."""

    def __init__(self, core: "Core", room: str) -> None:
        self._rooms = core.rooms
        self._room = room

    def roster(self) -> Roster:
        """Who is in the room."""
        try:
            return self._rooms.roster(self._room)
        except NotFoundError:
            return EMPTY_ROSTER

    def settings(self) -> RoomSettings:
        """What it is like."""
        try:
            return self._rooms.settings(self._room)
        except NotFoundError:
            return RoomSettings()

    def summary(self) -> Summary:
        """What there is."""
        try:
            return self._rooms.summary(self._room)
        except NotFoundError:
            return {}

    def missing(self, theirs: Summary, to: str) -> Sequence[SignedEntry]:
        """What the member `to` lacks and may see."""
        try:
            return self._rooms.missing(self._room, theirs, to=to)
        except NotFoundError:
            return ()


class Log:
    """What the session does to the room's log."""

    def __init__(self, core: "Core", room: str) -> None:
        self._core = core
        self._room = room

    def changed(self) -> None:
        """Nothing to do: the book keeps nothing of what it read."""

    def offer(self, entries: Sequence[SignedEntry]) -> "Future[bool]":
        """Takes entries of others; says whether some wait."""
        return then(self._core.rooms.offer(self._room, entries), lambda offered: bool(offered.held))

    def add_member(self, card: Card) -> "Future[None]":
        """Vouches for a newcomer."""
        rooms = self._core.rooms
        if rooms.roster(self._room).creator == rooms.self_key and rooms.settings(self._room).history == "joined":
            # A newcomer is to see what is said from now on: the snapshot stands for what was said before.
            rooms.snapshot(self._room).add_done_callback(self._snapshot_done)
        return rooms.add_member(self._room, card)

    def _snapshot_done(self, done: "Future[None]") -> None:
        error = done.exception()
        if error is not None:
            self._core.report(f"room {self._room}", error)

    def adopt(self, creator: Card) -> "Future[None]":
        """Keeps the room from now on."""
        return self._core.online.adopt(self._room, creator)


def then(future: "Future[T]", change: Callable[[T], U]) -> "Future[U]":
    """A future of what becomes of another one's result; it fails as that does.

    Args:
        future: the other one.
        change: makes the result.
    """
    changed: Future[U] = Future()

    def done(ended: "Future[T]") -> None:
        error = ended.exception()
        if error is not None:
            changed.set_exception(error)
        else:
            changed.set_result(change(ended.result()))

    future.add_done_callback(done)
    return changed


def nothing(_: object) -> object:
    """For whom a result says no more than that it is there."""
    return None
