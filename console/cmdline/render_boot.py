"""How documents about releases look to people."""

from collections.abc import Callable, Mapping

from console.output import Item, facts, items_of, list_of, text, text_of, word
from runtime.sanitise import clean

__all__ = ["BOOT"]


def _key(value: Item) -> str:
    return facts([("key", word("key")(value)), ("out", word("out")(value))])


def _release(value: Item) -> str:
    names = ("release", "manifest_version", "channel", "arch", "created_at", "expires_at", "hash")
    rows = [(name.replace("_", " "), word(name)(value)) for name in names]
    rows += [("signed by", clean(text_of(key), 64)) for key in list_of(value, "signed_by")]
    return facts(rows)


def _root(value: Item) -> str:
    rows = [(name.replace("_", " "), word(name)(value)) for name in ("version", "threshold", "expires_at", "out")]
    rows += [("key", clean(text_of(key), 64)) for key in list_of(value, "keys")]
    old, new = value.get("missing_old"), value.get("missing_new")
    if old or new:
        rows.append(("still missing", f"{old} of the old keys, {new} of its own"))
    return facts(rows)


def _verified(value: Item) -> str:
    steps = "".join(
        f"  ✓ {text(step, 'name'):10} {clean(text(step, 'detail'), 200)}\n" for step in items_of(value, "steps")
    )
    notes = "".join(f"  ! {clean(text_of(note), 200)}\n" for note in list_of(value, "notes"))
    refused = value.get("refused")
    if isinstance(refused, Mapping):
        return f"{steps}  ✗ {text(refused, 'step')}\n"
    return f"{steps}{notes}"


BOOT: Mapping[str, Callable[[Item], str]] = {
    "boot keygen": _key,
    "boot sign": _release,
    "boot rotate": _root,
    "boot verify": _verified,
}
