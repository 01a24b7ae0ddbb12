"""The payload of a task event judged by itself: which keys its type has, and which values they take.

Everybody judges alike, whatever else they know: what is wrong here counts for nobody. What the room's state adds to it
(tasks and members that must exist, circles) is asked of the author alone, in `runtime.rooms.admission`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from runtime.canonical import Json
from runtime.rooms.entries import TIME_MAX_MS
from runtime.rooms.reasons import Reason
from runtime.rooms.tasks import CREATIONS, STATUSES, TYPES, TaskEvent

__all__ = [
    "AGENT_TYPES",
    "DEPENDENCIES",
    "HOST_OWNED",
    "ID_CHARACTERS",
    "OWN_WORDS",
    "PayloadError",
    "check_keys",
    "check_value",
    "is_sound",
    "may_clear",
    "text_of",
]

TITLE_CHARACTERS: Final = 1_000
DESCRIPTION_CHARACTERS: Final = 16_384
ID_CHARACTERS: Final = 128
DEPENDENCIES: Final = 256

AGENT_TYPES: Final = TYPES - {"task_updated"}
"""The types that agents may emit."""

HOST_OWNED: Final = frozenset({"createdBy", "createdAt", "updatedAt"})
"""Keys that nobody sets: they follow from who signs an event, and when."""

OWN_WORDS: Final = frozenset({"title", "description"})
"""What an agent may write anew in a task that it made itself."""

_CREATION_KEYS: Final = frozenset(
    {"title", "status", "assignee", "parentId", "dueAt", "blockedBy", "description", "urgent"}
)
_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "task_created": _CREATION_KEYS,
    "subtask_created": _CREATION_KEYS,
    "task_assigned": frozenset({"assignee"}),
    "task_status_changed": frozenset({"status", "title", "dueAt"}),  # other clients send edits under this type
    "task_dependencies_changed": frozenset({"blockedBy"}),
    "task_updated": frozenset({"title", "description", "dueAt", "parentId"}),
    "task_urgency_changed": frozenset({"urgent"}),
}
_AGENT_KEYS: Final = {**_KEYS, "task_status_changed": frozenset({"status"}) | OWN_WORDS}
_CLEARABLE: Final = frozenset({"assignee", "parentId", "dueAt", "description"})
"""Keys that null takes away again."""


class PayloadError(Exception):
    """Carries the reason why an event is not admitted.

    Args:
        words: ours.
        said: what fills their gaps.
    """

    def __init__(self, words: str, *said: object) -> None:
        super().__init__()
        self.reason = Reason(words, *said)


def is_sound(event: TaskEvent, *, by_agent: bool) -> bool:
    """Whether an event of the log may count, as far as it says by itself.

    Args:
        event: of an entry that its author signed.
        by_agent: whether an agent acted.
    """
    if event.type not in (AGENT_TYPES if by_agent else TYPES) or not event.task_id or event.task is None:
        return False
    creation = event.type in CREATIONS
    if not event.task and not creation:
        return False
    if event.type == "subtask_created" and not event.task.get("parentId"):
        return False
    try:
        text_of("taskId", event.task_id, ID_CHARACTERS)
        check_keys(event.type, event.task, by_agent=by_agent)
        for key, value in event.task.items():
            if value is None and (creation or not may_clear(key)):
                return False
            check_value(key, value)
    except PayloadError:
        return False
    return True


def check_keys(kind: str, payload: Mapping[str, Json], *, by_agent: bool) -> None:
    """Whether a type has these keys.

    Raises:
        PayloadError: it lacks one of them.
    """
    allowed = (_AGENT_KEYS if by_agent else _KEYS)[kind]
    for key in payload:
        if key not in allowed:
            raise PayloadError(f"{kind} may not set {{}}", key)


def may_clear(key: str) -> bool:
    """True.

    Raises:
        PayloadError: null cannot take the key's value away.
    """
    if key not in _CLEARABLE:
        raise PayloadError(f"{key} cannot be null")
    return True


def check_value(key: str, value: Json) -> None:
    """Whether a key takes a value.

    Args:
        key: one that some type has.
        value: what it shall be; null where it takes the value away.

    Raises:
        PayloadError: it does not.
    """
    _RULES[key](key, value)


def text_of(key: str, value: Json, limit: int) -> str:
    """The value, if it is valid text.

    Raises:
        PayloadError: it is none, or longer than so many characters.
    """
    if not isinstance(value, str):
        raise PayloadError(f"{key} must be a string")
    if len(value) > limit:
        raise PayloadError(f"{key} is longer than {limit} characters")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise PayloadError(f"{key} is not valid Unicode")
    return value


def _title(key: str, value: Json) -> None:
    text_of(key, value, TITLE_CHARACTERS)


def _description(key: str, value: Json) -> None:
    if value is not None:
        text_of(key, value, DESCRIPTION_CHARACTERS)


def _status(_key: str, value: Json) -> None:
    if value not in STATUSES:
        raise PayloadError(f"status must be one of {', '.join(STATUSES)}")


def _urgent(_key: str, value: Json) -> None:
    if not isinstance(value, bool):
        raise PayloadError("urgent must be true or false")


def _due(_key: str, value: Json) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= TIME_MAX_MS:
        raise PayloadError("dueAt must be a time in milliseconds since 1970")


def _reference(key: str, value: Json) -> None:
    if value is not None:
        text_of(key, value, ID_CHARACTERS)


def _blocked_by(key: str, value: Json) -> None:
    if not isinstance(value, list | tuple) or len(value) > DEPENDENCIES:
        raise PayloadError(f"blockedBy must be a list of at most {DEPENDENCIES} task ids")
    for other in value:
        if not isinstance(other, str):
            raise PayloadError("the dependency {} is not a task of the room", other)
        text_of(key, other, ID_CHARACTERS)


_RULES: Final[Mapping[str, Callable[[str, Json], None]]] = {
    "title": _title,
    "description": _description,
    "status": _status,
    "urgent": _urgent,
    "dueAt": _due,
    "assignee": _reference,
    "parentId": _reference,
    "blockedBy": _blocked_by,
}
