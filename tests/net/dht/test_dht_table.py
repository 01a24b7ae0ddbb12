from random import Random

from hypothesis import given
from hypothesis import strategies as st

from net.dht.contact import Contact, node_id
from net.dht.table import PER_PREFIX, Table

OWN = node_id(b"o" * 32)


def contact(number: int, ip: str = "") -> Contact:
    """A node in a network of its own, unless the address says otherwise."""
    return Contact(number.to_bytes(32), (ip or f"20.{number >> 8}.{number & 0xFF}.1", 4001))


def table(many: int = 0) -> Table:
    made = Table(OWN, 20, 0.0)
    for number in range(many):
        made.seen(contact(number))
    return made


@given(st.integers(1, 400), st.binary(min_size=20, max_size=20))
def test_dht_row_11_the_nearest_are_found_among_all(many: int, target: bytes) -> None:
    known = table(many)
    place = int.from_bytes(target)
    expected = sorted((item.long_id ^ place) for item in known.contacts())[:20]
    assert [item.long_id ^ place for item in known.nearest(target, 20)] == expected


def test_the_nodes_around_us_are_all_known_far_ones_by_sample() -> None:
    known = table(2000)
    own = int.from_bytes(OWN)
    around = sorted((contact(number) for number in range(2000)), key=lambda item: item.long_id ^ own)[:20]
    assert [item.id for item in known.nearest(OWN, 20)] == [item.id for item in around]
    assert len(known) < 300


def test_dht_row_10_the_last_proven_address_wins() -> None:
    known = table()
    known.seen(contact(1, "192.0.2.1"))
    moved = Contact((1).to_bytes(32), ("192.0.2.1", 5555))
    known.seen(moved)
    assert known.nearest(OWN, 5) == [moved]
    far = contact(1, "198.51.100.7")
    known.seen(far)
    assert known.nearest(OWN, 5) == [far]


def full_bucket() -> tuple[Table, list[Contact]]:
    """A table whose far half is full, and the far contacts, twenty within and some that wait."""
    known = table(400)
    bucket = known.bucket_of(int.from_bytes(OWN) ^ (1 << 159))
    assert len(bucket) == 20
    return known, [*bucket.nodes.values()]


def test_dht_row_13_a_contact_goes_after_two_misses_and_the_oldest_candidate_comes() -> None:
    known, inside = full_bucket()
    bucket = known.bucket_of(inside[0].long_id)
    oldest = next(iter(bucket.replacement_nodes))
    known.missed(inside[0].id)
    assert inside[0].id in bucket.nodes
    known.missed(inside[0].id)
    assert inside[0].id not in bucket.nodes
    assert oldest in bucket.nodes


def test_an_answer_between_two_misses_forgives_the_first() -> None:
    known, inside = full_bucket()
    known.missed(inside[0].id)
    known.seen(inside[0])
    known.missed(inside[0].id)
    assert known.get(inside[0].id) is not None


def test_a_newcomer_to_a_full_bucket_waits_and_the_longest_unheard_is_doubted() -> None:
    known, inside = full_bucket()
    newcomer = next(
        item for item in map(contact, range(5000, 9000)) if known.bucket_of(item.long_id).has_in_range(inside[0])
    )
    assert known.seen(newcomer) is inside[0]
    assert newcomer not in known.contacts()
    assert known.get(newcomer.id) is newcomer


def test_a_network_has_two_places_in_a_bucket_and_ten_in_the_table() -> None:
    known = table()
    for number in range(500):
        known.seen(contact(number))
        known.seen(contact(1000 + number, f"203.0.113.{number % 250 + 1}"))
    mine = [item for item in known.contacts() if item.address[0].startswith("203.0.113.")]
    assert 2 < len(mine) <= PER_PREFIX
    assert all(
        sum(item.address[0].startswith("203.0.113.") for item in bucket.nodes.values()) <= 2 for bucket in known.buckets
    )


def test_on_a_lan_each_host_counts_for_itself() -> None:
    known = table()
    for number in range(15):
        known.seen(contact(number, f"192.168.1.{number + 1}"))
    assert len(known) == 15


def test_this_node_is_never_in_its_own_table() -> None:
    known = table()
    known.seen(Contact(b"o" * 32, ("192.0.2.1", 1)))
    assert not len(known)


def test_buckets_in_which_nobody_looked_are_idle() -> None:
    known = table(100)
    known.bucket_of(int.from_bytes(OWN)).touch(50.0)
    idle = list(known.idle_since(10.0))
    assert len(idle) == len(known.buckets) - 1


@given(st.integers(0, 2**32), st.lists(st.integers(0, 60), max_size=200))
def test_whatever_comes_and_goes_the_counts_agree(seed: int, moves: list[int]) -> None:
    random = Random(seed)
    known = Table(OWN, 4, 0.0)
    for number in moves:
        item = contact(number, f"203.0.{number % 7}.{random.randrange(250)}")
        if random.random() < 0.3:
            known.missed(item.id)
        else:
            known.seen(item)
        inside = [name for bucket in known.buckets for name in (*bucket.nodes, *bucket.replacement_nodes)]
        assert sorted(inside) == sorted(known._contacts)
        assert sum(known._prefixes.values()) == len(inside)
        assert max(known._prefixes.values(), default=0) <= PER_PREFIX
