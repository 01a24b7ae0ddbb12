"""Chains of receipts: what follows what, what is missing, and what the verifier of whole chains says. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from console.client import Json
from console.petnames import short_peer
from console.rows import ReceiptRow
from console.ui.figures import short_id
from console.ui.sheet import BLANK, Line, Span, heading, line
from console.ui.text.documents import Object, flag, integer, objects, text
from runtime.jobs import RESTORED, ChainPlace
from runtime.sanitise import clean

__all__ = ["Chains", "Link", "chain_cell", "chain_lines", "report_sheet"]

Kind = Literal["first", "joined", "edge", "restored", "gap", "broken", "twice"]


@dataclass(frozen=True, slots=True)
class Link:
    """How a receipt hangs on the one before it."""

    kind: Kind
    """`edge`: what lies before it is not on this screen, so nobody here can tell."""
    before: ReceiptRow | None = None
    """Its predecessor, as far as there is one in its place."""
    missing: tuple[int, int] | None = None
    """The first and the last number that are not there."""


class Chains:
    """The receipts on this screen, by key and number.

    Args:
        rows: all of them.
    """

    def __init__(self, rows: Iterable[ReceiptRow] = ()) -> None:
        self._places: dict[tuple[str, int], list[ReceiptRow]] = {}
        self._receipts: dict[tuple[str, str], ReceiptRow] = {}
        numbers: dict[str, set[int]] = {}
        for row in rows:
            self._places.setdefault((row.worker, row.number), []).append(row)
            self._receipts[row.worker, row.receipt] = row
            numbers.setdefault(row.worker, set()).add(row.number)
        self._numbers = {worker: sorted(found) for worker, found in numbers.items()}

    def after(self, row: ReceiptRow) -> ReceiptRow | None:
        """The receipt that follows it on this screen."""
        numbers = self._numbers.get(row.worker, [])
        place = bisect_left(numbers, row.number + 1)
        return self._places[row.worker, numbers[place]][0] if place < len(numbers) else None

    def ends(self) -> list[ReceiptRow]:
        """The oldest receipt of each chain on this screen."""
        return [self._places[worker, numbers[0]][0] for worker, numbers in self._numbers.items()]

    def link(self, row: ReceiptRow) -> Link:
        """How a receipt hangs on the one before it."""
        place = ChainPlace(row.number, row.previous, restored=row.outcome == RESTORED)
        named = self._receipts.get((row.worker, row.previous))
        below = self._places.get((row.worker, row.number - 1), [])
        there = named or (below[0] if below and not place.restored else None)
        if len(self._places.get((row.worker, row.number), [])) > 1:
            return Link("twice", there)
        if place.possible and place.first:
            return Link("first")
        if place.possible and named is not None and place.follows(named.number):
            return Link("restored" if place.restored else "joined", there)
        return Link("broken", there) if there is not None or not place.possible else self._missed(row, place)

    def _missed(self, row: ReceiptRow, place: ChainPlace) -> Link:
        """Its predecessor is not here: missing if older ones are here, else nobody on this screen can tell."""
        numbers = self._numbers.get(row.worker, [])
        lower = bisect_left(numbers, row.number)
        if not lower:
            return Link("edge")
        last = self._places[row.worker, numbers[lower - 1]][0]
        if place.restored:
            return Link("gap", last, (last.number + 1, last.number + 1))
        return Link("gap", last, (last.number + 1, row.number - 1))


_CELLS: Mapping[Kind, Span] = MappingProxyType(
    {
        "first": ("first", "dim"),
        "edge": ("←", "faint"),
        "restored": ("restored", "warn"),
        "broken": ("✗ broken", "alarm"),
        "twice": ("✗ twice", "alarm"),
    }
)


def chain_cell(link: Link, number: int) -> Span:
    """A link in a cell."""
    if link.missing is not None:
        first, last = link.missing
        return f"✗ {last - first + 1} gone", "alarm"
    return _CELLS.get(link.kind, (f"← {number - 1}", "dim"))


def _stop(row: ReceiptRow, *, here: bool) -> Line:
    return line(
        (" ● " if here else " ○ ", "accent" if here else "dim"),
        (f"#{row.number} ", "strong" if here else ""),
        (short_id(clean(row.receipt, 64), 13), "link"),
        (f" {clean(row.outcome, 20)}", "dim"),
    )


def chain_lines(row: ReceiptRow, chains: Chains) -> list[Line]:
    """A receipt between its neighbours, newest first."""
    link, after = chains.link(row), chains.after(row)
    lines = [heading("CHAIN")]
    if after is not None:
        lines += [_stop(after, here=False), *_between(after, chains.link(after))]
    lines += [_stop(row, here=True), *_between(row, link)]
    if link.before is not None:
        lines.append(_stop(link.before, here=False))
    return lines


def _between(row: ReceiptRow, link: Link) -> list[Line]:
    """What stands between a receipt and the one before it."""
    named = short_id(clean(row.previous, 64), 13)
    first, last = link.missing or (0, 0)
    gone = f"#{first} is" if first == last else f"#{first} to #{last} are"
    words: dict[Kind, Span] = {
        "first": (" ╵ the first of its chain", "dim"),
        "joined": (" │", "dim"),
        "edge": (f" ┆ names {named}, which is not on this screen", "dim"),
        "restored": (" ┆ the node was restored here: numbers are left out on purpose", "warn"),
        "gap": (f" ✗ {gone} missing; it names {named}", "alarm"),
        "broken": (f" ✗ broken: it names {named}, which is not what stands before it", "alarm"),
        "twice": (f" ✗ two receipts claim number {row.number}", "alarm"),
    }
    return [line(words[link.kind], indent=3)]


# --- the verifier of whole chains ------------------------------------------------------------------------------------

_VERDICTS: dict[bool | None, Span] = {
    True: ("✓ whole", "ok"),
    False: ("✗ not whole", "alarm"),
    None: ("? not checked", "warn"),
}


def report_sheet(document: Json) -> list[Line]:
    """What `receipts verify --chain` found.

    Args:
        document: its answer.
    """
    chains, faults = objects(document, "chains"), objects(document, "faults")
    verdict, ink = _VERDICTS[flag(document, "ok")]
    count = integer(document, "fault_count") or 0
    lines = [
        line(
            (verdict, ink),
            f": {_counted(integer(document, 'receipts'), 'receipt')} in {_counted(len(chains), 'chain')},"
            f" {_counted(count, 'fault')}",
            indent=2,
        ),
        BLANK,
    ]
    for chain in chains:
        lines += _report_of(chain, [fault for fault in faults if fault.get("worker") == chain.get("worker")])
    strange = [fault for fault in faults if fault.get("worker") not in {chain.get("worker") for chain in chains}]
    if strange:
        lines += [heading("OF NO CHAIN"), *(_fault(fault) for fault in strange), BLANK]
    if count > len(faults):
        lines.append(line((f"… and {count - len(faults):,} faults more", "dim")))
    return lines


def _counted(number: int | None, noun: str) -> str:
    return f"{number or 0:,} {noun}{'' if number == 1 else 's'}"


def _report_of(chain: Object, faults: list[Object]) -> list[Line]:
    known = flag(chain, "key")
    keys: dict[bool | None, Span] = {
        True: ("this key is believed", "ok"),
        False: ("not the key that it should be", "alarm"),
        None: ("nobody here knows this key", "warn"),
    }
    pruned = integer(chain, "pruned") or 0
    kept = f", of {pruned:,} only id and place are kept" if pruned else ""
    return [
        line(("KEY ", "head"), (short_peer(text(chain, "worker", limit=80)), "link"), "  ", keys[known], indent=4),
        line(
            f"  #{integer(chain, 'first')} to #{integer(chain, 'last')}: ",
            _counted(integer(chain, "receipts"), "receipt"),
            kept,
            indent=2,
        ),
        *([_fault(fault) for fault in faults] or [line(("  ✓ none missing, moved, replaced or altered", "ok"))]),
        BLANK,
    ]


def _fault(fault: Object) -> Line:
    return line(
        ("  ✗ ", "alarm"),
        (f"{text(fault, 'kind', limit=12):<10}", "alarm"),
        (text(fault, "why", limit=300), ""),
        (f"  {text(fault, 'at', limit=80)}", "dim"),
        indent=14,
    )
