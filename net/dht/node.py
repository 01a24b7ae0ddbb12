"""A node of the DHT without a socket or a clock: datagrams and `now` in, datagrams and results out."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from net.dht.answers import Answers
from net.dht.contact import Address, Contact, node_id
from net.dht.datagram import Body, Kind, parse
from net.dht.lookup import Lookup
from net.dht.messages import read_found, read_records, read_stored
from net.dht.record import Record, RecordError, Signer, Verify, read_record
from net.dht.requests import Requests
from net.dht.scopes import GLOBAL, scope_of
from net.dht.store import RecordStore, Verdict
from net.dht.table import Bucket, Table
from net.errors import MalformedError
from net.limits import NetLimits
from runtime import identity

__all__ = ["DhtNode", "Done", "Equivocated", "Fault", "Purpose"]

Purpose = Literal["nodes", "records", "publish", "ping"]

_REFRESH_S: Final = 3600.0
_JITTER_S: Final = 600.0
_EVENTS: Final = 256
_PING_APART_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Done:
    """A query has ended.

    Attributes:
        query: its number.
        purpose: what it was.
        contacts: the nearest nodes that answered, the nearest first; for `publish` those that took the record.
        records: valid ones, the most trustworthy first.
        asked: nodes that were asked.
        answered: nodes that answered.
        seconds: how long it took.
    """

    query: int
    purpose: Purpose
    contacts: Sequence[Contact]
    records: Sequence[Record]
    asked: int
    answered: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Somebody broke a rule.

    Attributes:
        address: where it came from; only a proven key makes it more than a claim.
        key: the key that was proven, else empty.
        rule: in one word.
    """

    address: Address
    key: bytes
    rule: str


@dataclass(frozen=True, slots=True)
class Equivocated:
    """A signer has told different nodes different things under one `seq`.

    Attributes:
        record: the one that came second.
    """

    record: Record


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


