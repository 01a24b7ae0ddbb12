"""`orlop rooms …` about the life of a room: settings, undo, moving it to another place, its end."""

from console.commands import Arg, Command, Confirm, Kind
from console.syntax.parts import ROOM, option

__all__ = ["COMMANDS"]

COMMANDS: tuple[Command, ...] = (
    Command(
        name="rooms undo",
        help="Take your own last change of a task back.",
        handler="console.verbs.life:undo",
        args=(ROOM,),
        changes=True,
        needs="room",
        detail=(
            "It goes further back each time. Who took a change back by hand has made another one, which is what undo"
            " takes back then. A change of which somebody else changed the same field since is not undone; nor is a"
            " task that was made, since rooms never delete one."
        ),
        examples=("orlop rooms undo quiet-harbor",),
    ),
    Command(
        name="rooms set",
        help="Change settings of a room that you made: auto_delete, history, require_signed.",
        handler="console.verbs.life:set_settings",
        args=(
            ROOM,
            Arg(name="setting", kind=Kind.PAIR, help="NAME=VALUE; on, off, all, joined", required=True, many=True),
        ),
        changes=True,
        needs="room",
        detail=(
            "auto_delete=on: 24 hours after all its tasks are completed, the room burns itself, unless a member keeps"
            " it. history=all gives new members everything that was said, joined what is said from then on."
            " require_signed=on takes only agents that a trusted key signed, whatever a member's own setting is."
        ),
        examples=("orlop rooms set quiet-harbor auto_delete=on", "orlop rooms set quiet-harbor history=all"),
    ),
    Command(
        name="rooms keep",
        help="Keep a room that is about to delete itself; all members see it.",
        handler="console.verbs.life:keep",
        args=(
            ROOM,
            option(
                "duration",
                Kind.DURATION,
                "for so long at least; without it until a task changes",
                metavar="TIME",
                low=60_000,
                high=366 * 24 * 3_600_000,
            ),
        ),
        changes=True,
        needs="room",
        examples=("orlop rooms keep quiet-harbor", "orlop rooms keep quiet-harbor --duration 72h"),
    ),
    Command(
        name="rooms reclock",
        help="Let changes of a room go on after the clock was set back.",
        handler="console.verbs.life:reclock",
        args=(ROOM,),
        changes=True,
        needs="room",
        detail=(
            "Changes are never dated before those that went before them. After the clock fell by more than five"
            " minutes they wait until it has caught up; this dates them behind the latest one instead. Other members"
            " take them when their clocks come near."
        ),
        examples=("orlop rooms reclock quiet-harbor",),
    ),
    Command(
        name="rooms export",
        help="Write a room to one file, sealed under a passphrase: signed entries, members, settings.",
        handler="console.verbs.room_file:export",
        args=(ROOM, Arg(name="out", kind=Kind.OUT, help="the file to be; it must not exist yet", required=True)),
        changes=True,
        needs="room",
        detail=(
            "It asks twice for the passphrase, or takes it from --passphrase-file. Agents are not in it. Whoever has"
            " both has all that was said in the room."
        ),
        examples=("orlop rooms export quiet-harbor /mnt/usb/harbor.room",),
    ),
    Command(
        name="rooms import",
        help="Make a room from a file that orlop rooms export wrote, all of it or nothing.",
        handler="console.verbs.room_file:import_room",
        args=(
            Arg(name="file", kind=Kind.PATH, help="the file", required=True),
            option("name", Kind.NAME, "what the room is called here", metavar="NAME"),
        ),
        changes=True,
        grows=True,
        detail="Every entry's signature and place is verified before anything is written.",
        examples=("orlop rooms import /mnt/usb/harbor.room", "orlop rooms import harbor.room --name old-harbor"),
    ),
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
