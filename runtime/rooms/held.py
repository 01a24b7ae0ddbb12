"""What this process holds of its rooms in memory, and how it stays true to the store.

The fold of a room runs along inside transactions, on the store's writer thread; the view is made from it after the
commit. A fold whose entries were undone is thrown away, and read again by whoever needs the room next.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from runtime.columns import Columns
from runtime.errors import LockedError, NotFoundError
from runtime.rooms.fold import BeyondHorizonError, Message, RoomFold
from runtime.rooms.log import Connection, Entry, read_entries
from runtime.rooms.members import Member
from runtime.rooms.tasks import TaskEvent
from runtime.rooms.view import RoomView
from runtime.sanitise import clean
from runtime.store import Store, Transaction
from runtime.vault import SealBrokenError, Vault

__all__ = ["HeldRoom", "HeldRooms", "RoomInfo", "key_aad", "member_aad", "message_of"]

_ROOM = Columns("rooms", {"room": str, "name": str, "created_ms": int, "sealed_key": bytes})
_MEMBER = Columns("room_members", {"room": str, "identity_key": str, "is_self": int, "sealed": bytes}, key=2)
_SELECT_ROOM = f"SELECT {_ROOM.names} FROM rooms WHERE room = ?"  # noqa: S608 - constants
_SELECT_MEMBERS = (
    f"SELECT {_MEMBER.names} FROM room_members"  # noqa: S608 - constants
    " WHERE room = ? ORDER BY is_self DESC, joined_ms, identity_key"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomInfo:
    """A room by name, without its content."""

    room: str
    name: str
    created_ms: int


@dataclass(slots=True)
class HeldRoom:
    """One room. Whoever changes it holds the lock."""

    info: RoomInfo
    key: bytes = field(repr=False)
    members: tuple[Member, ...]
    fold: RoomFold
    pos: int = 0
    """The last entry that is in the fold."""
    dirty: bool = False
    """The fold may contain entries that are not committed yet."""
    stale: bool = False
    """There are committed entries that the view may lack."""
    view: RoomView | None = None

    def shown(self) -> RoomView:
        """A view of the fold as it is."""
        return RoomView(
            room=self.info.room,
            name=self.info.name,
            created_ms=self.info.created_ms,
            tasks=self.fold.folding.state().tasks,
            members=self.members,
            messages=self.fold.messages,
        )


class HeldRooms:
    """The rooms in memory.

    Args:
        store: where they are kept.
        vault: opens them.
    """

    def __init__(self, store: Store, vault: Vault) -> None:
        self.lock = threading.RLock()
        self._store = store
        self._vault = vault
        self._rooms: dict[str, HeldRoom] = {}
        self._keys: dict[str, bytes] = {}
        self._shut = False

    def shut(self) -> None:
        """Forgets the rooms and their keys, and lets nobody read them until `reopen`."""
        with self.lock:
            self._shut = True
            self._rooms.clear()
            self._keys.clear()

    def reopen(self) -> None:
        """Lets rooms be read again."""
        self._shut = False

    def forget(self, tx: Transaction, room: str) -> None:
        """Forgets a room whose rows go with a transaction, as soon as that is committed."""

        def ended(kept: bool) -> None:
            if kept:
                with self.lock:
                    self._rooms.pop(room, None)
                    self._keys.pop(room, None)

        tx.on_end(ended)

    def view(self, room: str) -> RoomView:
        """The room with everything that is committed; the same object while that does not change.

        Raises:
            NotFoundError: there is no such room.
            RefusedError: its log was tampered with.
            UnavailableError: the store cannot be read.
        """
        held = self._rooms.get(room)
        if self._store.owner and held is not None and held.view is not None and not held.stale:
            return held.view  # an owner hears of every change
        with self.lock:  # before the read begins: it then sees no less than the writer thread has said so far
            return self._store.read_now(lambda connection: self._looked(connection, room))

    def key_of(self, room: str) -> bytes:
        """The room's key.

        Raises:
            NotFoundError: there is no such room.
        """
        key = self._keys.get(room)
        if key is None:
            with self.lock:
                key = self._store.read_now(lambda connection: self._held(connection, room).key)
        return key

    def fresh(self, tx: Transaction, room: str) -> HeldRoom:
        """The room with everything that a transaction sees; hold the lock while it is in use.

        Raises:
            NotFoundError: there is no such room.
            RefusedError: its log was tampered with.
        """
        held = self._held(tx, room)
        held.dirty = True
        tx.on_end(lambda kept: self._ended(held, kept=kept))
        self._take_in(tx, held)
        return held

    def grow(self, tx: Transaction, held: HeldRoom, pos: int, entry: Entry) -> bool:
        """Folds an entry that was just stored.

        Args:
            tx: the transaction, for which the room is fresh.
            held: the room.
            pos: the entry's place in the database.
            entry: of a task or a message.

        Returns:
            Whether the room changed.
        """
        try:
            changed = _fold(held.fold, entry)
        except BeyondHorizonError:
            # Other members' clocks are ahead of ours, by many entries.
            held.pos = 0
            return self._take_in(tx, held)
        held.pos = pos
        return changed

    def _ended(self, held: HeldRoom, *, kept: bool) -> None:
        """On the writer thread: what a transaction appended was committed, or undone."""
        room = held.info.room
        with self.lock:
            current = self._rooms.get(room)
            if not kept:
                if current is held:
                    del self._rooms[room]  # its fold cannot be turned back
            elif current is not held:
                if current is not None:
                    current.stale = True  # it was read while that transaction ran
            elif held.dirty:
                held.view, held.dirty, held.stale = held.shown(), False, False

    def _looked(self, connection: Connection, room: str) -> RoomView:
        held = self._held(connection, room)
        if held.dirty:
            # A transaction runs: its fold is not to be seen yet.
            if held.view is None:
                aside = replace(held, fold=RoomFold(), pos=0)
                self._take_in(connection, aside)
                held.view = aside.shown()
            return held.view
        if self._take_in(connection, held) or held.view is None:
            held.view = held.shown()
        held.stale = False
        return held.view

    def _take_in(self, connection: Connection, held: HeldRoom) -> bool:
        """Folds entries that the connection sees and the fold lacks; says whether there were any."""
        entries = read_entries(connection, self._vault, held.key, held.info.room, after=held.pos)
        try:
            for _, entry in entries if held.pos else ():
                _fold(held.fold, entry)
        except BeyondHorizonError:
            held.pos = 0
            entries = read_entries(connection, self._vault, held.key, held.info.room)
        if not held.pos:
            tasks = [(entry.id, _task_event(entry)) for _, entry in entries if entry.kind == "task"]
            held.fold = RoomFold.of(tasks, [message_of(entry) for _, entry in entries if entry.kind == "message"])
        if entries:
            held.pos = entries[-1][0]
        return bool(entries)

    def _held(self, connection: Connection, room: str) -> HeldRoom:
        if self._shut:
            raise LockedError("the screen is locked", hint="orlop unlock asks for the PIN")
        held = self._rooms.get(room)
        if held is None:
            row = connection.execute(_SELECT_ROOM, (room,)).fetchone()
            if row is None:
                raise NotFoundError("no such room", where=clean(room, 60))
            _, name, created_ms, sealed_key = _ROOM.checked(row)
            info = RoomInfo(room=room, name=name, created_ms=created_ms)
            try:
                key = self._vault.open(sealed_key, key_aad(room))
                members = self._members(connection, room, key)
            except SealBrokenError as error:
                hint = "put back the database and the vault.key that belongs to it"
                raise SealBrokenError(error.why, where=f"room {clean(info.name)}", hint=hint) from None
            held = HeldRoom(info, key, members, RoomFold())
            self._rooms[room], self._keys[room] = held, key
        return held

    def _members(self, connection: Connection, room: str, key: bytes) -> tuple[Member, ...]:
        return tuple(
            Member(
                identity_key=identity_key,
                display_name=self._vault.open(sealed, member_aad(room, identity_key), key).decode(),
                is_self=bool(is_self),
            )
            for _, identity_key, is_self, sealed in map(_MEMBER.checked, connection.execute(_SELECT_MEMBERS, (room,)))
        )


def key_aad(room: str) -> bytes:
    """What a room's sealed key is bound to."""
    return f"orlop-room-key:1:{room}".encode()


def member_aad(room: str, identity_key: str) -> bytes:
    """What a member's sealed name is bound to."""
    return f"orlop-room-member:1:{room}:{identity_key}".encode()


def message_of(entry: Entry) -> Message:
    """The message that an entry of that kind contains."""
    return Message(entry.timestamp_ms, entry.author, entry.id, str(entry.content["text"]))


def _task_event(entry: Entry) -> TaskEvent:
    task = entry.content["task"]
    return TaskEvent(
        type=str(entry.content["type"]),
        task_id=str(entry.content["taskId"]),
        task=task if isinstance(task, Mapping) else None,
        timestamp=entry.timestamp_ms,
        actor_id=entry.actor,
    )


def _fold(fold: RoomFold, entry: Entry) -> bool:
    if entry.kind == "task":
        return fold.add(entry.id, _task_event(entry))
    fold.say(message_of(entry))
    return True
