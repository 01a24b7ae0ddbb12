"""`orlop receipts …`."""

from console.commands import Arg, Command, Kind
from console.syntax.parts import LIMIT, flag, option

__all__ = ["COMMANDS"]

_RECEIPT = Arg(
    name="receipt", kind=Kind.RECEIPT, help="the receipt: its id, or at least four characters of it", required=True
)
_AGAINST = "Check it against"
_OUTCOMES = ("exit", "trap", "fuel", "memory", "stack", "output", "deadline", "cancelled", "restored")

COMMANDS: tuple[Command, ...] = (
    Command(
        name="receipts list",
        help="List receipts, newest first.",
        handler="console.verbs.receipts:list_receipts",
        args=(
            option("outcome", Kind.CHOICE, "only of runs that ended so", metavar="OUTCOME", choices=_OUTCOMES),
            option("job", Kind.JOB, "only of this job", metavar="JOB"),
            option("worker", Kind.NAME, "only of this key, 64 hex characters or a PeerId", metavar="KEY"),
            LIMIT,
        ),
        examples=("orlop receipts list", "orlop receipts list --outcome trap --limit 5 --json"),
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
                help="a file (receipt or proof bundle), - for standard input, or a stored receipt's id",
            ),
            flag("chain", "all receipts of a file, one a line, or without one all that are stored here, as chains"),
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
            "Without --key only this node's own keys are believed, and those of peers that are trusted. Exit 0: valid;"
            " 4: a step is false, or a receipt of a chain was removed, reordered, replaced or altered; 1: nothing is"
            " false, but schema, canonical form, key or signature could not be checked; 2: unreadable."
        ),
        examples=(
            "orlop receipts verify receipt.json --key 12D3KooW…",
            "orlop receipts verify 3902 --json",
            "orlop receipts verify --chain",
            "orlop receipts verify --chain receipts.jsonl --key 12D3KooW…",
        ),
    ),
    Command(
        name="receipts export",
        help="Write receipts, one JSON document a line, in a form for others.",
        handler="console.verbs.receipts:export",
        args=(
            Arg(name="receipts", kind=Kind.RECEIPT, help="which ones; all when none is named", many=True),
            option("out", Kind.OUT, "the file; without it, or with -, standard output", metavar="OUT"),
            option(
                "format",
                Kind.CHOICE,
                "receipt; legacy, the form 0.1; in-toto, a DSSE envelope; bundle, with manifest and keys",
                metavar="FORMAT",
                choices=("receipt", "legacy", "in-toto", "bundle"),
                default="receipt",
            ),
            flag("with_output", "put into a bundle what the job wrote, while all of it is still here"),
            option("signed_message", Kind.OUT, "write the bytes that are signed; of one receipt", metavar="OUT"),
        ),
        needs="receipt",
        examples=(
            "orlop receipts export > receipts.jsonl",
            "orlop receipts export 3902 --format bundle --with-output --out proof.json",
            "orlop receipts export 3902 --signed-message message.bin --out receipt.json",
        ),
    ),
    Command(
        name="receipts rerun",
        help="Run a receipt's job again under the same limits and compare output and fuel.",
        handler="console.verbs.rerun:rerun",
        args=(
            _RECEIPT,
            option("module", Kind.PATH, "the module, where it was not kept", metavar="FILE"),
            option("stdin", Kind.PATH, "its standard input, where it was not kept", metavar="FILE"),
        ),
        needs="receipt",
        changes=True,
        grows=True,
        detail=(
            "It leaves a job and a receipt of its own. Exit 0: the same; 4: different, and the job is deterministic;"
            " 1: it could not be run, or it differs in a way that proves nothing."
        ),
        examples=("orlop receipts rerun 3902", "orlop receipts rerun 3902 --module hello.wasm --stdin in.txt"),
    ),
)
