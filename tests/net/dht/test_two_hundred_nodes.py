"""Two hundred nodes in virtual time: a third of them dies, a tenth lies, and what is published is found."""

from dataclasses import dataclass

from net.dht.contact import Address
from net.dht.events import Done
from net.dht.record import content_key, key_id, sign_record
from net.dht.simulated import HashSigner, SimulatedDht
from net.dht.store import PER_KEY
from runtime import identity
from tests.net.dht.liars import LyingAnswers, SilentAboutRecords, turn_liar

HOURS_MS = 4 * 3_600_000
KEYS = [content_key(f"{number:064x}") for number in range(2)]


@dataclass(frozen=True)
class Town:
    dht: SimulatedDht
    addresses: list[Address]
    signers: list[HashSigner]
    providers: dict[str, list[int]]
    readers: list[int]
    dead: set[int]
    liars: list[int]

    def lookups(self, many: int) -> list[tuple[str, Done]]:
        asked = []
        for number in range(many):
            key = KEYS[number % len(KEYS)]
            reader = self.addresses[self.readers[self.dht.random.randrange(len(self.readers))]]
            asked.append((key, self.dht.find(reader, key_id(key))))
        return asked

    def share_found(self, asked: list[tuple[str, Done]]) -> float:
        found = live = 0
        for key, done in asked:
            wanted = {self.signers[number].public for number in self.providers[key] if number not in self.dead}
            found += len(wanted & {record.peer for record in done.records})
            live += len(wanted)
        return found / live


def town(seed: int, *, many: int, dead: int, liars: int) -> Town:
    dht = SimulatedDht(seed)
    signers = [HashSigner(dht.random.randbytes(32)) for _ in range(many)]
    addresses = [dht.add(number, signer) for number, signer in enumerate(signers)]
    for number in range(1, many):
        dht.join(addresses[number], addresses[dht.random.randrange(number)])
    providers = {key: dht.random.sample(range(many), PER_KEY) for key in KEYS}
    for key, numbers in providers.items():
        for number in numbers:
            record = sign_record(signers[number], "provider", key, {}, seq=1, issued_ms=dht.wall_ms(), life_ms=HOURS_MS)
            assert len(dht.publish(addresses[number], record).contacts) == 20
    order = list(range(many))
    dht.random.shuffle(order)
    for number in order[:dead]:
        dht.kill(addresses[number])
    return Town(
        dht, addresses, signers, providers, order[dead + liars :], set(order[:dead]), order[dead : dead + liars]
    )


def test_with_30_percent_dead_and_10_percent_lying_providers_are_found_within_3_s() -> None:
    place = town(3, many=200, dead=60, liars=20)
    for kind, many in ((SilentAboutRecords, 20), (LyingAnswers, 40)):
        for number in place.liars:
            turn_liar(place.dht, place.addresses[number], kind)
        asked = place.lookups(many)
        seconds = sorted(done.seconds for _, done in asked)
        assert place.share_found(asked) >= 0.95
        assert seconds[int(len(seconds) * 0.95)] <= 3.0
        assert all(done.asked <= 60 for _, done in asked)
    assert place.dht.largest <= 1200


def test_nodes_with_real_keys_do_the_same() -> None:
    dht = SimulatedDht(5)
    signers = [identity.Identity(dht.random.randbytes(32)) for _ in range(25)]
    addresses = [dht.add(number, signer, identity.verify) for number, signer in enumerate(signers)]
    for number in range(1, 25):
        dht.join(addresses[number], addresses[0])
    record = sign_record(signers[3], "provider", KEYS[0], {}, seq=1, issued_ms=dht.wall_ms(), life_ms=HOURS_MS)
    dht.publish(addresses[3], record)
    assert [found.packed for found in dht.find(addresses[20], key_id(KEYS[0])).records] == [record.packed]


def test_the_same_seed_is_the_same_run() -> None:
    def run() -> tuple[int, int, float]:
        dht = SimulatedDht(9)
        addresses = [dht.add(number) for number in range(30)]
        for address in addresses[1:]:
            dht.join(address, addresses[0])
        return dht.datagrams, dht.bytes, dht.now

    assert run() == run()
