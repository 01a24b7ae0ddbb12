"""Rooms: what the core holds of them, and the only way into their logs.

A room is a sealed log of admitted entries, folded into an immutable view. Entries are appended inside transactions of
the store; views are replaced after the commit, so nobody sees what was not kept. Whoever appends takes in first what
other processes have appended meanwhile.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final, Protocol

from runtime.canonical import Json
from runtime.columns import Columns
from runtime.errors import UsageError
from runtime.events import MemberJoined, MessagePosted, RoomCreated, TaskChanged, TaskRejected
from runtime.rooms.admission import FUTURE_MS, Admitted, Context, Held, admit, stamp
from runtime.rooms.drafts import ClockBehindError, Rejection, SubmitResult, TaskDraft
from runtime.rooms.fold import Message
from runtime.rooms.held import HeldRoom, HeldRooms, RoomInfo, key_aad, member_aad, message_of
from runtime.rooms.log import Entry, Head, Kind, head_of, insert
from runtime.rooms.members import cut_name
from runtime.rooms.naming import find
from runtime.rooms.reasons import Reason
from runtime.rooms.settings import RoomSettings
from runtime.rooms.tasks import FIELDS, Task, TaskEvent
from runtime.rooms.view import RoomView
from runtime.sanitise import clean
from runtime.store import Store, Transaction
from runtime.vault import Vault

__all__ = ["MESSAGE_CHARACTERS", "NAME_CHARACTERS", "OnChange", "RoomInfo", "Rooms"]

NAME_CHARACTERS: Final = 64
"""Characters of a room's name at most."""

MESSAGE_CHARACTERS: Final = 16_384
"""Characters of a message at most."""

_ID_BYTES: Final = 16
_ROOM: Final = Columns("rooms", {"room": str, "name": str, "created_ms": int})
_SHOWN: Final = [(key, name) for key, name in FIELDS.items() if key not in {"id", "updatedAt"}]
"""What an event calls a changed field, and the field's attribute."""

OnChange = Callable[[str, tuple[TaskEvent, ...]], None]
"""Called with a room and the events that were submitted, after their commit, on the store's writer thread; must only
hand them on. What goes through `Rooms.append` is its caller's to pass on."""


class _Account(Protocol):
    """What rooms need of `runtime.account.MemberAccount`."""

    @property
    def identity_key(self) -> str: ...


