"""Answers to others: nothing but a cookie for who has not shown that it hears us, nothing at all beyond the rates."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from net.bucket import Bucket
from net.dht.contact import Address, Contact
from net.dht.cookies import HELLO_DOMAIN, Cookies, Met, answer_message, hello_message
from net.dht.datagram import COOKIE_BYTES, DATAGRAM_MAX, HEAD_BYTES, Body, Datagram, Kind, Value, unpack, write
from net.dht.messages import CONTACTS_MAX, hello_of, read_query, read_record_field, serves, verdict_code
from net.dht.record import Record, RecordError, Signer, Verify, read_record
from net.dht.scopes import GLOBAL, prefix_of, scope_of, source_of
from net.dht.store import RecordStore, Verdict
from net.dht.table import Table
from net.errors import AddressError, MalformedError
from net.limits import NetLimits
from net.peer_id import PeerId

__all__ = ["Answers", "Asked"]

_RETRY_BYTES: Final = HEAD_BYTES + COOKIE_BYTES + 1
_SOURCES: Final = 4096
_PROOF_BYTES: Final = 2 + 2 + 64
_RECORDS_ROOM: Final = DATAGRAM_MAX - HEAD_BYTES - _PROOF_BYTES - 16
_RECORD_HEAD: Final = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a request.

    Attributes:
        answer: what goes back; None for nothing.
        rule: which one it broke, in one word; empty for none.
        contact: who asked, when its key is proven.
        serves: whether it says that it answers requests.
        equivocation: a record that contradicts one of the same `seq`.
    """

    answer: bytes | None = None
    rule: str = ""
    contact: Contact | None = None
    serves: bool = False
    equivocation: Record | None = None


