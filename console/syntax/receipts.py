"""`orlop receipts …`."""

from console.commands import Arg, Command, Kind
from console.syntax.parts import LIMIT, option

__all__ = ["COMMANDS"]

_RECEIPT = Arg(
    name="receipt", kind=Kind.RECEIPT, help="the receipt: its id, or at least four characters of it", required=True
)
_AGAINST = "Check it against"

COMMANDS: tuple[Command, ...] = (
    Command(
        name="receipts list",
        help="List receipts, newest first.",
        handler="console.verbs.receipts:list_receipts",
        args=(LIMIT,),
        examples=("orlop receipts list", "orlop receipts list --limit 5 --json"),
    ),
    Command(
        name="receipts show",
        help="Print a receipt as it was signed.",
        handler="console.verbs.receipts:show",
        args=(_RECEIPT,),
        needs="receipt",
        examples=("orlop receipts show 3902", "orlop receipts show 3902 > receipt.json"),
    ),
    Command(
        name="receipts verify",
        help="Verify a receipt, step by step.",
        handler="console.verbs.receipts:verify",
        args=(
            Arg(
                name="receipt",
                kind=Kind.RECEIPT,
                help="a file, - for standard input, or a stored receipt's id",
                required=True,
            ),
            option("key", Kind.NAME, "the worker's key, 64 hex characters or a PeerId", metavar="KEY", group=_AGAINST),
            option("manifest", Kind.PATH, "the signed job manifest", metavar="FILE", group=_AGAINST),
            option("module", Kind.PATH, "the module that was to run", metavar="FILE", group=_AGAINST),
            option("stdout", Kind.PATH, "what it wrote to standard output", metavar="FILE", group=_AGAINST),
            option("stderr", Kind.PATH, "what it wrote to standard error", metavar="FILE", group=_AGAINST),
            option("previous", Kind.RECEIPT, "the receipt before it, of the same key", metavar="R", group=_AGAINST),
        ),
        needs="receipt",
        state=False,
        detail=(
            "Without --key only this node's own keys are believed. Exit 0: valid; 4: a step is false; 1: nothing is"
            " false, but schema, canonical form, key or signature could not be checked; 2: unreadable."
        ),
        examples=("orlop receipts verify receipt.json --key 12D3KooW…", "orlop receipts verify 3902 --json"),
    ),
    Command(
        name="receipts export",
        help="Write receipts to a file, one JSON document a line.",
        handler="console.verbs.receipts:export",
        args=(
            Arg(name="out", kind=Kind.OUT, help="the file, or - for standard output", required=True),
            Arg(name="receipts", kind=Kind.RECEIPT, help="which ones; all when none is named", many=True),
            option(
                "format",
                Kind.CHOICE,
                "v1, or the older one for programs that read no other",
                metavar="FORMAT",
                choices=("v1", "legacy"),
                default="v1",
            ),
        ),
        needs="receipt",
        examples=("orlop receipts export receipts.jsonl", "orlop receipts export - 3902"),
    ),
)
