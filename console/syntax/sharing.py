"""`orlop rooms …` for rooms with several members, and the relay through which they meet."""

from console.commands import Command, Kind
from console.syntax.parts import option

__all__ = ["COMMANDS"]

COMMANDS: tuple[Command, ...] = (
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
