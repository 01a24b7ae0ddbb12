"""How documents about releases look to people."""

from collections.abc import Callable, Mapping

from console.output import Column, Item, facts, items_of, list_of, moment, size, table, text, text_of, word
from runtime.sanitise import clean

__all__ = ["BOOT"]


def _key(value: Item) -> str:
    rows = [(name, word(name)(value)) for name in ("key", "out") if name in value]
    return facts(rows + [("file", clean(text_of(name), 100)) for name in list_of(value, "files")])


def _images(value: Item) -> str:
    rows = [(name, word(name)(value)) for name in ("release", "key", "out")]
    columns = [Column("FILE", word("name")), Column("SIZE", size("size")), Column("SHA256", word("sha256"))]
    return facts(rows) + "\n" + table(columns, items_of(value, "files"), empty="")


def _written(value: Item) -> str:
    return facts([("device", word("device")(value)), ("size", size("size")(value)), ("sha256", word("sha256")(value))])


def _built(value: Item) -> str:
    names = ("release", "version", "channel", "arch", "kernel", "build_time", "out")
    rows = [(name.replace("_", " "), word(name)(value)) for name in names]
    return facts(rows + [(text(file, "name"), size("size")(file)) for file in items_of(value, "files")])


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


def _fetched(value: Item) -> str:
    names = ("release", "manifest_version", "channel", "arch", "expires_at", "hash", "provider", "out")
    rows = [(name.replace("_", " "), word(name)(value)) for name in names]
    return _verified(value) + facts(rows)


def _servers(value: Item) -> str:
    columns = [
        Column("SERVER", lambda item: " ".join(clean(text_of(url), 80) for url in list_of(item, "urls"))),
        Column("CHANNEL", word("channel")),
        Column("ARCH", word("arch")),
        Column("VERSION", word("manifest_version")),
        Column("KEY", lambda item: text(item, "key")[:16]),
    ]
    return table(columns, items_of(value, "items"), empty="no server announces itself")


def _served(value: Item) -> str:
    columns = [
        Column("RELEASE", word("release")),
        Column("VERSION", word("manifest_version")),
        Column("CHANNEL", word("channel")),
        Column("ARCH", word("arch")),
        Column("EXPIRES", moment("expires_ms")),
        Column("URL", lambda item: text(item, "url")),
    ]
    machines = [
        Column("MACHINE", lambda item: text(item, "session")[:8]),
        Column("ADDRESS", word("address")),
        Column("STEPS", _steps),
        Column("SENT", size("bytes")),
        Column("SIZE", size("size")),
        Column("RECEIPT", lambda item: text(item, "verdict") or "-"),
    ]
    served = table(columns, items_of(value, "releases"), empty="nothing is served here")
    asked = items_of(value, "machines")
    return f"{served}\n{table(machines, asked, empty='')}" if asked else served


def _of_one(value: Item, what: str) -> str:
    row = value.get("release")
    return facts([(what, text(row, "url") if isinstance(row, Mapping) else "")])


def _steps(item: Item) -> str:
    """Reported by the machine: each step that it passed, and the one that it failed at with its reason."""
    steps = items_of(item, "steps")
    marks = "".join("✓" if step.get("ok") is True else "✗" for step in steps)
    failed = [f" {text(step, 'name')}: {clean(text(step, 'detail'), 80)}" for step in steps if step.get("ok") is False]
    return marks + "".join(failed[-1:]) or "-"


BOOT: Mapping[str, Callable[[Item], str]] = {
    "boot keygen": _key,
    "boot build": _built,
    "boot sign": _release,
    "boot release": _images,
    "boot write": _written,
    "boot rotate": _root,
    "boot verify": _verified,
    "boot fetch": _fetched,
    "boot discover": _servers,
    "boot status": _served,
    "boot serve": lambda value: _of_one(value, "serves"),
    "boot stop": lambda value: _of_one(value, "stopped"),
}
