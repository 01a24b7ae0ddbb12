"""Snapshots: the creator's signed word for what the tasks were, so that a new member need not read all history.

A snapshot covers a head of each author's sequence and names a horizon. What it covers is not folded again; what it does
not cover, though it is older than the horizon, is applied there, by everybody alike.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from runtime.canonical import Json, decode, encode
from runtime.errors import OrlopError, RefusedError
from runtime.rooms.entries import SignedEntry, block_of, number_of, place
from runtime.rooms.facts import SNAPSHOT_PARTS, SnapshotPart, fact_of
from runtime.rooms.tasks import TaskState, parse_task, task_to_json

__all__ = ["PIECE_CHARACTERS", "Snapshot", "SnapshotError", "newest_snapshot", "snapshot_contents"]

PIECE_CHARACTERS: Final = 20_480
"""Characters of a piece: beside it, an entry has room for the heads of all members."""

_TEXT_BYTES: Final = 64 << 20
_HEADS: Final = 128


class SnapshotError(OrlopError):
    """What the room holds does not fit into a snapshot."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A complete one.

    Attributes:
        number: from 1, risen by its creator.
        id: of the entry with its first piece.
        horizon: no task changed at a later time.
        heads: by author and block, the last number that is covered.
        state: the tasks.
    """

    number: int
    id: str
    horizon: int
    heads: Mapping[tuple[str, int], int]
    state: TaskState

    def covers(self, author: str, seq: int) -> bool:
        """Whether an entry is part of it."""
        return number_of(seq) <= self.heads.get((author, block_of(seq)), 0)

    def heads_of(self, author: str) -> dict[int, int]:
        """By block, what is covered of an author."""
        return {block: number for (key, block), number in self.heads.items() if key == author}


def snapshot_contents(
    number: int, horizon: int, heads: Mapping[tuple[str, int], int], state: TaskState
) -> list[dict[str, Json]]:
    """The contents of the entries that make a snapshot, in order.

    Args:
        number: greater than that of the creator's last one.
        horizon: the latest time at which a task changed.
        heads: by author and block, the last number that is covered; the creator's own included.
        state: the tasks then.

    Raises:
        SnapshotError: too many authors, or too many tasks.
    """
    if len(heads) > _HEADS:
        raise SnapshotError(f"a snapshot names {_HEADS} sequences at most, and the room has {len(heads)}")
    document: dict[str, Json] = {
        "tasks": [task_to_json(one) for one in state.tasks.values()],
        "last": dict(state.last_actors),
    }
    text = base64.b64encode(zlib.compress(encode(document), 6)).decode()
    pieces = [text[at : at + PIECE_CHARACTERS] for at in range(0, len(text), PIECE_CHARACTERS)]
    if len(pieces) > SNAPSHOT_PARTS:
        raise SnapshotError("the tasks of this room are too large for a snapshot")
    named: list[Json] = [[author, block, last] for (author, block), last in sorted(heads.items())]
    return [
        {
            "number": number,
            "part": part,
            "parts": len(pieces),
            "horizon": horizon,
            "heads": named,
            "data": piece,
        }
        for part, piece in enumerate(pieces, 1)
    ]


def newest_snapshot(
    creator: str, entries: Mapping[int, SignedEntry], now_ms: int, known: dict[str, Snapshot | None]
) -> Snapshot | None:
    """The newest complete snapshot: the latest in the creator's sequence, where each covers those before it.

    Args:
        creator: identity key of the creator.
        entries: the creator's entries of that kind, by place, none of them contradicted.
        now_ms: what is later does not count yet.
        known: what was read before, by id of the entry with the first piece; is added to.
    """
    for seq in sorted(entries, reverse=True):
        run = _run(creator, seq, entries, now_ms)
        if run:
            first = run[0].id
            if first not in known:
                known[first] = _assembled(run)
            if (one := known[first]) is not None:
                return one
    return None


def _run(creator: str, seq: int, entries: Mapping[int, SignedEntry], now_ms: int) -> list[SignedEntry]:
    """The entries of a snapshot whose first piece stands at a place; empty when one of them is missing."""
    first = fact_of(entries[seq])
    if not isinstance(first, SnapshotPart) or first.part != 1:
        return []
    block, number = block_of(seq), number_of(seq)
    if first.heads.get((creator, block), 0) != number - 1:
        return []  # it covers what lies before it in its own sequence, neither more nor less
    run: list[SignedEntry] = []
    for part in range(1, first.parts + 1):
        entry = entries.get(place(block, number + part - 1))
        fact = None if entry is None else fact_of(entry)
        if entry is None or not isinstance(fact, SnapshotPart) or entry.ts_ms > now_ms:
            return []
        fits = (fact.part, fact.number, fact.parts, fact.horizon) == (part, first.number, first.parts, first.horizon)
        if not fits or fact.heads != first.heads or (run and entry.prev != run[-1].id):
            return []
        run.append(entry)
    return run


def _assembled(run: Sequence[SignedEntry]) -> Snapshot | None:
    parts = [fact for fact in map(fact_of, run) if isinstance(fact, SnapshotPart)]
    state = _state("".join(part.data for part in parts))
    if state is None:
        return None
    first = parts[0]
    return Snapshot(first.number, run[0].id, first.horizon, MappingProxyType(dict(first.heads)), state)


def _state(text: str) -> TaskState | None:
    """The tasks in the text of a snapshot; None when it is not what `snapshot_contents` writes."""
    try:
        reader = zlib.decompressobj()
        document = decode(reader.decompress(base64.b64decode(text, validate=True), _TEXT_BYTES), limit=_TEXT_BYTES)
        if not reader.eof or reader.unused_data or not isinstance(document, Mapping):
            return None
        listed, last = document.get("tasks"), document.get("last")
        if not isinstance(listed, list) or not isinstance(last, Mapping):
            return None
        tasks = {task.id: task for task in map(parse_task, listed)}
    except (zlib.error, binascii.Error, ValueError, RefusedError):
        return None
    actors = {key: actor for key, actor in last.items() if isinstance(actor, str)}
    if len(tasks) != len(listed) or actors.keys() != tasks.keys():
        return None
    return TaskState(MappingProxyType(tasks), MappingProxyType(actors), frozenset())
