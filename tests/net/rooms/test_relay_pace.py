"""How fast a client speaks: never too fast for a relay, however late that reads, and how soon it comes back."""

from hypothesis import given
from hypothesis import strategies as st

from net.rooms.exchange import Limits, Rate
from net.rooms.pace import PER_SECOND, Backoff, Pace


class Way:
    """A client at this pace, and a relay that reads in order, at any time after."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pace = Pace()
        self.under_way: list[bytes | None] = []  # a message, or a ping with its question
        self.rate = Rate(Limits().per_second, lambda: self.now)
        self.answers: list[bytes] = []
        self.read = 0

    def send_what_may_be_sent(self, most: int) -> None:
        for left in range(most, 0, -1):
            if self.pace.wait_s(self.now) != 0.0:
                return
            self.pace.sent()
            self.under_way.append(None)
            question = self.pace.question(idle=left == 1)
            if question is not None:
                self.under_way.append(question)

    def relay_reads(self, most: int) -> None:
        for _ in range(min(most, len(self.under_way))):
            item = self.under_way.pop(0)
            if item is None:
                assert self.rate.allows(), "the relay would have closed the connection"
                self.read += 1
            else:
                self.answers.append(item)

    def hear(self, most: int) -> None:
        for answer in self.answers[:most]:
            self.pace.heard(answer, self.now)
        del self.answers[:most]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["send", "read", "hear", "wait"]),
            st.integers(1, 60),
            st.floats(0.0, 1.5, allow_nan=False),
        ),
        max_size=120,
    )
)
def test_no_relay_ever_reads_more_than_its_limit_in_a_second(steps: list[tuple[str, int, float]]) -> None:
    way = Way()
    for what, count, seconds in steps:
        match what:
            case "send":
                way.send_what_may_be_sent(count)
            case "read":
                way.relay_reads(count)
            case "hear":
                way.hear(count)
            case _:
                way.now += seconds


def test_a_prompt_relay_is_sent_the_whole_pace() -> None:
    way = Way()
    for _ in range(200):
        way.send_what_may_be_sent(60)
        way.relay_reads(100)
        way.hear(100)
        way.now += 0.05

    assert way.read >= 9 * PER_SECOND


def test_without_an_answer_nothing_more_is_sent() -> None:
    pace = Pace()
    for _ in range(PER_SECOND):
        assert pace.wait_s(0.0) == 0.0
        pace.sent()
        pace.question(idle=False)

    assert pace.wait_s(1_000.0) is None
    pace.heard(b"5", 1_000.0)
    assert pace.wait_s(1_000.0) is not None
    assert pace.wait_s(1_002.0) == 0.0


def test_answers_that_nobody_asked_for_count_for_nothing() -> None:
    pace = Pace()
    for _ in range(PER_SECOND):
        pace.sent()
    for answer in (b"", b"x", b"-1", "²".encode(), b"99999999999", b"25"):
        pace.heard(answer, 0.0)

    assert pace.wait_s(10.0) is None


def test_the_relay_is_asked_when_nothing_waits_and_now_and_then_before() -> None:
    pace = Pace()
    asked = []
    for number in range(1, 13):
        pace.sent()
        asked.append(pace.question(idle=number == 12))

    assert [question for question in asked if question] == [b"5", b"10", b"12"]
    assert pace.question(idle=True) is None


def test_attempts_are_a_second_apart_then_two_up_to_a_minute() -> None:
    backoff = Backoff()

    waits = [backoff.after(1.0, steady_s=0.0, turned_away=False) for _ in range(9)]

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_chance_halves_a_wait_at_most() -> None:
    assert Backoff().after(0.0, steady_s=0.0, turned_away=False) == 0.5


def test_only_a_connection_that_lasted_begins_anew() -> None:
    backoff = Backoff()
    for _ in range(4):
        backoff.after(1.0, steady_s=9.0, turned_away=False)

    assert backoff.after(1.0, steady_s=9.0, turned_away=False) == 16
    assert backoff.after(1.0, steady_s=10.0, turned_away=False) == 1


def test_whom_the_relay_turned_away_waits_the_longest() -> None:
    assert Backoff().after(1.0, steady_s=100.0, turned_away=True) == 60
