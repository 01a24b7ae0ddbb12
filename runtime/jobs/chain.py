"""Chains of receipts: what was removed, reordered, replaced or altered, and where. Pure.

Every receipt names its predecessor by id and number. So one that is gone is missed by its successor, one that was
replaced is not the one that its successor names, and one that was moved stands behind a greater number. Only the end
of a chain cannot be missed by anything in it: whoever knows a later receipt gives it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from runtime.canonical import Json
from runtime.jobs.receipt_form import Place, ReceiptRefusedError, read_receipt
from runtime.jobs.verify import canonical, signature

__all__ = ["ChainFault", "ChainLink", "ChainReport", "ChainWalk", "FaultKind", "WorkerChain", "read_link"]

FaultKind = Literal["removed", "reordered", "replaced", "altered", "repeated", "key"]

_FAULTS_MAX: Final = 1000
"""Faults that a report names; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLink:
    """One receipt of a chain.

    Attributes:
        at: where it stands, in words, such as `line 7`.
        worker: its key.
        receipt: its id.
        place: what it says of its place.
        pruned: whether only id and place were kept, so that nothing else of it could be verified.
    """

    at: str
    worker: str
    receipt: str
    place: Place
    pruned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFault:
    """Something that is wrong with a chain.

    Attributes:
        kind: what was done to it, as far as that can be told.
        worker: the key whose chain it is; empty when that cannot be read.
        number: the place in the chain; None when that cannot be read.
        at: where it was found, such as `line 7`.
        why: one line.
    """

    kind: FaultKind
    worker: str
    number: int | None
    at: str
    why: str

    def document(self) -> dict[str, Json]:
        """The fault as JSON."""
        return {"kind": self.kind, "worker": self.worker, "number": self.number, "at": self.at, "why": self.why}


