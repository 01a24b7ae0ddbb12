from hypothesis import given
from hypothesis import strategies as st

from runtime.rooms.session_pace import Pace
from runtime.rooms.transport import Purge


def messages(count: int, kind: str = "m") -> list[Purge]:
    return [Purge(identity_key=f"{kind}{n}") for n in range(count)]


@given(steps=st.lists(st.tuples(st.floats(0, 3), st.integers(0, 60)), max_size=60))
def test_no_second_has_more_messages_than_a_relay_takes(steps: list[tuple[float, int]]) -> None:
    pace, now, sent = Pace(), 0.0, []
    for passed, count in steps:
        now += passed
        for message in messages(count):
            pace.put(message)
        sent += [now] * len(pace.take(now))
    for at in sent:
        assert len([one for one in sent if at <= one <= at + 1]) <= 30


def test_everything_goes_out_in_order_in_the_end() -> None:
    pace, found, now = Pace(), [], 0.0
    for message in messages(100):
        pace.put(message)
    while pace.waiting:
        found += pace.take(now)
        now += 0.1
    assert found == messages(100)
    assert 4 <= now <= 5


def test_what_is_urgent_goes_before_what_is_only_to_be_caught_up() -> None:
    pace = Pace()
    for message in messages(3, "bulk"):
        pace.put(message, bulk=True)
    for message in messages(3, "urgent"):
        pace.put(message)
    assert pace.take(0.0) == messages(3, "urgent") + messages(3, "bulk")


def test_members_of_one_program_do_not_wait() -> None:
    pace = Pace(float("inf"))
    for message in messages(1000):
        pace.put(message)
    assert len(pace.take(0.0)) == 1000


def test_what_waits_is_bounded_and_forgotten_with_the_connection() -> None:
    pace = Pace()
    for message in messages(5000):
        pace.put(message)
        pace.put(message, bulk=True)
    found = 0
    for second in range(1000):
        found += len(pace.take(float(second)))
    assert found == 4000
    pace.put(messages(1)[0])
    pace.clear()
    assert not pace.waiting


def test_a_clock_that_falls_back_gives_no_credit() -> None:
    pace = Pace()
    for message in messages(100):
        pace.put(message)
    first = len(pace.take(100.0))
    assert pace.take(50.0) == []
    assert first == 8
