"""The messages of the control socket: NDJSON, one frozen dataclass per message, versioned. Pure.

Server and client agree on the highest protocol that both speak; a field or message that is added does not raise it, and
fields that are not known are passed over. A `do` line is accompanied by descriptors (`SCM_RIGHTS`), named in order by
`files`. A large document goes out as several lines with `part` and `parts`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import ClassVar

from console.client import Fault, Json, Result, Snapshot
from runtime.canonical import decode as decode_json
from runtime.errors import RefusedError
from runtime.shapes import read_fields, to_wire

__all__ = [
    "DESCRIPTORS_MAX",
    "LINE_MAX",
    "PART_MAX",
    "PROTOCOL",
    "Bye",
    "ClientHello",
    "Do",
    "Done",
    "Events",
    "Gap",
    "Get",
    "Interrupt",
    "Message",
    "Ok",
    "Ping",
    "Pong",
    "ServerHello",
    "SnapshotPart",
    "Sub",
    "Trouble",
    "Unsub",
    "decode",
    "done_lines",
    "encode",
    "events_line",
    "result_of",
    "snapshot_lines",
    "snapshot_of",
]

PROTOCOL = 1
"""The only version so far."""

LINE_MAX = 1 << 20
"""Bytes of a line, its line end included."""

PART_MAX = 1 << 18
"""Bytes of a document in one line."""

DESCRIPTORS_MAX = 24
"""Descriptors that one command may bring: a job's module, three streams and 16 directories, and some room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Root of all messages; `M` is the `m` of the line."""

    M: ClassVar[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHello(Message):
    """The server's first line."""

    M: ClassVar[str] = "hello"
    proto: tuple[int, ...]
    """The lowest and the highest protocol that it speaks."""
    v: int
    server: str
    node: str
    peer_id: str
    seq: int
    read_only: bool
    instance: str
    """Another one means another journal: rows must be asked for anew."""
    listen: tuple[str, ...] = ()
    """Where other nodes reach it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello(Message):
    """The client's first line."""

    M: ClassVar[str] = "hello"
    proto: int
    client: str
    """What kind of face it is, for the journal."""
    read_only: bool = False
    fps: int = 20
    """Most batches of events a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Get(Message):
    """Asks for a snapshot."""

    M: ClassVar[str] = "get"
    id: int
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPart(Message):
    """A part of a snapshot: lists of the same topic are put together in order."""

    M: ClassVar[str] = "snapshot"
    id: int
    seq: int
    topics: Mapping[str, Json]
    part: int = 0
    parts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sub(Message):
    """Asks for the events after `since`."""

    M: ClassVar[str] = "sub"
    id: int
    since: int
    content: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsub(Message):
    """Ends a subscription."""

    M: ClassVar[str] = "unsub"
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ok(Message):
    """A subscription began or ended."""

    M: ClassVar[str] = "ok"
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Message):
    """A batch of events of one subscription."""

    M: ClassVar[str] = "ev"
    id: int
    e: tuple[Mapping[str, Json], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(Message):
    """This client was too slow for the events of a subscription from `from_` to `to`."""

    M: ClassVar[str] = "gap"
    id: int
    from_: int
    to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Do(Message):
    """Runs a command; `files` names the descriptors that come along, in order."""

    M: ClassVar[str] = "do"
    id: int
    command: str
    args: Mapping[str, Json]
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Message):
    """The end of a command. With `parts` > 1 the pieces of `text`, put together, are the JSON of the value."""

    M: ClassVar[str] = "done"
    id: int
    ok: bool
    value: Json = None
    error: Mapping[str, Json] | None = None
    exit_code: int | None = None
    text: str = ""
    part: int = 0
    parts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt(Message):
    """Asks a running command to end early."""

    M: ClassVar[str] = "int"
    id: int
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Message):
    """Asks for a `Pong` with the same `t`."""

    M: ClassVar[str] = "ping"
    t: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong(Message):
    """Answers a `Ping`."""

    M: ClassVar[str] = "pong"
    t: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye(Message):
    """The server ends the connection in order."""

    M: ClassVar[str] = "bye"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble(Message):
    """The other side broke the protocol; the connection ends."""

    M: ClassVar[str] = "error"
    code: str
    text: str


_FROM_CLIENT: Mapping[str, type[Message]] = MappingProxyType(
    {cls.M: cls for cls in (ClientHello, Get, Sub, Unsub, Do, Interrupt, Ping, Pong)}
)
_FROM_SERVER: Mapping[str, type[Message]] = MappingProxyType(
    {cls.M: cls for cls in (ServerHello, SnapshotPart, Ok, Events, Gap, Done, Ping, Pong, Bye, Trouble)}
)


def encode(message: Message) -> bytes:
    """A message as its line, line end included; what is null is left out."""
    body = {name.rstrip("_"): value for name, value in to_wire(message).items() if value is not None}
    return json.dumps({"m": message.M, **body}, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def events_line(subscription: int, lines: Sequence[str]) -> bytes:
    """An `ev` message from lines of the stream, which are JSON already."""
    return f'{{"m":"ev","id":{subscription},"e":[{",".join(lines)}]}}\n'.encode()


def snapshot_lines(request: int, snapshot: Snapshot) -> Iterator[bytes]:
    """A snapshot as one line or several."""
    parts: list[dict[str, Json]] = [{}]
    size = 0
    for topic, value in snapshot.topics.items():
        rows: Sequence[Json] = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
        parts[-1][topic] = [] if isinstance(value, Sequence) else value
        for row in rows:
            room = len(json.dumps(row))
            if size + room > PART_MAX and size:
                parts.append({})
                size = 0
            part = parts[-1].setdefault(topic, [])
            if isinstance(part, list):
                part.append(row)
            size += room
    for number, topics in enumerate(parts):
        yield encode(SnapshotPart(id=request, seq=snapshot.seq, topics=topics, part=number, parts=len(parts)))


def snapshot_of(parts: Sequence[SnapshotPart]) -> Snapshot:
    """The snapshot that was sent in these parts."""
    topics: dict[str, Json] = {}
    for part in parts:
        for topic, value in part.topics.items():
            before = topics.get(topic)
            topics[topic] = [*before, *value] if isinstance(before, list) and isinstance(value, list) else value
    return Snapshot(parts[0].seq, topics)


def done_lines(request: int, result: Result) -> Iterator[bytes]:
    """The end of a command as one line or several."""
    fault = to_wire(result.fault) if result.fault is not None else None
    end = Done(id=request, ok=result.ok, error=fault, exit_code=result.exit_code)
    text = json.dumps(result.value, separators=(",", ":"), allow_nan=False)
    if len(text) <= PART_MAX:
        yield encode(replace(end, value=result.value))
        return
    pieces = [text[at : at + PART_MAX] for at in range(0, len(text), PART_MAX)]
    for number, piece in enumerate(pieces):
        yield encode(replace(end, text=piece, part=number, parts=len(pieces)))


def result_of(parts: Sequence[Done]) -> Result:
    """The result that was sent in these parts.

    Raises:
        RefusedError: they are not what `done_lines` makes.
    """
    last = parts[-1]
    value = last.value
    if len(parts) > 1:
        try:
            value = json.loads("".join(part.text for part in parts))
        except (ValueError, RecursionError):
            raise RefusedError("a result that is no JSON", where="done") from None
    fault = read_fields(Fault, last.error, "error") if last.error is not None else None
    return Result(last.ok, value, fault, last.exit_code)


def decode(line: bytes, *, from_client: bool) -> Message:
    """Reads a line.

    Args:
        line: with or without its line end.
        from_client: who sent it; each side has messages of its own.

    Raises:
        RefusedError: no JSON, too deep, no message, or a message of another shape.
    """
    body = decode_json(line, limit=LINE_MAX, floats=True)
    if not isinstance(body, dict):
        raise RefusedError("a line that is no object", where="message")
    shape = (_FROM_CLIENT if from_client else _FROM_SERVER).get(str(body.get("m")))
    if shape is None:
        raise RefusedError("a message of no known kind", where="message")
    known = {item.name: body[key] for item in fields(shape) if (key := item.name.rstrip("_")) in body}
    return read_fields(shape, known, str(shape.M))