@dataclass(slots=True, kw_only=True)
class WorkerChain:
    """What was found of one key's chain.

    Attributes:
        worker: the key.
        known: whether it is believed: given, own or a trusted peer's; None when nothing is known of it.
        receipts: how many there are.
        pruned: of how many only id and place were kept.
        first: the lowest number; -1 before there is one.
        last: the greatest number.
    """

    worker: str
    known: bool | None
    receipts: int = 0
    pruned: int = 0
    first: int = -1
    last: int = -1
    _ids: dict[int, str] = field(default_factory=dict)
    _bad: set[int] = field(default_factory=set)
    _links: list[ChainLink] = field(default_factory=list)

    def add(self, link: ChainLink) -> Iterable[ChainFault]:
        """Takes the next receipt; gives what is wrong with where it stands."""
        number, there = link.place.number, self._ids.get(link.place.number)
        self.receipts += 1
        self.pruned += link.pruned
        if there is not None:
            kind: FaultKind = "repeated" if there == link.receipt else "replaced"
            words = (
                "stands here a second time" if there == link.receipt else "is another receipt than the one before it"
            )
            yield _fault(kind, link, f"number {number} {words}")
            return
        if number < self.last:
            yield _fault("reordered", link, f"number {number} stands behind number {self.last}")
        if not link.place.possible:
            yield _fault("replaced", link, f"number {number} cannot have the predecessor that it names")
        self._ids[number] = link.receipt
        self._links.append(link)
        self.first = number if self.first < 0 else min(self.first, number)
        self.last = max(self.last, number)

    def miss(self, number: int) -> None:
        """Takes note of a receipt that stands in its place and is bad, so that it is not called missing as well."""
        self._bad.add(number)

    def gaps(self, *, whole: bool) -> Iterable[ChainFault]:
        """What is wrong between the receipts, once all were added.

        Args:
            whole: whether the chain is to begin with its first receipt; else what lies before its beginning is unknown.
        """
        numbers = {receipt: number for number, receipt in self._ids.items()}
        present = sorted({*self._ids, *self._bad})
        for link in sorted(self._links, key=lambda link: link.place.number):
            place = link.place
            # Behind a restore numbers were left out, so the predecessor is looked for by its id.
            before = numbers.get(place.previous, -1) if place.restored else place.number - 1
            there = self._ids.get(before)
            if place.first or (there == place.previous and place.follows(before)) or self._stands_bad(place):
                continue
            if there is not None:
                yield _fault("replaced", link, f"number {place.number} does not follow the number {before} here")
            elif place.number != self.first or whole:
                yield _fault("removed", link, f"{_missing(place, present)} before number {place.number}")

    def _stands_bad(self, place: Place) -> bool:
        """Whether its predecessor is there and bad, as far as that can be told; that was said already."""
        if place.restored:
            return bool(self._bad) and place.follows(min(self._bad))
        return place.number - 1 in self._bad

    def document(self) -> dict[str, Json]:
        """The chain as JSON."""
        return {
            "worker": self.worker,
            "key": self.known,
            "receipts": self.receipts,
            "pruned": self.pruned,
            "first": self.first,
            "last": self.last,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What was found of all chains.

    Attributes:
        chains: by key, in the order in which they were met.
        faults: in the order of their places, at most so many as a reader can use.
        count: how many faults there are.
    """

    chains: tuple[WorkerChain, ...]
    faults: tuple[ChainFault, ...]
    count: int

    @property
    def ok(self) -> bool | None:
        """False when there is a fault; None when there is none, but nothing either, or a key that nobody knows."""
        if self.count:
            return False
        return True if self.chains and all(chain.known for chain in self.chains) else None

    @property
    def receipts(self) -> int:
        """How many receipts there are."""
        return sum(chain.receipts for chain in self.chains)

    def document(self) -> dict[str, Json]:
        """What `receipts verify --chain --json` prints."""
        return {
            "v": 1,
            "ok": self.ok,
            "receipts": self.receipts,
            "pruned": sum(chain.pruned for chain in self.chains),
            "chains": [chain.document() for chain in self.chains],
            "faults": [fault.document() for fault in self.faults],
            "fault_count": self.count,
        }


def read_link(raw: bytes, at: str) -> ChainLink | ChainFault:
    """Reads a receipt and verifies what can be verified of it alone: form, canonical layout and signature.

    Args:
        raw: its JSON.
        at: where it stands.

    Returns:
        Its place, or what is wrong with it.
    """
    try:
        receipt = read_receipt(raw)
    except ReceiptRefusedError as error:
        return ChainFault(kind="altered", worker="", number=None, at=at, why=f"no receipt: {error.why}")
    place = receipt.place
    laid, fits = canonical(raw, receipt), signature(receipt)
    if laid[0] and fits[0] and place is not None:
        return ChainLink(at=at, worker=receipt.worker, receipt=receipt.id, place=place)
    why = laid[1] if not laid[0] else f"its signature {fits[1]}" if not fits[0] else "it is in no chain"
    number = place.number if place else None
    return ChainFault(kind="altered", worker=receipt.worker, number=number, at=at, why=why)


class ChainWalk:
    """Chains as their receipts are met, those of several keys in any order among each other.

    Args:
        known: whether a key is believed (given, own, a trusted peer's), false for one that it should not be, None for
            one that nobody knows.
    """

    def __init__(self, known: Callable[[str], bool | None]) -> None:
        self._known = known
        self._chains: dict[str, WorkerChain] = {}
        self._faults: list[ChainFault] = []
        self._count = 0

    def add(self, found: ChainLink | ChainFault) -> None:
        """Takes the next receipt, or what was wrong with it."""
        if isinstance(found, ChainFault):
            if found.worker and found.number is not None:
                self._chain(found.worker, found.at).miss(found.number)
            self._note(found)
            return
        for fault in self._chain(found.worker, found.at).add(found):
            self._note(fault)

    def report(self, *, whole: Callable[[str], bool]) -> ChainReport:
        """What was found, once all were added.

        Args:
            whole: of which keys the chain is to begin with its first receipt; of others nobody knows what lay before.
        """
        for chain in self._chains.values():
            for fault in chain.gaps(whole=whole(chain.worker)):
                self._note(fault)
        return ChainReport(chains=tuple(self._chains.values()), faults=tuple(self._faults), count=self._count)

    def _chain(self, worker: str, at: str) -> WorkerChain:
        chain = self._chains.get(worker)
        if chain is None:
            chain = self._chains[worker] = WorkerChain(worker=worker, known=self._known(worker))
            if chain.known is False:
                why = f"signed by {worker[:16]}…, not by the key that was given"
                self._note(ChainFault(kind="key", worker=worker, number=None, at=at, why=why))
        return chain

    def _note(self, fault: ChainFault) -> None:
        self._count += 1
        if len(self._faults) < _FAULTS_MAX:
            self._faults.append(fault)


def _missing(place: Place, present: Sequence[int]) -> str:
    """What is not there before a receipt, of the sorted numbers that are."""
    if place.restored:
        return f"receipt {place.previous[:16]}… is missing"
    last, at = place.number - 1, bisect_left(present, place.number)
    below = present[at - 1] if at else -1
    return f"number {last} is missing" if last - below == 1 else f"{below + 1} to {last} are missing"


def _fault(kind: FaultKind, link: ChainLink, why: str) -> ChainFault:
    return ChainFault(kind=kind, worker=link.worker, number=link.place.number, at=link.at, why=why)
