"""What `receipts …` does."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Args, Json, Result
from console.exit_codes import ExitCode
from console.registry import COMMANDS
from console.verbs.reading import hash_all, read_all, read_sync, readable_inputs, reading
from console.verbs.values import number
from runtime.canonical import CanonicalError, decode, encode
from runtime.errors import NotFoundError, RefusedError, UsageError
from runtime.jobs import (
    BUNDLE_MAX,
    RECEIPT_DOMAIN,
    ChainReport,
    ChainWalk,
    Evidence,
    ReceiptFilter,
    Verification,
    exit_status,
    pinned_key,
    read_link,
    receipt_id,
    receipt_message,
)
from runtime.shapes import to_wire

if TYPE_CHECKING:
    from console.core import Core

__all__ = [
    "PROOF_MAX",
    "chain_of",
    "chain_verdict",
    "evidence",
    "export",
    "list_receipts",
    "refuse_beside_chain",
    "show",
    "verdict",
    "verify",
]

RECEIPT_MAX: Final = 1 << 20
"""Bytes of a receipt or manifest that is read; what is longer is none."""

PROOF_MAX: Final = BUNDLE_MAX
"""Bytes of what may be a receipt or a proof bundle."""

_OUTPUT_MAX: Final = 1 << 30


async def list_receipts(core: "Core", call: Call) -> Result:
    """`receipts list`: rows, newest first."""
    limit = number(COMMANDS["receipts list"], call.args, "limit") or 0
    worker = call.text("worker")
    only = ReceiptFilter(
        outcome=call.text("outcome") or "",
        job=call.text("job") or "",
        worker=pinned_key(worker, where="--worker") if worker else "",
    )
    rows = await core.receipts.rows(limit, only)
    return Result(ok=True, value={"v": 1, "items": [to_wire(row) for row in rows]})


async def show(core: "Core", call: Call) -> Result:
    """`receipts show`: the receipt itself."""
    return Result(ok=True, value=await core.receipts.document(call.need("receipt")))


async def verify(core: "Core", call: Call) -> Result:
    """`receipts verify`: a stored receipt or the chains, or what came along as a file."""
    if call.flag("chain"):
        return await _verify_chain(core, call)
    with readable_inputs():
        given = await reading(call.interrupted, lambda stop: evidence(call.args, call.files, stop))
        raw = b""
        if "receipt" in call.files:
            raw = await read_all(call.files["receipt"], limit=PROOF_MAX, what="receipt", interrupted=call.interrupted)
    if given.previous is None and (previous := call.text("previous")) is not None:
        given = with_previous(given, encode(await core.receipts.document(previous)))
    if "receipt" in call.files:
        return verdict(await core.receipts.verify("", given, raw=raw))
    keep = not call.read_only and given == Evidence()
    return verdict(await core.receipts.verify(call.need("receipt"), given, keep=keep))


async def _verify_chain(core: "Core", call: Call) -> Result:
    refuse_beside_chain(call.args, call.files)
    if "receipt" not in call.files:
        if call.text("receipt") or call.text("key"):
            raise UsageError("takes a file of receipts, or nothing for those that are stored here", where="--chain")
        return chain_verdict(await core.receipts.verify_chain())

    believed = core.accepts_receipts_of
    with readable_inputs():
        return await reading(
            call.interrupted, lambda stop: chain_verdict(chain_of(call.args, call.files["receipt"], believed, stop))
        )


def refuse_beside_chain(args: Args, files: Mapping[str, int]) -> None:
    """Refuses what one receipt is held against.

    Raises:
        UsageError: such an option stands beside `--chain`.
    """
    for name in ("manifest", "module", "stdout", "stderr", "previous"):
        if name in args or name in files:
            raise UsageError(f"--{name} is for one receipt", where="--chain")


def chain_of(args: Args, descriptor: int, believed: Callable[[str], bool], stop: int = -1) -> ChainReport:
    """Verifies a file of receipts, one a line.

    Args:
        args: the command line's; `key` names the key that is believed.
        descriptor: the file.
        believed: whether a key is believed without being named.
        stop: ends the reading when it becomes readable.

    Raises:
        UsageError: the key is none.
        RefusedError: the file is too long.
        UnavailableError: it cannot be read.
    """
    text = args.get("key")
    key = pinned_key(text) if isinstance(text, str) else None

    def known(worker: str) -> bool | None:
        return worker == key if key is not None else believed(worker) or None

    walk = ChainWalk(known)
    lines = read_sync(descriptor, limit=_OUTPUT_MAX, what="receipt", stop=stop).splitlines()
    for at, line in enumerate(lines, 1):
        walk.add(read_link(line, f"line {at}"))
    return walk.report(whole=lambda _: False)


def chain_verdict(report: ChainReport) -> Result:
    """A verification of chains as the end of a command."""
    code = {True: ExitCode.OK, False: ExitCode.NOT_VERIFIED, None: ExitCode.FAILED}[report.ok]
    return Result(ok=report.ok is True, value=report.document(), exit_code=code)


async def export(core: "Core", call: Call) -> Result:
    """`receipts export`: the documents, which the face writes."""
    form, named = call.text("format") or "receipt", call.many("receipts")
    if call.flag("with_output") and form != "bundle":
        raise UsageError("is for bundles", where="--with-output", hint="add --format bundle")
    signed: dict[str, Json] = {}
    if call.text("signed_message") is not None:
        if len(named) != 1:
            raise UsageError("is for one receipt, which is named", where="--signed-message")
        signed = {"signed_message_b64": await _signed_message(core, named[0])}
    outputs = call.flag("with_output")
    items = [await _exported(core, line, form, outputs=outputs) async for line in core.receipts.documents(named)]
    if not items:
        raise NotFoundError("there are no receipts yet", hint="orlop jobs run leaves one")
    return Result(ok=True, value={"v": 1, "items": items, **signed})


async def _exported(core: "Core", line: bytes, form: str, *, outputs: bool) -> Json:
    try:
        document = decode(line, limit=RECEIPT_MAX)
    except CanonicalError as error:
        raise RefusedError(error.why, where="a stored receipt", hint="put the database back from a copy") from None
    if form == "receipt" or not isinstance(document, Mapping):
        return document
    if form == "legacy":
        older: Json = json.loads(core.receipts.in_older_form(document))
        return older
    proof = await core.receipts.proof(receipt_id(document), outputs=outputs)
    return proof.bundle() if form == "bundle" else core.receipts.attested(proof)


async def _signed_message(core: "Core", ref: str) -> str:
    document = await core.receipts.document(ref)
    return base64.b64encode(RECEIPT_DOMAIN + receipt_message(document)).decode()


def verdict(verification: Verification) -> Result:
    """A verification as the end of a command.

    Args:
        verification: the eight findings.
    """
    return Result(ok=verification.ok is True, value=verification.document(), exit_code=exit_status(verification))


def evidence(args: Args, files: Mapping[str, int], stop: int = -1) -> Evidence:
    """What a command line gives to hold a receipt against; reads its files.

    Args:
        args: the arguments.
        files: descriptors by argument.
        stop: ends the reading when it becomes readable.

    Raises:
        UsageError: the key is none.
        RefusedError: a file is too long.
        UnavailableError: a file cannot be read.
    """

    def content(name: str, limit: int) -> bytes | None:
        return read_sync(files[name], limit=limit, what=name, stop=stop) if name in files else None

    key = args.get("key")
    return Evidence(
        key=pinned_key(key) if isinstance(key, str) else None,
        manifest=content("manifest", RECEIPT_MAX),
        module=f"sha256:{hash_all(files['module'], what='module', stop=stop)}" if "module" in files else None,
        stdout=content("stdout", _OUTPUT_MAX),
        stderr=content("stderr", _OUTPUT_MAX),
        previous=content("previous", RECEIPT_MAX),
    )


def with_previous(given: Evidence, previous: bytes) -> Evidence:
    """The evidence with a preceding receipt."""
    from dataclasses import replace

    return replace(given, previous=previous)
