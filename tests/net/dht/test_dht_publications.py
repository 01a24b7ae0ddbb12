import pytest

from net.dht.publications import LIFE_MS, Publications
from net.dht.record import RecordError, capability_key, content_key, read_record
from runtime.identity import Identity

NOW_MS = 1_700_000_000_000
KEY = capability_key("x86_64", "wasm")
HOUR_S, HOUR_MS = 3600.0, 3_600_000


def test_it_is_told_again_every_hour_and_signed_anew_at_half_its_life() -> None:
    ours = Publications(Identity(b"1" * 32))
    first = ours.put("provider", KEY, {}, 0.0, NOW_MS)
    assert first.expires_ms == NOW_MS + LIFE_MS
    assert ours.due(HOUR_S - 1, NOW_MS + HOUR_MS) == []
    assert ours.due(HOUR_S, NOW_MS + HOUR_MS) == [first]
    assert ours.due_at() == 2 * HOUR_S
    (second,) = ours.due(2 * HOUR_S, NOW_MS + 2 * HOUR_MS)
    assert second.seq > first.seq
    assert second.expires_ms == NOW_MS + 2 * HOUR_MS + LIFE_MS


def test_a_clock_that_falls_makes_no_record_that_others_find_old() -> None:
    ours = Publications(Identity(b"1" * 32))
    first = ours.put("provider", KEY, {}, 0.0, NOW_MS)
    (second,) = ours.due(HOUR_S, NOW_MS - HOUR_MS)
    assert second.seq == first.seq + 1
    assert read_record(second.packed, NOW_MS - HOUR_MS) == second


def test_what_nobody_took_is_tried_again_in_a_minute() -> None:
    ours = Publications(Identity(b"1" * 32))
    ours.put("provider", KEY, {}, 0.0, NOW_MS)
    ours.failed(KEY, 10.0)
    assert ours.due_at() == 70.0


def test_what_is_taken_back_is_replaced_by_a_record_that_is_over_in_a_second() -> None:
    ours = Publications(Identity(b"1" * 32))
    first = ours.put("provider", KEY, {}, 0.0, NOW_MS)
    farewell = ours.take_back(KEY, NOW_MS)
    assert farewell is not None
    assert farewell.seq > first.seq
    assert farewell.expires_ms == NOW_MS + 1000
    assert ours.take_back(KEY, NOW_MS) is None
    assert (ours.keys(), ours.due_at()) == ([], None)


def test_a_record_that_others_would_refuse_is_refused_here() -> None:
    ours = Publications(Identity(b"1" * 32))
    with pytest.raises(RecordError):
        ours.put("provider", content_key("ab" * 32), {"x": 1}, 0.0, NOW_MS)
    assert ours.keys() == []
