"""One search through the DHT, without sending anything: whom to ask next, and when it is over.

It walks on disjoint paths: a node that one path asks is never asked by the other, so that a liar spoils one of them.
It goes on until the nearest nodes have answered; no single answer decides. Who names nodes that are not there loses
its word: as long as nothing that it named has answered, what only such nodes name comes last, and after eight
fruitless contacts it is not asked at all. A node that is slow to answer keeps nobody else waiting.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from kademlia.node import Node, NodeHeap

from net.dht.contact import Contact
from net.dht.record import Record
from net.dht.scopes import prefix_of
from net.limits import NetLimits

__all__ = ["PATHS", "READ_MAX", "Lookup"]

PATHS: Final = 2
READ_MAX: Final = 64
"""Records that a reader keeps."""

_BUDGET: Final = 8
"""Fruitless contacts that a node may name; and nodes of one network that are asked."""

_DOUBTFUL: Final = 8
"""Nodes of doubtful word that are asked when nobody else is left."""

_NEVER: Final = float("inf")

_PAGES: Final = 64
"""Requests for records in all, beside those that walk."""


class _Shortlist(NodeHeap):
    """The candidates of one path by their distance; membership and order cost no search."""

    heap: list[tuple[int, Contact]]
    contacted: set[bytes]
    maxsize: int

    def __init__(self, target: bytes, size: int) -> None:
        super().__init__(Node(target), size)
        self._known: set[bytes] = set()
        self._ordered: list[Contact] | None = None

    def __contains__(self, node: object) -> bool:
        return isinstance(node, Contact) and node.id in self._known

    def add(self, contacts: Iterable[Contact]) -> None:
        """Takes those that were never here."""
        for contact in contacts:
            self.push(contact)
            self._known.add(contact.id)
        self._ordered = None

    def drop(self, contact: Contact) -> None:
        """Takes one out, for good."""
        self.remove([contact.id])
        self._ordered = None

    def ordered(self) -> Sequence[Contact]:
        """All of them, the nearest first."""
        if self._ordered is None:
            self._ordered = [contact for _, contact in sorted(self.heap)]
        return self._ordered


@dataclass(slots=True)
class _Holder:
    """A node that has records for us."""

    contact: Contact
    path: int
    left: int
    asked: bool = False


@dataclass(slots=True)
class Lookup:
    """A search.

    Args:
        target: 20 bytes, an id or the place of a key.
        own_id: of this node, which is not asked.
        limits: of queries and of those in flight.
        now: when it begins.
        wants_records: whether records are fetched too.
        start: the first contacts, spread over the paths.
    """

    target: bytes
    own_id: bytes
    limits: NetLimits
    now: float
    wants_records: bool
    start: Sequence[Contact]
    records: dict[bytes, tuple[Record, set[int]]] = field(default_factory=dict, init=False)
    """By signer: the newest, and the paths on which it was seen."""
    queries: int = field(default=0, init=False)
    answered: dict[bytes, Contact] = field(default_factory=dict, init=False)
    _paths: list[_Shortlist] = field(init=False)
    _claimed: dict[bytes, int] = field(default_factory=dict, init=False)
    """Whom which path has asked."""
    _waiting: dict[bytes, float] = field(default_factory=dict, init=False)
    """Whom we have asked, and when."""
    _sponsors: dict[bytes, set[bytes]] = field(default_factory=dict, init=False)
    _fruitless: Counter[bytes] = field(default_factory=Counter, init=False)
    _fruitful: set[bytes] = field(default_factory=set, init=False)
    _tried: set[bytes] = field(default_factory=set, init=False)
    """Nodes whose word was put to the test; of which one that they named has answered: `_fruitful`."""
    _doubted: set[bytes] = field(default_factory=set, init=False)
    """Who was asked although nobody of good word named it."""
    _prefixes: Counter[str] = field(default_factory=Counter, init=False)
    _holders: dict[bytes, _Holder] = field(default_factory=dict, init=False)
    _pages: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        paths = PATHS if len(self.start) > 1 else 1
        self._paths = [_Shortlist(self.target, max(1, self.limits.dht_k // paths)) for _ in range(paths)]
        for number, contact in enumerate(self.start):
            if contact.id != self.own_id:
                self._paths[number % paths].add([contact])

    # --- what to do -------------------------------------------------------------------------------------------------

    def to_ask(self, now: float, slow_s: float) -> Sequence[Contact]:
        """Whom to send a FIND to, now; they count as asked.

        Args:
            now: seconds.
            slow_s: how long an answer takes at most when all is well.
        """
        chosen: list[Contact] = []
        for path in range(len(self._paths)):
            while not self._is_late(now) and self.queries < self.limits.dht_lookup_queries:
                contact = self._candidate(path, now - slow_s)
                if contact is None or not (self._is_doubtful(contact) or self._has_turn(path, now, slow_s)):
                    break
                self._claim(path, contact)
                self.queries += 1
                self._waiting[contact.id] = now
                chosen.append(contact)
        return chosen

    def _has_turn(self, path: int, now: float, slow_s: float) -> bool:
        """Whether a path may ask one more: beside its share only slow ones, and not more of these either."""
        share = max(1, self.limits.dht_alpha // len(self._paths))
        asked = [since for node, since in self._waiting.items() if self._claimed[node] == path]
        return len(asked) < 2 * share and sum(now < since + slow_s for since in asked) < share

    def turns_at(self, now: float, slow_s: float) -> float:
        """When the next one that was asked begins to be slow, or when it is over at the latest."""
        slow = [since + slow_s for since in self._waiting.values() if since + slow_s > now]
        return min([self.ends_at(), *slow])

    def to_fetch(self, now: float) -> Sequence[Contact]:
        """Whom to send a GET to, now; they count as asked."""
        chosen: list[Contact] = []
        flying = sum(holder.asked for holder in self._holders.values())
        for holder in self._holders.values():
            if flying >= self.limits.dht_alpha or self._pages >= _PAGES or self._is_late(now):
                break
            if not holder.asked:
                holder.asked = True
                self._pages += 1
                flying += 1
                chosen.append(holder.contact)
        return chosen

    def marks(self, contact: Contact) -> bytes:
        """Of the records that came on this contact's path already; the other path hears of them by itself."""
        path = self._claimed.get(contact.id, 0)
        return b"".join(record.mark for record, paths in self.records.values() if path in paths)

    def is_over(self, now: float) -> bool:
        """Whether there is nothing left to wait for."""
        if self._is_late(now):
            return True
        if any(holder.asked for holder in self._holders.values()):
            return False
        if self._holders and self._pages < _PAGES:
            return False
        return not self._waiting and (self.queries >= self.limits.dht_lookup_queries or not self._anyone_left(now))

    def ends_at(self) -> float:
        """When it is over at the latest."""
        return self.now + self.limits.dht_lookup_s

    # --- what came back ---------------------------------------------------------------------------------------------

    def found(self, contact: Contact, named: Sequence[Contact], more: int) -> None:
        """A node has answered a FIND.

        Args:
            contact: the node.
            named: the contacts in its answer, none of which is proven.
            more: records that it has and we have not.
        """
        self._waiting.pop(contact.id, None)
        self.answered[contact.id] = contact
        self._fruitful |= self._sponsors.get(contact.id, set())
        path = self._claimed.get(contact.id, 0)
        fresh = [other for other in named if other.id not in (self.own_id, contact.id)]
        for other in fresh:
            self._sponsors.setdefault(other.id, set()).add(contact.id)
        self._paths[path].add(other for other in fresh if other.id not in self._claimed)
        if self.wants_records and more and contact.id not in self._holders:
            self._holders[contact.id] = _Holder(contact, path, more)

    def fetched(self, contact: Contact, records: Sequence[Record], more: int) -> None:
        """A node has answered a GET with records that are all valid.

        Args:
            contact: the node.
            records: of the key.
            more: what it still has.
        """
        holder = self._holders.pop(contact.id, None)
        path = self._claimed.get(contact.id, 0)
        news = [record for record in records if self._keep(record, path)]
        if holder is not None and more and news and len(self.records) < READ_MAX:
            self._holders[contact.id] = _Holder(contact, path, more)

    def failed(self, contact: Contact) -> None:
        """A node did not answer in time, or not as it should."""
        self._waiting.pop(contact.id, None)
        self._holders.pop(contact.id, None)
        self.answered.pop(contact.id, None)
        for shortlist in self._paths:
            shortlist.drop(contact)
        sponsors = self._sponsors.get(contact.id, set())
        self._tried |= sponsors
        self._fruitless.update(sponsors)

    # --- what it brought --------------------------------------------------------------------------------------------

    def nearest(self) -> Sequence[Contact]:
        """Who has answered, the k nearest to the target, the nearest first."""
        place = int.from_bytes(self.target)
        found = sorted(self.answered.values(), key=lambda contact: contact.long_id ^ place)
        return found[: self.limits.dht_k]

    def best(self) -> Sequence[Record]:
        """The newest record of each signer; those that were seen on more paths first."""
        found = sorted(self.records.values(), key=lambda kept: (-len(kept[1]), kept[0].mark))
        return [record for record, _ in found]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _keep(self, record: Record, path: int) -> bool:
        before = self.records.get(record.peer)
        if before is None and len(self.records) >= READ_MAX:
            return False
        if before is None or record.seq > before[0].seq:
            self.records[record.peer] = (record, {path})
            return True
        news = path not in before[1] and record.seq == before[0].seq
        before[1].add(path)
        return news

    def _is_late(self, now: float) -> bool:
        return now >= self.ends_at()

    def _anyone_left(self, now: float) -> bool:
        return any(self._candidate(path, now) is not None for path in range(len(self._paths)))

    def _claim(self, path: int, contact: Contact) -> None:
        if self._is_doubtful(contact):
            self._doubted.add(contact.id)
        sponsors = self._sponsors.get(contact.id, set())
        if len(sponsors) == 1:
            self._tried |= sponsors  # nobody else's word stands for it: one at a time
        self._claimed[contact.id] = path
        self._prefixes[prefix_of(contact.address[0])] += 1
        self._paths[path].mark_contacted(contact)

    def _candidate(self, path: int, slow_since: float) -> Contact | None:
        """Whom a path asks next: the nearest that is not asked, until as many nearer ones have answered as it wants.

        Who is slow takes nobody's place. Who is doubtful takes none either, and comes only when all others are too
        few: the nearest nodes are named by many, so whom nobody of good word names is hardly there.
        """
        shortlist = self._paths[path]
        doubtful: Contact | None = None
        places = shortlist.maxsize
        for contact in shortlist.ordered():
            if contact.id in shortlist.contacted:
                places -= self._waiting.get(contact.id, _NEVER) > slow_since
                if not places:
                    return None
            elif self._may_ask(path, contact):
                if not self._is_doubtful(contact):
                    return contact
                doubtful = doubtful or contact
        patient = len(self._doubted) < _DOUBTFUL and not self._waiting.keys() - self._doubted
        return doubtful if patient else None

    def _is_doubtful(self, contact: Contact) -> bool:
        """Whether each that named it has named one that has not answered, and none that has."""
        sponsors = self._sponsors.get(contact.id)
        return sponsors is not None and sponsors <= self._tried and not sponsors & self._fruitful

    def _may_ask(self, path: int, contact: Contact) -> bool:
        if self._claimed.get(contact.id, path) != path:
            return False
        if self._prefixes[prefix_of(contact.address[0])] >= _BUDGET:
            return False
        sponsors = self._sponsors.get(contact.id)
        return sponsors is None or any(self._fruitless[sponsor] < _BUDGET for sponsor in sponsors)
