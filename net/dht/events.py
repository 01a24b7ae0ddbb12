"""What a node of the DHT tells whoever runs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from net.dht.contact import Address, Contact
from net.dht.record import Record

__all__ = ["Done", "Equivocated", "Fault", "NodeEvent", "Purpose"]

Purpose = Literal["nodes", "records", "publish"]


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


NodeEvent = Done | Fault | Equivocated
