"""The queries of a node of the DHT: lookups of nodes and records, and the storing of a record. Sans-IO."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from net.dht.contact import Contact
from net.dht.datagram import Body, Kind
from net.dht.events import Done, Purpose
from net.dht.lookup import Lookup
from net.dht.messages import read_found, read_records, read_stored
from net.dht.record import Record, RecordError, Verify, read_record
from net.dht.requests import Requests
from net.dht.scopes import GLOBAL, scope_of
from net.dht.store import RecordStore, Verdict
from net.dht.table import Table
from net.errors import MalformedError
from net.limits import NetLimits

__all__ = ["Queries"]

_HINTS: Final = 200


@dataclass(slots=True)
class _Query:
    number: int
    purpose: Purpose
    began: float
    lookup: Lookup
    record: Record | None = None
    storing: int = 0
    stored: list[Contact] | None = None
    """None as long as it is walking."""


class Queries:
    """All that a node is looking for at a time.

    Args:
        own: the node's id.
        limits: the table of what it takes and does at most.
        table: the nodes that it knows.
        store: its own records, which are found, too.
        requests: asks other nodes.
        wall_ms: Unix milliseconds, for records only.
        verify: for signatures.
        tell: is told of each query that has ended.
    """

    def __init__(
        self,
        own: bytes,
        limits: NetLimits,
        table: Table,
        store: RecordStore,
        *,
        requests: Requests,
        wall_ms: Callable[[], int],
        verify: Verify,
        tell: Callable[[Done], None],
    ) -> None:
        self._own = own
        self._limits = limits
        self._table = table
        self._store = store
        self._requests = requests
        self._wall_ms = wall_ms
        self._verify = verify
        self._tell = tell
        self._running: dict[int, _Query] = {}
        self._number = 0
        self._hints: dict[bytes, Contact] = {}

    def hint(self, contacts: Iterable[Contact]) -> None:
        """Remembers nodes with which lookups begin, too; 200 at most, the newest replace the oldest."""
        for contact in contacts:
            if contact.id != self._own:
                self._hints.pop(contact.id, None)
                self._hints[contact.id] = contact
        for old in list(self._hints)[: max(0, len(self._hints) - _HINTS)]:
            del self._hints[old]

    def turns_at(self, now: float) -> list[float]:
        """When each that is walking has something to do by itself, in seconds."""
        slow_s = self._requests.wait_s / 3
        return [query.lookup.turns_at(now, slow_s) for query in self._running.values() if query.stored is None]

    def end(self, now: float) -> None:
        """Ends all with what they have."""
        for query in list(self._running.values()):
            self._finish(query, now)

    def begin(self, purpose: Purpose, target: bytes, now: float, record: Record | None = None) -> int:
        """Begins one.

        Args:
            purpose: what it is for.
            target: 20 bytes.
            now: seconds.
            record: to be stored where the target is.

        Returns:
            Its number, which its `Done` repeats.
        """
        self._number += 1
        lookup = Lookup(
            target, self._own, self._limits, now, wants_records=purpose == "records", start=self._start(target)
        )
        query = _Query(self._number, purpose, now, lookup, record)
        self._running[self._number] = query
        self._table.bucket_of(int.from_bytes(target)).touch(now)
        self._step(query, now)
        return query.number

    def _start(self, target: bytes) -> Sequence[Contact]:
        """Mostly from the table, a few of those that were saved or named: who filled the table is not alone.

        More than are wanted: when the nearest are dead, who named them does not know any others.
        """
        k = self._limits.dht_k
        place = int.from_bytes(target)
        known = self._table.nearest(target, 3 * k)
        own = {contact.id for contact in known}
        hinted = sorted(self._hints.values(), key=lambda contact: contact.long_id ^ place)
        beside = [contact for contact in hinted if contact.id not in own]
        return [*known, *beside[: max(k // 4, k - len(known))]]

    def advance(self, now: float) -> None:
        """Lets each do what it can now."""
        for query in list(self._running.values()):
            self._step(query, now)

    def _step(self, query: _Query, now: float) -> None:
        if query.stored is not None:
            if not query.storing:
                self._finish(query, now)
            return
        lookup = query.lookup
        for contact in lookup.to_ask(now, self._requests.wait_s / 3):
            self._ask_find(query, contact, now)
        for contact in lookup.to_fetch(now):
            self._ask_get(query, contact, now)
        if lookup.is_over(now):
            if query.record is None or not lookup.answered:
                self._finish(query, now)
            else:
                self._store_at(query, query.record, now)

    def _ask_find(self, query: _Query, contact: Contact, now: float) -> None:
        body = {"t": query.lookup.target}
        if query.lookup.wants_records:
            body["h"] = query.lookup.marks(contact)

        def done(answer: Body | None, _now: float) -> bool:
            try:
                found = None if answer is None else read_found(answer)
            except MalformedError:
                found = None
            if found is None:
                query.lookup.failed(contact)
                return False
            scope = scope_of(contact.address[0])
            named = [other for other in found.contacts if scope_of(other.address[0]) in {GLOBAL, scope}]
            query.lookup.found(contact, [self._best_known(other) for other in named], found.more)
            return True

        self._requests.ask(contact, Kind.FIND, body, now, done)

    def _best_known(self, named: Contact) -> Contact:
        """A node's proven address rather than what somebody says it is."""
        return self._table.get(named.id) or named

    def _ask_get(self, query: _Query, contact: Contact, now: float) -> None:
        def done(answer: Body | None, _now: float) -> bool:
            try:
                records, more = ([], 0) if answer is None else self._read_records(query.lookup.target, answer)
            except (MalformedError, RecordError):
                answer = None
                records, more = [], 0
            if answer is None:
                query.lookup.failed(contact)
                return False
            query.lookup.fetched(contact, records, more)
            return True

        body = {"t": query.lookup.target, "h": query.lookup.marks(contact)}
        self._requests.ask(contact, Kind.GET, body, now, done)

    def _read_records(self, target: bytes, answer: Body) -> tuple[list[Record], int]:
        """The valid records of an answer.

        Raises:
            MalformedError: it has another form, or a record of another key.
            RecordError: a record that no honest node would have taken.
        """
        packed, more = read_records(answer)
        records: list[Record] = []
        for raw in packed:
            try:
                record = read_record(raw, self._wall_ms(), verify=self._verify, limits=self._limits)
            except RecordError as error:
                if error.rule == "time":
                    continue  # clocks differ a little
                raise
            if record.key_id != target:
                raise MalformedError("a record of another key")
            records.append(record)
        return records, more

    def _store_at(self, query: _Query, record: Record, now: float) -> None:
        query.stored = stored = []
        nearest = query.lookup.nearest()
        query.storing = len(nearest)
        for contact in nearest:

            def done(answer: Body | None, _now: float, contact: Contact = contact) -> bool:
                query.storing -= 1
                if answer is None:
                    return False
                try:
                    verdict = read_stored(answer)
                except MalformedError:
                    return False
                if verdict in {Verdict.STORED, Verdict.REFRESHED}:
                    stored.append(contact)
                return True

            self._requests.ask(contact, Kind.STORE, {"r": record.packed}, now, done)

    def _finish(self, query: _Query, now: float) -> None:
        del self._running[query.number]
        lookup = query.lookup
        contacts = lookup.nearest() if query.stored is None else query.stored
        if query.record is not None and query.stored is None:
            contacts = []
        records = list(lookup.best()) if query.purpose == "records" else []
        if query.purpose == "records":
            mine = self._store.get(lookup.target, self._wall_ms())
            known = {record.peer for record in records}
            records += [record for record in mine if record.peer not in known]
        done = Done(
            query.number, query.purpose, contacts, records, lookup.queries, len(lookup.answered), now - query.began
        )
        self._tell(done)
