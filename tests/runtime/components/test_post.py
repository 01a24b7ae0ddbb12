"""The post between components: both sides agree, order holds, and what nobody reads is a dead letter."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.errors import CaseError
from runtime.components.mailbox import Callback, Letter, Mailbox
from runtime.components.permissions import Decision
from runtime.components.permissions.exchange import SegmentPattern
from runtime.components.post import TOPICS_MAX, Box, Content, Post


class Rules:
    """What one component may, by action: patterns."""

    def __init__(self, **allowed: str) -> None:
        self.allowed = allowed

    def message(self, target: str, action: str) -> Decision:
        return self._decide(target, action)

    def topic(self, topic: str, action: str) -> Decision:
        return self._decide(topic, action)

    def _decide(self, text: str, action: str) -> Decision:
        pattern = self.allowed.get(action)
        if pattern is not None and SegmentPattern(pattern).matches(text):
            return Decision.by(f"permissions.messaging.{action}[0]")
        return Decision(False, None, "no rule")


OPEN = {"send": "*/*", "request": "*/*", "broadcast": "*/*", "receive": "*/*", "publish": "*/*", "subscribe": "*/*"}


def content(payload: bytes, now: float = 0.0) -> Content:
    return Content("text", payload, now, 7)


class Office:
    """A post with components in it."""

    def __init__(self, *names: str) -> None:
        self.woken: list[str] = []
        self.boxes: dict[str, Box] = {}
        self.post = Post(self.woken.append)
        for name in names:
            self.enter(name)

    def enter(self, name: str, capacity: int = 256, message_max: int = 100, **rules: str) -> Box:
        box = Box(name, Rules(**(rules or OPEN)), Mailbox(capacity), message_max, pending_max=2)
        self.post.enter(box)
        self.post.open(box)
        self.boxes[name] = box
        return box

    def send(self, sender: str, target: str, payload: bytes = b"x", now: float = 0.0) -> None:
        self.post.send(self.boxes[sender], target, content(payload, now))

    def request(self, sender: str, target: str, timeout_ms: int = 1000, now: float = 0.0) -> int:
        return self.post.request(self.boxes[sender], target, content(b"ask", now), timeout_ms)

    def answer(self, name: str, number: int, reply: bytes | None) -> None:
        asked = Letter(sender="a/asker", content_type="", payload=b"", sent_ms=0, request=number)
        self.post.answer(self.boxes[name], asked, reply, "" if reply is not None else "cancelled-by-target", 9)

    def read(self, name: str) -> list[Any]:
        read: list[Any] = []
        while (one := self.boxes[name].mailbox.take(0.0)) is not None:
            read.append((one.sender, one.payload) if isinstance(one, Letter) else one)
        return read


def refused(work: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(CaseError) as caught:
        work()
    return caught.value.case, caught.value.why


def test_a_message_comes_with_the_name_of_its_sender() -> None:
    office = Office("a/one", "a/two")
    office.send("a/one", "a/two", b"hello")
    assert office.read("a/two") == [("a/one", b"hello")]
    assert office.woken == ["a/two"]


def test_both_sides_have_to_agree() -> None:
    office = Office("a/open")
    office.enter("a/mute", receive="*/*")
    office.enter("a/deaf", send="*/*")
    assert refused(lambda: office.send("a/mute", "a/open")) == ("permission-denied", "no rule")
    assert refused(lambda: office.send("a/open", "a/deaf")) == (
        "permission-denied",
        "a/deaf takes no messages of a/open",
    )
    assert office.post.dead_count == 0


def test_who_may_not_write_does_not_learn_who_runs() -> None:
    office = Office("b/there")
    office.enter("a/one", send="a/*")
    assert refused(lambda: office.send("a/one", "b/there")) == refused(lambda: office.send("a/one", "b/absent"))
    assert refused(lambda: office.send("a/one", "a/absent")) == ("component-not-found", "a/absent does not run")
    assert office.post.reachable(office.boxes["a/one"]) == []


@pytest.mark.parametrize(
    ("content_type", "payload", "case"),
    [("text", bytes(101), "too-large"), ("a\nb", b"", "invalid-message"), ("x" * 129, b"", "invalid-message")],
)
def test_what_is_no_sound_message_is_refused(content_type: str, payload: bytes, case: str) -> None:
    office = Office("a/one", "a/two")
    assert (
        refused(lambda: office.post.send(office.boxes["a/one"], "a/two", Content(content_type, payload, 0.0, 0)))[0]
        == case
    )


def test_a_full_mailbox_refuses_and_a_dead_letter_tells() -> None:
    office = Office("a/one")
    office.enter("a/two", capacity=1)
    office.send("a/one", "a/two")
    assert refused(lambda: office.send("a/one", "a/two", b"12"))[0] == "mailbox-full"
    [dead] = office.post.dead
    assert (dead.sender, dead.target, dead.reason, dead.size, dead.at_ms) == ("a/one", "a/two", "mailbox-full", 2, 7)


def test_two_hundred_a_second_and_four_hundred_at_once() -> None:
    office = Office("a/one")
    office.enter("a/two", capacity=10_000)
    for _ in range(400):
        office.send("a/one", "a/two")
    assert refused(lambda: office.send("a/one", "a/two"))[0] == "mailbox-full"
    for _ in range(200):
        office.send("a/one", "a/two", now=1.0)
    assert refused(lambda: office.send("a/one", "a/two", now=1.0))[0] == "mailbox-full"


def test_a_request_is_answered_by_a_callback_in_the_row_of_its_sender() -> None:
    office = Office("a/one", "a/two")
    number = office.request("a/one", "a/two")
    office.send("a/two", "a/one", b"meanwhile")
    office.answer("a/two", number, b"yes")
    office.answer("a/two", number, b"twice")
    assert office.read("a/one") == [("a/two", b"meanwhile"), Callback(number, b"yes")]
    assert office.post.requests.late == 1


def test_a_request_that_was_not_taken_is_not_open() -> None:
    office = Office("a/one")
    office.enter("a/two", capacity=1)
    office.request("a/one", "a/two")
    assert refused(lambda: office.request("a/one", "a/two"))[0] == "mailbox-full"
    assert office.post.requests.pending("a/one") == 1


def test_so_many_requests_may_be_open() -> None:
    office = Office("a/one", "a/two")
    for _ in range(2):
        office.request("a/one", "a/two")
    assert refused(lambda: office.request("a/one", "a/two")) == ("mailbox-full", "2 requests are open already")


def test_the_end_of_a_target_is_told_to_who_waits_and_buries_what_it_did_not_read() -> None:
    office = Office("a/one", "a/two")
    number = office.request("a/one", "a/two")
    office.post.close(office.boxes["a/two"], "target-failed", 9)
    assert office.read("a/one") == [Callback(number, None, "target-failed")]
    assert [(dead.reason, dead.at_ms) for dead in office.post.dead] == [("target-failed", 9)]
    office.post.close(office.boxes["a/two"], "target-gone", 9)  # nothing more


def test_what_is_late_is_told_as_that() -> None:
    office = Office("a/one", "a/two")
    number = office.request("a/one", "a/two")
    office.post.expire(1.0)
    assert office.read("a/one") == [Callback(number, None, "timeout")]


def test_a_broadcast_says_for_each_how_it_went() -> None:
    office = Office("a/one", "a/two", "b/far")
    office.enter("a/deaf", send="*/*")
    told = office.post.broadcast(office.boxes["a/one"], "a/*", content(b"all"))
    assert [(name, why.case if why else "") for name, why in told] == [("a/deaf", "permission-denied"), ("a/two", "")]
    assert office.read("b/far") == []
    assert (
        refused(lambda: office.post.broadcast(office.boxes["a/one"], "no-pattern", content(b"")))[0]
        == "invalid-message"
    )


def test_topics_reach_who_listens_and_still_may() -> None:
    office = Office("a/one", "a/two", "a/three")
    office.post.subscribe(office.boxes["a/two"], "tide/*")
    office.post.subscribe(office.boxes["a/three"], "tide/high")
    assert office.post.publish(office.boxes["a/one"], "tide/high", content(b"up")) == 2
    assert office.post.publish(office.boxes["a/one"], "tide/low", content(b"down")) == 1
    office.boxes["a/two"].topics.clear()
    office.boxes["a/three"].rights = Rules(receive="*/*")  # revoked meanwhile
    assert office.post.publish(office.boxes["a/one"], "tide/high", content(b"up")) == 0
    assert office.read("a/two") == [("a/one", b"up"), ("a/one", b"down")]


def test_topics_need_permission_and_are_so_many() -> None:
    office = Office("a/one")
    office.enter("a/two", subscribe="tide/*", publish="tide/high")
    assert refused(lambda: office.post.subscribe(office.boxes["a/two"], "*/*"))[0] == "permission-denied"
    assert (
        refused(lambda: office.post.publish(office.boxes["a/two"], "tide/low", content(b"")))[0] == "permission-denied"
    )
    assert refused(lambda: office.post.subscribe(office.boxes["a/two"], "//"))[0] == "invalid-message"
    for number in range(TOPICS_MAX):
        office.post.subscribe(office.boxes["a/one"], f"t/{number}")
    assert refused(lambda: office.post.subscribe(office.boxes["a/one"], "t/more"))[0] == "too-large"
    office.post.subscribe(office.boxes["a/one"], "t/0")


def test_a_newer_instance_takes_over_what_waits_when_it_runs() -> None:
    office = Office("a/one", "a/two")
    office.send("a/one", "a/two", b"before")
    older, newer = office.boxes["a/two"], Box("a/two", Rules(**OPEN), Mailbox(1), 100, 2)
    office.send("a/one", "a/two", b"and this")
    office.post.enter(newer)
    office.post.subscribe(newer, "tide/*")
    office.boxes["a/two"] = newer
    own = office.request("a/two", "a/one")
    assert office.read("a/two") == []  # nobody reaches it yet
    office.post.open(newer)
    office.post.close(older, "target-gone", 0)  # its place is taken: nobody is told that it went
    office.answer("a/one", own, b"no")
    assert refused(lambda: office.send("a/one", "a/two"))[0] == "mailbox-full"  # of its own, which holds one
    assert office.read("a/two") == [("a/one", b"before"), ("a/one", b"and this"), Callback(own, b"no")]
    assert office.post.publish(office.boxes["a/one"], "tide/high", content(b"up")) == 1
    assert office.read("a/two") == [("a/one", b"up")]


def test_an_answer_to_the_older_instance_never_reaches_the_newer() -> None:
    office = Office("a/one", "a/two")
    answered, open_still = office.request("a/two", "a/one"), office.request("a/two", "a/one")
    office.answer("a/one", answered, b"in its row already")
    older, newer = office.boxes["a/two"], Box("a/two", Rules(**OPEN), Mailbox(), 100, 2)
    office.post.enter(newer)
    office.post.open(newer)
    assert [older.mailbox.take(0.0), newer.mailbox.take(0.0)] == [Callback(answered, b"in its row already"), None]
    office.boxes["a/two"] = newer
    office.request("a/two", "a/one")
    assert refused(lambda: office.request("a/two", "a/one")) == ("mailbox-full", "2 requests are open already")
    office.post.close(older, "target-gone", 0)
    office.answer("a/one", open_still, b"too late")
    assert office.read("a/two") == []
    dead = office.post.dead[-1]
    assert (dead.sender, dead.target, dead.reason, dead.size, dead.at_ms) == ("a/one", "a/asker", "nobody waits", 8, 9)
    office.request("a/two", "a/one")  # what the older one asked counts no more


def test_two_versions_have_the_pace_of_one_component() -> None:
    office = Office("a/one", "a/two")
    for _ in range(300):
        office.send("a/two", "a/one")
        office.read("a/one")
    newer = Box("a/two", Rules(**OPEN), Mailbox(), 100, 2)
    office.post.enter(newer)
    for _ in range(100):
        office.post.send(newer, "a/one", content(b""))
        office.read("a/one")
    assert refused(lambda: office.post.send(newer, "a/one", content(b""))) == (
        "mailbox-full", "more than 200 messages a second",
    )  # fmt: skip


def test_an_instance_that_does_not_run_yet_sends_and_is_not_reached() -> None:
    office = Office("a/one")
    early = Box("a/early", Rules(**OPEN), Mailbox(), 100, 2)
    office.post.enter(early)
    office.post.send(early, "a/one", content(b"hello"))
    assert refused(lambda: office.send("a/one", "a/early"))[0] == "component-not-found"
    assert office.post.reachable(office.boxes["a/one"]) == []
    office.post.open(early)
    assert office.post.reachable(office.boxes["a/one"]) == ["a/early"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.booleans()), max_size=80))
def test_between_two_components_order_holds_whatever_the_others_do(steps: list[tuple[str, str, bool]]) -> None:
    office = Office("x/a", "x/b", "x/c")
    sent: dict[tuple[str, str], list[bytes]] = {}
    read: dict[tuple[str, str], list[bytes]] = {}
    for number, (sender, target, reads) in enumerate(steps):
        payload = number.to_bytes(2, "big")
        office.send(f"x/{sender}", f"x/{target}", payload)
        sent.setdefault((f"x/{sender}", f"x/{target}"), []).append(payload)
        if reads:
            _collect(office, f"x/{target}", read)
    for name in "abc":
        _collect(office, f"x/{name}", read)
    assert read == sent


def _collect(office: Office, name: str, read: dict[tuple[str, str], list[bytes]]) -> None:
    for sender, payload in office.read(name):
        read.setdefault((sender, name), []).append(payload)
