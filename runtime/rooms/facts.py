"""What entries say, by kind. An entry whose content is not as its kind demands keeps its place and counts for nothing.

So does one of a kind that this version does not know: a later version may, and all must pass it on alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.canonical import INTEGER_MAX, Json
from runtime.rooms.cards import Card, CardError, card_from_json
from runtime.rooms.entries import TIME_MAX_MS, SignedEntry
from runtime.rooms.fold import Message
from runtime.rooms.payload import is_sound
from runtime.rooms.settings import ADMISSIONS, HISTORIES, RoomSettings, fits, is_invite
from runtime.rooms.tasks import TaskEvent

__all__ = [
    "MESSAGE_CHARACTERS",
    "NAME_CHARACTERS",
    "SNAPSHOT_PARTS",
    "STRUCTURAL",
    "UNDOES",
    "Burning",
    "Change",
    "Fact",
    "Keeping",
    "Leaving",
    "Opening",
    "Removal",
    "SnapshotPart",
    "Vouch",
    "fact_of",
    "message_of",
    "task_event_of",
]

STRUCTURAL: Final = frozenset({"room", "member", "leave", "remove", "settings", "keep", "burn", "snapshot"})
"""Kinds that say what a room is and who is in it; every member gets them all, whatever of the history it may see."""

NAME_CHARACTERS: Final = 64
"""Characters of a room's name at most."""

MESSAGE_CHARACTERS: Final = 16_384
"""Characters of a message at most."""

UNDOES: Final = "undo"
"""In the content of a task entry, true: its author takes an earlier change of its own back. It folds like any other."""

SNAPSHOT_PARTS: Final = 1_024
"""Pieces of a snapshot at most."""
_PART_CHARACTERS: Final = 24_576
_HEADS: Final = 128


@dataclass(frozen=True, slots=True)
class Opening:
    """Kind `room`, the creator's first entry."""

    settings: RoomSettings
    card: Card


@dataclass(frozen=True, slots=True)
class Vouch:
    """Kind `member`: this card's owner is one of us, and its entries behind `after` count."""

    card: Card
    after: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """Kind `leave`: the author's entries up to this one count."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Kind `remove`: the creator ends somebody's membership; its entries up to `upto` count."""

    key: str
    upto: int


@dataclass(frozen=True, slots=True)
class Change:
    """Kind `settings`: the creator changes some."""

    changes: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Keeping:
    """Kind `keep`: the room is not to delete itself, or not before a time."""

    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Burning:
    """Kind `burn`: the creator ends the room for all."""


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """Kind `snapshot`: a piece of the creator's word for what the tasks were at a time.

    Attributes:
        number: of the snapshot, from 1.
        part: of how many, from 1.
        parts: how many there are.
        horizon: no task changed at a later time.
        heads: by author and block, the last entry that it covers.
        data: its piece of the text.
    """

    number: int
    part: int
    parts: int
    horizon: int
    heads: Mapping[tuple[str, int], int]
    data: str


Fact = Opening | Vouch | Leaving | Removal | Change | Keeping | Burning | SnapshotPart


def fact_of(entry: SignedEntry) -> Fact | None:
    """What an entry of a structural kind says; None when it says nothing that counts."""
    reader = _READERS.get(entry.kind)
    return None if reader is None else reader(entry)


def task_event_of(entry: SignedEntry) -> TaskEvent | None:
    """The task event in an entry of that kind, if it is sound."""
    task = entry.content.get("task")
    kind, task_id = entry.content.get("type"), entry.content.get("taskId")
    if not isinstance(kind, str) or not isinstance(task_id, str) or not isinstance(task, Mapping):
        return None
    event = TaskEvent(type=kind, task_id=task_id, task=task, timestamp=entry.ts_ms, actor_id=entry.actor)
    return event if is_sound(event, by_agent=entry.actor != entry.author) else None


