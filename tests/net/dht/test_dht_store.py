from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from net.dht.record import Record, content_key
from net.dht.store import PER_KEY, RecordStore, Verdict
from net.limits import NetLimits

NOW = 1_000_000
OWN = bytes(20)


def record(signer: int = 1, key: int = 1, seq: int = 1, *, expires_ms: int = NOW + 1000, packed: bytes = b"") -> Record:
    """A record as if it had been checked."""
    content = packed or f"{signer} {key} {seq} {expires_ms}".encode()
    peer = signer.to_bytes(32)
    return Record("provider", content_key(f"{key:064x}"), peer, seq, NOW, expires_ms, {}, content)


def store(**limits: int) -> RecordStore:
    return RecordStore(OWN, NetLimits(**limits))  # type: ignore[arg-type]


def test_a_newer_record_of_a_signer_takes_the_place_of_its_older_one() -> None:
    kept = store()
    assert kept.offer(record(seq=1), "a", NOW) is Verdict.STORED
    assert kept.offer(record(seq=3), "b", NOW) is Verdict.STORED
    assert kept.offer(record(seq=2), "a", NOW) is Verdict.OLD
    assert [item.seq for item in kept.get(record().key_id, NOW)] == [3]


def test_row_26_the_same_record_again_is_a_refresh_and_another_with_its_seq_is_reported() -> None:
    kept = store()
    kept.offer(record(), "a", NOW)
    assert kept.offer(record(), "a", NOW) is Verdict.REFRESHED
    assert kept.offer(replace(record(), packed=b"other"), "a", NOW) is Verdict.EQUIVOCATION
    assert kept.get(record().key_id, NOW) == [record()]


def test_11_2_a_record_is_gone_when_it_expires() -> None:
    kept = store()
    kept.offer(record(), "a", NOW)
    assert kept.get(record().key_id, NOW + 999)
    assert kept.get(record().key_id, NOW + 1000) == []
    assert (kept.count, kept.bytes) == (0, 0)


def test_a_renewal_lives_as_long_as_it_says_and_no_longer() -> None:
    kept = store()
    kept.offer(record(seq=1, expires_ms=NOW + 5000), "a", NOW)
    kept.offer(record(seq=2, expires_ms=NOW + 100), "a", NOW)  # withdrawn
    assert kept.get(record().key_id, NOW + 100) == []


def test_a_signer_has_sixteen_places() -> None:
    kept = store()
    verdicts = [kept.offer(record(key=key), f"{key}", NOW) for key in range(17)]
    assert verdicts == [Verdict.STORED] * 16 + [Verdict.FULL]


def test_a_network_has_256_places() -> None:
    kept = store()
    verdicts = [kept.offer(record(signer, key=signer), "a", NOW) for signer in range(1, 258)]
    assert verdicts == [Verdict.STORED] * 256 + [Verdict.FULL]


def test_a_key_has_32_places_of_which_no_network_keeps_others_out() -> None:
    kept = store()
    for signer in range(1, PER_KEY + 1):
        assert kept.offer(record(signer), "crowd", NOW) is Verdict.STORED
    assert kept.offer(record(100), "crowd", NOW) is Verdict.FULL
    assert kept.offer(record(101), "small", NOW) is Verdict.STORED
    found = kept.get(record().key_id, NOW)
    assert len(found) == PER_KEY
    assert (101).to_bytes(32) in {item.peer for item in found}


def test_when_all_is_full_the_farthest_goes_and_a_farther_one_is_refused() -> None:
    kept = store(dht_records=4)
    items = sorted((record(n, key=n) for n in range(1, 7)), key=lambda item: item.key_id)
    near, *others, far = items
    for item in others:
        assert kept.offer(item, "a", NOW) is Verdict.STORED
    assert kept.offer(far, "a", NOW) is Verdict.FULL
    assert kept.offer(near, "a", NOW) is Verdict.STORED
    assert kept.get(near.key_id, NOW) == [near]
    assert kept.get(others[-1].key_id, NOW) == []


def test_bytes_are_bounded_as_records_are() -> None:
    kept = store(dht_store=2500)
    for number in range(1, 50):
        kept.offer(record(number, key=number, packed=bytes(900) + bytes([number])), "a", NOW)
    assert kept.bytes <= 2500


def test_renewing_all_the_time_fills_no_memory() -> None:
    kept = store()
    for seq in range(1, 2000):
        kept.offer(record(seq=seq, expires_ms=NOW + 1000 + seq), "a", NOW)
    assert len(kept._expiries) <= 2 * kept.count + 65


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(1, 50), st.sampled_from("abc")),
        max_size=80,
    )
)
def test_counts_agree_with_what_is_there(offers: list[tuple[int, int, int, int, str]]) -> None:
    kept = store(dht_records=7)
    now = NOW
    for signer, key, seq, life, prefix in offers:
        now += 5
        kept.offer(record(signer, key, seq, expires_ms=now + life), prefix, now)
        there = [item for number in range(1, 5) for item in kept.get(record(key=number).key_id, now)]
        assert kept.count == len(there) <= 7
        assert kept.bytes == sum(len(item.packed) for item in there)
        assert sum(kept._signers.values()) == sum(kept._prefixes.values()) == kept.count
        assert len(kept._distances) == len({item.key_id for item in there})
