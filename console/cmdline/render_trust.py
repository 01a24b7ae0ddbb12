"""How documents about versions, signatures and trusted keys look to people."""

import json
from collections.abc import Callable, Mapping

from console.output import NOTHING, Column, Item, facts, items_of, list_of, moment, size, table, text, text_of, word
from runtime.sanitise import clean

__all__ = ["TRUST", "versions"]

_STATES: Mapping[str, str] = {
    "none": "there was none",
    "kept": "goes on",
    "set aside": "waits with the version before; this one begins without",
    "restored": "is the one of then",
    "broken": "does not open; this one begins without",
}
_KEYS = (
    Column("KEY", word("key"), limit=64),
    Column("ROOM", lambda item: text(item, "room_name") or "all rooms"),
    Column("SINCE", moment("added_ms")),
    Column("NOTE", word("note")),
)


def _stored(value: Item) -> str:
    """What is stored now; what is more than before stands out."""
    rows = [
        ("agent", f"{text(value, 'agent')} {text(value, 'version')}"),
        ("hash", word("hash")(value)),
        ("signed", word("mark")(value)),
        ("asks for", word("permissions")(value)),
        ("granted", word("granted")(value)),
    ]
    change = value.get("change")
    if isinstance(change, Mapping):
        rows += _change(change)
    rows += [("WARNING", text_of(one)) for one in list_of(value, "warnings")]
    return facts(rows)


def _change(change: Item) -> list[tuple[str, str]]:
    rows = [
        ("before", f"{text(change, 'version')}, {size('size_bytes')(change)}, {text(change, 'mark')}"),
        ("it now asks for", _joined(change, "asks_more", "nothing more")),
        ("state", _STATES.get(text(change, "state"), NOTHING)),
    ]
    for name, label in (("gained", "now granted"), ("lost", "no more granted")):
        if list_of(change, name):
            rows.append((label, _joined(change, name, "")))
    return rows


def _joined(value: Item, name: str, nothing: str) -> str:
    return ", ".join(text_of(one) for one in list_of(value, name)) or nothing


def _trust(value: Item) -> str:
    where = "in this room" if value.get("room") else "in all rooms"
    key = clean(text(value, "key"), 64)
    if value.get("trusted"):
        return f"{key} is trusted {where}\n"
    stopped = [clean(text(one, "agent"), 60) for one in items_of(value, "stopped")]
    rest = f"; stopped: {', '.join(stopped)}" if stopped else ""
    return f"{key} is trusted no more{' in this room' if value.get('room') else ''}{rest}\n"


def _manifest(value: Item) -> str:
    if "wasmHash" not in value:
        return facts([(name, word(name)(value)) for name in ("out", "signer")])
    return json.dumps(value, indent=2, ensure_ascii=True) + "\n"


def versions(value: Item) -> str:
    """The versions of an agent, a line each.

    Args:
        value: the document of `agents show`.
    """
    lines: list[str] = []
    for one in items_of(value, "versions"):
        place = "present" if one.get("present") else "kept" if one.get("kept") else "gone"
        version, mark = clean(text(one, "version"), 40), clean(text(one, "mark"), 60) or NOTHING
        lines.append(f"  {text(one, 'upload_no'):>4}  {moment('uploaded_ms')(one)}  {place:<8}  {version}  {mark}\n")
    return "".join(lines)


def _keys(value: Item) -> str:
    empty = "no key is trusted: orlop agents trust KEY trusts one"
    return table(_KEYS, items_of(value, "items"), empty=empty)


TRUST: Mapping[str, Callable[[Item], str]] = {
    "agents upload": _stored,
    "agents rollback": _stored,
    "agents sign": _manifest,
    "agents trust": _trust,
    "agents trusted": _keys,
}
"""By command."""
