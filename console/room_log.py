"""A room's log as the session of its members reads and writes it, in a running core."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from runtime.rooms.cards import Card
from runtime.rooms.session_log import RoomLog

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["Log"]


class Log(RoomLog):
    """The log, where a newcomer is given a snapshot first, and a room that is joined is kept with its invitation.

    Args:
        core: an owner.
        room: the room's id.
    """

    def __init__(self, core: "Core", room: str) -> None:
        super().__init__(core.rooms, room)
        self._core = core

    def add_members(self, cards: Sequence[Card]) -> "Future[None]":
        """Vouches for newcomers."""
        rooms = self._core.rooms
        if self.roster().creator == rooms.self_key and self.settings().history == "joined":
            # A newcomer is to see what is said from now on: the snapshot stands for what was said before.
            rooms.snapshot(self._room).add_done_callback(self._snapshot_done)
        return super().add_members(cards)

    def adopt(self, creator: Card) -> "Future[None]":
        """Keeps the room from now on."""
        return self._core.online.adopt(self._room, creator)

    def _snapshot_done(self, done: "Future[None]") -> None:
        error = done.exception()
        if error is not None:
            self._core.report(f"room {self._room}", error)
