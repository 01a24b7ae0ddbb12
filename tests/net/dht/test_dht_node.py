"""Nodes in virtual time: what the sans-IO core does beyond one lookup."""

import pytest

from net.dht.answers import Answers
from net.dht.contact import Address, Contact
from net.dht.datagram import Body, Value
from net.dht.node import DhtNode
from net.dht.record import content_key, key_id, sign_record
from net.dht.simulated import HashSigner, SimulatedDht, hash_fits
from tests.net.dht.liars import turn_liar

HOUR_MS = 3_600_000


def joined(seed: int, many: int) -> tuple[SimulatedDht, list[Address], list[HashSigner]]:
    dht = SimulatedDht(seed)
    signers = [HashSigner(dht.random.randbytes(32)) for _ in range(many)]
    addresses = [dht.add(number, signer) for number, signer in enumerate(signers)]
    for number in range(1, many):
        dht.join(addresses[number], addresses[0])
    return dht, addresses, signers


def test_dht_row_8_dead_nodes_make_nothing_slow() -> None:
    dht, addresses, signers = joined(8, 60)
    for address in addresses[1::3]:
        dht.kill(address)
    record = sign_record(
        signers[0], "provider", content_key("ab" * 32), {}, seq=1, issued_ms=dht.wall_ms(), life_ms=HOUR_MS
    )
    done = dht.publish(addresses[0], record)
    assert len(done.contacts) == 20
    assert done.seconds < 3.0


def test_dht_row_18_a_network_of_dead_nodes_costs_sixty_queries_and_ten_seconds_at_most() -> None:
    dht, addresses, _ = joined(18, 90)
    for address in addresses[1:]:
        dht.kill(address)
    done = dht.find(addresses[0], key_id(content_key("ab" * 32)))
    assert (done.answered, done.records) == (0, [])
    assert done.asked <= 60
    assert done.seconds <= 10.0


def test_dht_row_19_without_any_fault_nothing_is_missed() -> None:
    dht, addresses, signers = joined(19, 100)
    keys = [content_key(f"{number:064x}") for number in range(20)]
    for number, key in enumerate(keys):
        record = sign_record(signers[number], "provider", key, {}, seq=1, issued_ms=dht.wall_ms(), life_ms=HOUR_MS)
        dht.publish(addresses[number], record)
    for number, key in enumerate(keys):
        found = dht.find(addresses[99 - number], key_id(key)).records
        assert [record.peer for record in found] == [signers[number].public]


class NamesTheNeighbours(Answers):
    """Names machines in the asker's own network, as if it knew them."""

    def _found(self, body: Body, asker: bytes, address: Address) -> dict[str, Value]:  # noqa: ARG002
        hosts = ("192.168.1.1", "10.0.0.1", "127.0.0.1", "fd00::1", "169.254.169.254")
        return {"n": [Contact(host.encode().ljust(32), (host, 80)).packed for host in hosts], "m": 0}


def test_row_33_private_addresses_that_a_stranger_names_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    dht, addresses, _ = joined(33, 10)
    asked: list[Address] = []
    send = dht.send
    monkeypatch.setattr(dht, "send", lambda raw, source, target: (asked.append(target), send(raw, source, target)))
    for address in addresses[1:]:
        turn_liar(dht, address, NamesTheNeighbours)
    dht.find(addresses[0], key_id(content_key("ab" * 32)))
    assert asked
    assert set(asked) <= set(addresses)


def test_a_bucket_in_which_nobody_looked_for_an_hour_is_refreshed() -> None:
    dht, addresses, _ = joined(60, 20)
    node = dht.nodes[addresses[5]]
    before = dht.datagrams
    dht.run_until(lambda: dht.now > 2 * 3600 + 1200)
    assert dht.datagrams > before
    assert not list(node.table.idle_since(dht.now - 2 * 3600))


def test_results_and_faults_are_bounded_whatever_comes() -> None:
    node = DhtNode(HashSigner(b"n"), wall_ms=lambda: 0, now=0.0, random_bytes=bytes, verify=hash_fits)
    for number in range(5000):
        node.receive(number.to_bytes(2), ("192.0.2.1", 4001), 0.0)
    assert len(node.events()) == 256
    assert node.counts["malformed"] == 5000


def test_hints_are_two_hundred_and_the_newest_stay() -> None:
    node = DhtNode(HashSigner(b"n"), wall_ms=lambda: 0, now=0.0, random_bytes=bytes, verify=hash_fits)
    node.hint(Contact(number.to_bytes(32), ("192.0.2.1", 4001)) for number in range(500))
    assert len(node._queries._hints) == 200
    assert Contact((499).to_bytes(32), ("192.0.2.1", 4001)).id in node._queries._hints
