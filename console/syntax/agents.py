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
        handler="console.verbs.agent_upload:upload",
        args=(
            ROOM,
            _MODULE,
            option("manifest", Kind.PATH, "its manifest, JSON", metavar="FILE"),
            option("grant", Kind.NAME, f"permissions to grant: {_PERMISSIONS}", metavar="all|P,…"),
            flag("unsigned", "store it although nobody vouches for it whom the room trusts"),
            flag("keep_state", "let another module go on with the state of the version before"),
            option("name", Kind.NAME, "its name; else the name of the file", metavar="NAME", group=_DESCRIBE),
            option("version", Kind.NAME, "its version; else 0.0.0", metavar="V", group=_DESCRIBE),
            option("description", Kind.TEXT, "what it does", metavar="TEXT", group=_DESCRIBE),
            option("author", Kind.NAME, "who wrote it", metavar="NAME", group=_DESCRIBE),
        ),
        changes=True,
        grows=True,
        needs="room",
        detail=(
            "The manifest has to be signed by a key that the room trusts (agents sign, agents trust), or be one that"
            " orlop ships; --unsigned says that you vouch for it yourself. An update without --grant keeps what was"
            " granted, as far as the new version asks for it again, and is granted nothing that it adds; --grant sets"
            " exactly these. The version before is kept: agents rollback. Without --manifest one is made of the other"
            " options; it asks for those permissions that are granted."
        ),
        examples=(
            "orlop agents upload quiet-harbor balance.wasm --manifest balance.json --grant all",
            "orlop agents upload quiet-harbor balance.wasm --manifest balance.json",
            "orlop agents upload quiet-harbor echo.wasm --name echo --grant read_tasks,emit_events --unsigned",
        ),
    ),
    Command(
        name="agents rollback",
        help="Put an older version of an agent in the place of the present one, which is kept.",
        handler="console.verbs.agent_upload:roll_back",
        args=(
            AGENT,
            Arg(name="version", kind=Kind.NAME, help="its version, or the number of its upload; else the one before"),
            flag("keep_state", "let the older module go on with the present state"),
            flag("preview", "only say what it would change"),
            IN_ROOM,
        ),
        changes=True,
        needs="agent",
        detail=(
            "Module, manifest and grants are those of then, and so is the state, unless both versions share theirs"
            " (stateVersion in the manifest). The agent is off afterwards. agents show lists the versions."
        ),
        examples=(
            "orlop agents rollback echo --preview",
            "orlop agents rollback echo",
            "orlop agents rollback echo 1.2.0 --room quiet-harbor",
        ),
    ),
    Command(
        name="agents keygen",
        help="Make a key that signs manifests, in a file of its own; needs no state directory.",
        handler="console.verbs.signing:keygen",
        args=(Arg(name="out", kind=Kind.OUT, help="the file of the key; nothing may be there", required=True),),
        state=False,
        detail="The file is for its owner only (mode 0600). Printed is the public key, which others trust.",
        examples=("orlop agents keygen mara.key",),
    ),
    Command(
        name="agents sign",
        help="Sign a manifest, on any machine; needs no state directory.",
        handler="console.verbs.signing:sign",
        args=(
            Arg(name="manifest", kind=Kind.PATH, help="the manifest, JSON", required=True),
            option("key", Kind.PATH, "the key: a file of agents keygen", metavar="FILE", required=True),
            option("out", Kind.OUT, "write the signed manifest here; else it is printed", metavar="OUT"),
        ),
        state=False,
        detail=(
            "The signature covers the whole manifest, and by its wasmHash the module. A node signs with its own key by"
            " --key identity.key of its state directory. A signature that is there already is replaced."
        ),
        examples=(
            "orlop agents sign echo.json --key mara.key --out echo.json",
            "orlop agents sign echo.json --key mara.key > signed.json",
        ),
    ),
    Command(
        name="agents trust",
        help="Trust a key: agents that it signed may be uploaded, in one room or in all.",
        handler="console.verbs.agent_trust:trust",
        args=(
            Arg(
                name="key", kind=Kind.NAME, help="a public key, as agents keygen prints it, or a PeerId", required=True
            ),
            option("room", Kind.ROOM, "in this room only; else in all", metavar="ROOM"),
            option("note", Kind.TEXT, "whose key it is", metavar="TEXT"),
            flag("remove", "trust it no more, and stop what it signed"),
        ),
        changes=True,
        detail="agents trusted lists the keys. What a removed key signed stops at once and does not start again.",
        examples=(
            "orlop agents trust 3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29 --note Mara",
            "orlop agents trust 12D3KooWSCufgHzV4fCwRijfH2k3abrpAJxTKxEvN1FDuRXA2U9x --room quiet-harbor",
        ),
    ),
    Command(
        name="agents trusted",
        help="List the keys whose agents may be uploaded, of all rooms or in one.",
        handler="console.verbs.agent_trust:trusted",
        args=(option("room", Kind.ROOM, "those that hold in this room", metavar="ROOM"),),
        examples=("orlop agents trusted", "orlop agents trusted --room quiet-harbor --json"),
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
        detail="There is no undo; its older versions go as well. The built-in agents cannot be deleted.",
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
