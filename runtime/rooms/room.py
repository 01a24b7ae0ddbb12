"""Rooms: what the core holds of them, and the only way into their logs.

A room is a sealed log of signed entries, folded into an immutable view. Entries are appended inside transactions of
the store; views are replaced after the commit, so nobody sees what was not kept. Whoever appends takes in first what
other processes have appended meanwhile.
"""

import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from runtime.canonical import Json
from runtime.columns import Columns
from runtime.errors import RefusedError, UsageError
from runtime.events import MemberJoined, MessagePosted, RoomCreated, TaskRejected
from runtime.rooms.admission import FUTURE_MS, Admitted, Context, Held, admit
from runtime.rooms.announce import task_changed
from runtime.rooms.cards import Card
from runtime.rooms.drafts import Rejection, SubmitResult, TaskDraft
from runtime.rooms.entries import NO_ENTRY, EntryError, SignedEntry, place, sign_entry
from runtime.rooms.facts import MESSAGE_CHARACTERS, NAME_CHARACTERS, UNDOES
from runtime.rooms.fold import Message
from runtime.rooms.held_room import HeldRoom, RoomInfo
from runtime.rooms.invite import new_secret
from runtime.rooms.living import LivingRooms
from runtime.rooms.log import insert
from runtime.rooms.naming import find
from runtime.rooms.reasons import Reason
from runtime.rooms.settings import Admission, History
from runtime.rooms.tasks import Task, TaskEvent
from runtime.rooms.unsigned import opening_content
from runtime.rooms.view import RoomView
from runtime.rooms.writing import OnChange, Said, behind, check_name
from runtime.sanitise import clean
from runtime.store import Transaction

__all__ = ["MESSAGE_CHARACTERS", "NAME_CHARACTERS", "OnChange", "RoomInfo", "Rooms"]

_ID_BYTES: Final = 16
_ROOM: Final = Columns("rooms", {"room": str, "name": str, "created_ms": int})


