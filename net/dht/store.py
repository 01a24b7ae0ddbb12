"""The records that a node keeps for others: bounded by key, signer, network and in all. Pure; time is passed in."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import heapify, heappop, heappush
from typing import Final, TypeVar

from net.dht.record import Record
from net.limits import NetLimits

__all__ = ["PER_KEY", "RecordStore", "Verdict"]

T = TypeVar("T")

PER_KEY: Final = 32
"""Records of one key, one of each signer."""

_PER_PREFIX: Final = 256
"""Records that nodes of one network brought."""

_SLACK: Final = 64


class Verdict(StrEnum):
    """What became of a record that somebody brought."""

    STORED = "stored"
    REFRESHED = "refreshed"
    OLD = "old"
    """A newer one of the same signer is here."""
    EQUIVOCATION = "equivocation"
    """Another record with the same `seq` is here: its signer says different things to different nodes."""
    FULL = "full"
    """A quota is used up."""


@dataclass(frozen=True, slots=True)
class _Entry:
    record: Record
    prefix: str


class RecordStore:
    """Records, each checked before it comes here.

    Args:
        own_id: of this node; what is far from it goes first.
        limits: what is kept at most.
    """

    def __init__(self, own_id: bytes, limits: NetLimits) -> None:
        self._own = int.from_bytes(own_id)
        self._limits = limits
        self._keys: dict[bytes, dict[bytes, _Entry]] = {}
        self._signers: Counter[bytes] = Counter()
        self._prefixes: Counter[str] = Counter()
        self._expiries: list[tuple[int, bytes, bytes]] = []
        self._distances: list[tuple[int, bytes]] = []
        self.bytes = 0
        """What all records have together."""
        self.count = 0
        """How many there are."""

    def offer(self, record: Record, prefix: str, now_ms: int) -> Verdict:
        """Takes a record, if it is news and there is room.

        Args:
            record: checked.
            prefix: the network of who brought it.
            now_ms: Unix milliseconds.
        """
        self.expire(now_ms)
        before = self._keys.get(record.key_id, {}).get(record.peer)
        if before is not None:
            if record.seq < before.record.seq:
                return Verdict.OLD
            if record.seq == before.record.seq:
                same = record.packed == before.record.packed
                return Verdict.REFRESHED if same else Verdict.EQUIVOCATION
            self._drop(before)
            self._add(_Entry(record, before.prefix))
            return Verdict.STORED
        if not self._has_room(record, prefix):
            return Verdict.FULL
        self._add(_Entry(record, prefix))
        return Verdict.STORED

    def get(self, key_id: bytes, now_ms: int) -> Sequence[Record]:
        """The records of a key that are valid now.

        Args:
            key_id: its place.
            now_ms: Unix milliseconds.
        """
        self.expire(now_ms)
        return [entry.record for entry in self._keys.get(key_id, {}).values()]

    def expire(self, now_ms: int) -> None:
        """Forgets what is no longer valid."""
        while self._expiries and self._expiries[0][0] <= now_ms:
            expires_ms, key, peer = heappop(self._expiries)
            entry = self._keys.get(key, {}).get(peer)
            if entry is not None and entry.record.expires_ms == expires_ms:
                self._drop(entry)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _has_room(self, record: Record, prefix: str) -> bool:
        """Whether the quotas allow a record of a new signer under its key; makes room in all when it is nearer."""
        if self._signers[record.peer] >= self._limits.dht_per_signer or self._prefixes[prefix] >= _PER_PREFIX:
            return False
        if len(self._keys.get(record.key_id, {})) >= PER_KEY and not self._give_way(record.key_id, prefix):
            return False
        while self._is_full(record):
            distance, farthest = self._distances[-1]
            if self._distance(record.key_id) >= distance:
                return False
            self._drop(next(iter(self._keys[farthest].values())))
        return True

    def _give_way(self, key_id: bytes, prefix: str) -> bool:
        """Takes a place of a full key from the network that has most, if that is clearly more than the newcomer's."""
        entries = self._keys[key_id].values()
        shares = Counter(entry.prefix for entry in entries)
        largest, many = shares.most_common(1)[0]
        if many <= shares[prefix] + 1:
            return False
        self._drop(max((entry for entry in entries if entry.prefix == largest), key=lambda entry: entry.record.seq))
        return True

    def _is_full(self, record: Record) -> bool:
        more = self.bytes + len(record.packed) > self._limits.dht_store
        return more or self.count >= self._limits.dht_records

    def _distance(self, key_id: bytes) -> int:
        return int.from_bytes(key_id) ^ self._own

    def _add(self, entry: _Entry) -> None:
        record = entry.record
        if record.key_id not in self._keys:
            insort(self._distances, (self._distance(record.key_id), record.key_id))
        self._keys.setdefault(record.key_id, {})[record.peer] = entry
        self._signers[record.peer] += 1
        self._prefixes[entry.prefix] += 1
        self.bytes += len(record.packed)
        self.count += 1
        heappush(self._expiries, (record.expires_ms, record.key_id, record.peer))
        if len(self._expiries) > 2 * self.count + _SLACK:
            self._forget_stale_expiries()

    def _forget_stale_expiries(self) -> None:
        """Each renewal leaves one behind: who renews all the time must not fill the memory with them."""
        self._expiries = [
            (entry.record.expires_ms, key, peer)
            for key, entries in self._keys.items()
            for peer, entry in entries.items()
        ]
        heapify(self._expiries)

    def _drop(self, entry: _Entry) -> None:
        record = entry.record
        entries = self._keys[record.key_id]
        del entries[record.peer]
        if not entries:
            del self._keys[record.key_id]
            del self._distances[bisect_left(self._distances, (self._distance(record.key_id), record.key_id))]
        _take_off(self._signers, record.peer)
        _take_off(self._prefixes, entry.prefix)
        self.bytes -= len(record.packed)
        self.count -= 1


def _take_off(counts: Counter[T], name: T) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
