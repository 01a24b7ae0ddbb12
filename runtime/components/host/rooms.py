"""`orlop:core/host-rooms`: a component writes into rooms of this node."""

from typing import Final, get_args

from runtime.components.bindings.core_types import RoomError, RoomPermissionDenied, RoomTooLarge, RoomUnavailable
from runtime.components.host.context import Context
from runtime.components.host.desk import Desk, text
from runtime.components.values import Err, Result

__all__ = ["ComponentRooms"]

_CASES: Final = {case.case: case for case in get_args(RoomError)}
_TEXT_CHARS: Final = 65_536


class ComponentRooms:
    """The operations of one instance.

    Args:
        context: whose they are.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._desk: Desk[RoomError] = Desk(context, _CASES, RoomPermissionDenied, RoomUnavailable)

    def post_message(self, room: str, text_: str) -> Result[str, RoomError]:
        """Posts a message; its id."""
        return self._post("rooms.post-message", room, {"text": text_})

    def create_task(self, room: str, title: str, description: str) -> Result[str, RoomError]:
        """Makes a task; its id."""
        return self._post("rooms.create-task", room, {"title": title, "description": description})

    def _post(self, kind: str, room: str, content: dict[str, str]) -> Result[str, RoomError]:
        if any(len(part) > _TEXT_CHARS for part in content.values()):
            return Err(RoomTooLarge(f"a text has at most {_TEXT_CHARS:,} characters"))
        return self._desk.ask(kind, {"room": room, **content}, text, self._context.policy.post_room(room), room)
