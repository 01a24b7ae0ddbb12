"""`orlop rooms …` for rooms with several members, and the relay through which they meet."""

from console.commands import Arg, Command, Confirm, Kind
from console.syntax.parts import ROOM, flag, option

__all__ = ["COMMANDS"]

_INVITATION = "orlop-room:1:" + ":".join(("ab" * 16, "d3M6Ly9yZWxheS5leGFtcGxl", "cd" * 16, "ef" * 16, "aGFyYm9y"))
_MEMBER = Arg(name="member", kind=Kind.NAME, help="a member: name, key or a beginning of the key", required=True)

COMMANDS: tuple[Command, ...] = (
    Command(
        name="rooms invite",
        help="Print the invitation to a room: one line that lets whoever has it join.",
        handler="console.verbs.sharing:invite",
        args=(
            ROOM,
            option("relay", Kind.NAME, "meet at this relay from now on, such as wss://relay.example", metavar="URL"),
            flag("renew", "make another secret; earlier invitations let nobody in any more"),
        ),
        changes=True,
        needs="room",
        detail=(
            "It holds the room's id, its relay, a secret, and the fingerprint of the creator's keys, so a relay can"
            " put nobody else in the creator's place. Pass it on as you would a password."
        ),
        examples=(
            "orlop rooms invite quiet-harbor",
            "orlop rooms invite quiet-harbor --relay ws://127.0.0.1:8484",
            "orlop rooms invite quiet-harbor --renew",
        ),
    ),
    Command(
        name="rooms join",
        help="Join the room of an invitation.",
        handler="console.verbs.sharing:join",
        args=(
            Arg(
                name="invitation",
                kind=Kind.TEXT,
                help="the line that orlop rooms invite printed; - reads it from stdin, without it the terminal asks",
                secret=True,
            ),
            option("name", Kind.NAME, "what the others see you as; the node's name without it", metavar="NAME"),
        ),
        changes=True,
        detail=(
            "A member of the room must be there to let you in. Until one is, joining goes on in the background of the"
            " orlop that runs, or of the next one. An invitation is a secret, and others on this machine can read a"
            " command line while it runs: without one the terminal asks, and shows nothing of what is typed; - reads"
            " one line from stdin."
        ),
        examples=(
            "orlop rooms join",
            "orlop rooms join - --name mara",
            f"orlop rooms join {_INVITATION}",
        ),
    ),
    Command(
        name="rooms leave",
        help="Leave a room: the others are told, and nothing comes from it any more.",
        handler="console.verbs.sharing:leave",
        args=(ROOM,),
        changes=True,
        confirm=Confirm.ASK,
        needs="room",
        detail=(
            "What you have of it stays, to be read; orlop rooms burn deletes that. Its agents end, and can be activated"
            " when you are back; those of an ephemeral room are deleted. An invitation takes you back."
        ),
        examples=("orlop rooms leave quiet-harbor", "orlop rooms leave quiet-harbor --yes"),
    ),
    Command(
        name="rooms members",
        help="List the members of a room: who is there, who was verified, who made the room.",
        handler="console.verbs.sharing:members",
        args=(ROOM,),
        needs="room",
        examples=("orlop rooms members quiet-harbor", "orlop rooms members quiet-harbor --json"),
    ),
    Command(
        name="rooms verify",
        help="Compare the safety number with a member, and mark that it is the same.",
        handler="console.verbs.sharing:verify",
        args=(
            ROOM,
            _MEMBER,
            flag("numbers", "only show the number"),
            flag("yes", "they are the same: mark the member as verified, ask nothing"),
            flag("off", "take the mark back"),
        ),
        changes=True,
        needs="room",
        detail=(
            "Read the number or the words to each other over another way, such as the telephone. Both see the same"
            " exactly when nobody stands between. The mark is dropped when the member's keys change."
        ),
        examples=(
            "orlop rooms verify quiet-harbor mara",
            "orlop rooms verify quiet-harbor mara --numbers",
            "orlop rooms verify quiet-harbor mara --yes",
        ),
    ),
    Command(
        name="rooms remove",
        help="Remove a member from a room that you made; the keys of the room change.",
        handler="console.verbs.sharing:remove",
        args=(ROOM, _MEMBER),
        changes=True,
        confirm=Confirm.ASK,
        needs="room",
        detail=(
            "What they have of the room they keep; they read nothing of what comes. Renew the invitation as well:"
            " orlop rooms invite ROOM --renew."
        ),
        examples=("orlop rooms remove quiet-harbor mara", "orlop rooms remove quiet-harbor mara --yes"),
    ),
    Command(
        name="rooms rotate",
        help="Speak under a new key in a room, which only the present members get.",
        handler="console.verbs.sharing:rotate",
        args=(ROOM,),
        changes=True,
        needs="room",
        detail="It happens by itself when somebody leaves or is removed, and whenever orlop starts.",
        examples=("orlop rooms rotate quiet-harbor",),
    ),
    Command(
        name="rooms relay",
        help="Serve rooms to their members as a relay, until a signal ends it.",
        handler="console.verbs.relay:relay",
        args=(
            option(
                "bind",
                Kind.NAME,
                "the address to listen on; port 0 takes any that is free",
                metavar="HOST:PORT",
                default="127.0.0.1:8484",
            ),
            option(
                "per_address",
                Kind.INTEGER,
                "connections that one address may have",
                metavar="N",
                default="10",
                low=1,
                high=100_000,
            ),
        ),
        state=False,
        detail=(
            "A relay passes on what it cannot read. It needs no state directory, keeps everything in memory, and writes"
            " down neither content nor keys nor addresses; with --json it prints events as lines. Put it behind a proxy"
            " for TLS, and raise --per-address there, since all its members then come from one address."
        ),
        examples=("orlop rooms relay", "orlop rooms relay --bind 0.0.0.0:8484 --per-address 50 --json"),
    ),
)
