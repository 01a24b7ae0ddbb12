"""Requests between components: exactly one callback, whatever happens."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.mailbox import Callback
from runtime.components.requests import Due, Requests


def test_a_reply_settles_a_request_once() -> None:
    requests = Requests()
    number, deadline = requests.begin("a", "b", 1000, 5.0)
    assert (deadline, requests.pending("a"), requests.next_due()) == (6.0, 1, 6.0)
    assert requests.answer(number, "b", b"yes") == Due("a", Callback(number, b"yes"))
    assert requests.answer(number, "b", b"again") is None
    assert (requests.late, requests.pending("a"), requests.next_due()) == (1, 0, None)
    assert requests.expire(99.0) == []


def test_only_the_one_that_was_asked_answers() -> None:
    requests = Requests()
    number, _ = requests.begin("a", "b", 1000, 0.0)
    assert requests.answer(number, "c", b"forged") is None
    assert requests.pending("a") == 1


def test_its_time_settles_it_and_a_later_reply_is_counted() -> None:
    requests = Requests()
    number, _ = requests.begin("a", "b", 1000, 0.0)
    assert requests.expire(0.999) == []
    assert requests.expire(1.0) == [Due("a", Callback(number, None, "timeout"))]
    assert requests.answer(number, "b", b"late") is None
    assert requests.late == 1


@pytest.mark.parametrize(("timeout_ms", "seconds"), [(0, 0.01), (1, 0.01), (10, 0.01), (2**63, 600.0)])
def test_the_time_is_taken_into_its_bounds(timeout_ms: int, seconds: float) -> None:
    assert Requests().begin("a", "b", timeout_ms, 0.0)[1] == seconds


def test_who_waits_for_whom_counts_only_what_is_being_handled() -> None:
    requests = Requests()
    first, _ = requests.begin("a#2", "b", 1000, 0.0)
    assert not requests.waits_for("a", "b")  # it lies in a mailbox: b is free
    requests.handle(first)
    assert requests.waits_for("a", "b")
    assert not requests.waits_for("b", "a")
    second, _ = requests.begin("b", "c", 1000, 0.0)
    requests.handle(second)
    third, _ = requests.begin("c", "c", 1000, 0.0)
    assert not requests.waits_for("c", "c")
    requests.handle(third)
    assert all(requests.waits_for(*pair) for pair in ("ac", "bc", "cc"))
    assert not any(requests.waits_for(*pair) for pair in ("ba", "ca", "cb", "aa", "xy"))
    requests.answer(second, "c", b"")
    assert not requests.waits_for("a", "c")
    requests.expire(99.0)
    requests.handle(first)  # settled meanwhile
    assert not requests.waits_for("a", "b")


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.booleans()),
        max_size=12,
    ),
    st.sampled_from("abcd"),
    st.sampled_from("abcd"),
)
def test_waiting_is_the_transitive_closure(edges: list[tuple[str, str, bool]], one: str, other: str) -> None:
    requests, closed = Requests(), set()
    for asker, target, handled in edges:
        number, _ = requests.begin(asker, target, 1000, 0.0)
        if handled:
            requests.handle(number)
            closed.add((asker, target))
    for _ in edges:
        closed |= {(first, last) for first, at in closed for again, last in closed if at == again}
    assert requests.waits_for(one, other) == ((one, other) in closed)


def test_only_its_sender_forgets_it() -> None:
    requests = Requests()
    number, _ = requests.begin("a", "b", 1000, 0.0)
    assert not requests.cancel(number, "c")
    assert requests.cancel(number, "a")
    assert not requests.cancel(number, "a")
    assert requests.expire(99.0) == []


def test_the_end_of_a_component_fails_what_it_was_asked_and_forgets_what_it_asked() -> None:
    requests = Requests()
    asked, _ = requests.begin("a", "b", 1000, 0.0)
    requests.begin("b", "a", 1000, 0.0)
    requests.begin("b", "b", 1000, 0.0)
    assert requests.ended("b", "target-failed") == [Due("a", Callback(asked, None, "target-failed"))]
    assert (requests.pending("a"), requests.pending("b")) == (0, 0)


NAMES = st.sampled_from("abc")


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("begin"), NAMES, NAMES, st.integers(0, 3000)),
            st.tuples(st.just("answer"), NAMES, NAMES, st.integers(1, 12)),
            st.tuples(st.just("cancel"), NAMES, NAMES, st.integers(1, 12)),
            st.tuples(st.just("wait"), NAMES, NAMES, st.integers(0, 2000)),
            st.tuples(st.just("end"), NAMES, NAMES, st.integers(0, 0)),
        ),
        max_size=60,
    )
)
def test_no_request_gets_two_callbacks_and_none_goes_without(steps: list[tuple[str, str, str, int]]) -> None:
    table = Table()
    for what, sender, target, number in steps:
        table.take(what, sender, target, number)
    table.take("wait", "", "", 601_000)
    assert set(table.heard.values()) <= {1}
    assert set(table.heard) | table.forgotten == set(table.asked)
    assert not set(table.heard) & table.forgotten


class Table:
    """A table of requests, and what was heard of each."""

    def __init__(self) -> None:
        self.requests, self.now = Requests(), 0.0
        self.heard = Counter[int]()
        self.asked: dict[int, str] = {}
        self.forgotten: set[int] = set()

    def take(self, what: str, sender: str, target: str, number: int) -> None:
        match what:
            case "begin":
                opened, _ = self.requests.begin(sender, target, number, self.now)
                self.asked[opened] = sender
            case "answer":
                due = self.requests.answer(number, target, b"")
                self._hear([due] if due is not None else [])
            case "cancel":
                self.forgotten |= {number} if self.requests.cancel(number, sender) else set()
            case "wait":
                self.now += number / 1000
                self._hear(self.requests.expire(self.now))
            case _:
                self.forgotten |= {one for one in self.asked if self.asked[one] == sender and not self.heard[one]}
                self._hear(self.requests.ended(sender, "target-gone"))

    def _hear(self, due: list[Due]) -> None:
        for one in due:
            assert one.sender == self.asked[one.callback.request]
            self.heard[one.callback.request] += 1
