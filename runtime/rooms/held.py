"""What this process holds of its rooms in memory, and how it stays true to the store.

The replica of a room runs along inside transactions, on the store's writer thread; the view is made from it after the
commit. A replica whose entries were undone is thrown away, and read again by whoever needs the room next.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from runtime.columns import Columns
from runtime.errors import LockedError, NotFoundError
from runtime.rooms.cards import Card
from runtime.rooms.entries import SignedEntry, Signer
from runtime.rooms.held_room import HeldRoom, RoomInfo
from runtime.rooms.log import (
    Connection,
    drop_waiting,
    insert,
    insert_waiting,
    is_unsigned,
    read_entries,
    read_waiting,
)
from runtime.rooms.members import Member
from runtime.rooms.replica import FOREVER_MS, Offered, Replica
from runtime.rooms.unsigned import sign_room
from runtime.rooms.view import RoomView
from runtime.sanitise import clean
from runtime.store import Store, Transaction
from runtime.vault import SealBrokenError, Vault

__all__ = ["HeldRooms", "key_aad", "member_aad"]

_T = TypeVar("_T")

_ROOM = Columns("rooms", {"room": str, "name": str, "created_ms": int, "owner": str, "sealed_key": bytes})
_MEMBER = Columns(
    "room_members", {"room": str, "identity_key": str, "is_self": int, "verified": int, "sealed": bytes}, key=2
)
_SELECT_ROOM = f"SELECT {_ROOM.names} FROM rooms WHERE room = ?"  # noqa: S608 - constants
_SELECT_MEMBERS = (
    f"SELECT {_MEMBER.names} FROM room_members"  # noqa: S608 - constants
    " WHERE room = ? ORDER BY is_self DESC, joined_ms, identity_key"
)


class HeldRooms:
    """The rooms in memory.

    Args:
        store: where they are kept.
        vault: opens them.
        signer: this node's account, which signs what is from before entries were signed.
        card_of: makes this node's card under a name.
    """

    def __init__(self, store: Store, vault: Vault, signer: Signer, card_of: Callable[[str], Card]) -> None:
        self.lock = threading.RLock()
        self._store = store
        self._vault = vault
        self._signer = signer
        self._card_of = card_of
        self._rooms: dict[str, HeldRoom] = {}
        self._keys: dict[str, bytes] = {}
        self._ephemeral: dict[str, HeldRoom] = {}
        self._shut = False

    def shut(self) -> None:
        """Forgets the rooms and their keys, and lets nobody read them until `reopen`.

        Ephemeral ones, which are nowhere else, are only closed.
        """
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
                    self._ephemeral.pop(room, None)

        tx.on_end(ended)

    def add_ephemeral(self, tx: Transaction, held: HeldRoom) -> None:
        """Takes in a room that is in memory only, as soon as a transaction is committed.

        Args:
            tx: the transaction.
            held: the room, complete.
        """
        held.ephemeral = True

        def ended(kept: bool) -> None:
            if kept:
                with self.lock:
                    self._rooms.pop(held.info.room, None)
                    self._keys.pop(held.info.room, None)
                    self._ephemeral[held.info.room] = held

        tx.on_end(ended)

    def ephemeral(self, room: str) -> HeldRoom | None:
        """A room that is in memory only; None for all others."""
        return self._ephemeral.get(room)

    def ephemeral_rooms(self) -> list[RoomInfo]:
        """The rooms that are in memory only."""
        return [held.info for held in list(self._ephemeral.values())]

    def view(self, room: str) -> RoomView:
        """The room with everything that is committed; the same object while that does not change.

        Raises:
            NotFoundError: there is no such room.
            RefusedError: its log was tampered with.
            UnavailableError: the store cannot be read.
        """
        held = self._known(room)
        if held is not None and held.view is not None and self._is_current(held):
            return held.view
        self._sign_old(room)
        with self.lock:  # before the read begins: it then sees no less than the writer thread has said so far
            return self._store.read_now(lambda connection: self._looked(connection, room))

    def look(self, room: str, use: Callable[[Replica], _T]) -> _T:
        """What somebody makes of the replica with everything that is committed.

        Args:
            room: its id.
            use: must be quick, and keep nothing of the replica that changes.

        Raises:
            NotFoundError: there is no such room.
            RefusedError: its log was tampered with.
            UnavailableError: the store cannot be read.
        """
        with self.lock:
            held = self._known(room)
            if held is not None and self._is_current(held) and not held.dirty:
                return use(held.replica)
        self._sign_old(room)
        with self.lock:
            return use(self._store.read_now(lambda connection: self._committed(connection, room).replica))

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

    def note_present(self, room: str, keys: Iterable[str] | None) -> None:
        """Says who is there."""
        with self.lock:
            held = self._known(room)
            if held is not None:
                held.present = None if keys is None else frozenset(keys)
                held.stale = True
                if not held.dirty and held.view is not None:
                    held.view, held.stale = held.shown(), False

    def fresh(self, tx: Transaction, room: str) -> HeldRoom:
        """The room with everything that a transaction sees; hold the lock while it is in use.

        Raises:
            NotFoundError: there is no such room.
            RefusedError: its log was tampered with.
        """
        if is_unsigned(tx, room):
            self._sign(tx, room)
        held = self._held(tx, room)
        held.dirty = True
        if held.ephemeral:
            mark = len(held.unlogged)
            tx.on_end(lambda kept: self._ended_in_memory(held, mark, kept=kept))
            return held
        tx.on_end(lambda kept: self._ended(held, kept=kept))
        self._take_in(tx, held)
        if held.unsaved:
            self.save(tx, held, Offered(taken=tuple(held.unsaved)))
            held.unsaved.clear()
        return held

    def save(self, tx: Transaction, held: HeldRoom, offered: Offered) -> None:
        """Stores what the replica took, and what waits beside it.

        Args:
            tx: the transaction, for which the room is fresh.
            held: the room.
            offered: what became of entries that came.
        """
        if held.ephemeral:
            held.unlogged.extend(offered.taken)
            return
        for entry in offered.taken:
            held.pos = max(held.pos, insert(tx, self._vault, held.key, entry))
        if not offered.held and not held.waiting:
            return
        waiting = held.replica.waiting()
        new = [waiting[one] for one in waiting if one not in held.waiting]
        insert_waiting(tx, self._vault, held.key, new)
        drop_waiting(tx, held.info.room, held.waiting - waiting.keys())
        held.waiting = set(waiting)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _ended(self, held: HeldRoom, *, kept: bool) -> None:
        """On the writer thread: what a transaction appended was committed, or undone."""
        room = held.info.room
        with self.lock:
            current = self._rooms.get(room)
            if not kept:
                if current is held:
                    del self._rooms[room]  # its replica cannot be turned back
            elif current is not held:
                if current is not None:
                    current.stale = True  # it was read while that transaction ran
            elif held.dirty:
                held.view, held.dirty, held.stale = held.shown(), False, False

    def _ended_in_memory(self, held: HeldRoom, mark: int, *, kept: bool) -> None:
        """As `_ended`, for a room of which the store knows nothing: what was undone is taken back here."""
        with self.lock:
            if kept:
                held.log.extend(held.unlogged)
                held.unlogged.clear()
            else:
                del held.unlogged[mark:]
                held.replica = self._replayed(held, [*held.log, *held.unlogged])
            held.view, held.dirty, held.stale = held.shown(), bool(held.unlogged), False

    @staticmethod
    def _replayed(held: HeldRoom, entries: Iterable[SignedEntry]) -> Replica:
        replica = Replica(held.info.room, held.owner)
        replica.offer(entries, FOREVER_MS, trusted=True)
        return replica

    def _is_current(self, held: HeldRoom) -> bool:
        """Whether what is in memory is what was committed last: an owner hears of every change."""
        return self._store.owner and held.view is not None and not held.stale

    def _known(self, room: str) -> HeldRoom | None:
        """A room that is in memory already."""
        return self._rooms.get(room) or (None if self._shut else self._ephemeral.get(room))

    def _looked(self, connection: Connection, room: str) -> RoomView:
        held = self._held(connection, room)
        if held.dirty:
            # A transaction runs: its replica is not to be seen yet.
            if held.view is None:
                held.view = self._aside(connection, held).shown()
            return held.view
        if self._take_in(connection, held) or held.view is None or held.stale:
            held.view = held.shown()
        held.stale = False
        return held.view

    def _committed(self, connection: Connection, room: str) -> HeldRoom:
        held = self._held(connection, room)
        if held.dirty:
            return self._aside(connection, held)
        if self._take_in(connection, held):
            held.stale = True
        return held

    def _aside(self, connection: Connection, held: HeldRoom) -> HeldRoom:
        if held.ephemeral:
            return replace(held, replica=self._replayed(held, held.log))
        aside = replace(held, replica=Replica(held.info.room, held.owner), pos=0, waiting=set(), unsaved=[])
        self._take_in(connection, aside)
        return aside

    def _take_in(self, connection: Connection, held: HeldRoom) -> bool:
        """Takes entries that the connection sees and the replica lacks; says whether there were any."""
        if held.ephemeral:
            return False
        first = not held.pos
        rows = read_entries(connection, self._vault, held.key, held.info.room, after=held.pos)
        if rows:
            held.replica.offer((entry for _, entry in rows), FOREVER_MS, trusted=True)
            held.pos = rows[-1][0]
            held.kept_roster = held.replica.roster
        if first:
            waiting = read_waiting(connection, self._vault, held.key, held.info.room)
            held.waiting = {entry.id for entry in waiting}
            if waiting:
                held.unsaved.extend(held.replica.offer(waiting, self._store.clock.wall_ms()).taken)
        return bool(rows)

    def _held(self, connection: Connection, room: str) -> HeldRoom:
        if self._shut:
            raise LockedError("the screen is locked", hint="orlop unlock asks for the PIN")
        held = self._known(room)
        if held is None:
            held = self._opened(connection, room)
            self._rooms[room], self._keys[room] = held, held.key
        return held

    def _opened(self, connection: Connection, room: str) -> HeldRoom:
        row = connection.execute(_SELECT_ROOM, (room,)).fetchone()
        if row is None:
            raise NotFoundError("no such room", where=clean(room, 60))
        _, name, created_ms, owner, sealed_key = _ROOM.checked(row)
        info = RoomInfo(room=room, name=name, created_ms=created_ms)
        try:
            key = self._vault.open(sealed_key, key_aad(room))
            me, verified = self._members(connection, room, key)
        except SealBrokenError as error:
            hint = "put back the database and the vault.key that belongs to it"
            raise SealBrokenError(error.why, where=f"room {clean(info.name)}", hint=hint) from None
        return HeldRoom(info, key, owner, me, Replica(room, owner), verified)

    def _members(self, connection: Connection, room: str, key: bytes) -> tuple[Member, set[str]]:
        me, verified = Member(identity_key=self._signer.identity_key, display_name="me", is_self=True), set()
        for row in connection.execute(_SELECT_MEMBERS, (room,)):
            _, identity_key, is_self, is_verified, sealed = _MEMBER.checked(row)
            name = self._vault.open(sealed, member_aad(room, identity_key), key).decode()
            if is_verified:
                verified.add(identity_key)
            if is_self and identity_key == me.identity_key:
                me = replace(me, display_name=name)
        return me, verified

    def _sign_old(self, room: str) -> None:
        """Signs the entries of a room from before entries were signed; not to be called inside a work of the store."""
        if room not in self._rooms and self._store.read_now(lambda connection: is_unsigned(connection, room)):
            self._store.write(lambda tx: self._sign(tx, room) if is_unsigned(tx, room) else None).result()

    def _sign(self, tx: Transaction, room: str) -> None:
        held = self._opened(tx, room)
        sign_room(
            tx,
            self._vault,
            held.key,
            self._signer,
            self._card_of(held.me.display_name),
            room=room,
            name=held.info.name,
            created_ms=held.info.created_ms,
        )
        with self.lock:
            self._rooms.pop(room, None)


def key_aad(room: str) -> bytes:
    """What a room's sealed key is bound to."""
    return f"orlop-room-key:1:{room}".encode()


def member_aad(room: str, identity_key: str) -> bytes:
    """What a member's sealed name is bound to."""
    return f"orlop-room-member:1:{room}:{identity_key}".encode()