class Rooms:
    """All rooms of this node. Its methods may be called from any thread.

    Args:
        store: keeps them.
        vault: seals the rooms' keys.
        account: this node's member in every room.
        display_name: that member's name in new rooms.
        on_change: hears of what is submitted here.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        account: _Account,
        *,
        display_name: str = "",
        on_change: OnChange | None = None,
    ) -> None:
        self.self_key = account.identity_key
        """Identity key of this node's member."""
        self.on_change = on_change
        self._store = store
        self._vault = vault
        self._display_name = cut_name(display_name) or "me"
        self._held = HeldRooms(store, vault)

    # --- which rooms there are --------------------------------------------------------------------------------------

    def create(self, name: str, *, cause: int | None = None) -> "Future[RoomInfo]":
        """Makes a room with this node as its only member.

        Args:
            name: shown to people; 1 to 64 characters, none of them invisible, without blanks around them.
            cause: seq of the event that led to this.

        Raises:
            UsageError: the name does not fit.
        """
        if not 1 <= len(name) <= NAME_CHARACTERS or clean(name, 2 * NAME_CHARACTERS) != name or name != name.strip():
            why = f"must have 1 to {NAME_CHARACTERS} characters, none of them invisible, and no blanks around them"
            raise UsageError(why, where="room name")
        room = secrets.token_hex(_ID_BYTES)
        key = self._vault.new_key()
        sealed_key = self._vault.seal(key, key_aad(room))
        sealed_name = self._vault.seal(self._display_name.encode(), member_aad(room, self.self_key), key)

        def work(tx: Transaction) -> RoomInfo:
            tx.execute(
                "INSERT INTO rooms (room, name, created_ms, sealed_key) VALUES (?, ?, ?, ?)",
                (room, name, tx.now_ms, sealed_key),
            )
            tx.execute(
                "INSERT INTO room_members (room, identity_key, is_self, joined_ms, sealed) VALUES (?, ?, 1, ?, ?)",
                (room, self.self_key, tx.now_ms, sealed_name),
            )
            tx.emit(RoomCreated(room=room, name=name, cause=cause))
            tx.emit(MemberJoined(room=room, key=self.self_key, name=self._display_name, cause=cause))
            return RoomInfo(room=room, name=name, created_ms=tx.now_ms)

        return self._store.write(work)

    def list(self) -> list[RoomInfo]:
        """All rooms, oldest first."""
        sql = f"SELECT {_ROOM.names} FROM rooms ORDER BY created_ms, room"  # noqa: S608 - constants
        rows = self._store.read_now(lambda connection: connection.execute(sql).fetchall())
        return [RoomInfo(room=room, name=name, created_ms=at) for room, name, at in map(_ROOM.checked, rows)]

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

    def settings(self, room: str) -> RoomSettings:
        """What a room is like.

        Args:
            room: its id.

        Raises:
            NotFoundError: there is no such room.
        """
        return RoomSettings(name=self.state(room).name)

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

        Actor and time are forced: the time is now, but at least 1 ms after this author's last entry.

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
            RefusedError: its log was tampered with.
            ClockBehindError: the clock is more than five minutes behind this author's last entry.
        """
        with self._held.lock:
            held = self._held.fresh(tx, room)
            head = head_of(tx, room, self.self_key)
            admitted: list[TaskEvent] = []
            rejected: list[Rejection] = []
            for draft in drafts:
                event = TaskEvent(
                    type=draft.type,
                    task_id=draft.task_id,
                    task=draft.task,
                    timestamp=stamp(tx.now_ms, head.timestamp_ms),
                    actor_id=actor,
                )
                context = Context(room, held.fold.folding.tasks, held.members, tx.now_ms)
                verdict = admit(event, context, author=self.self_key)
                if isinstance(verdict, Admitted):
                    head = self._take(tx, held, head, verdict.event, cause)
                    admitted.append(verdict.event)
                    continue
                if isinstance(verdict, Held):
                    raise _behind(room, verdict.until_ms + FUTURE_MS, tx.now_ms)
                rejected.append(Rejection(draft, verdict.reason))
                tx.emit(_rejected(context, draft, actor, verdict.reason, cause))
            return SubmitResult(tuple(admitted), tuple(rejected))

    def say(self, room: str, text: str, *, cause: int | None = None) -> "Future[Message]":
        """Posts a message of this node's member.

        Args:
            room: its id.
            text: 1 to 16,384 characters.
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
        return self._store.write(lambda tx: self._post(tx, room, text, cause))

    # --- the room's key ---------------------------------------------------------------------------------------------

    def seal(self, room: str, plain: bytes, aad: bytes) -> bytes:
        """Seals what belongs to a room under its key, so that it goes when the room goes.

        Args:
            room: its id.
            plain: what is hidden.
            aad: what it is and where it belongs.

        Raises:
            NotFoundError: there is no such room.
        """
        return self._vault.seal(plain, _data_aad(room, aad), self._held.key_of(room))

    def open(self, room: str, sealed: bytes, aad: bytes) -> bytes:
        """Opens what `seal` made.

        Raises:
            NotFoundError: there is no such room.
            SealBrokenError: wrong `aad`, or changed bytes.
        """
        return self._vault.open(sealed, _data_aad(room, aad), self._held.key_of(room))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _take(self, tx: Transaction, held: HeldRoom, head: Head, event: TaskEvent, cause: int | None) -> Head:
        """Stores and folds one admitted event."""
        content: Mapping[str, Json] = {"type": event.type, "taskId": event.task_id, "task": event.task}
        entry = self._entry(held, head, "task", content, at=event.timestamp, actor=event.actor_id)
        before = held.fold.folding.tasks.get(event.task_id)
        if self._held.grow(tx, held, insert(tx, self._vault, held.key, entry), entry):
            tx.emit(_changed(held.info.room, event, before, held.fold.folding.tasks[event.task_id], cause))
        return Head(entry.author_seq, entry.timestamp_ms)

    def _post(self, tx: Transaction, room: str, text: str, cause: int | None) -> Message:
        with self._held.lock:
            held = self._held.fresh(tx, room)
            head = head_of(tx, room, self.self_key)
            at = stamp(tx.now_ms, head.timestamp_ms)
            if at > tx.now_ms + FUTURE_MS:
                raise _behind(room, at, tx.now_ms)
            entry = self._entry(held, head, "message", {"text": text}, at=at, actor=self.self_key)
            self._held.grow(tx, held, insert(tx, self._vault, held.key, entry), entry)
            tx.emit(MessagePosted(room=room, id=entry.id, author=entry.author, text=text, cause=cause))
            return message_of(entry)

    def _entry(
        self, held: HeldRoom, head: Head, kind: Kind, content: Mapping[str, Json], *, at: int, actor: str
    ) -> Entry:
        return Entry(
            room=held.info.room,
            id=secrets.token_hex(_ID_BYTES),
            author=self.self_key,
            author_seq=head.author_seq + 1,
            timestamp_ms=at,
            actor=actor,
            kind=kind,
            content=content,
        )

    def _tell(self, room: str, events: tuple[TaskEvent, ...]) -> None:
        if self.on_change is not None:
            self.on_change(room, events)


def _changed(room: str, event: TaskEvent, before: Task | None, after: Task, cause: int | None) -> TaskChanged:
    return TaskChanged(
        room=room,
        task=event.task_id,
        change=event.type,
        actor=event.actor_id,
        fields=tuple(key for key, name in _SHOWN if getattr(before, name, None) != getattr(after, name)),
        status=after.status,
        title=after.title,
        cause=cause,
    )


def _rejected(context: Context, draft: TaskDraft, actor: str, reason: Reason, cause: int | None) -> TaskRejected:
    """Names the task only where the room has it: else its id is a text of whoever wrote the draft."""
    task = draft.task_id if draft.task_id in context.tasks else ""
    return TaskRejected(room=context.room, task=task, actor=actor, reason=reason.plain, detail=str(reason), cause=cause)


def _behind(room: str, at: int, now_ms: int) -> ClockBehindError:
    why = f"the clock is {(at - now_ms) // 60_000} minutes behind the last entry of this room"
    return ClockBehindError(why, where=f"room {room}", hint="set it right; nothing is taken until it has caught up")


def _data_aad(room: str, aad: bytes) -> bytes:
    return f"orlop-room-data:1:{room}:".encode() + aad
