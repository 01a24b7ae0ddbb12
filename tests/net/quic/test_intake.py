"""First datagrams: let in, answered or passed over."""

from hypothesis import given
from hypothesis import strategies as st

from net.limits import NetLimits
from net.quic.events import Address
from net.quic.intake import Admission, Intake, destination
from net.quic.session import Session
from tests.net.quic.wire import DIALLER, HERE, THERE, terms

ELSEWHERE: Address = ("198.51.100.3", 4001)


def begun() -> tuple[Session, bytes]:
    session = Session.dial(terms(DIALLER), THERE, None, 0.0)
    return session, session.take(0.0)[0][0]


def test_a_first_datagram_is_let_in_while_few_are_pending() -> None:
    _, first = begun()
    assert Intake(NetLimits()).judge(first, HERE, pending=31, now=0.0) == Admission(destination(first), None)


def test_with_many_pending_it_comes_back_with_a_token_and_is_let_in() -> None:
    session, first = begun()
    intake = Intake(NetLimits())
    retry = intake.judge(first, HERE, pending=32, now=0.0)
    assert isinstance(retry, bytes)
    assert len(retry) < len(first)
    session.receive(retry, THERE, 0.0)
    second = session.take(0.0)[0][0]
    assert intake.judge(second, HERE, pending=63, now=0.0) == Admission(destination(first), destination(second))


def test_handshakes_that_come_fast_have_to_come_back_even_when_few_are_pending() -> None:
    _, first = begun()
    intake = Intake(NetLimits(handshakes_rate=1, handshakes_burst=2))
    kinds = [type(intake.judge(first, HERE, pending=0, now=now)) for now in (0.0, 0.0, 0.0, 1.5)]
    assert kinds == [Admission, Admission, bytes, Admission]


def test_a_token_is_for_one_address_one_time_and_one_process() -> None:
    session, first = begun()
    intake = Intake(NetLimits())
    retry = intake.judge(first, HERE, pending=32, now=0.0)
    assert isinstance(retry, bytes)
    session.receive(retry, THERE, 0.0)
    second = session.take(0.0)[0][0]
    assert intake.judge(second, ELSEWHERE, pending=0, now=0.0) is None
    assert intake.judge(second, HERE, pending=0, now=31.0) is None
    assert Intake(NetLimits()).judge(second, HERE, pending=0, now=0.0) is None


def test_with_all_places_taken_nobody_is_heard() -> None:
    _, first = begun()
    assert Intake(NetLimits()).judge(first, HERE, pending=64, now=0.0) is None


def test_a_short_datagram_or_a_short_id_is_passed_over() -> None:
    _, first = begun()
    assert Intake(NetLimits()).judge(first[:1199], HERE, pending=0, now=0.0) is None
    assert Intake(NetLimits()).judge(first[:5] + b"\x07" + first[7:] + b"\0", HERE, pending=0, now=0.0) is None


def test_another_version_is_answered_in_fewer_bytes_and_never_by_a_conversation() -> None:
    _, first = begun()
    answer = Intake(NetLimits()).judge(first[:1] + b"\x0a\x1a\x2a\x3a" + first[5:], HERE, pending=0, now=0.0)
    assert isinstance(answer, bytes)
    assert len(answer) < len(first)
    assert Intake(NetLimits()).judge(answer + bytes(1200), HERE, pending=0, now=0.0) is None


def test_the_id_is_found_in_both_headers() -> None:
    _, first = begun()
    assert destination(first) == first[6:14]
    assert destination(b"\x4312345678rest") == b"12345678"
    assert destination(b"\x0212345678") == b""


@given(st.binary(min_size=1, max_size=1400))
def test_any_bytes_have_an_id_and_an_answer(data: bytes) -> None:
    assert len(destination(data)) <= 255
    answer = Intake(NetLimits()).judge(data, HERE, pending=40, now=0.0)
    assert not isinstance(answer, bytes) or len(answer) < len(data)
