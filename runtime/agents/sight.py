"""The rooms as agents see them: prepared views, made anew only when a room has changed. Core loop only."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from runtime.agents.ledger import RoomLog
from runtime.agents.view import AgentView
from runtime.rooms.members import Member
from runtime.rooms.tasks import Task

__all__ = ["AgentRooms", "RoomContent", "RoomViews"]


class RoomContent(Protocol):
    """An immutable state of a room."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """By id, in their order."""
        ...

    @property
    def members(self) -> Sequence[Member]:
        """Self included, unless this node is out of the room."""
        ...


class AgentRooms(RoomLog, Protocol):
    """What agents need of the rooms."""

    def state(self, room: str) -> RoomContent:
        """The room now; the same object while it does not change."""
        ...


class RoomViews:
    """One view per room.

    Args:
        rooms: what there is to see.
    """

    def __init__(self, rooms: AgentRooms) -> None:
        self._rooms = rooms
        self._views: dict[str, AgentView] = {}

    def view(self, room: str) -> AgentView:
        """The room as its agents see it now.

        Args:
            room: its id.

        Returns:
            The same object while tasks and members are the same.
        """
        content = self._rooms.state(room)
        known = self._views.get(room)
        if known is not None and known.tasks is content.tasks and known.members == content.members:
            return known
        view = self._views[room] = AgentView(content.tasks, content.members)
        return view
