"""The fold of a room: entries in any order become one state, the same for everybody who holds the same entries.

The order is (timestamp, actor, entry id). What sorts last is applied to the state as it is; what comes late is sorted
in and folded again from the last checkpoint. Behind a snapshot nothing is older than its horizon: what is, is applied
as if its author had said it just then. Pure.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from runtime.errors import OrlopError
from runtime.rooms.members import is_program
from runtime.rooms.payload import OWN_WORDS
from runtime.rooms.tasks import CREATIONS, EMPTY, Folding, Task, TaskEvent, TaskState

__all__ = ["MESSAGES", "BeyondHorizonError", "Message", "RoomFold"]

MESSAGES: Final = 200
"""How many of the latest messages are kept at hand."""

_WINDOW: Final = 256
"""Events between two checkpoints; two checkpoints are kept."""

_Key = tuple[int, str, str]


class BeyondHorizonError(OrlopError):
    """An event is older than what can be folded again from here: begin anew with all entries."""


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """Something that a member said; sorts as it is shown."""

    ts_ms: int
    author: str
    id: str
    text: str


class RoomFold:
    """A room's tasks and latest messages, as far as they were added.

    Args:
        state: the tasks to begin with.
        horizon: no event counts as older.
    """

    def __init__(self, state: TaskState = EMPTY, horizon: int = -1) -> None:
        self._folding = Folding(state)
        self._horizon = horizon
        self._stamps: dict[str, int] = {}
        self._last: _Key = (horizon, "", "")
        self._checkpoints: list[tuple[_Key, TaskState]] = [(self._last, state)]
        self._tail: list[tuple[_Key, TaskEvent]] = []
        self._messages: list[Message] = []

    @classmethod
    def of(
        cls,
        events: Iterable[tuple[str, str, TaskEvent]],
        messages: Iterable[Message],
        *,
        state: TaskState = EMPTY,
        horizon: int = -1,
    ) -> "RoomFold":
        """The fold of all entries, in whatever order they come.

        Args:
            events: each with its entry's id and author.
            messages: all of them.
            state: the tasks to begin with.
            horizon: events that are older count as said just behind it.
        """
        made = cls(state, horizon)
        stamped = []
        for entry_id, author, event in sorted(events, key=lambda one: (one[2].timestamp, one[0])):
            at = max(event.timestamp, made._stamps.get(author, horizon) + 1)
            made._stamps[author] = at
            stamped.append((entry_id, event if at == event.timestamp else replace(event, timestamp=at)))
        for entry_id, event in sorted(stamped, key=lambda one: _key(*one)):
            made._add(entry_id, event)
        for message in messages:
            made.say(message)
        return made

    @property
    def folding(self) -> Folding:
        """The tasks now."""
        return self._folding

    @property
    def last_ms(self) -> int:
        """The latest time of an event so far, or the horizon."""
        return max(0, self._last[0])

    @property
    def messages(self) -> tuple[Message, ...]:
        """The latest messages, oldest first."""
        return tuple(self._messages)

    def add(self, entry_id: str, author: str, event: TaskEvent) -> bool:
        """Takes one event.

        Args:
            entry_id: of the log; decides between events of the same time and actor.
            author: in whose sequence it stands.
            event: admitted.

        Returns:
            Whether a task changed, as far as that can be said; true for a late event.

        Raises:
            BeyondHorizonError: it is older than the older checkpoint, or not later than its author's last one; nothing
                was taken.
        """
        if event.timestamp <= self._stamps.get(author, self._horizon):
            raise BeyondHorizonError("the event is older than another one of its author")
        changed = self._add(entry_id, event)
        self._stamps[author] = event.timestamp
        return changed

    def _add(self, entry_id: str, event: TaskEvent) -> bool:
        key = _key(entry_id, event)
        if key > self._last:
            self._tail.append((key, event))
            changed = self._apply(key, event)
            self._mark()
            return changed
        if key <= self._checkpoints[0][0]:
            raise BeyondHorizonError("the event is older than the horizon")
        insort(self._tail, (key, event), key=lambda one: one[0])
        self._fold_again(key)
        return True

    def say(self, message: Message) -> None:
        """Takes one message; the oldest beyond `MESSAGES` is let go."""
        insort(self._messages, message)
        del self._messages[:-MESSAGES]

    def _apply(self, key: _Key, event: TaskEvent) -> bool:
        if key[0] > self._last[0]:
            self._folding.forget()  # no later event has the key of an earlier time
        self._last = key
        return _counts(event, self._folding.tasks) and self._folding.apply(event)

    def _fold_again(self, key: _Key) -> None:
        while key <= self._checkpoints[-1][0]:
            self._checkpoints.pop()
        self._last, state = self._checkpoints[-1]
        self._folding = Folding(state)
        for at, event in self._tail[bisect_right(self._tail, self._last, key=lambda one: one[0]) :]:
            self._apply(at, event)

    def _mark(self) -> None:
        """Makes a checkpoint after a window; lets the oldest go, and what lies before the one after it."""
        newest = self._checkpoints[-1][0]
        if len(self._tail) < _WINDOW or self._tail[-_WINDOW][0] <= newest:
            return
        self._checkpoints.append((self._last, self._folding.state()))
        if len(self._checkpoints) > 2:  # noqa: PLR2004 - two checkpoints: at least one window is always at hand
            del self._checkpoints[0]
            del self._tail[: bisect_right(self._tail, self._checkpoints[0][0], key=lambda one: one[0])]


def _key(entry_id: str, event: TaskEvent) -> _Key:
    return event.timestamp, event.actor_id, entry_id


def _counts(event: TaskEvent, tasks: Mapping[str, Task]) -> bool:
    """Whether the tasks that are there let a sound event count.

    Its author was not allowed to submit it otherwise; or two did the same at once, and the other was first.
    """
    task = tasks.get(event.task_id)
    if event.type in CREATIONS:
        return task is None
    if task is None:
        return False
    by_agent = is_program(event.actor_id)
    if by_agent and event.type == "task_status_changed" and not OWN_WORDS.isdisjoint(event.task or ()):
        return task.created_by.rpartition("@")[0] == event.actor_id.rpartition("@")[0]
    return True
