"""Both ends of a job's stream without a network: cut at every byte, in any order, nothing is lost or doubled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import PeerFaultError
from net.jobs.frames import Kind, data_frames, frame
from net.jobs.messages import (
    Accepted,
    Cancel,
    Message,
    Offer,
    Rejected,
    Request,
    Requirements,
    Result,
    Resume,
    Resumed,
    Started,
    write_message,
)
from net.jobs.reasons import NOT_AUTHORISED, QueueFull
from net.jobs.requester_stream import (
    AcceptedCame,
    AliveCame,
    OutputCame,
    RejectedCame,
    RequesterStream,
    ResultCame,
    ResumedCame,
    StartedCame,
    Terms,
)
from net.jobs.worker_stream import (
    Bytes,
    CancelCame,
    InputCame,
    InputEnded,
    ModuleCame,
    ModuleEnded,
    OfferCame,
    RequestCame,
    ResumeCame,
    StrangerCame,
    WorkerStream,
)

JOB, LEASE = "7" * 64, "a" * 32
OFFER = Offer({"a": 1}, Requirements(None, "wasm", 1, 1), 10, 4, 0, 1)
ACCEPTED = Accepted(JOB, LEASE, 1000, {"fuel": 5}, 3)
RESULT = Result(JOB, "exit", truncated=False, receipt=None)
TERMS = Terms(job=JOB, module_size=10, limits={"fuel": 5}, output=100)
SENT = Bytes(module=7, stdin=4, exact=True)


def word(message: Message) -> bytes:
    return frame(Kind.MESSAGE, write_message(message))


UPLOAD = (
    word(Request(JOB, LEASE)) + data_frames(Kind.MODULE, b"module!") + frame(Kind.MODULE, b"")
    + data_frames(Kind.STDIN, b"text") + frame(Kind.STDIN, b"")
)  # fmt: skip


def leased() -> WorkerStream:
    """A worker's stream whose offer was accepted."""
    worker = WorkerStream(stranger=False)
    assert worker.receive(word(OFFER)) == [OfferCame(OFFER)]
    worker.accept(ACCEPTED, SENT)
    assert worker.take() == word(ACCEPTED)
    return worker


def uploaded(worker: WorkerStream, cuts: list[int]) -> tuple[list[object], bytes, bytes]:
    """What comes of the whole upload: the events, the module and the input."""
    raw, events = UPLOAD, list[object]()
    for size in cuts:
        events += worker.receive(raw[:size])
        raw = raw[size:]
    events += worker.receive(raw)
    module = b"".join(event.data for event in events if isinstance(event, ModuleCame))
    stdin = b"".join(event.data for event in events if isinstance(event, InputCame))
    return [event for event in events if not isinstance(event, ModuleCame | InputCame)], module, stdin


@given(st.lists(st.integers(1, 40), max_size=40))
def test_an_upload_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    events, module, stdin = uploaded(leased(), cuts)
    assert events == [RequestCame(), ModuleEnded(), InputEnded()]
    assert (module, stdin) == (b"module!", b"text")


@pytest.mark.parametrize("size", range(len(UPLOAD)))
def test_an_upload_that_ends_early_is_truncated_at_every_byte_of_it(size: int) -> None:
    worker = leased()
    worker.receive(UPLOAD[:size])
    if size == 0:
        worker.finish()  # nothing was announced
        return
    with pytest.raises(PeerFaultError) as caught:
        worker.finish()
    assert (caught.value.rule, caught.value.score) == ("truncated", 5)


STEPS = [
    word(OFFER), word(Request(JOB, LEASE)), word(Cancel(JOB)), word(Cancel("0" * 64)), word(Started()), word(RESULT),
    word(Resume(JOB, LEASE, 0, 0)), data_frames(Kind.MODULE, b"mod"), frame(Kind.MODULE, b""),
    data_frames(Kind.STDIN, b"te"), frame(Kind.STDIN, b""), frame(Kind.STDOUT, b"x"), b"\0\1{", b"\xff",
]  # fmt: skip


@given(st.lists(st.sampled_from(STEPS), max_size=12), st.booleans())
def test_a_worker_takes_any_order_of_words_or_names_the_fault(steps: list[bytes], stranger: bool) -> None:
    worker, module, stdin = WorkerStream(stranger=stranger), 0, 0
    try:
        for raw in steps:
            for event in worker.receive(raw):
                if isinstance(event, OfferCame):
                    worker.accept(ACCEPTED, SENT)
                elif isinstance(event, ResumeCame | CancelCame) and not stranger:
                    worker.close()
                module += len(event.data) if isinstance(event, ModuleCame) else 0
                stdin += len(event.data) if isinstance(event, InputCame) else 0
                assert not (stranger and not isinstance(event, StrangerCame))
        worker.finish()
    except PeerFaultError as fault:
        assert 0 < fault.score <= 20  # noqa: PT017 - any of them, at any step
    assert module <= SENT.module
    assert stdin <= SENT.stdin


def test_a_stranger_is_answered_before_anything_is_read() -> None:
    worker = WorkerStream(stranger=True)
    assert worker.receive(frame(Kind.MESSAGE, b"not even JSON") + frame(Kind.MODULE, b"x")) == [StrangerCame()]
    assert worker.take() == word(Rejected("", NOT_AUTHORISED))
    assert worker.done
    assert worker.receive(b"\xff" * 100) == []


