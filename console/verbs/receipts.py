"""What `receipts …` does."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Args, Json, Result
from console.registry import COMMANDS
from console.verbs.reading import hash_all, read_all, read_sync, readable_inputs, reading
from console.verbs.values import number
from runtime.canonical import CanonicalError, decode, encode
from runtime.errors import NotFoundError, RefusedError
from runtime.jobs.legacy import legacy_receipt
from runtime.jobs.verify import Evidence, Verification, exit_status, pinned_key
from runtime.shapes import to_wire

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["RECEIPT_MAX", "evidence", "export", "list_receipts", "show", "verdict", "verify"]

RECEIPT_MAX: Final = 1 << 20
"""Bytes of a receipt or manifest that is read; what is longer is none."""

_OUTPUT_MAX: Final = 1 << 30


async def list_receipts(core: "Core", call: Call) -> Result:
    """`receipts list`: rows, newest first."""
    limit = number(COMMANDS["receipts list"], call.args, "limit") or 0
    rows = await core.receipts.rows(limit)
    return Result(ok=True, value={"v": 1, "items": [to_wire(row) for row in rows]})


async def show(core: "Core", call: Call) -> Result:
    """`receipts show`: the receipt itself."""
    return Result(ok=True, value=await core.receipts.document(call.need("receipt")))


async def verify(core: "Core", call: Call) -> Result:
    """`receipts verify`: a stored receipt, or one that came along as a file."""
    with readable_inputs():
        given = await reading(call.interrupted, lambda stop: evidence(call.args, call.files, stop))
        raw = b""
        if "receipt" in call.files:
            raw = await read_all(call.files["receipt"], limit=RECEIPT_MAX, what="receipt", interrupted=call.interrupted)
    if given.previous is None and (previous := call.text("previous")) is not None:
        given = with_previous(given, encode(await core.receipts.document(previous)))
    if "receipt" in call.files:
        return verdict(await core.receipts.verify("", given, raw=raw))
    keep = not call.read_only and given == Evidence()
    return verdict(await core.receipts.verify(call.need("receipt"), given, keep=keep))


async def export(core: "Core", call: Call) -> Result:
    """`receipts export`: the documents, which the face writes."""
    legacy = call.text("format") == "legacy"
    items: list[Json] = []
    async for line in core.receipts.documents(call.many("receipts")):
        try:
            document = decode(line, limit=RECEIPT_MAX)
        except CanonicalError as error:
            raise RefusedError(error.why, where="a stored receipt", hint="put the database back from a copy") from None
        if legacy and isinstance(document, Mapping):
            document = json.loads(legacy_receipt(document, core.identity))
        items.append(document)
    if not items:
        raise NotFoundError("there are no receipts yet", hint="orlop jobs run leaves one")
    return Result(ok=True, value={"v": 1, "items": items})


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
