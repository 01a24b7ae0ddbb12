import dataclasses
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console import rows
from runtime import boot_events, codec, component_events, events
from runtime.codec import event_types, from_body, from_line, from_wire, json_schema, strip, to_body, to_line, to_wire
from runtime.errors import RefusedError
from runtime.events import Drop, JobOutput, MessagePosted, Record, TickCompleted
from tests.runtime.event_strategies import EVENTS, RECORDS, instances, values

TICK = TickCompleted(
    room="r",
    agent="a",
    n=1,
    trigger="tick",
    duration_us=5,
    emitted=0,
    dropped=(Drop(reason="bad json", event="sécret"), Drop(reason="too large")),
    cause=7,
)


def test_the_list_of_types_is_complete_and_dotted() -> None:
    values = [*vars(events).values(), *vars(component_events).values(), *vars(boot_events).values()]
    named = list(dict.fromkeys(cls for cls in values if isinstance(cls, type) and issubclass(cls, events.Event)))
    assert len(event_types()) == len(named) - 1  # all but the root
    assert all(name.count(".") == 1 and name.islower() for name in event_types())


@given(RECORDS)
def test_a_line_with_content_gives_the_record_back(record: Record) -> None:
    line = to_line(record, content=True)
    assert line.isascii()
    assert "\n" not in line
    assert len(line) < 65_536
    assert from_line(line) == record
    assert list(json.loads(line))[:4] == ["v", "seq", "ts", "type"]


@given(RECORDS)
def test_a_line_without_content_gives_the_stripped_record_back(record: Record) -> None:
    stripped = strip(record.event)
    assert from_line(to_line(record)) == dataclasses.replace(record, event=stripped)
    assert from_body(record.event.TYPE, to_body(record.event)) == stripped
    assert to_body(stripped) == to_body(record.event)
    assert strip(stripped) == stripped


def content_paths(cls: Any) -> list[tuple[str, ...]]:
    found = [(f.name,) for f in dataclasses.fields(cls) if f.metadata.get("content")]
    for name, inner in codec.nested_types(cls).items():
        found += [(name, *path) for path in content_paths(inner)]
    return found


def keys_at(value: Any, path: tuple[str, ...]) -> set[str]:
    if len(path) == 1:
        return set(value)
    return set().union(*(keys_at(item, path[1:]) for item in value[path[0]]))


@pytest.mark.parametrize("cls", event_types().values(), ids=event_types())
@settings(max_examples=15)
@given(data=st.data())
def test_no_content_reaches_the_journal(cls: Any, data: st.DataObject) -> None:
    event = data.draw(instances(cls))
    body = json.loads(to_body(event))
    for path in content_paths(cls):
        assert path[-1] not in keys_at(body, path)


def test_secret_text_is_in_no_body_and_its_size_is() -> None:
    body = json.loads(to_body(TICK))
    assert body["dropped"] == [{"reason": "bad json", "event_bytes": 7}, {"reason": "too large"}]
    assert json.loads(to_body(MessagePosted(room="r", id="m", author="a", text="hi"))) == {
        "room": "r",
        "id": "m",
        "author": "a",
        "text_bytes": 2,
    }


def test_form_of_a_line() -> None:
    record = Record(9, 1_700_000_000_005, MessagePosted(room="r", id="m", author="a", text="é\x9b", cause=3))
    assert to_line(record, content=True) == (
        '{"v":1,"seq":9,"ts":"2023-11-14T22:13:20.005Z","type":"message.posted",'
        '"cause":3,"room":"r","id":"m","author":"a","text":"\\u00e9\\u009b"}'
    )
    assert '"text_bytes":4' in to_line(record)


@given(RECORDS)
def test_the_schema_accepts_every_line_and_knows_every_field(record: Record) -> None:
    name = record.event.TYPE
    for content in (False, True):
        line = json.loads(to_line(record, content=content))
        jsonschema.Draft202012Validator(STRICT["$defs"][name]).validate(line)


def closed(schema: Any) -> Any:
    """The schema with every object closed, which finds fields that it forgot."""
    if isinstance(schema, dict):
        shut = {key: closed(value) for key, value in schema.items()}
        return shut | {"additionalProperties": False} if schema.get("type") == "object" else shut
    return [closed(item) for item in schema] if isinstance(schema, list) else schema


