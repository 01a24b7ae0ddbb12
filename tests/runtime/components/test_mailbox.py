"""What waits for a component: order, bounds, and what is dropped."""

from hypothesis import given
from hypothesis import strategies as st

from runtime.components.mailbox import BYTES_MAX, Callback, Letter, Mailbox


def letter(text: str = "x", *, size: int = 1, request: int | None = None, deadline: float | None = None) -> Letter:
    return Letter(sender=text, content_type="text", payload=bytes(size), sent_ms=0, request=request, deadline=deadline)


def all_of(mailbox: Mailbox, now: float = 0.0) -> list[str]:
    taken = []
    while (one := mailbox.take(now)) is not None:
        taken.append(one.sender if isinstance(one, Letter) else f"callback {one.request}")
    return taken


def test_messages_and_callbacks_come_out_in_the_order_in_which_they_came() -> None:
    mailbox = Mailbox()
    mailbox.put(letter("a"))
    mailbox.call_back(Callback(7, b"reply"))
    mailbox.put(letter("b"))
    assert (len(mailbox), mailbox.waiting) == (2, True)
    assert all_of(mailbox) == ["a", "callback 7", "b"]
    assert (len(mailbox), mailbox.waiting) == (0, False)


def test_a_full_mailbox_refuses() -> None:
    mailbox = Mailbox(capacity=2)
    assert [mailbox.put(letter(one))[0] for one in "abc"] == [True, True, False]
    assert all_of(mailbox) == ["a", "b"]
    assert mailbox.dropped == 0


def test_bytes_count_too() -> None:
    mailbox = Mailbox()
    assert mailbox.put(letter("a", size=BYTES_MAX))[0]
    assert not mailbox.put(letter("b"))[0]
    mailbox.take(0.0)
    assert mailbox.put(letter("b"))[0]
    assert not Mailbox(overflow="drop-oldest").put(letter("c", size=BYTES_MAX + 1))[0]


def test_where_the_rule_says_so_the_oldest_makes_room_but_never_a_request() -> None:
    mailbox = Mailbox(capacity=3, overflow="drop-oldest")
    for one in (letter("a", request=1, deadline=9.0), letter("b"), letter("c")):
        mailbox.put(one)
    took, gone = mailbox.put(letter("d"))
    assert (took, [one.sender for one in gone], mailbox.dropped) == (True, ["b"], 1)
    assert all_of(mailbox) == ["a", "c", "d"]


def test_a_mailbox_of_requests_alone_refuses_also_where_the_oldest_may_go() -> None:
    mailbox = Mailbox(capacity=1, overflow="drop-oldest")
    mailbox.put(letter("a", request=1, deadline=9.0))
    assert mailbox.put(letter("b")) == (False, [])
    assert all_of(mailbox) == ["a"]


def test_a_request_whose_time_is_over_is_not_handed_over() -> None:
    mailbox = Mailbox()
    mailbox.put(letter("late", request=1, deadline=5.0))
    mailbox.put(letter("in time", request=2, deadline=5.1))
    assert all_of(mailbox, 5.0) == ["in time"]
    assert mailbox.dropped == 1


def test_closing_gives_back_what_nobody_will_read() -> None:
    mailbox = Mailbox()
    mailbox.open = True
    mailbox.put(letter("a"))
    mailbox.call_back(Callback(1, None, "timeout"))
    assert [one.sender for one in mailbox.close()] == ["a"]
    assert (mailbox.open, mailbox.waiting, len(mailbox)) == (False, False, 0)


@given(
    st.sampled_from(["reject", "drop-oldest"]),
    st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 2 << 20), st.booleans())), max_size=40),
)
def test_it_never_holds_more_than_it_may_and_loses_no_request(
    overflow: str, steps: list[tuple[int, bool] | None]
) -> None:
    mailbox = Mailbox(capacity=4, overflow=overflow)  # type: ignore[arg-type]
    requests: list[str] = []
    taken: list[str] = []
    for number, step in enumerate(steps):
        if step is None:
            one = mailbox.take(0.0)
            taken += [one.sender] if isinstance(one, Letter) else []
            continue
        size, asks = step
        ok, _ = mailbox.put(letter(f"{number:03}", size=size, request=number if asks else None, deadline=1.0))
        requests += [f"{number:03}"] if ok and asks else []
        assert len(mailbox) <= 4
    taken += all_of(mailbox)
    assert taken == sorted(taken)
    assert set(requests) <= set(taken)
