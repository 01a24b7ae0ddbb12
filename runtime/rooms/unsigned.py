"""Rooms from before entries were signed: this node's own entries are signed once, when the room is first opened.

Nobody else ever had such a room, so its entries may get other ids and places. Its creator is this node; what the first
entry says of it comes from the tables.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from runtime.columns import Columns
from runtime.errors import RefusedError
from runtime.rooms.cards import Card
from runtime.rooms.entries import NO_ENTRY, EntryError, SignedEntry, Signer, place, sign_entry
from runtime.rooms.log import Connection, insert
from runtime.vault import SealBrokenError, Vault

__all__ = ["opening_content", "sign_room"]

_FORM: Final = "orlop-room-log:1"
_COLUMNS: Final = Columns(
    "room_log",
    {
        "pos": int,
        "event_id": str,
        "author": str,
        "author_seq": int,
        "timestamp_ms": int,
        "actor": str,
        "kind": str,
        "sealed": bytes,
    },
)
_SELECT: Final = f"SELECT {_COLUMNS.names} FROM room_log WHERE room = ? AND author = ? ORDER BY pos"  # noqa: S608 - constants


def opening_content(
    name: str, card: Card, *, history: str, ephemeral: bool, admission: str, invite: str
) -> dict[str, Any]:
    """What the creator's first entry says."""
    return {
        "name": name,
        "history": history,
        "ephemeral": ephemeral,
        "admission": admission,
        "invite": invite,
        "card": card.to_json(),
    }


def sign_room(
    tx: Connection, vault: Vault, key: bytes, signer: Signer, card: Card, *, room: str, name: str, created_ms: int
) -> None:
    """Signs a room's entries, behind a first one that opens it.

    Args:
        tx: a transaction.
        vault: opens and seals.
        key: the room's.
        signer: this node's account.
        card: this node's, with its name in that room.
        room: its id.
        name: its name.
        created_ms: when it was made.

    Raises:
        RefusedError: an entry was changed, or sealed under another key.
    """
    rows = [_COLUMNS.checked(row) for row in tx.execute(_SELECT, (room, signer.identity_key)).fetchall()]
    earliest = min([created_ms, *(row[4] - 1 for row in rows)])
    opening = opening_content(
        name, card, history="joined", ephemeral=False, admission="invite", invite=vault.new_key()[:16].hex()
    )
    signed = [
        sign_entry(
            signer,
            room=room,
            seq=place(0, 1),
            prev=NO_ENTRY,
            ts_ms=max(0, earliest),
            actor=signer.identity_key,
            kind="room",
            content=opening,
        )
    ]
    for row in rows:
        content = _opened(vault, key, room, row)
        signed.append(_signed(signer, row, content, signed[-1]))
    tx.execute("DELETE FROM room_log WHERE room = ? AND signature IS NULL", (room,))
    for entry in signed:
        insert(tx, vault, key, entry)
    tx.execute("UPDATE rooms SET owner = ? WHERE room = ?", (card.fingerprint, room))


def _opened(vault: Vault, key: bytes, room: str, row: Sequence[Any]) -> dict[str, Any]:
    pos, *lies_open, sealed = row
    try:
        found: dict[str, Any] = json.loads(vault.open(sealed, json.dumps([_FORM, room, *lies_open]).encode(), key))
    except SealBrokenError as error:
        hint = "put the database back from a backup"
        raise RefusedError(f"entry {pos} of its log: {error.why}", where=f"room {room}", hint=hint) from error
    return found


def _signed(signer: Signer, row: Sequence[Any], content: dict[str, Any], before: SignedEntry) -> SignedEntry:
    _, _, _, _, timestamp_ms, actor, kind, _ = row
    while True:
        try:
            return sign_entry(
                signer,
                room=before.room,
                seq=before.seq + 1,
                prev=before.id,
                ts_ms=max(timestamp_ms, before.ts_ms + 1),
                actor=actor,
                kind=kind,
                content=content,
            )
        except EntryError:
            content = _shorter(content)


def _shorter(content: dict[str, Any]) -> dict[str, Any]:
    """Half of the longest text or list: before entries had a limit of their own, some could be larger than it."""
    holder = content["task"] if isinstance(content.get("task"), dict) else content
    longest = max(holder, key=lambda key: len(holder[key]) if isinstance(holder[key], str | list) else 0)
    holder[longest] = holder[longest][: len(holder[longest]) // 2]
    return content
