"""`orlop rooms …`."""

from console.commands import Arg, Command, Kind
from console.syntax.parts import ROOM, flag, option

__all__ = ["COMMANDS"]

_DO = "What to do (exactly one)"
_WITH = "With it"

COMMANDS: tuple[Command, ...] = (
    Command(
        name="rooms create",
        help="Create a room with this node as its first member.",
        handler="console.verbs.rooms:create",
        args=(
            Arg(name="name", kind=Kind.NAME, help="the room's name, 1 to 64 characters", required=True),
            option("relay", Kind.NAME, "where its members meet, such as wss://relay.example", metavar="URL"),
            option(
                "history",
                Kind.CHOICE,
                "what new members are given: all that was said, or what is said after they joined",
                metavar="WHAT",
                choices=("all", "joined"),
                default="joined",
            ),
            flag("open", "let in whoever knows the room's id, without proof of an invitation"),
            flag("ephemeral", "keep nothing of it on the disk; it ends with the orlop that runs"),
            flag("with_demo", "put tasks and three agents into it that look after them; one fails on purpose"),
        ),
        changes=True,
        detail=(
            "With --relay it has a place to meet others: orlop rooms invite prints the invitation. Without, it is"
            " yours alone until an invitation names one."
        ),
        examples=(
            "orlop rooms create quiet-harbor",
            "orlop rooms create quiet-harbor --relay wss://relay.example",
            "orlop rooms create quiet-harbor --with-demo",
        ),
    ),
    Command(
        name="rooms list",
        help="List the rooms with their tasks, members and agents.",
        handler="console.verbs.rooms:list_rooms",
        examples=("orlop rooms list", "orlop rooms list --json"),
    ),
    Command(
        name="rooms show",
        help="Show a room: progress, members, tasks and the latest messages.",
        handler="console.verbs.rooms:show",
        args=(ROOM,),
        needs="room",
        examples=("orlop rooms show quiet-harbor",),
    ),
    Command(
        name="rooms tasks",
        help="List the tasks of a room, or those that are looked for.",
        handler="console.verbs.rooms:tasks",
        args=(
            ROOM,
            option("search", Kind.TEXT, "only tasks with all these words in title, description or id", metavar="TEXT"),
            option(
                "sort",
                Kind.CHOICE,
                "created, due or due-desc; urgent ones come first in each",
                metavar="ORDER",
                choices=("created", "due", "due-desc"),
            ),
            flag("open", "only what is not completed"),
            flag("done", "only what is completed"),
        ),
        needs="room",
        detail="Without --sort they come in the order in which they were made.",
        examples=(
            "orlop rooms tasks quiet-harbor",
            "orlop rooms tasks quiet-harbor --open --sort due",
            "orlop rooms tasks quiet-harbor --search 'image 14' --json",
        ),
    ),
    Command(
        name="rooms task",
        help="Add, change or assign tasks of a room.",
        handler="console.verbs.tasks:task",
        args=(
            ROOM,
            option("add", Kind.TEXT, "add a task written like a /task line", metavar="TEXT", group=_DO),
            option("start", Kind.TASK, "it is being worked on", metavar="TASK", group=_DO),
            option("done", Kind.TASK, "it is completed", metavar="TASK", group=_DO),
            option("reopen", Kind.TASK, "it is pending again", metavar="TASK", group=_DO),
            option("assign", Kind.TASK, "give it to the member of --to, or to nobody", metavar="TASK", group=_DO),
            option("urgent", Kind.TASK, "switch its urgency on, or off with --off", metavar="TASK", group=_DO),
            option("title", Kind.TASK, "give it the title of --text", metavar="TASK", group=_DO),
            option("describe", Kind.TASK, "give it the description of --text", metavar="TASK", group=_DO),
            option("due", Kind.TASK, "it is due --text from now, such as 2h", metavar="TASK", group=_DO),
            option("block", Kind.TASK, "it waits for the task of --on", metavar="TASK", group=_DO),
            option("unblock", Kind.TASK, "it no longer waits for the task of --on", metavar="TASK", group=_DO),
            flag("auto_assign", "give every free task to the member with the least to do", group=_DO),
            option("to", Kind.NAME, "a member: name, key or a beginning of the key", metavar="MEMBER", group=_WITH),
            Arg(
                name="on",
                kind=Kind.TASK,
                help="a task that is waited for; may be repeated",
                option=True,
                many=True,
                metavar="TASK",
                group=_WITH,
            ),
            option("under", Kind.TASK, "with --add: as a subtask of this one", metavar="TASK", group=_WITH),
            option("text", Kind.TEXT, "the title, the description or the time", metavar="TEXT", group=_WITH),
            flag("off", "with --urgent: no longer urgent", group=_WITH),
            flag("preview", "with --auto-assign: only say what it would do", group=_WITH),
        ),
        changes=True,
        needs="task",
        detail="A /task line is `Title | split into: a, b | due: 2h | desc: … | urgent`; only the title is needed. "
        "With --add, --to says who does it, --on what it waits for, --under of what it is a part.",
        examples=(
            "orlop rooms task quiet-harbor --add 'Publish image 14 | due: 2h | urgent'",
            "orlop rooms task quiet-harbor --add 'Sign it' --to jo --on 91cc",
            "orlop rooms task quiet-harbor --block 3f2a --on 91cc",
        ),
    ),
    Command(
        name="rooms say",
        help="Say something in a room; a text that begins with /task adds tasks.",
        handler="console.verbs.rooms:say",
        args=(ROOM, Arg(name="text", kind=Kind.TEXT, help="what to say", required=True)),
        changes=True,
        needs="room",
        examples=(
            "orlop rooms say quiet-harbor 'image 14 is signed'",
            "orlop rooms say quiet-harbor '/task Publish it'",
        ),
    ),
)
