"""What `peers …` does with the book of peers."""

import asyncio
import sqlite3
from typing import TYPE_CHECKING

from console.call import Call
from console.client import Json, Result
from console.peer_rows import peer_row
from net.book import reading, saying
from net.book.entry import Known
from net.peer_id import PeerId
from runtime.errors import NotFoundError, UsageError
from runtime.shapes import to_wire
from runtime.store import Transaction

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["ban", "list_peers", "name", "show", "trust"]


async def list_peers(core: "Core", call: Call) -> Result:
    """`peers list`: rows."""
    entries = await asyncio.wrap_future(core.store.read(reading.listed))
    rows = [
        peer_row(core, entry) for entry in entries if not call.flag("trusted") or entry.trusted_ms or entry.submitter
    ]
    return Result(ok=True, value={"v": 1, "items": [to_wire(row) for row in rows]})


async def show(core: "Core", call: Call) -> Result:
    """`peers show`: the row, and where the peer may be."""
    peer = await _meant(core, call)
    entry = await asyncio.wrap_future(core.store.read(lambda db: reading.known(db, peer)))
    if entry is None:
        raise NotFoundError("is not known", where=str(peer), hint="`orlop peers list` shows who is")
    return Result(ok=True, value=_document(core, entry))


async def trust(core: "Core", call: Call) -> Result:
    """`peers trust`: one of the two trusts is given or taken back; with `--name` it is named as well."""
    peer = await _meant(core, call)
    _refuse_oneself(core, peer)
    give = saying.trust_submitter if call.flag("jobs") else saying.trust
    called = call.text("name")

    def work(tx: Transaction) -> Known:
        entry = give(tx, peer, on=not call.flag("remove"))
        return entry if called is None else saying.name(tx, peer, called)

    entry = await core.write(work)
    if core.built("mesh") and not call.flag("remove"):
        core.mesh.host.forgive(peer)
    return Result(ok=True, value=_document(core, entry))


async def ban(core: "Core", call: Call) -> Result:
    """`peers ban`: every trust is gone with it; `--remove` gives none back."""
    peer = await _meant(core, call)
    _refuse_oneself(core, peer)
    reason = call.text("reason") or ""
    if not call.flag("remove"):
        entry = await core.write(lambda tx: saying.ban(tx, peer, reason))
        if core.built("mesh"):
            await core.mesh.end(peer)
        return Result(ok=True, value=_document(core, entry))
    if reason:
        raise UsageError("--reason is for a ban, not for lifting one")
    return Result(ok=True, value=_document(core, await core.write(lambda tx: saying.unban(tx, peer))))


async def name(core: "Core", call: Call) -> Result:
    """`peers name`: a name, a note, or both."""
    peer = await _meant(core, call)
    called, words = call.text("name"), call.text("note")

    def work(tx: Transaction) -> Known:
        if words is not None:
            noted = saying.note(tx, peer, words)
            if called is None:
                return noted
        return saying.name(tx, peer, called or "")

    return Result(ok=True, value=_document(core, await core.write(work)))


async def _meant(core: "Core", call: Call) -> PeerId:
    text = call.need("peer")

    def query(db: sqlite3.Connection) -> PeerId:
        return reading.find(db, text)

    return await asyncio.wrap_future(core.store.read(query))


def _refuse_oneself(core: "Core", peer: PeerId) -> None:
    if str(peer) == core.identity.peer_id:
        raise UsageError("is this node itself", where=str(peer))


def _document(core: "Core", entry: Known) -> dict[str, Json]:
    places: list[Json] = [
        {
            "address": str(one.address),
            "source": one.source,
            "seen_ms": one.seen_ms,
            "proven_ms": one.proven_ms,
        }
        for one in entry.addresses
    ]
    row = to_wire(peer_row(core, entry))
    assert isinstance(row, dict)  # noqa: S101 - of a dataclass it is one
    return {"v": 1, **row, "places": places}