def test_more_of_the_module_than_was_declared() -> None:
    worker = leased()
    with pytest.raises(PeerFaultError) as caught:
        worker.receive(word(Request(JOB, LEASE)) + data_frames(Kind.MODULE, b"12345678"))
    assert caught.value.rule == "oversized-module"


def test_input_of_unknown_size_may_end_anywhere_below_its_bound() -> None:
    worker = WorkerStream(stranger=False)
    worker.receive(word(OFFER))
    worker.accept(ACCEPTED, Bytes(module=0, stdin=4, exact=False))
    events = worker.receive(word(Request(JOB, LEASE)) + frame(Kind.MODULE, b"") + frame(Kind.STDIN, b""))
    assert events == [RequestCame(), ModuleEnded(), InputEnded()]


def test_after_a_cut_it_goes_on_where_it_was() -> None:
    worker = WorkerStream(stranger=False)
    resume = Resume(JOB, LEASE, 1, 2)
    assert worker.receive(word(resume)) == [ResumeCame(resume)]
    worker.resume_lease(Resumed("leased", 8), LEASE, Bytes(module=2, stdin=4, exact=True))
    rest = word(Request(JOB, LEASE)) + data_frames(Kind.MODULE, b"e!") + frame(Kind.MODULE, b"")
    assert worker.receive(rest) == [RequestCame(), ModuleCame(b"e!"), ModuleEnded()]


@pytest.mark.parametrize("wanted", [True, False])
def test_after_a_cut_input_is_taken_or_dropped(wanted: bool) -> None:
    worker = WorkerStream(stranger=False)
    worker.receive(word(Resume(JOB, LEASE, 0, 0)))
    worker.resume_job(Resumed("running", 10), Bytes(module=0, stdin=4, exact=True) if wanted else None)
    rest = data_frames(Kind.STDIN, b"text") + frame(Kind.STDIN, b"")
    assert worker.receive(rest) == ([InputCame(b"text"), InputEnded()] if wanted else [])
    worker.finish()


# --- the requester's end ----------------------------------------------------------------------------------------------

ANSWERS = (
    word(ACCEPTED) + word(Started()) + data_frames(Kind.STDOUT, b"out") + data_frames(Kind.STDERR, b"err")
    + data_frames(Kind.STDOUT, b"put") + frame(Kind.STDOUT, b"") + frame(Kind.STDERR, b"") + word(RESULT)
)  # fmt: skip


@given(st.lists(st.integers(1, 60), max_size=30))
def test_answers_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    requester, raw, events = RequesterStream(TERMS, OFFER), ANSWERS, list[object]()
    assert requester.first == word(OFFER)
    accepted = len(word(ACCEPTED))
    assert requester.receive(raw[:accepted]) == [AcceptedCame(LEASE, 1000, 3)]
    assert requester.request(LEASE) == word(Request(JOB, LEASE))
    raw = raw[accepted:]
    for size in cuts:
        events += requester.receive(raw[:size])
        raw = raw[size:]
    events += requester.receive(raw)
    assert events == [
        StartedCame(),
        OutputCame("stdout", b"out"),
        OutputCame("stderr", b"err"),
        OutputCame("stdout", b"put"),
        ResultCame(RESULT),
    ]


WORDS = [
    word(ACCEPTED), word(Rejected(JOB, QueueFull())), word(Rejected("0" * 64, QueueFull())), word(Started()),
    word(Resumed("running", 10)), word(Resumed("leased", 5)), word(RESULT), word(OFFER), word(Cancel(JOB)),
    data_frames(Kind.STDOUT, b"x" * 60), frame(Kind.STDERR, b""), frame(Kind.MODULE, b""), b"\0\1{", b"\xff",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.booleans())
def test_a_requester_takes_any_order_of_words_or_names_the_fault(words: list[bytes], cut: bool) -> None:
    first = Resume(JOB, LEASE, 30, 0) if cut else OFFER
    requester, came = RequesterStream(TERMS, first), 30 if cut else 0
    try:
        for raw in words:
            for event in requester.receive(raw):
                if isinstance(event, AcceptedCame | ResumedCame):
                    requester.request(LEASE)
                came += len(event.data) if isinstance(event, OutputCame) else 0
                assert came <= TERMS.output
    except PeerFaultError as fault:
        assert fault.score in {20, 100}  # noqa: PT017 - any of them, at any step


def test_a_rejection_ends_it() -> None:
    requester = RequesterStream(TERMS, OFFER)
    assert requester.receive(word(Rejected(JOB, QueueFull()))) == [RejectedCame(QueueFull())]
    assert requester.receive(word(Started())) == []


def test_a_worker_that_has_had_the_job_says_where_it_stands() -> None:
    requester = RequesterStream(TERMS, OFFER)
    assert requester.receive(word(Resumed("done", 10))) == [ResumedCame("done", 10)]


def test_a_sign_of_life() -> None:
    requester = RequesterStream(TERMS, Resume(JOB, LEASE, 0, 0))
    assert requester.receive(word(Resumed("queued", 10)) + b'\0\x10{"type":"alive"}') == [
        ResumedCame("queued", 10),
        AliveCame(),
    ]
