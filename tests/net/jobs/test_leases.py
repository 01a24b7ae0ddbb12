"""Leases: room is kept as long as was promised, for whom it was promised, and no longer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import PeerFaultError
from net.jobs.leases import Leases


def test_a_lease_holds_until_the_request_must_have_come() -> None:
    leases = Leases(most=2, most_each=2, start_s=10)
    leases.take("a" * 32, "job", "me", 100, now=5)
    assert leases.reserved_mb(14.9) == 100
    assert leases.left_ms("job", 5) == 10_000
    assert [lease.job for lease in leases.expire(15)] == ["job"]
    assert leases.reserved_mb(15) == 0
    with pytest.raises(PeerFaultError) as caught:
        leases.claim("job", "me", "a" * 32, 15)
    assert (caught.value.rule, caught.value.score) == ("no-lease", 5)


def test_once_it_was_asked_for_it_holds_until_it_is_given_back() -> None:
    leases = Leases(most=1, most_each=1, start_s=10)
    leases.take("a" * 32, "job", "me", 100, now=0)
    leases.claim("job", "me", "a" * 32, 9)
    leases.claim("job", "me", "a" * 32, 9000)  # once more, after a cut
    assert leases.full("me", 9000)
    leases.give_back("job")
    leases.give_back("job")
    assert not leases.full("me", 9000)


@pytest.mark.parametrize(("who", "name"), [("you", "a" * 32), ("me", "b" * 32)])
def test_nobody_else_and_under_no_other_name(who: str, name: str) -> None:
    leases = Leases(most=1, most_each=1, start_s=10)
    leases.take("a" * 32, "job", "me", 100, now=0)
    with pytest.raises(PeerFaultError):
        leases.claim("job", who, name, 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.floats(0, 5)), max_size=40))
def test_never_more_than_there_is_room_for(steps: list[tuple[str, int, float]]) -> None:
    leases, now, held = Leases(most=4, most_each=2, start_s=3), 0.0, dict[str, tuple[str, float]]()
    for who, number, passed in steps:
        now += passed
        held = {job: (owner, until) for job, (owner, until) in held.items() if until > now}
        job = f"{who}{number}"
        if job not in held and not leases.full(who, now):
            leases.take("a" * 32, job, who, 1, now)
            held[job] = (who, now + 3)
        assert leases.reserved_mb(now) == len(held) <= 4
        assert all(sum(owner == each for owner, _ in held.values()) <= 2 for each in "abc")