class Rooms(LivingRooms):
    """All rooms of this node. Its methods may be called from any thread."""

    # --- which rooms there are --------------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        *,
        history: History = "joined",
        ephemeral: bool = False,
        admission: Admission = "invite",
        cause: int | None = None,
    ) -> "Future[RoomInfo]":
        """Makes a room with this node as its only member, and its creator.

        Args:
            name: shown to people; 1 to 64 characters, none of them invisible, without blanks around them.
            history: whether new members are given everything, or what is said from then on.
            ephemeral: whether nothing of it is kept on disk.
            admission: whether members prove that they hold the invitation.
            cause: seq of the event that led to this.

        Raises:
            UsageError: the name does not fit.
        """
        check_name(name)
        room, card = secrets.token_hex(_ID_BYTES), self.card()
        opening = opening_content(
            name, card, history=history, ephemeral=ephemeral, admission=admission, invite=new_secret()
        )

        def work(tx: Transaction) -> RoomInfo:
            entry = sign_entry(
                self._account,
                room=room,
                seq=place(0, 1),
                prev=NO_ENTRY,
                ts_ms=tx.now_ms,
                actor=self.self_key,
                kind="room",
                content=opening,
            )
            info = self._opened_room(tx, name, card.fingerprint, entry, ephemeral=ephemeral)
            tx.emit(RoomCreated(room=room, name=name, cause=cause))
            tx.emit(MemberJoined(room=room, key=self.self_key, name=self._display_name, cause=cause))
            return info

        return self._store.write(work)

    def adopt(
        self,
        room: str,
        name: str,
        creator: Card | str,
        link: Mapping[str, Json],
        *,
        ephemeral: bool = False,
        cause: int | None = None,
    ) -> "Future[RoomInfo]":
        """Makes a place for a room that another member created; its log comes from there.

        Args:
            room: its id.
            name: as the invitation says.
            creator: the creator's card, or its fingerprint.
            link: how this node reaches the others.
            ephemeral: whether nothing of it is kept on disk.
            cause: seq of the event that led to this.

        Returns:
            The room. The future fails with `RefusedError` when this node has it already.

        Raises:
            UsageError: the name does not fit.
        """
        check_name(name)
        fingerprint = creator if isinstance(creator, str) else creator.fingerprint

        def work(tx: Transaction) -> RoomInfo:
            here = tx.one("SELECT 1 FROM rooms WHERE room = ?", (room,)) is not None
            if here or self._held.ephemeral(room) is not None:
                raise RefusedError("this node is in the room already", where=f"room {clean(name)}")
            if ephemeral:
                held = self._hold_room(tx, room, name, fingerprint)
                held.link, info = link, held.info
            else:
                info, key = self._store_room(tx, room, name, fingerprint)
                self._store_link(tx, room, key, link)
            tx.emit(RoomCreated(room=room, name=name, cause=cause))
            return info

        return self._store.write(work)

    def list(self) -> list[RoomInfo]:
        """All rooms, oldest first; those that are in memory only come last."""
        sql = f"SELECT {_ROOM.names} FROM rooms ORDER BY created_ms, room"  # noqa: S608 - constants
        rows = self._store.read_now(lambda connection: connection.execute(sql).fetchall())
        kept = [RoomInfo(room=room, name=name, created_ms=at) for room, name, at in map(_ROOM.checked, rows)]
        return [*kept, *self._held.ephemeral_rooms()]

    def resolve(self, reference: str) -> str:
        """The id of the room that is meant by an id, a unique beginning of one, or a unique name.

        Raises:
            NotFoundError: there is none.
            AmbiguousError: there are several.
        """
        return find(reference, ((info.room, info.name) for info in self.list()), kind="room")

    def shut(self) -> None:
        """Forgets the keys and the content of all rooms; until `reopen` whoever asks for them gets a `LockedError`."""
        self._held.shut()

    def reopen(self) -> None:
        """Lets rooms be read and changed again."""
        self._held.reopen()

    def forget(self, tx: Transaction, room: str) -> None:
        """Forgets key and content of a room whose rows go with a transaction (`runtime.rooms.burning`)."""
        self._held.forget(tx, room)

    # --- content ----------------------------------------------------------------------------------------------------

    def state(self, room: str) -> RoomView:
        """The room as it was committed last; the same object while it does not change.

        The first call for a room reads its whole log. An owner knows of every change; another process looks for them.

        Args:
            room: its id.

        Raises:
            NotFoundError: there is no such room.
            RefusedError: its log was tampered with.
            UnavailableError: the store cannot be read.
        """
        return self._held.view(room)

    def submit(
        self, room: str, drafts: Sequence[TaskDraft], *, actor: str | None = None, cause: int | None = None
    ) -> "Future[SubmitResult]":
        """Appends what somebody wants to change; `on_change` hears of what was admitted.

        Args:
            room: its id.
            drafts: in order; each is judged by itself, after those before it.
            actor: who acts; this node's member when absent.
            cause: seq of the event that led to this.

        Returns:
            What was admitted and what was not. The future fails with `NotFoundError`, `RefusedError` (a log that was
            tampered with), `ClockBehindError` or another `UnavailableError`; then nothing happened.
        """

        def work(tx: Transaction) -> SubmitResult:
            result = self.append(tx, room, drafts, actor=actor or self.self_key, cause=cause)
            if result.admitted:
                tx.on_end(lambda kept: self._tell(room, result.admitted) if kept else None)
            return result

        return self._store.write(work)

    def append(
        self, tx: Transaction, room: str, drafts: Sequence[TaskDraft], *, actor: str, cause: int | None = None
    ) -> SubmitResult:
        """Appends inside the caller's transaction, so that it commits with whatever else belongs to it.

        Actor and time are forced: the time is now, but at least 1 ms after this author's last entry, and after what
        the change builds on, whose author's clock may be ahead.

        Args:
            tx: the transaction.
            room: its id.
            drafts: in order; each is judged by itself, after those before it.
            actor: a member's identity key, or an agent's actor id.
            cause: seq of the event that led to this.

        Returns:
            What was admitted and what was not.

        Raises:
            NotFoundError: there is no such room.
            RefusedError: its log was tampered with, or what this node says there does not count.
            ClockBehindError: the clock is more than five minutes behind this author's last entry.
        """
        with self._held.lock:
            held = self._held.fresh(tx, room)
            entries: list[SignedEntry] = []
            admitted: list[TaskEvent] = []
            rejected: list[Rejection] = []
            for draft in drafts:
                tasks = held.replica.fold.folding.tasks
                seen_ms = min(_seen_ms(tasks, draft), tx.now_ms + FUTURE_MS - 1)
                event = TaskEvent(
                    type=draft.type,
                    task_id=draft.task_id,
                    task=draft.task,
                    timestamp=max(self._next_ms(tx, held), seen_ms + 1),
                    actor_id=actor,
                )
                context = Context(room, tasks, held.members(), self._clock_ms(tx, room))
                taken = self._judge(tx, held, event, context, cause, undoes=draft.undoes)
                if isinstance(taken, Reason):
                    rejected.append(Rejection(draft, taken))
                    tx.emit(_rejected(context, draft, actor, taken, cause))
                else:
                    entries.append(taken[0])
                    admitted.append(taken[1])
            self._tell_entries(tx, room, entries)
            return SubmitResult(tuple(admitted), tuple(rejected))

    def say(self, room: str, text: str, *, actor: str | None = None, cause: int | None = None) -> "Future[Message]":
        """Posts a message of this node's member, or of a component that runs here.

        Args:
            room: its id.
            text: 1 to 16,384 characters, and at most 32 KiB with all that belongs to it.
            actor: who says it; this node's member when absent.
            cause: seq of the event that led to this.

        Returns:
            The message. The future fails as that of `submit`.

        Raises:
            UsageError: the text is empty, too long or not valid Unicode.
        """
        if not text.strip() or len(text) > MESSAGE_CHARACTERS:
            raise UsageError(f"a message has 1 to {MESSAGE_CHARACTERS} characters")
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise UsageError("the message is not valid Unicode")
        return self._store.write(lambda tx: self._post(tx, room, text, cause, actor or ""))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _opened_room(self, tx: Transaction, name: str, owner: str, entry: SignedEntry, *, ephemeral: bool) -> RoomInfo:
        """Makes the place of a new room, with its first entry."""
        if not ephemeral:
            info, key = self._store_room(tx, entry.room, name, owner)
            insert(tx, self._vault, key, entry)
            return info
        held = self._hold_room(tx, entry.room, name, owner)
        held.replica.offer([entry], tx.now_ms, trusted=True)
        held.log.append(entry)
        return held.info

    def _judge(
        self, tx: Transaction, held: HeldRoom, event: TaskEvent, context: Context, cause: int | None, *, undoes: bool
    ) -> tuple[SignedEntry, TaskEvent] | Reason:
        """Stores and folds one event, if it is admitted."""
        verdict = admit(event, context, author=self.self_key)
        if isinstance(verdict, Held):
            raise behind(context.room, verdict.until_ms + FUTURE_MS, tx.now_ms)
        if not isinstance(verdict, Admitted):
            return verdict.reason
        admitted = verdict.event
        content: dict[str, Json] = {"type": admitted.type, "taskId": admitted.task_id, "task": admitted.task}
        if undoes:
            content[UNDOES] = True
        tasks = held.replica.fold.folding.tasks
        before = tasks.get(event.task_id)
        try:
            entry = self._append(tx, held, Said("task", content, event.actor_id, event.timestamp))
        except EntryError as error:
            return Reason(error.why)
        after = held.replica.fold.folding.tasks.get(event.task_id)
        if after is not None and after is not before:
            tx.emit(task_changed(context.room, admitted, before, after, cause))
        return entry, admitted

    def _post(self, tx: Transaction, room: str, text: str, cause: int | None, actor: str = "") -> Message:
        with self._held.lock:
            held = self._held.fresh(tx, room)
            entry = self._append(tx, held, Said("message", {"text": text}, actor))
            tx.emit(MessagePosted(room=room, id=entry.id, author=entry.actor, text=text, cause=cause))
            self._tell_entries(tx, room, [entry])
            return Message(entry.ts_ms, entry.actor, entry.id, text)


def _seen_ms(tasks: Mapping[str, Task], draft: TaskDraft) -> int:
    """When the tasks that a draft names were last changed: a change that sorted before would be lost."""
    named = [draft.task_id, (draft.task or {}).get("parentId")]
    waits = (draft.task or {}).get("blockedBy")
    named.extend(waits if isinstance(waits, list | tuple) else ())
    return max((tasks[one].updated_at for one in named if isinstance(one, str) and one in tasks), default=0)


def _rejected(context: Context, draft: TaskDraft, actor: str, reason: Reason, cause: int | None) -> TaskRejected:
    """Names the task only where the room has it: else its id is a text of whoever wrote the draft."""
    task = draft.task_id if draft.task_id in context.tasks else ""
    return TaskRejected(room=context.room, task=task, actor=actor, reason=reason.plain, detail=str(reason), cause=cause)
