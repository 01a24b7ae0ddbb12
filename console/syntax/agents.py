"""`orlop agents …`."""

from console.commands import Arg, Command, Confirm, Kind
from console.syntax.parts import AGENT, IN_ROOM, ROOM, flag, option

__all__ = ["COMMANDS"]

_MODULE = Arg(name="module", kind=Kind.PATH, help="the agent's .wasm file", required=True)
_PERMISSIONS = "all, none, or names of read_tasks, read_members, emit_events, persist_state joined by commas"
_DESCRIBE = "Instead of a manifest"
_WORLD = "The world it sees"
_OUTPUT = "Output"

COMMANDS: tuple[Command, ...] = (
    Command(
        name="agents upload",
        help="Check a module, store it in a room and say what it may do.",
        handler="console.verbs.agents:upload",
        args=(
            ROOM,
            _MODULE,
            option("manifest", Kind.PATH, "its manifest, JSON", metavar="FILE"),
            option("grant", Kind.NAME, f"permissions to grant: {_PERMISSIONS}", metavar="all|P,…", required=True),
            option("name", Kind.NAME, "its name; else the name of the file", metavar="NAME", group=_DESCRIBE),
            option("version", Kind.NAME, "its version; else 0.0.0", metavar="V", group=_DESCRIBE),
            option("description", Kind.TEXT, "what it does", metavar="TEXT", group=_DESCRIBE),
            option("author", Kind.NAME, "who wrote it", metavar="NAME", group=_DESCRIBE),
        ),
        changes=True,
        grows=True,
        needs="room",
        detail="Without --manifest one is made of the other options; it asks for those permissions that are granted.",
        examples=(
            "orlop agents upload quiet-harbor balance.wasm --manifest balance.json --grant all",
            "orlop agents upload quiet-harbor echo.wasm --name echo --grant read_tasks,emit_events",
        ),
    ),
    Command(
        name="agents list",
        help="List the agents of all rooms, or of one.",
        handler="console.verbs.agents:list_agents",
        args=(option("room", Kind.ROOM, "only this room", metavar="ROOM"),),
        examples=("orlop agents list", "orlop agents list --room quiet-harbor --json"),
    ),
    Command(
        name="agents show",
        help="Show an agent: state, permissions, breaker, last runs, drops and log.",
        handler="console.verbs.agents:show",
        args=(AGENT, IN_ROOM),
        needs="agent",
        examples=("orlop agents show auto-balance",),
    ),
    Command(
        name="agents activate",
        help="Start an agent, now and at every start of the program.",
        handler="console.verbs.agents:activate",
        args=(AGENT, IN_ROOM),
        changes=True,
        needs="agent",
        detail="A tripped breaker is closed by it.",
        examples=("orlop agents activate auto-balance --room quiet-harbor",),
    ),
    Command(
        name="agents deactivate",
        help="Stop an agent; module and state are kept.",
        handler="console.verbs.agents:deactivate",
        args=(AGENT, IN_ROOM),
        changes=True,
        needs="agent",
        examples=("orlop agents deactivate auto-balance",),
    ),
    Command(
        name="agents delete",
        help="Delete an agent with its module, state and log.",
        handler="console.verbs.agents:delete",
        args=(AGENT, IN_ROOM),
        changes=True,
        confirm=Confirm.ASK,
        needs="agent",
        detail="There is no undo. The built-in agents cannot be deleted.",
        examples=("orlop agents delete echo --yes",),
    ),
    Command(
        name="agents grant",
        help="Set what an agent may do, to exactly these permissions.",
        handler="console.verbs.agents:grant",
        args=(AGENT, Arg(name="permissions", kind=Kind.NAME, help=_PERMISSIONS, required=True), IN_ROOM),
        changes=True,
        needs="agent",
        examples=("orlop agents grant echo read_tasks,emit_events", "orlop agents grant echo none"),
    ),
    Command(
        name="agents probe",
        help="Let a tripped agent make one call; it stays on when the call is good.",
        handler="console.verbs.agents:probe",
        args=(AGENT, IN_ROOM),
        changes=True,
        needs="agent",
        examples=("orlop agents probe faulty",),
    ),
    Command(
        name="agents logs",
        help="Print an agent's log lines, drops and failures, oldest first.",
        handler="console.verbs.agents:logs",
        args=(AGENT, IN_ROOM),
        needs="agent",
        examples=("orlop agents logs faulty",),
    ),
    Command(
        name="agents try",
        help="Run an agent offline and print what it did; needs no state directory.",
        handler="console.verbs.trial:try_agent",
        args=(
            _MODULE,
            option("manifest", Kind.PATH, "its manifest, JSON", metavar="FILE", required=True),
            option("tasks", Kind.PATH, "the room's tasks, a JSON array", metavar="FILE", group=_WORLD),
            option("members", Kind.PATH, "the members, a JSON array", metavar="FILE", group=_WORLD),
            option("event", Kind.PATH, "deliver this task event before the ticks", metavar="FILE", group=_WORLD),
            option("state_hex", Kind.NAME, "the state that it finds, hexadecimal", metavar="HEX", group=_WORLD),
            option(
                "now",
                Kind.INTEGER,
                "the time, Unix milliseconds, standing still; else the clock",
                metavar="MS",
                group=_WORLD,
                low=0,
                high=(1 << 53) - 1,
            ),
            option("ticks", Kind.INTEGER, "how many ticks", metavar="N", group=_WORLD, default="1", low=0, high=10_000),
            flag("feedback", "apply each tick's accepted emissions before the next", group=_WORLD),
            option("symbols", Kind.PATH, "a module with names, for the words of traps", metavar="FILE", group=_OUTPUT),
        ),
        state=False,
        detail="Exit 0 when every call was good, 1 when one failed, 2 when an input cannot be read or is refused.",
        examples=(
            "orlop agents try echo.wasm --manifest echo.json --tasks tasks.json --json",
            "orlop agents try echo.wasm --manifest echo.json --ticks 3 --feedback",
        ),
    ),
)
