"""Messages of the control socket: what is written is read back; anything else is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import wire
from console.client import Fault, Json, Result, Snapshot
from runtime.errors import RefusedError
from runtime.events import CoreReady, Record

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)

SERVER = [
    wire.ServerHello(
        proto=(1, 1), v=1, server="orlop 0", node="n", peer_id="12D3", seq=4, read_only=False, instance="i"
    ),
    wire.SnapshotPart(id=1, seq=2, topics={"jobs": [{"job": "j"}]}),
    wire.Ok(id=2),
    wire.Gap(id=2, from_=3, to=9),
    wire.Done(id=3, ok=True, value={"v": 1}),
    wire.Bye(reason="shutdown"),
    wire.Trouble(code="protocol", text="no"),
    wire.Pong(t=1),
]
CLIENT = [
    wire.ClientHello(proto=1, client="cli"),
    wire.Get(id=1, topics=("jobs",)),
    wire.Sub(id=2, since=7, content=True),
    wire.Unsub(id=2),
    wire.Do(id=3, command="jobs run", args={"args": ["a", "b"]}, files=("module", "stdin")),
    wire.Interrupt(id=3, code=130),
    wire.Ping(t=1),
]


@pytest.mark.parametrize("message", SERVER, ids=lambda m: type(m).__name__)
def test_messages_of_the_server_are_read_back(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message), from_client=False) == message


@pytest.mark.parametrize("message", CLIENT, ids=lambda m: type(m).__name__)
def test_messages_of_the_client_are_read_back(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message), from_client=True) == message


def test_the_gap_is_spelled_as_documented() -> None:
    assert json.loads(wire.encode(wire.Gap(id=1, from_=2, to=3))) == {"m": "gap", "id": 1, "from": 2, "to": 3}


def test_fields_of_later_versions_are_passed_over() -> None:
    assert wire.decode(b'{"m":"unsub","id":2,"why":"later"}\n', from_client=True) == wire.Unsub(id=2)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b"null\n",
        b'{"m":"do"}\n',
        b'{"m":"done","id":1,"ok":true}\n',
        b'{"m":7}\n',
        b'{"m":"get","id":"1","topics":[]}\n',
        b'{"m":"get","id":true,"topics":[]}\n',
        b'{"m":"get","id":1,"topics":[1]}\n',
        b'{"m":"ping","t":NaN}\n',
        b'{"m":"ping","t":1,"t":2}\n',
        b'{"m":"ping","t":' + b"9" * 5000 + b"}\n",
        b'{"m":"ping","t":' + b"[" * 100_000 + b"}\n",
        b"\xff\n",
    ],
)
def test_what_is_no_message_of_a_client_is_refused(line: bytes) -> None:
    with pytest.raises(RefusedError):
        wire.decode(line, from_client=True)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(line: bytes) -> None:
    try:
        wire.decode(line, from_client=True)
    except RefusedError as error:
        shown = str(error)
    else:
        shown = ""
    assert "\n" not in shown


@given(JSON, st.booleans(), st.none() | st.integers(0, 255))
def test_results_are_the_same_on_the_other_side(value: Json, ok: bool, code: int | None) -> None:
    fault = None if ok else Fault("refused", "why", "what", "where", "hint", {"v": 1})
    result = Result(ok, value, fault, code)
    parts = [wire.decode(line, from_client=False) for line in wire.done_lines(7, result)]
    assert wire.result_of([part for part in parts if isinstance(part, wire.Done)]) == result


def test_a_large_result_goes_in_lines_within_the_limit() -> None:
    result = Result(True, {"stdout": "é\n" * 800_000})
    lines = list(wire.done_lines(1, result))
    assert len(lines) > 1
    assert all(len(line) <= wire.LINE_MAX for line in lines)
    parts = [wire.decode(line, from_client=False) for line in lines]
    assert wire.result_of([part for part in parts if isinstance(part, wire.Done)]) == result


def test_a_large_snapshot_goes_in_parts() -> None:
    topics: dict[str, Json] = {
        "node": {"name": "n"},
        "jobs": [{"job": f"{n:064x}", "name": "x" * 100} for n in range(3000)],
        "rooms": [],
    }
    lines = list(wire.snapshot_lines(4, Snapshot(9, topics)))
    assert len(lines) > 1
    assert all(len(line) <= wire.LINE_MAX for line in lines)
    parts = [wire.decode(line, from_client=False) for line in lines]
    assert wire.snapshot_of([p for p in parts if isinstance(p, wire.SnapshotPart)]) == Snapshot(9, topics)


def test_events_keep_their_lines() -> None:
    from runtime.codec import from_fields, to_line

    record = Record(3, 1000, CoreReady(ms=5))
    message = wire.decode(wire.events_line(2, [to_line(record)] * 2), from_client=False)
    assert isinstance(message, wire.Events)
    assert [from_fields(dict(fields)) for fields in message.e] == [record, record]
