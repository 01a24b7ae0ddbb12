"""A replica: one member's copy of a room's log, and the state that follows from it.

The state is a function of the set of entries, never of the order in which they came. Nearly every entry is folded on
the spot; when others count than before (`runtime.rooms.standing`), everything is folded anew. Pure: no I/O, and no
clock but the time that is passed in.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runtime.canonical import Json
from runtime.rooms.entries import SignedEntry
from runtime.rooms.facts import message_of, task_event_of
from runtime.rooms.fold import BeyondHorizonError, Message, RoomFold
from runtime.rooms.roster import RosterMember
from runtime.rooms.standing import FOREVER_MS, Standing, folded
from runtime.rooms.tasks import TaskEvent, task_to_json

__all__ = ["FOREVER_MS", "Offered", "Refusal", "Replica"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that was not taken, and why."""

    id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What became of entries that came.

    Attributes:
        taken: what is now part of the log, in an order in which it can be taken again; also what had waited.
        events: the task events among them that count.
        held: ids of those that wait for others, or for their time.
        refused: those that will never count, and why.
        changed_structure: whether roster or settings are others than before.
    """

    taken: tuple[SignedEntry, ...] = ()
    events: tuple[TaskEvent, ...] = ()
    held: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    changed_structure: bool = False


class Replica(Standing):
    """The log of one room, folded.

    Args:
        room: its id.
        owner: fingerprint of the creator's card.
    """

    def __init__(self, room: str, owner: str) -> None:
        super().__init__(room, owner)
        self.fold = RoomFold()
        """Tasks and the latest messages."""
        self.refolds = 0
        """How often the state was computed anew."""

    def state(self) -> dict[str, Json]:
        """The state in a form in which it is compared: the same at all who have the same entries."""
        tasks = self.fold.folding.state()
        messages: list[Json] = [
            [message.ts_ms, message.author, message.id, message.text] for message in sorted(self._messages())
        ]
        return {
            "v": 1,
            "room": self.room,
            "settings": self.settings.to_json(),
            "members": [_member_json(key, one) for key, one in self.roster.everybody.items()],
            "contested": sorted(self.roster.contested),
            "forked": sorted(self.roster.forked),
            "snapshot": None if self.snapshot is None else self.snapshot.id,
            "tasks": [task_to_json(one) for one in tasks.tasks.values()],
            "last": dict(tasks.last_actors),
            "messages": messages,
        }

    def _messages(self) -> Iterator[Message]:
        for entry in self._counting("message"):
            if not self.covered(entry) and (message := message_of(entry)) is not None:
                yield message

    # --- what comes -------------------------------------------------------------------------------------------------

    def offer(self, entries: Iterable[SignedEntry], now_ms: int, *, trusted: bool = False) -> Offered:
        """Takes entries of anybody, in any order.

        Args:
            entries: of this room; well-formed, their signatures not verified.
            now_ms: the time here.
            trusted: that they were verified before, as those that are read from this node's store.
        """
        refused: list[Refusal] = []
        came = []
        taken: list[SignedEntry] = []
        self._pending = taken
        before = (self.roster, self.settings)
        for entry in entries:
            came.append(entry.id)
            if why := self._take(entry, now_ms, trusted=trusted):
                refused.append(Refusal(entry.id, why))
        self._settle(now_ms)
        events = self._fold_in(taken)
        waiting = self.waiting() if len(taken) < len(came) else {}
        return Offered(
            taken=tuple(taken),
            events=tuple(events),
            held=tuple(one for one in dict.fromkeys(came) if one in waiting),
            refused=tuple(refused),
            changed_structure=before != (self.roster, self.settings),
        )

    def tick(self, now_ms: int) -> Offered:
        """Takes what waited for its time."""
        taken: list[SignedEntry] = []
        self._pending = taken
        before = (self.roster, self.settings)
        self._release_all(now_ms)
        events = self._fold_in(taken)
        return Offered(
            taken=tuple(taken), events=tuple(events), changed_structure=before != (self.roster, self.settings)
        )

    # --- the state --------------------------------------------------------------------------------------------------

    def _fold_in(self, taken: Sequence[SignedEntry]) -> list[TaskEvent]:
        """Folds what was taken, or everything anew; gives the task events that count."""
        events = []
        for entry in taken:
            if not self.counts(entry) or self.covered(entry):
                continue
            if entry.kind == "task" and (event := task_event_of(entry)) is not None:
                events.append(event)
                self._fold_event(entry, event)
            elif entry.kind == "message" and not self._refold and (message := message_of(entry)) is not None:
                self.fold.say(message)
        if self._refold:
            self.fold_anew()
        return events

    def _fold_event(self, entry: SignedEntry, event: TaskEvent) -> None:
        if not self._refold:
            try:
                self.fold.add(entry.id, entry.author, event)
            except BeyondHorizonError:
                self._refold = True

    def fold_anew(self) -> None:
        """Computes tasks and messages from all that counts."""
        self._refold = False
        self.refolds += 1
        events = [
            (entry.id, entry.author, event)
            for entry in self._counting("task")
            if not self.covered(entry) and (event := task_event_of(entry)) is not None
        ]
        messages = [message for message in map(message_of, self._counting("message")) if message is not None]
        self.fold = folded(self.snapshot, events, messages)


def _member_json(key: str, member: RosterMember) -> dict[str, Json]:
    return {
        "identityKey": key,
        "ed25519Key": member.card.ed25519_key,
        "peerId": member.card.peer_id,
        "name": member.card.name,
        "since_ms": member.since_ms,
        "vouched_by": member.vouched_by,
        "ranges": [[one.after, one.end if one.end < FOREVER_MS else None] for one in member.ranges],
    }
