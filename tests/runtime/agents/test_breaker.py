"""The breaker against an oracle that counts, and against damage in the store."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.breaker import CLOSED, Breaker, failed, from_body, succeeded, to_body

KINDS = ("tick", "event")
steps = st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), max_size=30)


def fold(calls: list[tuple[str, bool]]) -> Breaker:
    breaker = CLOSED
    for number, (kind, ok) in enumerate(calls):
        breaker = succeeded(breaker, kind) if ok else failed(breaker, kind, f"reason {number}", number)
    return breaker


@given(steps)
def test_it_opens_exactly_at_the_third_failure_in_a_row_of_one_kind(calls: Any) -> None:
    counts = {"tick": 0, "event": 0}
    opened = None
    for number, (kind, ok) in enumerate(calls):
        if opened is None:
            counts[kind] = 0 if ok else counts[kind] + 1
            if counts[kind] == 3:
                opened = (kind, number)
    breaker = fold(calls)
    assert breaker.open == (opened is not None)
    assert breaker.failures == max(counts.values())
    if opened:
        assert (breaker.tripped_by, breaker.tripped_ms) == opened
        assert len(breaker.reasons) == 3


@given(steps)
def test_it_survives_the_store(calls: Any) -> None:
    assert from_body(to_body(fold(calls))) == fold(calls)


def test_a_good_tick_between_does_not_reset_failing_events() -> None:
    breaker = CLOSED
    for number in range(3):
        breaker = failed(breaker, "event", f"trap {number}", 7)
        breaker = succeeded(breaker, "tick")
    assert breaker.open
    assert breaker.tripped_by == "event"
    assert breaker.reasons == ("trap 0", "trap 1", "trap 2")


def test_two_failures_then_a_success_stay_closed() -> None:
    breaker = succeeded(failed(failed(CLOSED, "tick", "a", 1), "tick", "b", 2), "tick")
    assert breaker == CLOSED


def test_an_open_breaker_keeps_what_opened_it() -> None:
    breaker = CLOSED
    for number in range(3):
        breaker = failed(breaker, "tick", str(number), number)
    assert failed(breaker, "tick", "later", 9) == breaker
    assert succeeded(breaker, "tick") == breaker


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"tick":1,"event":[],"tripped_by":null,"tripped_ms":null}',
        '{"tick":[1],"event":[],"tripped_by":null,"tripped_ms":null}',
        '{"tick":[],"event":[],"tripped_by":"flush","tripped_ms":null}',
        '{"tick":[],"event":[],"tripped_by":null,"tripped_ms":"x"}',
    ],
)
def test_a_damaged_body_counts_as_open(body: Any) -> None:
    assert from_body(body).open
