"""The one codec of events: lines of the stream and of the socket, bodies of the journal, their JSON Schema.

A line is `{"v":1,"seq":…,"ts":"…Z","type":"…",…fields}`, pure ASCII, at most 64 KiB; longer fields are cut and listed
in `cut`. A journal body holds the fields alone, without content. Readers pass over fields that they do not know.
"""

import dataclasses
import functools
import json
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from runtime import boot_events, component_events, events
from runtime.canonical import Json
from runtime.errors import RefusedError
from runtime.events import VERSION, Event, Record
from runtime.shapes import from_wire, read_fields, to_wire

__all__ = [
    "LINE_MAX",
    "event_types",
    "from_body",
    "from_fields",
    "from_line",
    "from_wire",
    "json_schema",
    "nested_types",
    "size_of",
    "strip",
    "to_body",
    "to_line",
    "to_wire",
]

LINE_MAX = 65_536
"""Bytes of a line, its line end included."""

_HEAD = frozenset({"v", "seq", "ts", "type", "cause", "cut"})
_HEAD_ROOM = 256
"""Bytes of a line that are not its body: v, seq, ts, type."""
_WRITER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


@functools.cache
def event_types() -> Mapping[str, type[Event]]:
    """Every event type by its dotted name, in the order of its module: `runtime.events`, components, booting."""
    named = [*vars(events).values(), *vars(component_events).values(), *vars(boot_events).values()]
    found = (value for value in named if isinstance(value, type) and issubclass(value, Event))
    return {cls.TYPE: cls for cls in found if cls.TYPE}


def nested_types(cls: type) -> Mapping[str, type]:
    """The fields of a dataclass that hold a tuple of further dataclasses, and which."""
    return {name: inner for name, _, inner in _plan(cls) if inner is not None}


Plan = tuple[tuple[str, bool, type | None], ...]
"""Name, whether content, and the dataclass inside a tuple, of each field that goes over the wire."""

Reader = Callable[[object], dict[str, object]]
"""Reads all fields at once."""

_PLANS: dict[type, tuple[Plan, bool, Reader | None]] = {}


def _plan(cls: type) -> Plan:
    return _derived(cls)[0]


def _has_content(cls: type) -> bool:
    return _derived(cls)[1]


def _derived(cls: type) -> tuple[Plan, bool, Reader | None]:
    known = _PLANS.get(cls)
    if known is None:
        plan = tuple(
            (field.name, bool(field.metadata.get("content")), _inner(field.type))
            for field in dataclasses.fields(cls)
            if field.metadata.get("wire", True)
        )
        bears = any(content or (inner is not None and _has_content(inner)) for _, content, inner in plan)
        known = _PLANS[cls] = (plan, bears, _reader(plan))
    return known


def _reader(plan: Plan) -> Reader | None:
    """For types without content and without further dataclasses, as most are; None for another."""
    names = tuple(name for name, _, _ in plan)
    if len(names) < 2 or any(content or inner is not None for _, content, inner in plan):  # noqa: PLR2004 - a getter of one gives no tuple
        return None
    values = operator.attrgetter(*names)
    return lambda value: dict(zip(names, values(value), strict=True))


def _inner(annotation: object) -> type | None:
    args = getattr(annotation, "__args__", ())
    return next((arg for arg in args if isinstance(arg, type) and dataclasses.is_dataclass(arg)), None)


# --- content --------------------------------------------------------------------------------------------------------


def strip(event: Event) -> Event:
    """The event without its content: each content field is None and its size stands in `withheld`."""
    if not _has_content(type(event)):
        return event
    withheld = dict(event.withheld)
    changes = _strip(event, "", withheld)
    return dataclasses.replace(event, **(changes | {"withheld": tuple(withheld.items())})) if changes else event


def _strip(value: object, prefix: str, withheld: dict[str, int]) -> dict[str, Any]:
    """The fields that change; what is taken out is noted by path."""
    changes: dict[str, Any] = {}
    for name, content, inner in _plan(type(value)):
        item = getattr(value, name)
        if content and item is not None:
            withheld[prefix + name] = len(item.encode("utf-8", "surrogatepass"))
            changes[name] = None
        elif inner is not None and item:
            kept = []
            for index, part in enumerate(item):
                inside = _strip(part, f"{prefix}{name}.{index}.", withheld)
                kept.append(dataclasses.replace(part, **inside) if inside else part)
            changes[name] = tuple(kept)
    return changes


def _fields(value: object, prefix: str, withheld: Mapping[str, int]) -> dict[str, object]:
    """The fields as they are written: absent content is left out, what was withheld is a size."""
    if (read := _derived(type(value))[2]) is not None:
        plain = read(value)
        if plain.get("cause", 0) is None:
            del plain["cause"]
        return plain
    out: dict[str, object] = {}
    for name, content, inner in _plan(type(value)):
        item = getattr(value, name)
        if content and item is None:
            if (size := withheld.get(prefix + name)) is not None:
                out[f"{name}_bytes"] = size
        elif inner is not None:
            out[name] = [_fields(part, f"{prefix}{name}.{index}.", withheld) for index, part in enumerate(item)]
        elif item is not None or name != "cause":
            out[name] = item
    return out