class Answers:
    """The serving side of a node.

    Args:
        signer: this node's key.
        limits: what is answered at most.
        store: the records.
        table: the contacts.
        random_bytes: makes the cookies' secrets.
        verify: for signatures.
        wall_ms: Unix milliseconds, for records.
    """

    def __init__(
        self,
        signer: Signer,
        limits: NetLimits,
        store: RecordStore,
        table: Table,
        *,
        random_bytes: Callable[[int], bytes],
        verify: Verify,
        wall_ms: Callable[[], int],
    ) -> None:
        self._signer = signer
        self._limits = limits
        self._store = store
        self._table = table
        self._verify = verify
        self._wall_ms = wall_ms
        self._cookies = Cookies(random_bytes)
        self._met = Met()
        # Who comes with a cookie is counted apart: nobody can use up its share in its name, by a false source.
        self._rates = {is_heard: Bucket(limits.dht_rate, limits.dht_rate) for is_heard in (False, True)}
        self._sources: OrderedDict[tuple[str, bool], Bucket] = OrderedDict()

    def receive(self, datagram: Datagram, size: int, address: Address, now: float) -> Asked:
        """Takes a request.

        Args:
            datagram: whose kind is a request.
            size: its bytes, which no answer to a stranger exceeds.
            address: where it came from.
            now: seconds.
        """
        is_heard = self._cookies.fits(datagram.cookie, address, datagram.sender, now)
        if not self._source(address, is_heard=is_heard).take(now) or not self._rates[is_heard].take(now):
            return Asked(rule="rate")
        if not is_heard:
            return self._retry(datagram, size, address, now, rule="no-cookie")
        try:
            body = unpack(datagram.packed)
            hello = hello_of(body)
            if not self._met.knows(datagram.sender, datagram.cookie):
                if hello is None:
                    return self._retry(datagram, size, address, now, rule="")
                if not self._is_proven(datagram, hello):
                    return Asked(rule="unproven")
                self._met.add(datagram.sender, datagram.cookie)
            asked = self._handled(datagram, body, address)
        except MalformedError:
            return Asked(rule="malformed")
        return asked

    # --- inside -----------------------------------------------------------------------------------------------------

    def _source(self, address: Address, *, is_heard: bool) -> Bucket:
        name = (source_of(address[0]), is_heard)
        bucket = self._sources.get(name)
        if bucket is None:
            bucket = self._sources[name] = Bucket(self._limits.dht_address_rate, self._limits.dht_address_burst)
            if len(self._sources) > _SOURCES:
                self._sources.popitem(last=False)
        self._sources.move_to_end(name)
        return bucket

    def _retry(self, datagram: Datagram, size: int, address: Address, now: float, *, rule: str) -> Asked:
        if size < _RETRY_BYTES:
            return Asked(rule="too-short-for-a-cookie")
        cookie = self._cookies.give(address, datagram.sender, now)
        return Asked(write(Kind.RETRY, datagram.id, self._signer.public, {}, cookie), rule)

    def _is_proven(self, datagram: Datagram, hello: bytes) -> bool:
        try:
            PeerId.from_key(datagram.sender)
        except AddressError:
            return False
        message = hello_message(datagram.cookie, datagram.sender, self._signer.public)
        return self._verify(datagram.sender, HELLO_DOMAIN, message, hello)

    def _handled(self, datagram: Datagram, body: Body, address: Address) -> Asked:
        asked = Asked(contact=Contact(datagram.sender, address), serves=serves(body))
        rule, equivocation = "", None
        match datagram.kind:
            case Kind.PING:
                kind, fields = Kind.PONG, dict[str, Value]()
            case Kind.FIND:
                kind, fields = Kind.FOUND, self._found(body, datagram.sender, address)
            case Kind.GET:
                kind, fields = Kind.RECORDS, self._records(body, datagram.id)
            case _:
                kind, (fields, rule, equivocation) = Kind.STORED, self._stored(body, address)
        if "s" in body:
            message = answer_message(datagram.cookie, datagram.id, self._signer.public, datagram.sender)
            fields["s"] = self._signer.sign(HELLO_DOMAIN, message)
        raw = write(kind, datagram.id, self._signer.public, fields)
        return Asked(raw, rule, asked.contact, asked.serves, equivocation)

    def _found(self, body: Body, asker: bytes, address: Address) -> dict[str, Value]:
        query = read_query(body)
        scope = scope_of(address[0])
        near = self._table.nearest(query.target, 2 * CONTACTS_MAX)
        named = [contact.packed for contact in near if contact.key != asker and _may_name(contact, scope)]
        return {"n": named[:CONTACTS_MAX], "m": len(self._missing(query.target, query.have))}

    def _records(self, body: Body, request: bytes) -> dict[str, Value]:
        """As many as fit, beginning anywhere, so that several nodes that are asked at once tell different ones."""
        query = read_query(body)
        missing = self._missing(query.target, query.have)
        begin = request[0] % len(missing) if missing else 0
        chosen: list[bytes] = []
        room = _RECORDS_ROOM
        for record in (*missing[begin:], *missing[:begin]):
            room -= len(record.packed) + _RECORD_HEAD
            if room < 0:
                break
            chosen.append(record.packed)
        return {"r": chosen, "m": len(missing) - len(chosen)}

    def _missing(self, target: bytes, have: frozenset[bytes]) -> Sequence[Record]:
        return [record for record in self._store.get(target, self._wall_ms()) if record.mark not in have]

    def _stored(self, body: Body, address: Address) -> tuple[dict[str, Value], str, Record | None]:
        now_ms = self._wall_ms()
        try:
            record = read_record(read_record_field(body), now_ms, verify=self._verify, limits=self._limits)
        except RecordError as error:
            return {"c": verdict_code(None)}, f"record-{error.rule}", None
        verdict = self._store.offer(record, prefix_of(address[0]), now_ms)
        lies = record if verdict is Verdict.EQUIVOCATION else None
        rule = "record-old" if verdict is Verdict.OLD else "record-equivocation" if lies else ""
        return {"c": verdict_code(verdict)}, rule, lies


def _may_name(contact: Contact, scope: str) -> bool:
    """Whether a contact's address means the same to who asks as to us."""
    return scope_of(contact.address[0]) in {GLOBAL, scope}