def message_of(entry: SignedEntry) -> Message | None:
    """The message in an entry of that kind; members say something in their own name, and components in theirs."""
    text = entry.content.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= MESSAGE_CHARACTERS or not _speaks(entry):
        return None
    return Message(entry.ts_ms, entry.actor, entry.id, text)


def _speaks(entry: SignedEntry) -> bool:
    return entry.actor == entry.author or entry.actor.startswith("component:")


def _opening(entry: SignedEntry) -> Opening | None:
    said = entry.content
    name, history, admission, ephemeral = (said.get(key) for key in ("name", "history", "admission", "ephemeral"))
    card = _card(said.get("card"))
    if card is None or not isinstance(name, str) or not 1 <= len(name) <= NAME_CHARACTERS:
        return None
    if history not in HISTORIES or admission not in ADMISSIONS or not isinstance(ephemeral, bool):
        return None
    invite = said.get("invite")
    if not is_invite(invite):
        return None
    settings = RoomSettings(
        name=name,
        history="all" if history == "all" else "joined",
        admission="open" if admission == "open" else "invite",
        ephemeral=ephemeral,
        invite=str(invite),
    )
    return Opening(settings, card)


def _vouch(entry: SignedEntry) -> Vouch | None:
    card, after = _card(entry.content.get("card")), entry.content.get("after")
    return Vouch(card, after) if card is not None and _is_number(after, 0, INTEGER_MAX) else None  # type: ignore[arg-type]


def _removal(entry: SignedEntry) -> Removal | None:
    key, upto = entry.content.get("key"), entry.content.get("upto")
    return Removal(key, upto) if isinstance(key, str) and _is_number(upto, 0, INTEGER_MAX) else None  # type: ignore[arg-type]


def _change(entry: SignedEntry) -> Change | None:
    return Change(entry.content) if fits(entry.content) else None


def _keeping(entry: SignedEntry) -> Keeping | None:
    until = entry.content.get("until_ms", False)
    return Keeping(until) if until is None or _is_number(until, 0, TIME_MAX_MS) else None  # type: ignore[arg-type]


def _part(entry: SignedEntry) -> SnapshotPart | None:
    said = entry.content
    number, part, parts, horizon = (said.get(key) for key in ("number", "part", "parts", "horizon"))
    data, heads = said.get("data"), _heads(said.get("heads"))
    if heads is None or not isinstance(data, str) or len(data.encode()) > _PART_CHARACTERS:
        return None
    if not _is_number(number, 1, INTEGER_MAX) or not _is_number(parts, 1, SNAPSHOT_PARTS):
        return None
    # A horizon in its author's future would push everything that follows there.
    if not _is_number(part, 1, parts) or not _is_number(horizon, 0, entry.ts_ms):  # type: ignore[arg-type]
        return None
    return SnapshotPart(number, part, parts, horizon, heads, data)  # type: ignore[arg-type]


def _heads(value: Json) -> dict[tuple[str, int], int] | None:
    """Reads `[[author, block, number], …]`."""
    if not isinstance(value, list | tuple) or len(value) > _HEADS:
        return None
    found: dict[tuple[str, int], int] = {}
    for item in value:
        if not isinstance(item, list | tuple) or len(item) != 3:  # noqa: PLR2004 - author, block and number
            return None
        author, block, number = item
        if not isinstance(author, str) or not _is_number(block, 0, 2**31 - 1) or not _is_number(number, 1, 2**32 - 1):
            return None
        found[author, block] = number
    return found


def _card(value: Json) -> Card | None:
    try:
        return card_from_json(value)
    except CardError:
        return None


def _is_number(value: Json, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


_READERS: Final = {
    "room": _opening,
    "member": _vouch,
    "leave": lambda _: Leaving(),
    "remove": _removal,
    "settings": _change,
    "keep": _keeping,
    "burn": lambda _: Burning(),
    "snapshot": _part,
}
