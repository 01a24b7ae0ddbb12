"""`orlop boot serve`, `fetch` and `discover`."""

from console.commands import Arg, Command, Kind
from console.syntax.parts import flag, option

__all__ = ["BIND", "COMMANDS"]

BIND = "127.0.0.1:8080"
"""Where a release is served that nobody said another address for."""

_CHANNELS = ("stable", "testing", "nightly")
_ARCHES = ("x86_64", "arm64")
_WHERE = option(
    "interface",
    Kind.NAME,
    "an address of this machine on whose link to listen; may be repeated; else all",
    metavar="ADDRESS",
    many=True,
)

COMMANDS: tuple[Command, ...] = (
    Command(
        name="boot serve",
        help="Serve a signed release to machines that boot, until a signal comes.",
        handler="console.verbs.boot_serving:serve",
        args=(
            Arg(name="release", kind=Kind.FOLDER, help="its folder, with manifest.json", required=True),
            option("bind", Kind.NAME, "address and port; port 0 takes a free one", metavar="HOST:PORT",
                   default=BIND),
            flag("no_mdns", "announce nothing on the link"),
            flag("no_dht", "tell the DHT nothing"),
            option("receipts", Kind.NAME, "keep the receipts that machines deliver in this folder", metavar="DIR"),
        ),
        changes=True,
        state=False,
        detail=(
            "Serves what was signed and is what was signed; it makes no manifest and needs no key. Where others reach"
            " it, it is announced on the link, and in the DHT if p2p.bootstrap names a node; on the loopback nowhere."
            " With --json every request, report and receipt is a line on stdout. Typed on the screen of a node, it is"
            " the node that serves, until boot stop."
        ),
        examples=("orlop boot serve release/", "orlop boot serve release/ --bind 0.0.0.0:8080 --receipts receipts/"),
    ),
    Command(
        name="boot stop",
        help="Serve a release no more that this node serves.",
        handler="console.verbs.boot_serving:stop",
        args=(Arg(name="release", kind=Kind.NAME, help="its URL or its name; not needed where only one is served"),),
        changes=True,
        detail="Ends what --serve-boot or the Boot pane began. A boot serve in the foreground ends with Ctrl-C.",
        examples=("orlop boot stop",),
    ),
    Command(
        name="boot status",
        help="Show what this node serves to machines, and how far each machine is.",
        handler="console.verbs.boot_serving:status",
        args=(Arg(name="session", kind=Kind.NAME, help="one machine: the beginning of its session"),),
        detail="Steps are reported by the machines themselves and prove nothing; a receipt is verified like any other.",
        examples=("orlop boot status --json",),
    ),
    Command(
        name="boot fetch",
        help="Fetch a release and verify it as a machine does that boots it.",
        handler="console.verbs.boot_serving:elsewhere",
        args=(
            Arg(name="url", kind=Kind.NAME, help="folders of servers, asked in this order", many=True),
            flag("discover", "ask servers that announce themselves on the link or in the DHT, too"),
            option("root_key", Kind.PATH, "the root that is trusted: root.pub, or a root document", metavar="FILE",
                   required=True),
            option("channel", Kind.CHOICE, "that is taken", metavar="CHANNEL", choices=_CHANNELS, required=True),
            option("arch", Kind.CHOICE, "of the machine", metavar="ARCH", choices=_ARCHES, required=True),
            option("out", Kind.OUT, "the folder for the release", metavar="DIR", required=True),
            option("min_version", Kind.INTEGER, "the lowest version that is taken", metavar="N", low=1, default="1"),
            option("timeout", Kind.DURATION, "for everything together", metavar="TIME", default="15m"),
            _WHERE,
        ),
        state=False,
        detail=(
            "Nothing is kept before all of it is verified. A server that lies is left for the next one, one that fails"
            " is asked again later. Exit codes: 0 fetched, 3 what came is refused, 5 nothing could be had."
        ),
        examples=(
            "orlop boot fetch http://10.0.0.2:8080/ --root-key root.pub --channel stable --arch x86_64 --out copy/",
        ),
    ),
    Command(
        name="boot discover",
        help="List boot servers that announce themselves on the link or in the DHT: hints, no proof.",
        handler="console.verbs.boot_serving:elsewhere",
        args=(
            option("wait", Kind.DURATION, "how long to listen", metavar="TIME", default="3s"),
            option("root_key", Kind.PATH, "ask the DHT, too, for releases that this root trusts", metavar="FILE"),
            option("channel", Kind.CHOICE, "of them", metavar="CHANNEL", choices=_CHANNELS, default="stable"),
            option("arch", Kind.CHOICE, "of them", metavar="ARCH", choices=_ARCHES, default="x86_64"),
            _WHERE,
        ),
        state=False,
        detail=(
            "On the link, servers that tell of another network than this machine's are passed over. The DHT is asked"
            " through the nodes of p2p.bootstrap, by the keys of the root."
        ),
        examples=("orlop boot discover --wait 10s", "orlop boot discover --root-key keys/root.pub --arch arm64"),
    ),
)  # fmt: skip
