"""Who vouches for an agent, and what an update of it changes, in words for people."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from console.client import Json
from console.rows import AgentRow
from console.ui.figures import size
from console.ui.sheet import Span
from console.ui.text.documents import Object, flag, integer, objects, text, texts
from runtime.agents.manifest import ManifestRefusedError, parse_manifest
from runtime.agents.signature import SignatureRefusedError
from runtime.agents.trust import HASH_ONLY, SHIPPED, SIGNED, UNSIGNED, judge
from runtime.agents.trusted_keys import TrustedKey
from runtime.sanitise import clean

__all__ = [
    "MEANING",
    "Vouching",
    "added_since",
    "kept_versions",
    "key_lines",
    "mark_cell",
    "mark_span",
    "roll_back_lines",
    "update_lines",
    "vouching",
]

MEANING: Mapping[str, str] = {
    "read_tasks": "see the room's tasks",
    "read_members": "see who is in the room",
    "emit_events": "change tasks",
    "persist_state": "keep a state of its own",
}
"""Of each permission."""

_STATES: Mapping[str, str] = {
    "none": "There is no state.",
    "kept": "The present state goes on.",
    "set aside": "The present state waits with {was}; it begins without one.",
    "restored": "Its state of then is back; the present one waits with {was}.",
    "broken": "▲ Its state of then does not open: it begins without one.",
}
"""What becomes of the state when an older version is back."""

_SHORT = 8
_LISTED = 6
_NOT_ALL = "only the module is signed, not its name, version and permissions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouching:
    """Who vouches for a manifest, as far as it can be told before the core judges it.

    Attributes:
        mark: as it would be stored.
        line: for the dialog.
        unvouched: whether the operator has to say that he takes it all the same.
        signer: the key that signed it, trusted or not; else empty.
    """

    mark: str
    line: str
    unvouched: bool = False
    signer: str = ""


def vouching(manifest: Json, keys: Json) -> Vouching:
    """Judges a manifest as the core will.

    Args:
        manifest: the file's document.
        keys: the answer of `agents trusted`.
    """
    trusted = [
        TrustedKey(room="", key=text(one, "key"), added_ms=0, note=text(one, "note", limit=60))
        for one in objects(keys, "items")
    ]
    try:
        verdict = judge(parse_manifest(manifest), trusted)
    except ManifestRefusedError as error:
        return Vouching(mark="", line=f"✗ {clean(error.text, 200)}")
    except SignatureRefusedError as error:
        return Vouching(mark="", line=f"✗ {clean(error.why, 200)}")
    if verdict.why:
        line = f"▲ Nobody vouches for it: {clean(verdict.why, 200)}."
        return Vouching(mark=verdict.mark, line=line, unvouched=True, signer=verdict.signer)
    if verdict.mark == HASH_ONLY:
        return Vouching(mark=verdict.mark, line=f"▲ A trusted key signed it, but {_NOT_ALL}.")
    if verdict.mark == SHIPPED:
        return Vouching(mark=verdict.mark, line="✓ It is part of orlop.")
    note = next((one.note for one in trusted if one.key == verdict.signer), "")
    whose = f", {note}" if note else ""
    return Vouching(mark=verdict.mark, line=f"✓ Signed by {verdict.signer[:16]}…{whose}.", signer=verdict.signer)


def update_lines(row: AgentRow | None, before: Json, manifest: Json, new: Vouching, new_size: int | None) -> str:
    """What an upload changes of an agent that is there; empty for a new one.

    Args:
        row: the agent of this name in the room.
        before: its answer of `agents show`.
        manifest: the new one.
        new: who vouches for it.
        new_size: of the new module, in bytes.
    """
    if row is None:
        return ""
    was, now = clean(row.version, 20), text(manifest, "version", limit=20)
    sizes = "" if new_size is None else f", {size(integer(before, 'size_bytes'))} → {size(new_size)}"
    lines = [f"Update of {clean(row.agent, 32)}: {was} → {now}{sizes}. {_asks_more(row, manifest)}"]
    if new.mark and (row.mark, text(before, "signer")) != (new.mark, new.signer if new.mark.startswith(SIGNED) else ""):
        lines.append(f"▲ THE SIGNER CHANGES: it was {clean(row.mark, 60)}, it is {clean(new.mark, 60)}.")
    return "\n".join(lines)


def _asks_more(row: AgentRow, manifest: Json) -> str:
    added = [name for name in texts(manifest, "permissions") if name not in row.permissions]
    return (
        f"It asks for more: {', '.join(clean(name, 30) for name in added)}." if added else "It asks for nothing more."
    )


def added_since(document: Json) -> str:
    """What the present version asks for that the one before it did not; empty when there is nothing to compare.

    Args:
        document: the answer of `agents show`.
    """
    versions = objects(document, "versions")
    present = next((one for one in versions if flag(one, "present")), None)
    earlier = [one for one in versions if flag(one, "kept") and _number(one) < _number(present or {})]
    if present is None or not earlier:
        return ""
    before = max(earlier, key=_number)
    asked = texts(before, "permissions")
    added = [name for name in texts(present, "permissions") if name not in asked]
    said = ", ".join(added) or "nothing"
    return f"New since {text(before, 'version', limit=20)}: {said}."


def kept_versions(document: Json) -> list[Object]:
    """The versions that an agent can go back to, newest first; those that are later than the present one behind.

    Args:
        document: the answer of `agents show`.
    """
    versions = objects(document, "versions")
    present = next((_number(one) for one in versions if flag(one, "present")), 0)
    kept = [one for one in versions if flag(one, "kept") and not flag(one, "present")]
    return sorted(kept, key=lambda one: (_number(one) > present, -_number(one)))


def roll_back_lines(document: Json) -> str:
    """What going back to a version changes.

    Args:
        document: the answer of `agents rollback --preview`.
    """
    was, now = text(document, "change", "version", limit=20), text(document, "version", limit=20)
    named = f"{was} → {now}, {text(document, 'mark', limit=60)}."
    asks = [
        f"It {what} asks for {', '.join(names)}."
        for key, what in (("asks_more", "also"), ("asks_less", "no longer"))
        if (names := texts(document, "change", key))
    ]
    may = [
        f"{word} {', '.join(names)}."
        for key, word in (("gained", "▲ It gains"), ("lost", "It loses"))
        if (names := texts(document, "change", key))
    ]
    granted = f"Granted is what was granted then: {', '.join(texts(document, 'granted')) or 'nothing'}."
    state = _STATES.get(text(document, "change", "state"), "")
    lines = [
        named,
        " ".join(asks) or "It asks for the same permissions.",
        " ".join([granted, *may]),
        state.format(was=was),
        *(f"▲ {clean(one, 200)}." for one in texts(document, "warnings")),
    ]
    return "\n".join(line for line in lines if line)


def key_lines(keys: Json, where: str) -> str:
    """The trusted keys, a line each.

    Args:
        keys: the answer of `agents trusted` for a room.
        where: the room's name.
    """
    found = objects(keys, "items")
    if not found:
        return f"No key is trusted in {where} yet."
    lines = [f"  {_key_line(one)}" for one in found[:_LISTED]]
    more = [f"  and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
    return "\n".join([f"Trusted in {where}:", *lines, *more])


def mark_cell(mark: str) -> str:
    """A mark where there is little room: the beginning of the key that signed, else the mark itself."""
    return clean(mark.removeprefix(SIGNED)[:_SHORT] if mark.startswith(SIGNED) else mark, 20)


def mark_span(mark: str, *, builtin: bool) -> Iterable[Span]:
    """A mark with what it means."""
    if builtin:
        return (("✓ built in", "ok"), (": part of orlop", "dim"))
    if mark == SHIPPED:
        return (("✓ shipped", "ok"), (": part of orlop", "dim"))
    if mark == UNSIGNED:
        return (("▲ unsigned: nobody vouches for this module", "warn"),)
    if mark == HASH_ONLY:
        return ((f"▲ hash only: {_NOT_ALL}", "warn"),)
    return ((f"✓ {clean(mark, 80)}", "ok"), ("…", "dim"))


def _key_line(one: Object) -> str:
    where = "" if text(one, "room") else "in all rooms"
    parts = (f"{text(one, 'key')[:16]}…", text(one, "note", limit=40), where)
    return "  ".join(part for part in parts if part)


def _number(version: Object) -> int:
    return integer(version, "upload_no") or 0
