"""How the lock's documents look to people."""

from collections.abc import Callable, Mapping

from console.output import Item, duration, facts, text

__all__ = ["LOCK"]


def _pin(value: Item) -> str:
    if not value.get("set"):
        return "no PIN is set: orlop pin set sets one\n"
    wait = "none is looked at any more" if value.get("used_up") else duration("wait_ms")(value)
    rest = "the vault's passphrase"
    if not value.get("protected"):
        rest = "nothing: the vault has no passphrase, and a PIN protects nothing from whoever reads the disk"
    return facts(
        [
            ("PIN", "set"),
            ("locked", "yes" if value.get("locked") else "no"),
            ("wrong in a row", text(value, "failures")),
            *([("next try in", wait)] if value.get("wait_ms") or value.get("used_up") else []),
            ("on the disk", f"protected by {rest}"),
        ]
    )


def _lock(value: Item) -> str:
    if not value.get("changed"):
        return f"it was {'' if value.get('locked') else 'not '}locked\n"
    return "locked\n" if value.get("locked") else "unlocked\n"


LOCK: Mapping[str, Callable[[Item], str]] = {
    "pin set": _pin,
    "pin clear": _pin,
    "pin status": _pin,
    "lock": _lock,
    "unlock": _lock,
}
"""By command."""
