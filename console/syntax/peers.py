"""`orlop peers …`."""

from console.commands import Arg, Command, Confirm, Kind
from console.syntax.parts import flag, option

__all__ = ["COMMANDS"]

_PEER = Arg(
    name="peer",
    kind=Kind.PEER,
    help="the peer: its name, its PeerId, or at least four characters of that after 12D3KooW",
    required=True,
)
_WHERE = Arg(
    name="peer",
    kind=Kind.PEER,
    help="the peer as in peers show, or a multiaddr that ends in /p2p/ and its PeerId",
    required=True,
)
_ID = "12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"

COMMANDS: tuple[Command, ...] = (
    Command(
        name="peers list",
        help="List the nodes that are known, those that are trusted first.",
        handler="console.verbs.peers:list_peers",
        args=(flag("trusted", "only those that are trusted with something"),),
        examples=("orlop peers list", "orlop peers list --trusted --json"),
    ),
    Command(
        name="peers show",
        help="Show what is known of a node.",
        handler="console.verbs.peers:show",
        args=(_PEER,),
        needs="peer",
        examples=("orlop peers show ada", "orlop peers show BiLeB9 --json"),
    ),
    Command(
        name="peers trust",
        help="Believe a node's receipts and let it run jobs for you, or let it give you jobs.",
        handler="console.verbs.peers:trust",
        args=(
            _PEER,
            flag("jobs", "let it give this node jobs; says nothing of its receipts"),
            flag("remove", "take that trust back"),
            option("name", Kind.NAME, "call it so from now on", metavar="NAME"),
        ),
        changes=True,
        needs="peer",
        detail=(
            "The two trusts are apart: without --jobs its receipts are believed and jobs are given to it, with --jobs"
            " it may give this node jobs, and neither says anything of the other. A node whose receipt was false gets"
            " no job until it is trusted anew."
        ),
        examples=(
            f"orlop peers trust {_ID} --name ada",
            "orlop peers trust ada --jobs",
            "orlop peers trust ada --remove",
        ),
    ),
    Command(
        name="peers dial",
        help="Connect to a node and prove its key.",
        handler="console.verbs.mesh:dial",
        args=(
            _WHERE,
            flag("insecure_any", "take whoever is at the address, and say who it is"),
        ),
        changes=True,
        detail=(
            "Whoever answers must prove the key that the address names; another's is refused. A running orlop stays"
            " connected; without one the connection ends with the command."
        ),
        examples=(f"orlop peers dial /ip4/192.0.2.7/tcp/4001/p2p/{_ID}", "orlop peers dial ada --json"),
    ),
    Command(
        name="peers ping",
        help="Measure how long a node takes to answer.",
        handler="console.verbs.mesh:ping_peer",
        args=(
            _WHERE,
            option("count", Kind.INTEGER, "how often", metavar="N", default="3", low=1, high=100),
        ),
        changes=True,
        detail="The connection is made first where there is none; that is not measured.",
        examples=("orlop peers ping ada", "orlop peers ping ada --count 10 --json"),
    ),
    Command(
        name="peers discover",
        help="Look for nodes that could run a job, have each prove its key, and list them, best first.",
        handler="console.verbs.discover:discover",
        args=(
            option("arch", Kind.NAME, "of this architecture, such as x86_64", metavar="ARCH"),
            option("kind", Kind.CHOICE, "for jobs of this kind", metavar="KIND", choices=("wasm",)),
            option("memory", Kind.SIZE, "with so much memory free", metavar="SIZE", low=1, high=1 << 50),
            option(
                "wait", Kind.DURATION, "how long to listen on the LAN first", metavar="TIME", default="3s", high=60_000
            ),
        ),
        changes=True,
        detail=(
            "Looks in the book of peers, on the LAN (p2p.lan) and in the DHT (p2p.bootstrap). What is found there is a"
            " hint; listed is who proved its key just now. What a node says of its machine is its own word: it orders"
            " the list, and only an offer reserves anything."
        ),
        examples=("orlop peers discover", "orlop peers discover --arch x86_64 --memory 512MiB --json"),
    ),
    Command(
        name="peers ban",
        help="Have nothing to do with a node, and take every trust from it.",
        handler="console.verbs.peers:ban",
        args=(
            _PEER,
            option("reason", Kind.NAME, "why, for yourself", metavar="TEXT"),
            flag("remove", "lift the ban; trust does not come back"),
        ),
        changes=True,
        confirm=Confirm.ASK,
        needs="peer",
        examples=(
            "orlop peers ban ada",
            'orlop peers ban ada --reason "false receipts" --yes',
            "orlop peers ban ada --remove",
        ),
    ),
    Command(
        name="peers name",
        help="Give a node a name and a note of your own.",
        handler="console.verbs.peers:name",
        args=(
            _PEER,
            Arg(name="name", kind=Kind.NAME, help="what to call it; nothing takes its name away"),
            option("note", Kind.TEXT, "your words about it", metavar="TEXT"),
        ),
        changes=True,
        needs="peer",
        examples=(f"orlop peers name {_ID} ada", 'orlop peers name ada ada --note "the machine in the cellar"'),
    ),
)
