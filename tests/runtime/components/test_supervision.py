"""Who restarts after a failure, in which order, when; and when it is enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.supervision import Failure, Group, Round, Rules, Strategy, Watch, begun, failed

ABCD = ("a", "b", "c", "d")
RULES = Rules(max_restarts=3, window_s=60.0, backoff_initial_s=0.1, backoff_max_s=30.0)


def after(group: Group, member: str, **more: object) -> Round | None:
    return failed(Watch(), group, Failure(member=member, reason="trap", **more), 100.0, 0.0).round  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("strategy", "stop", "start"),
    [
        ("one-for-one", (), ("b",)),
        ("rest-for-one", ("d", "c"), ("b", "c", "d")),
        ("one-for-all", ("d", "c", "a"), ("a", "b", "c", "d")),
    ],
)
def test_each_strategy_stops_in_reverse_and_starts_in_order(
    strategy: Strategy, stop: tuple[str, ...], start: tuple[str, ...]
) -> None:
    assert after(Group(ABCD, strategy, RULES), "b") == Round(stop, start, 100.1)


@pytest.mark.parametrize(
    ("restart", "clean", "again"),
    [
        ("always", True, True),
        ("always", False, True),
        ("on-failure", True, False),
        ("on-failure", False, True),
        ("never", True, False),
        ("never", False, False),
    ],
)
def test_a_members_own_rule_says_whether_it_comes_again(restart: str, clean: bool, again: bool) -> None:
    alone = after(Group(("a",), rules=RULES), "a", restart=restart, clean=clean)
    assert (alone is not None) == again
    others = after(Group(ABCD, "one-for-all", RULES), "b", restart=restart, clean=clean)
    assert others is not None
    assert others.start == (ABCD if again else ("a", "c", "d"))  # the others move all the same


def test_the_delay_doubles_within_the_window_up_to_its_bound() -> None:
    watch, delays = Watch(), []
    group = Group(("a",), rules=Rules(max_restarts=12, backoff_initial_s=0.5, backoff_max_s=4.0))
    for now in range(6):
        watch = failed(watch, group, Failure(member="a", reason="trap"), float(now), 0.0)
        assert watch.round is not None
        delays.append(watch.round.due - now)
        watch = begun(watch)
    assert delays == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    later = failed(watch, group, Failure(member="a", reason="trap"), 1000.0, 0.0)
    assert later.round is not None
    assert later.round.due == 1000.5


@given(st.floats(-1, 1))
def test_chance_moves_the_delay_by_ten_percent_at_most(jitter: float) -> None:
    watch = failed(Watch(), Group(("a",), rules=RULES), Failure(member="a", reason="x"), 0.0, jitter)
    assert watch.round is not None
    assert 0.09 - 1e-9 <= watch.round.due <= 0.11 + 1e-9


def test_more_restarts_than_allowed_open_the_breaker_with_the_reasons() -> None:
    watch, group = Watch(), Group(("a",), rules=RULES)
    for number in range(4):
        watch = begun(failed(watch, group, Failure(member="a", reason=f"trap {number}"), float(number), 0.0))
    assert watch.given_up
    assert watch.reasons == ("trap 0", "trap 1", "trap 2", "trap 3")
    assert failed(watch, group, Failure(member="a", reason="late"), 5.0, 0.0) is watch


def test_restarts_that_lie_outside_the_window_do_not_count() -> None:
    watch, group = Watch(), Group(("a",), rules=RULES)
    for now in (0.0, 30.0, 61.0, 91.0, 122.0):
        watch = begun(failed(watch, group, Failure(member="a", reason="trap"), now, 0.0))
        assert not watch.given_up


def test_a_failure_before_the_round_begins_joins_it_and_counts_once() -> None:
    group = Group(ABCD, "rest-for-one", RULES)
    watch = failed(Watch(), group, Failure(member="c", reason="one"), 0.0, 0.0)
    watch = failed(watch, group, Failure(member="b", reason="two"), 0.05, 0.0)
    assert watch.round == Round(("d", "b"), ("b", "c", "d"), 0.1)
    assert len(watch.restarts) == 1


def test_who_fell_with_its_worker_comes_again_at_once_and_is_not_counted() -> None:
    lost = Failure(member="a", reason="worker-lost", innocent=True)
    watch = failed(Watch(), Group(("a",), rules=RULES), lost, 7.0, 1.0)
    assert watch == Watch(round=Round((), ("a",), 7.0))


@given(
    st.sampled_from(["one-for-one", "rest-for-one", "one-for-all"]),
    st.lists(st.tuples(st.sampled_from(ABCD), st.floats(0, 100), st.booleans()), max_size=30),
)
def test_never_more_restarts_within_a_window_than_allowed(
    strategy: Strategy, falls: list[tuple[str, float, bool]]
) -> None:
    watch, group, now, granted = Watch(), Group(ABCD, strategy, RULES), 0.0, []
    for member, wait, begins in falls:
        now += wait
        before = watch
        watch = failed(watch, group, Failure(member=member, reason="trap"), now, 0.0)
        if watch.round is not None:
            assert set(watch.round.stop) <= set(ABCD)
            assert sorted(watch.round.start) == list(watch.round.start)
            assert member in watch.round.start
            if before.round is None:
                granted.append(now)
        if begins:
            watch = begun(watch)
    for start in granted:
        assert sum(start <= at < start + RULES.window_s for at in granted) <= RULES.max_restarts
