"""`orlop rooms …` about the life of a room and its end."""

from console.commands import Command, Confirm
from console.syntax.parts import ROOM

__all__ = ["COMMANDS"]

COMMANDS: tuple[Command, ...] = (
    Command(
        name="rooms burn",
        help="Delete a room for good: its key, everything said and done in it, every event about it.",
        handler="console.verbs.life:burn",
        args=(ROOM,),
        changes=True,
        confirm=Confirm.TYPE_NAME,
        needs="room",
        detail=(
            "Its agents end and go with it. Nothing of it is left in the state directory; backups and exports are"
            " yours to delete. In a room with other members only its creator burns it, for all."
        ),
        examples=("orlop rooms burn quiet-harbor", "orlop rooms burn quiet-harbor --yes"),
    ),
)