STRICT = closed(json_schema())


def test_the_schema_is_one_and_tells_types_apart() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    line = json.loads(to_line(Record(1, 0, TICK)))
    jsonschema.validate(line, schema)
    for wrong in (line | {"n": "1"}, line | {"type": "tick.failed"}, line | {"seq": -1}, line | {"ts": "now"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_a_long_line_is_cut_where_it_is_longest() -> None:
    for event in (
        MessagePosted(room="r", id="m", author="a", text="é" * 90_000),
        JobOutput(job="j", stream="stdout", offset=0, length=1, data_b64="QUJD" * 40_000),
        events.CoreError(where="x" * 70_000, error="\x00" * 70_000),
        events.CoreStopping(reason="r", running=tuple(f"job {n}" for n in range(20_000))),
    ):
        line = to_line(Record(1, 0, event), content=True)
        assert 60_000 < len(line) < 65_536
        fields = json.loads(line)
        assert fields["cut"]
        assert from_line(line) is not None
        if "data_b64" in fields:
            assert len(fields["data_b64"]) % 4 == 0
        assert len(to_body(event)) < 65_536


def test_readers_pass_over_what_they_do_not_know() -> None:
    line = json.loads(to_line(Record(1, 0, TICK)))
    assert from_line(json.dumps(line | {"later": [1]})) == Record(1, 0, strip(TICK))
    assert from_line(json.dumps(line | {"type": "sun.rose"})) is None
    assert from_body("sun.rose", "{}") is None


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"n": "1"}, "tick.completed.n"),
        ({"n": True}, "tick.completed.n"),
        ({"n": 1.0}, "tick.completed.n"),
        ({"dropped": {}}, "tick.completed.dropped"),
        ({"dropped": [{"reason": 1}]}, "tick.completed.dropped[0].reason"),
        ({"dropped": ["x"]}, "tick.completed.dropped[0]"),
        ({"cause": "1"}, "tick.completed.cause"),
        ({"v": 2}, "event"),
        ({"seq": "1"}, "event"),
        ({"ts": "yesterday"}, "event.ts"),
    ],
)
def test_lines_of_another_shape_are_refused_by_place(change: dict[str, Any], where: str) -> None:
    line = json.loads(to_line(Record(1, 0, TICK)))
    with pytest.raises(RefusedError) as caught:
        from_line(json.dumps(line | change))
    assert caught.value.where == where


@pytest.mark.parametrize("line", ["", "[]", "{", "nul", "[" * 100_000, b"\xff"])
def test_what_is_no_line_is_refused(line: str | bytes) -> None:
    with pytest.raises(RefusedError):
        from_line(line)


ROWS = [rows.NodeRow, rows.RoomRow, rows.AgentRow, rows.JobRow, rows.ReceiptRow]


@pytest.mark.parametrize("cls", ROWS)
@settings(max_examples=15)
@given(data=st.data())
def test_rows_go_over_the_wire_and_back(cls: Any, data: st.DataObject) -> None:
    row = data.draw(instances(cls))
    assert from_wire(cls, json.loads(json.dumps(to_wire(row)))) == row


def test_rows_are_read_strictly() -> None:
    good = to_wire(rows.RoomRow(room="r", name="n", total=1, open=1, blocked=0, completed=0, members=1, agents=0))
    for wrong, text in (
        ({**good, "extra": 1}, "rooms[2].extra: is not known"),
        ({key: value for key, value in good.items() if key != "name"}, "rooms[2].name: is missing"),
        ({**good, "total": None}, "rooms[2].total: an integer is wanted, not null"),
        ([good], "rooms[2]: an object is wanted, not a list"),
        ({**good, "\x1b[2J": 1}, "rooms[2].\\x1b[2J: is not known"),
    ):
        with pytest.raises(RefusedError) as caught:
            from_wire(rows.RoomRow, wrong, where="rooms[2]")
        assert str(caught.value) == text


@given(EVENTS)
def test_an_event_does_not_change_when_it_is_written(event: events.Event) -> None:
    before = repr(event)
    to_line(Record(1, 1, event), content=True)
    to_body(event)
    assert repr(event) == before


@given(values(str | None))
def test_the_strategies_cover_unions(value: object) -> None:
    assert value is None or isinstance(value, str)
