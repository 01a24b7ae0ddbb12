from collections.abc import Sequence

from net.dht.contact import Contact
from net.dht.lookup import READ_MAX, Lookup
from net.dht.record import Record
from net.limits import NetLimits

TARGET = bytes(20)
OWN = b"\xff" * 20


def contact(number: int, ip: str = "") -> Contact:
    return Contact(number.to_bytes(32), (ip or f"20.{number >> 8}.{number & 0xFF}.1", 4001))


NEAR = sorted((contact(number) for number in range(2000)), key=lambda item: item.long_id)
"""Two thousand nodes, the nearest to the target first."""


def lookup(start: Sequence[Contact], *, records: bool = False, **limits: float) -> Lookup:
    return Lookup(TARGET, OWN, NetLimits(**limits), 0.0, records, start)  # type: ignore[arg-type]


def record(signer: int, seq: int = 1) -> Record:
    return Record("provider", "k", signer.to_bytes(32), seq, 0, 1, {}, f"{signer} {seq}".encode())


def test_four_are_asked_at_once_and_more_when_these_are_slow() -> None:
    search = lookup(NEAR[100:120])
    assert len(search.to_ask(0.0, 0.2)) == 4
    assert search.to_ask(0.1, 0.2) == []
    assert search.turns_at(0.1, 0.2) == 0.2
    assert len(search.to_ask(0.2, 0.2)) == 4
    assert search.to_ask(0.5, 0.2) == []  # eight are out, slow or not


def test_no_node_is_asked_by_both_paths() -> None:
    search = lookup(NEAR[100:104])
    first = search.to_ask(0.0, 0.2)
    for item in first:
        search.found(item, NEAR[:20], 0)
    second = search.to_ask(0.1, 0.2)
    assert len({item.id for item in (*first, *second)}) == 8


def test_it_goes_on_until_the_twenty_nearest_have_answered() -> None:
    search = lookup(NEAR[300:310])
    now = 0.0
    while not search.is_over(now):
        now += 0.01
        for item in search.to_ask(now, 0.2):
            search.found(item, NEAR[:40], 0)
    assert search.nearest() == NEAR[:20]


def test_dead_nodes_are_replaced_by_the_next_nearest() -> None:
    search = lookup(NEAR[300:310])
    dead = {item.id for item in NEAR[:40:3]}
    now = 0.0
    while not search.is_over(now):
        now += 0.01
        for item in search.to_ask(now, 0.2):
            if item.id in dead:
                search.failed(item)
            else:
                search.found(item, NEAR[:60], 0)
    assert [item.id for item in search.nearest()] == [item.id for item in NEAR[:60] if item.id not in dead][:20]


def test_dht_row_18_a_liar_who_names_ever_nearer_nodes_costs_a_few_queries() -> None:
    search = lookup(NEAR[300:310])
    liar, fakes = NEAR[300], {item.id for item in NEAR[:200]}
    asked_fakes = 0
    now = 0.0
    while not search.is_over(now):
        now += 0.01
        for item in search.to_ask(now, 0.2):
            asked_fakes += item.id in fakes
            if item.id in fakes:
                search.failed(item)
            else:
                search.found(item, NEAR[:20] if item is liar else NEAR[300:340], 0)
    assert asked_fakes <= 8


def test_one_network_is_asked_eight_times_at_most() -> None:
    crowd = [contact(number, f"203.0.113.{number % 250 + 1}") for number in range(60)]
    search = lookup(crowd)
    asked = 0
    for step in range(1, 100):
        for item in search.to_ask(step / 100, 0.2):
            asked += 1
            search.found(item, crowd, 0)
    assert asked == 8
    assert search.is_over(1.0)


def test_it_ends_after_sixty_queries_or_ten_seconds() -> None:
    search = lookup(NEAR[:20])
    asked = 0
    for step in range(1, 200):
        for item in search.to_ask(step / 100, 0.2):
            asked += 1
            search.failed(item)
            search._paths[0].add(NEAR[step * 8 : step * 8 + 8])
    assert asked == 60
    waiting = lookup(NEAR[:20])
    waiting.to_ask(0.0, 0.2)
    assert not waiting.is_over(9.9)
    assert waiting.is_over(10.0)


def test_records_are_fetched_until_there_are_none_the_path_has_not_seen() -> None:
    search = lookup(NEAR[:2], records=True)
    first, second = search.to_ask(0.0, 0.2)
    search.found(first, [], 5)
    search.found(second, [], 0)
    assert search.to_fetch(0.1) == [first]
    assert search.to_fetch(0.1) == []
    search.fetched(first, [record(1), record(2)], 3)
    assert len(search.marks(first)) == 16
    assert search.marks(second) == b""
    assert search.to_fetch(0.2) == [first]
    search.fetched(first, [record(1)], 3)  # says that there are more and brings nothing new
    assert search.to_fetch(0.3) == []
    assert search.is_over(0.3)


def test_dht_row_2_of_each_signer_the_newest_record_is_kept_whoever_brought_it_first() -> None:
    search = lookup(NEAR[:2], records=True)
    first, second = search.to_ask(0.0, 0.2)
    for item, sequence in ((first, 3), (second, 9)):
        search.found(item, [], 1)
        search.to_fetch(0.1)
        search.fetched(item, [record(1, sequence)], 0)
    assert [item.seq for item in search.best()] == [9]


def test_records_that_both_paths_saw_come_first() -> None:
    search = lookup(NEAR[:2], records=True)
    first, second = search.to_ask(0.0, 0.2)
    for item, brought in ((first, [record(1), record(2)]), (second, [record(2), record(3)])):
        search.found(item, [], 1)
        search.to_fetch(0.1)
        search.fetched(item, brought, 0)
    assert search.best()[0].peer == (2).to_bytes(32)


def test_no_more_than_64_records_are_kept() -> None:
    search = lookup(NEAR[:1], records=True)
    (only,) = search.to_ask(0.0, 0.2)
    search.found(only, [], 100)
    search.to_fetch(0.1)
    search.fetched(only, [record(number) for number in range(100)], 0)
    assert len(search.best()) == READ_MAX


def test_this_node_is_not_asked() -> None:
    own = NEAR[0]
    search = Lookup(TARGET, own.id, NetLimits(), 0.0, wants_records=False, start=[own, NEAR[1]])
    (asked,) = search.to_ask(0.0, 0.2)
    search.found(asked, [own, NEAR[1]], 0)
    assert search.to_ask(0.1, 0.2) == []
    assert search.is_over(0.1)