class DhtNode:
    """One node.

    Args:
        signer: its key.
        wall_ms: Unix milliseconds, for records only.
        now: seconds of the clock that all calls use.
        limits: what it takes and does at most.
        serves: whether it answers others; one that only asks is in nobody's table.
        random_bytes: for ids and secrets.
        verify: for signatures.
    """

    def __init__(
        self,
        signer: Signer,
        *,
        wall_ms: Callable[[], int],
        now: float,
        limits: NetLimits = NetLimits(),
        serves: bool = True,
        random_bytes: Callable[[int], bytes] = os.urandom,
        verify: Verify = identity.verify,
    ) -> None:
        self.id = node_id(signer.public)
        self.counts: Counter[str] = Counter()
        """Rules that were broken, and what was sent and received."""
        self.table = Table(self.id, limits.dht_k, now)
        self.store = RecordStore(self.id, limits)
        self._key = signer.public
        self._wall_ms = wall_ms
        self._limits = limits
        self._serves = serves
        self._random_bytes = random_bytes
        self._verify = verify
        self._out: deque[tuple[bytes, Address]] = deque()
        self._events: deque[Done | Fault | Equivocated] = deque()
        self._queries: dict[int, _Query] = {}
        self._number = 0
        self._hints: dict[bytes, Contact] = {}
        self._pinged: dict[bytes, float] = {}
        self._refresh_at = now + self._jittered(_REFRESH_S)
        self._answers = Answers(
            signer, limits, self.store, self.table, random_bytes=random_bytes, verify=verify, wall_ms=wall_ms
        )
        self._requests = Requests(
            signer,
            limits,
            random_bytes=random_bytes,
            verify=verify,
            serves=serves,
            send=self._send,
            heard=self._heard,
            missed=lambda contact: self.table.missed(contact.id),
        )

    # --- what the edge calls ----------------------------------------------------------------------------------------

    def hint(self, contacts: Iterable[Contact]) -> None:
        """Remembers nodes that somebody named, configured or saved; lookups begin with them too. At most 200.

        Args:
            contacts: the newest replace the oldest.
        """
        for contact in contacts:
            if contact.id != self.id:
                self._hints.pop(contact.id, None)
                self._hints[contact.id] = contact
        for old in list(self._hints)[: max(0, len(self._hints) - 200)]:
            del self._hints[old]

    def find_nodes(self, target: bytes, now: float) -> int:
        """Begins to look for the nodes nearest to an id; the id of this node joins it to the others.

        Args:
            target: 20 bytes.
            now: seconds.

        Returns:
            The query's number, which its `Done` repeats.
        """
        return self._begin("nodes", target, now)

    def find_records(self, key_id: bytes, now: float) -> int:
        """Begins to look for the records of a key.

        Args:
            key_id: its place, 20 bytes.
            now: seconds.
        """
        return self._begin("records", key_id, now)

    def publish(self, record: Record, now: float) -> int:
        """Begins to store a record on the nodes nearest to its key.

        Args:
            record: ours.
            now: seconds.
        """
        if self._serves:
            self.store.offer(record, "", self._wall_ms())
        return self._begin("publish", record.key_id, now, record)

    def ping(self, contact: Contact, now: float) -> None:
        """Asks whether a node is there; it enters the table if it is."""
        self._requests.ask(contact, Kind.PING, {}, now, lambda body, _now: body is not None)

    def receive(self, raw: bytes, address: Address, now: float) -> None:
        """Takes a datagram.

        Args:
            raw: as it came.
            address: where it came from, in its one spelling.
            now: seconds.
        """
        self.counts["received"] += 1
        try:
            datagram = parse(raw)
        except MalformedError:
            self._fault(address, b"", "malformed")
            return
        if datagram.sender == self._key:
            self._fault(address, b"", "own-key")
        elif datagram.kind.is_answer:
            rule = self._requests.receive(datagram, address, now)
            if rule:
                self._fault(address, b"" if rule == "unasked" else datagram.sender, rule)
        elif self._serves:
            asked = self._answers.receive(datagram, len(raw), address, now)
            if asked.answer is not None:
                self._send(asked.answer, address)
            if asked.rule:
                self._fault(address, asked.contact.key if asked.contact else b"", asked.rule)
            if asked.equivocation is not None:
                self._tell(Equivocated(asked.equivocation))
            if asked.contact is not None and asked.serves:
                self._heard(asked.contact, now)
        self._advance(now)

    def tick(self, now: float) -> None:
        """Does what is due.

        Args:
            now: seconds.
        """
        self._requests.tick(now)
        if now >= self._refresh_at:
            self._refresh_at = now + self._jittered(_REFRESH_S / 4)
            self.store.expire(self._wall_ms())
            for bucket in self.table.idle_since(now - _REFRESH_S):
                self.find_nodes(self._id_in(bucket), now)
        self._advance(now)

    def timer(self, now: float) -> float:
        """When `tick` is due next, in seconds.

        Args:
            now: seconds.
        """
        slow_s = self._requests.wait_s / 3
        ends = [query.lookup.turns_at(now, slow_s) for query in self._queries.values() if query.stored is None]
        asked = self._requests.ends_at()
        return min([self._refresh_at, *ends, *([] if asked is None else [asked])])

    def take(self) -> Sequence[tuple[bytes, Address]]:
        """What is to be sent, and where to."""
        out = list(self._out)
        self._out.clear()
        return out

    def events(self) -> Sequence[Done | Fault | Equivocated]:
        """What happened since the last call; of faults the first 256."""
        events = list(self._events)
        self._events.clear()
        return events

    def close(self, now: float) -> None:
        """Answers nobody any more and ends all queries with what they have."""
        self._serves = False
        self._requests.drop_all(now)
        for query in list(self._queries.values()):
            self._finish(query, now)

    # --- queries ----------------------------------------------------------------------------------------------------

    def _begin(self, purpose: Purpose, target: bytes, now: float, record: Record | None = None) -> int:
        self._number += 1
        lookup = Lookup(
            target, self.id, self._limits, now, wants_records=purpose == "records", start=self._start(target)
        )
        query = _Query(self._number, purpose, now, lookup, record)
        self._queries[self._number] = query
        self.table.bucket_of(int.from_bytes(target)).touch(now)
        self._step(query, now)
        return query.number

    def _start(self, target: bytes) -> Sequence[Contact]:
        """Mostly from the table, a few of those that were saved or named: who filled the table is not alone.

        More than are wanted: when the nearest are dead, who named them does not know any others.
        """
        k = self._limits.dht_k
        place = int.from_bytes(target)
        known = self.table.nearest(target, 3 * k)
        own = {contact.id for contact in known}
        hinted = sorted(self._hints.values(), key=lambda contact: contact.long_id ^ place)
        beside = [contact for contact in hinted if contact.id not in own]
        return [*known, *beside[: max(k // 4, k - len(known))]]

    def _advance(self, now: float) -> None:
        for query in list(self._queries.values()):
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
        return self.table.get(named.id) or named

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
        del self._queries[query.number]
        lookup = query.lookup
        contacts = lookup.nearest() if query.stored is None else query.stored
        if query.record is not None and query.stored is None:
            contacts = []
        records = list(lookup.best()) if query.purpose == "records" else []
        if query.purpose == "records":
            mine = self.store.get(lookup.target, self._wall_ms())
            known = {record.peer for record in records}
            records += [record for record in mine if record.peer not in known]
        done = Done(
            query.number, query.purpose, contacts, records, lookup.queries, len(lookup.answered), now - query.began
        )
        self._events.append(done)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _heard(self, contact: Contact, now: float) -> None:
        doubtful = self.table.seen(contact)
        if doubtful is not None and now - self._pinged.get(doubtful.id, -_PING_APART_S) >= _PING_APART_S:
            if len(self._pinged) >= _EVENTS:
                self._pinged.clear()
            self._pinged[doubtful.id] = now
            self.ping(doubtful, now)

    def _send(self, raw: bytes, address: Address) -> None:
        self.counts["sent"] += 1
        self._out.append((raw, address))

    def _fault(self, address: Address, key: bytes, rule: str) -> None:
        self.counts[rule] += 1
        if rule != "no-cookie":
            self._tell(Fault(address, key, rule))

    def _tell(self, event: Fault | Equivocated) -> None:
        if len(self._events) < _EVENTS:
            self._events.append(event)

    def _jittered(self, seconds: float) -> float:
        return seconds + _JITTER_S * int.from_bytes(self._random_bytes(2)) / 65_536

    def _id_in(self, bucket: Bucket) -> bytes:
        low, high = bucket.range
        return (low + int.from_bytes(self._random_bytes(20)) % (high - low + 1)).to_bytes(20)
