"""A node of the DHT without a socket or a clock: datagrams and `now` in, datagrams and results out."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from net.dht.answers import Answers
from net.dht.contact import Address, Contact, node_id
from net.dht.datagram import Kind, parse
from net.dht.events import Equivocated, Fault, NodeEvent
from net.dht.queries import Queries
from net.dht.record import Record, Signer, Verify
from net.dht.requests import Requests
from net.dht.store import RecordStore
from net.dht.table import Bucket, Table
from net.errors import MalformedError
from net.limits import NetLimits
from runtime import identity

__all__ = ["DhtNode"]

_REFRESH_S: Final = 3600.0
_JITTER_S: Final = 600.0
_EVENTS: Final = 256
_PING_APART_S: Final = 30.0


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
        self._serves = serves
        self._random_bytes = random_bytes
        self._out: deque[tuple[bytes, Address]] = deque()
        self._events: deque[NodeEvent] = deque()
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
        self._queries = Queries(
            self.id,
            limits,
            self.table,
            self.store,
            requests=self._requests,
            wall_ms=wall_ms,
            verify=verify,
            tell=self._events.append,
        )

    # --- what the edge calls ----------------------------------------------------------------------------------------

    def hint(self, contacts: Iterable[Contact]) -> None:
        """Remembers nodes that somebody named, configured or saved; lookups begin with them too. At most 200.

        Args:
            contacts: the newest replace the oldest.
        """
        self._queries.hint(contacts)

    def find_nodes(self, target: bytes, now: float) -> int:
        """Begins to look for the nodes nearest to an id; the id of this node joins it to the others.

        Args:
            target: 20 bytes.
            now: seconds.

        Returns:
            The query's number, which its `Done` repeats.
        """
        return self._queries.begin("nodes", target, now)

    def find_records(self, key_id: bytes, now: float) -> int:
        """Begins to look for the records of a key.

        Args:
            key_id: its place, 20 bytes.
            now: seconds.
        """
        return self._queries.begin("records", key_id, now)

    def publish(self, record: Record, now: float) -> int:
        """Begins to store a record on the nodes nearest to its key.

        Args:
            record: ours.
            now: seconds.
        """
        if self._serves:
            self.store.offer(record, "", self._wall_ms())
        return self._queries.begin("publish", record.key_id, now, record)

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
        self._queries.advance(now)

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
        self._queries.advance(now)

    def timer(self, now: float) -> float:
        """When `tick` is due next, in seconds.

        Args:
            now: seconds.
        """
        asked = self._requests.ends_at()
        return min([self._refresh_at, *self._queries.turns_at(now), *([] if asked is None else [asked])])

    def take(self) -> Sequence[tuple[bytes, Address]]:
        """What is to be sent, and where to."""
        out = list(self._out)
        self._out.clear()
        return out

    def events(self) -> Sequence[NodeEvent]:
        """What happened since the last call; of faults the first 256."""
        events = list(self._events)
        self._events.clear()
        return events

    def close(self, now: float) -> None:
        """Answers nobody any more and ends all queries with what they have."""
        self._serves = False
        self._requests.drop_all(now)
        self._queries.end(now)

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