# --- writing --------------------------------------------------------------------------------------------------------


def to_line(record: Record, *, content: bool = False) -> str:
    """A record as one line without its line end.

    Args:
        record: the event with its place and time.
        content: whether content fields are written; else their sizes are.
    """
    event = record.event if content else strip(record.event)
    line: dict[str, object] = {"v": VERSION, "seq": record.seq, "ts": _stream_time(record.ts_ms), "type": event.TYPE}
    return _dump(line | _fields(event, "", dict(event.withheld)), LINE_MAX - 1)


def to_body(event: Event) -> str:
    """The fields of an event as the journal keeps them: no content, no place, no type."""
    bare = strip(event)
    return _dump(_fields(bare, "", dict(bare.withheld)), LINE_MAX - _HEAD_ROOM)


def size_of(event: Event, body: str) -> int:
    """About how many bytes the event's line has with its content.

    Args:
        event: the event.
        body: what `to_body` made of it.
    """
    if not _has_content(type(event)):
        return len(body) + _HEAD_ROOM
    return len(body) + _HEAD_ROOM + sum(size for _, size in strip(event).withheld)


def _stream_time(ms: int) -> str:
    moment = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{ms % 1000:03d}Z"


def _encoded(value: object) -> str:
    return _WRITER.encode(value)


def _dump(fields: dict[str, object], limit: int) -> str:
    text = _encoded(fields)
    cut: list[str] = []
    while len(text) > limit:
        sizes = {name: len(_encoded(value)) for name, value in fields.items() if name not in _HEAD}
        longest = max(sizes, key=lambda name: sizes[name])
        if longest not in cut:
            cut.append(longest)
        fields["cut"] = cut
        room = max(0, sizes[longest] - (len(_encoded(fields)) - limit))
        fields[longest] = _shortened(fields[longest], longest, room)
        text = _encoded(fields)
    return text


def _shortened(value: object, name: str, room: int) -> object:
    """The longest beginning of a text or list whose encoding has at most `room` bytes."""
    if not isinstance(value, str | tuple | list):
        message = f"the field {name} is too large for a line and cannot be cut"
        raise TypeError(message)
    low, high = 0, min(len(value), room)
    while low < high:
        middle = (low + high + 1) // 2
        if len(_encoded(value[:middle])) <= room:
            low = middle
        else:
            high = middle - 1
    return value[: low - low % 4] if name.endswith("_b64") else value[:low]


# --- reading --------------------------------------------------------------------------------------------------------


def from_body(type_name: str, body: str) -> Event | None:
    """An event from its journal row; None when its type is not known here.

    Raises:
        RefusedError: the body is not that of the type.
    """
    cls = event_types().get(type_name)
    return None if cls is None else _event(cls, _object(body))


def from_line(line: str | bytes) -> Record | None:
    """A record from its line; None when its type is not known here.

    Raises:
        RefusedError: not a line, a line of a later version, or a line whose fields are not those of its type.
    """
    return from_fields(_object(line))


def from_fields(fields: dict[str, object]) -> Record | None:
    """As `from_line`, for a line that was parsed already."""
    if fields.get("v") != VERSION:
        raise RefusedError("a line of another version", where="event")
    seq, ts = fields.get("seq"), fields.get("ts")
    if type(seq) is not int or not isinstance(ts, str):
        raise RefusedError("a line without seq and ts", where="event")
    cls = event_types().get(str(fields.get("type")))
    return None if cls is None else Record(seq, _stream_ms(ts), _event(cls, fields))


def _object(text: str | bytes) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise RefusedError("not JSON", where="event") from None
    if not isinstance(value, dict):
        raise RefusedError("not a JSON object", where="event")
    return value


def _event(cls: type[Event], fields: dict[str, object]) -> Event:
    withheld: list[tuple[str, int]] = []
    known = _known(cls, fields, "", withheld)
    event = read_fields(cls, known, cls.TYPE)
    return dataclasses.replace(event, withheld=tuple(withheld)) if withheld else event


def _known(cls: type, fields: dict[str, object], prefix: str, withheld: list[tuple[str, int]]) -> dict[str, object]:
    """The fields that the type declares; sizes of withheld content go to `withheld`."""
    known: dict[str, object] = {}
    for name, content, inner in _plan(cls):
        size = fields.get(f"{name}_bytes")
        if content and type(size) is int:
            withheld.append((prefix + name, size))
        if name not in fields:
            continue
        item = fields[name]
        if inner is not None and isinstance(item, list):
            item = [
                _known(inner, part, f"{prefix}{name}.{index}.", withheld) if isinstance(part, dict) else part
                for index, part in enumerate(item)
            ]
        known[name] = item
    return known


def _stream_ms(text: str) -> int:
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise RefusedError("not a time of the stream", where="event.ts") from None
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def json_schema() -> dict[str, Json]:
    """The JSON Schema (2020-12) of every line that this version writes."""
    from runtime.event_schema import build

    return build(event_types())
