"""How receipts and what is found of them look to people."""

from collections.abc import Callable, Mapping

from console.output import Column, Item, document, items_of, listing, moment, short, text, word
from runtime.sanitise import clean

__all__ = ["RECEIPTS"]

_RECEIPTS = (
    Column("NO", word("number"), right=True),
    Column("RECEIPT", short("receipt")),
    Column("JOB", short("job")),
    Column("EXIT", word("exit_code"), right=True),
    Column("OUTCOME", word("outcome")),
    Column("VERDICT", word("verdict")),
    Column("ISSUED", moment("issued_ms")),
)


def _verification(value: Item) -> str:
    if "chains" in value:
        return _chains(value)
    steps = "".join(
        f"{_judged(step, 'ok', 'BAD', 'not checked'):<12}{text(step, 'name'):<12}{clean(text(step, 'detail'), 300)}\n"
        for step in items_of(value, "steps")
    )
    return f"{steps}{_judged(value, 'valid', 'INVALID', 'could not be checked')}\n"


def _rerun(value: Item) -> str:
    points = "".join(
        f"{_judged({'ok': point.get('same')}, 'same', 'differs', 'unknown'):<12}{text(point, 'name'):<12}"
        f"{clean(text(point, 'was'), 64)}{'' if point.get('same') else ' -> ' + clean(text(point, 'is'), 64)}\n"
        for point in items_of(value, "compared")
    )
    return f"{points}{text(value, 'verdict')}: {clean(text(value, 'detail'), 300)}\n"


def _chains(value: Item) -> str:
    lines = [
        f"{_judged({'ok': chain.get('key')}, 'ok', 'BAD', 'unknown key'):<12}{text(chain, 'worker')[:16]}…"
        f"  {text(chain, 'receipts')} receipts, numbers {text(chain, 'first')} to {text(chain, 'last')}"
        f"{_pruned(chain)}\n"
        for chain in items_of(value, "chains")
    ]
    lines += [
        f"{clean(text(fault, 'kind'), 20):<12}{clean(text(fault, 'at'), 40)}: {clean(text(fault, 'why'), 300)}\n"
        for fault in items_of(value, "faults")
    ]
    return f"{''.join(lines)}{_judged(value, 'valid', 'INVALID', 'could not be checked')}\n"


def _pruned(chain: Item) -> str:
    return f", of {text(chain, 'pruned')} only the place is kept" if chain.get("pruned") else ""


def _judged(item: Item, good: str, bad: str, unknown: str) -> str:
    judged = item.get("ok")
    return good if judged is True else bad if judged is False else unknown


RECEIPTS: Mapping[str, Callable[[Item], str]] = {
    "receipts list": listing(_RECEIPTS, "no receipts yet: every orlop jobs run leaves one"),
    "receipts show": document,
    "receipts rerun": _rerun,
    "receipts verify": _verification,
}
"""By command."""
