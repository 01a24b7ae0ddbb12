"""The routing table: kademlia's, where it is right, with time passed in and only nodes that have proven their keys.

Different from the library's: the nearest contacts are found among all, a full bucket's place goes to the oldest
candidate, an entry goes after two misses, a network may hold only so many places, and nothing is sent from here.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from kademlia.node import Node
from kademlia.routing import KBucket, RoutingTable

from net.dht.contact import Contact
from net.dht.scopes import prefix_of

__all__ = ["PER_PREFIX", "PER_PREFIX_IN_BUCKET", "Bucket", "Table"]

PER_PREFIX: Final = 10
PER_PREFIX_IN_BUCKET: Final = 2
_MISSES: Final = 2
_FACTOR: Final = 5
_TOP: Final = (1 << 160) - 1


class Bucket(KBucket):
    """A range of ids with the contacts in it, the least recently heard first."""

    nodes: OrderedDict[bytes, Contact]
    replacement_nodes: OrderedDict[bytes, Contact]
    range: tuple[int, int]
    last_updated: float

    def __init__(self, low: int, high: int, size: int, now: float) -> None:
        self._now = now
        super().__init__(low, high, size, _FACTOR)

    def touch_last_updated(self) -> None:
        """As of the time that it was told."""
        self.last_updated = self._now

    def touch(self, now: float) -> None:
        """Somebody looked for an id of this range."""
        self._now = now
        self.touch_last_updated()

    def split(self) -> tuple["Bucket", "Bucket"]:
        """Two halves, with the contacts in their order."""
        middle = sum(self.range) // 2
        halves = (
            Bucket(self.range[0], middle, self.ksize, self._now),
            Bucket(middle + 1, self.range[1], self.ksize, self._now),
        )
        for contact in (*self.nodes.values(), *self.replacement_nodes.values()):
            halves[contact.long_id > middle].add_node(contact)
        return halves

    def remove_node(self, node: Node) -> None:
        """Takes a contact out; the oldest candidate gets its place, since whoever comes last may just be many."""
        self.replacement_nodes.pop(node.id, None)
        if self.nodes.pop(node.id, None) is not None and self.replacement_nodes:
            candidate, contact = self.replacement_nodes.popitem(last=False)
            self.nodes[candidate] = contact


class Table(RoutingTable):
    """Contacts that have proven their keys at their addresses.

    Args:
        own_id: of this node.
        size: contacts in one bucket.
        now: seconds.
    """

    buckets: list[Bucket]  # type: ignore[assignment]

    def __init__(self, own_id: bytes, size: int, now: float) -> None:
        self._now = now
        self._misses: Counter[bytes] = Counter()
        self._prefixes: Counter[str] = Counter()
        self._contacts: dict[bytes, Contact] = {}
        super().__init__(None, size, Node(own_id))

    def flush(self) -> None:
        """Begins with one bucket."""
        self.buckets = [Bucket(0, _TOP, self.ksize, self._now)]

    def __len__(self) -> int:
        return sum(map(len, self.buckets))

    def contacts(self) -> Sequence[Contact]:
        """All contacts, no candidates."""
        return [contact for bucket in self.buckets for contact in bucket.nodes.values()]

    def get(self, node_id: bytes) -> Contact | None:
        """A contact or a candidate."""
        return self._contacts.get(node_id)

    def seen(self, contact: Contact) -> Contact | None:
        """A node has proven its key at this address; the last proven address is its address.

        Returns:
            A contact that should be asked whether it is still there, because its place is wanted.
        """
        if contact.id == self.node.id:
            return None
        self._misses.pop(contact.id, None)
        before = self._contacts.get(contact.id)
        if before is not None and prefix_of(before.address[0]) != prefix_of(contact.address[0]):
            self._forget(before)
            before = None
        if before is None:
            if not self._prefix_has_room(contact):
                return None
            self._contacts[contact.id] = contact
            self._prefixes[prefix_of(contact.address[0])] += 1
        self._contacts[contact.id] = contact
        return self._put(contact)

    def missed(self, node_id: bytes) -> None:
        """A contact did not answer; after the second time in a row it goes."""
        contact = self._contacts.get(node_id)
        if contact is None:
            return
        self._misses[node_id] += 1
        if self._misses[node_id] >= _MISSES:
            self._forget(contact)

    def nearest(self, target: bytes, many: int, *, without: bytes = b"") -> Sequence[Contact]:
        """The contacts nearest to an id, of all, the nearest first.

        Args:
            target: 20 bytes.
            many: contacts that are wanted.
            without: the id of one that is not.
        """
        place = int.from_bytes(target)
        found = sorted(self.contacts(), key=lambda contact: contact.long_id ^ place)
        return [contact for contact in found if contact.id != without][:many]

    def bucket_of(self, node_id: int) -> Bucket:
        """The bucket in whose range an id is."""
        return self.buckets[self._index(node_id)]

    def idle_since(self, moment: float) -> Iterable[Bucket]:
        """Buckets in whose range nobody looked for anything since."""
        return [bucket for bucket in self.buckets if bucket.last_updated <= moment]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _index(self, node_id: int) -> int:
        return next(index for index, bucket in enumerate(self.buckets) if node_id <= bucket.range[1])

    def _prefix_has_room(self, contact: Contact) -> bool:
        prefix = prefix_of(contact.address[0])
        beside = self.bucket_of(contact.long_id).nodes.values()
        in_bucket = sum(prefix_of(other.address[0]) == prefix for other in beside)
        return in_bucket < PER_PREFIX_IN_BUCKET and self._prefixes[prefix] < PER_PREFIX

    def _put(self, contact: Contact) -> Contact | None:
        index = self._index(contact.long_id)
        bucket = self.buckets[index]
        gone = set(bucket.replacement_nodes)
        if bucket.add_node(contact):
            return None
        for dropped in gone - set(bucket.replacement_nodes):
            self._uncount(dropped)
        if bucket.has_in_range(self.node):
            self.split_bucket(index)
            return self._put(contact)
        return bucket.head()  # type: ignore[no-any-return]

    def _forget(self, contact: Contact) -> None:
        self.bucket_of(contact.long_id).remove_node(contact)
        self._uncount(contact.id)

    def _uncount(self, node_id: bytes) -> None:
        contact = self._contacts.pop(node_id)
        self._misses.pop(node_id, None)
        prefix = prefix_of(contact.address[0])
        self._prefixes[prefix] -= 1
        if not self._prefixes[prefix]:
            del self._prefixes[prefix]
