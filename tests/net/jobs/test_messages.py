"""Messages: each has one form, which is read as it was written; everything else is the peer's fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.errors import PeerFaultError
from net.jobs.frames import MESSAGE_MAX
from net.jobs.messages import (
    OUTCOMES,
    Accepted,
    Alive,
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
    read_message,
    write_message,
)
from net.jobs.reasons import (
    ArchMismatch,
    InsufficientResources,
    InvalidRequest,
    QueueFull,
    RuntimeNotSupported,
)
from runtime.canonical import Json, decode, encode

IDS = st.binary(min_size=32, max_size=32).map(bytes.hex)
LEASES = st.binary(min_size=16, max_size=16).map(bytes.hex)
COUNTS = st.integers(0, 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
DOCUMENTS = st.dictionaries(
    TEXTS, TEXTS | COUNTS | st.booleans() | st.none() | st.lists(COUNTS, max_size=3), max_size=4
)
REASONS = st.one_of(
    st.builds(InsufficientResources, TEXTS),
    st.builds(ArchMismatch, TEXTS, TEXTS),
    st.builds(RuntimeNotSupported, TEXTS),
    st.just(QueueFull()),
    st.builds(InvalidRequest, TEXTS),
)
MESSAGES = st.one_of(
    st.builds(
        Offer,
        DOCUMENTS,
        st.builds(Requirements, st.none() | TEXTS, TEXTS, st.integers(1, 99), COUNTS),
        st.integers(1, 2**40),
        st.none() | COUNTS,
        COUNTS,
        st.integers(1, 2**40),
    ),
    st.builds(Accepted, IDS, LEASES, st.integers(1, 2**40), st.dictionaries(TEXTS, COUNTS, max_size=3), COUNTS),
    st.builds(Rejected, IDS | st.just(""), REASONS),
    st.builds(Request, IDS, LEASES),
    st.just(Started()),
    st.just(Alive()),
    st.builds(Result, IDS, st.sampled_from(sorted(OUTCOMES)), st.booleans(), DOCUMENTS),
    st.builds(Result, IDS, st.sampled_from(sorted(OUTCOMES)), st.booleans(), st.none(), TEXTS),
    st.builds(Cancel, IDS),
    st.builds(Resume, IDS, LEASES, COUNTS, COUNTS),
    st.builds(Resumed, st.sampled_from(["leased", "queued", "running", "done", "lost"]), COUNTS),
)


@given(MESSAGES)
def test_11_2_what_is_written_is_read(message: Message) -> None:
    assert read_message(write_message(message)) == message


@given(st.binary(max_size=200) | st.recursive(TEXTS | COUNTS, lambda inner: st.dictionaries(TEXTS, inner)).map(encode))
def test_garbage_gives_a_message_or_the_one_error(raw: bytes) -> None:
    found = read(raw)
    if isinstance(found, PeerFaultError):
        assert (found.rule, found.score) == ("bad-message", 20)
    else:
        assert write_message(found) == raw


def read(raw: bytes) -> Message | PeerFaultError:
    try:
        return read_message(raw)
    except PeerFaultError as fault:
        return fault


@given(MESSAGES, st.data())
def test_a_field_more_or_less_makes_it_none(message: Message, data: st.DataObject) -> None:
    fields = decode(write_message(message), limit=1 << 20)
    assert isinstance(fields, dict)
    with pytest.raises(PeerFaultError):
        read_message(encode({**fields, "more": 1}))
    if gone := data.draw(st.sampled_from(sorted(set(fields) - {"reason"} if isinstance(message, Result) else fields))):
        with pytest.raises(PeerFaultError):
            read_message(encode({name: value for name, value in fields.items() if name != gone}))


ID, LEASE = "0" * 64, "0" * 32


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b'{"type":"hello"}',
        b'{"type":1}',
        b'{"type": "alive"}',
        b'{"type":"alive"}\n',
        b'{"type":"alive","type":"alive"}',
        b'{"job_id":"' + b"0" * 63 + b'","type":"cancel"}',
        b'{"job_id":"' + b"A" * 64 + b'","type":"cancel"}',
        b'{"have":-1,"state":"running","type":"resumed"}',
        b'{"have":true,"state":"running","type":"resumed"}',
        b'{"have":0.5,"state":"running","type":"resumed"}',
        b'{"have":0,"state":"asleep","type":"resumed"}',
        encode({"type": "result", "job_id": ID, "outcome": "unverified", "truncated": False, "receipt": None}),
        encode({"type": "rejected", "job_id": ID, "reason": "Bored"}),
        encode({"type": "rejected", "job_id": ID, "reason": {"QueueFull": {}}}),
        encode({"type": "rejected", "job_id": ID, "reason": {"InvalidRequest": {}}}),
        encode({"type": "rejected", "job_id": 1, "reason": "QueueFull"}),
        encode({"type": "request", "job_id": ID, "lease": "0" * 31}),
        encode({"type": "accepted", "job_id": ID, "lease": LEASE, "lease_ms": 0, "limits": {}, "have": 0}),
        encode({"type": "accepted", "job_id": ID, "lease": LEASE, "lease_ms": 1, "limits": {"fuel": "all"}, "have": 0}),
    ],
)
def test_sec12_what_is_none(raw: bytes) -> None:
    with pytest.raises(PeerFaultError):
        read_message(raw)


@pytest.mark.parametrize("changes", [{"cpu_cores": 0}, {"memory_mb": -1}, {"arch": "x" * 65}, {"runtime": "x" * 65}])
def test_requirements_that_nobody_can_have(changes: dict[str, Json]) -> None:
    wanted: dict[str, Json] = {"arch": None, "runtime": "wasm", "cpu_cores": 1, "memory_mb": 1, **changes}
    fields: dict[str, Json] = {"manifest": {}, "module_size": 1, "stdin_size": None, "issued_ms": 0, "valid_ms": 1}
    with pytest.raises(PeerFaultError):
        read_message(encode({"type": "offer", "requirements": wanted, **fields}))


def test_only_a_result_may_be_long() -> None:
    long = Result(ID, "exit", truncated=False, receipt={"filled": "x" * MESSAGE_MAX})
    assert read_message(write_message(long)) == long
    with pytest.raises(PeerFaultError, match="larger than 65536 bytes"):
        read_message(write_message(Accepted(ID, LEASE, 1, {"x" * MESSAGE_MAX: 1}, 0)))


def test_reasons_are_written_as_the_original_writes_them() -> None:
    reason = write_message(Rejected(ID, InsufficientResources("CPU: need 8, have 2")))
    assert b'"reason":{"InsufficientResources":{"missing":"CPU: need 8, have 2"}}' in reason
    assert b'"reason":"QueueFull"' in write_message(Rejected(ID, QueueFull()))


def test_words_of_a_peer_are_harmless_when_they_are_shown() -> None:
    assert str(InvalidRequest("\x1b[2Jgone")) == "\\x1b[2Jgone"
    assert "\x1b" not in str(ArchMismatch("\x1b", "\x07")) + str(RuntimeNotSupported("\x1b"))
    with pytest.raises(PeerFaultError) as caught:
        read_message(encode({"type": "alive", "\x1b[2J": 1}))
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "fields", [{"reason": ""}, {"reason": "x" * 301}, {"reason": 5}, {"reason": "x", "receipt": {}}]
)
def test_a_reason_is_short_and_stands_where_a_receipt_does_not(fields: dict[str, Json]) -> None:
    bare: dict[str, Json] = {
        "type": "result",
        "job_id": "0" * 64,
        "outcome": "refused",
        "truncated": False,
        "receipt": None,
    }
    assert read_message(encode(bare)) == Result("0" * 64, "refused", False, None)
    assert read_message(encode(bare | {"reason": "x" * 300})) == Result("0" * 64, "refused", False, None, "x" * 300)
    with pytest.raises(PeerFaultError):
        read_message(encode(bare | fields))
