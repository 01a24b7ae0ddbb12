"""The rooms of this node as far as it writes in them: its own entries, and what is stored of those that came."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from runtime.canonical import Json, decode, encode
from runtime.errors import NotFoundError, RefusedError, UnavailableError, UsageError
from runtime.rooms.admission import FUTURE_MS, stamp
from runtime.rooms.announce import announce, before
from runtime.rooms.blocks import current_block
from runtime.rooms.burning import forget_rows
from runtime.rooms.cards import Card, make_card
from runtime.rooms.drafts import ClockBehindError
from runtime.rooms.entries import NO_ENTRY, SignedEntry, Signer, block_of, place, sign_entry
from runtime.rooms.facts import NAME_CHARACTERS
from runtime.rooms.held import HeldRooms, key_aad, member_aad
from runtime.rooms.held_room import HeldRoom, RoomInfo
from runtime.rooms.members import Member, cut_name
from runtime.rooms.replica import Offered, Replica
from runtime.rooms.tasks import TaskEvent
from runtime.sanitise import clean
from runtime.store import Store, Transaction
from runtime.vault import Vault

__all__ = [
    "RECLOCK",
    "Node",
    "OnChange",
    "OnEntries",
    "Said",
    "WritingRooms",
    "behind",
    "check_name",
    "link_aad",
]

RECLOCK: Final = "reclock:"
"""Key of table `meta`, before a room's id: until when its own entries may be dated ahead of the clock."""

OnChange = Callable[[str, tuple[TaskEvent, ...]], None]
"""Called with a room and task events that came into it, after their commit, on the store's writer thread; must only
hand them on. What goes through `Rooms.append` is its caller's to pass on."""

OnEntries = Callable[[str, tuple[SignedEntry, ...]], None]
"""Called with a room and this node's own new entries, after their commit, on the store's writer thread; must only hand
them on."""


class Node(Protocol):
    """What rooms need of `runtime.identity.Identity`: the key that signs cards beside the account's."""

    @property
    def peer_id(self) -> str:
        """The node's name."""
        ...

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """Signs under a domain."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """An entry of one's own, before it is signed."""

    kind: Literal["room", "member", "leave", "remove", "settings", "keep", "task", "message", "snapshot", "burn"]
    content: Mapping[str, Json]
    actor: str = ""
    """Who acts; this node's member when empty."""
    not_before_ms: int = 0
    """The time that it has at least."""


class WritingRooms:
    """The rooms of this node. Its methods may be called from any thread.

    Args:
        store: keeps them.
        vault: seals the rooms' keys.
        account: this node's member in every room.
        node: this node's identity.
        display_name: that member's name in new rooms.
        on_change: hears of task events that come.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        account: Signer,
        node: Node,
        *,
        display_name: str = "",
        on_change: OnChange | None = None,
    ) -> None:
        self.self_key = account.identity_key
        """Identity key of this node's member."""
        self.on_change = on_change
        self.on_entries: OnEntries | None = None
        self._store = store
        self._vault = vault
        self._account = account
        self._node = node
        self._display_name = cut_name(display_name) or "me"
        self._held = HeldRooms(store, vault, account, self.card)

    def card(self, name: str = "") -> Card:
        """This node's member card.

        Args:
            name: shown to the others; that of new rooms when empty.
        """
        return make_card(self._account, self._node, name or self._display_name)

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

    # --- entries of one's own ---------------------------------------------------------------------------------------

    def _say_to(self, room: str, said: Callable[[Replica], list[Said]]) -> "Future[None]":
        """Appends what follows from the room as it is then."""

        def work(tx: Transaction) -> None:
            with self._held.lock:
                held = self._held.fresh(tx, room)
                was = before(held.replica)
                entries = [self._append(tx, held, one) for one in said(held.replica)]
                offered = Offered(taken=tuple(entries))
                self._keep_members(tx, held)
                announce(tx, held.replica, was, offered, self_key=self.self_key)
                self._tell_entries(tx, room, entries)

        return self._store.write(work)

    def _append(self, tx: Transaction, held: HeldRoom, said: Said) -> SignedEntry:
        """Signs, stores and takes one entry of this node.

        Raises:
            EntryError: it is larger than 32 KiB.
            RefusedError: this node's member is not, or not any more, one whose entries count.
            UnavailableError: nothing of the room has come yet.
            ClockBehindError: the clock is more than five minutes behind this member's last entry.
        """
        replica, room = held.replica, held.info.room
        at = max(self._next_ms(tx, held), said.not_before_ms)
        last = replica.chain(self.self_key)
        last_seq = 0 if last is None else last.last_seq
        block = max(current_block(tx), block_of(last_seq))
        follows = last is not None and block_of(last_seq) == block and last_seq
        before_it = last.taken_at(last_seq) if last is not None and follows else None
        entry = sign_entry(
            self._account,
            room=room,
            seq=last_seq + 1 if before_it else place(block, 1),
            prev=before_it.id if before_it else NO_ENTRY,
            ts_ms=at,
            actor=said.actor or self.self_key,
            kind=said.kind,
            content=said.content,
        )
        offered = replica.offer([entry], self._clock_ms(tx, room), trusted=True)
        if entry not in offered.taken:
            raise RefusedError("this entry would not count", where=f"room {clean(held.info.name)}")
        self._held.save(tx, held, offered)
        return entry

    def _clock_ms(self, tx: Transaction, room: str) -> int:
        """What counts as now where entries of this node are judged: the clock, or what the operator set instead."""
        return max(tx.now_ms, int(tx.meta(f"{RECLOCK}{room}", room) or 0))

    def _next_ms(self, tx: Transaction, held: HeldRoom) -> int:
        """The time of this node's next entry."""
        replica, where = held.replica, f"room {clean(held.info.name)}"
        if not replica.roster.creator:
            if held.replica.chains:
                raise RefusedError("its creator's first entry contradicts another one", where=where)
            raise UnavailableError("nothing of it has come yet", where=where, hint="it comes when a member is there")
        if replica.roster.member(self.self_key) is None:
            raise RefusedError("this node is not a member of it, or not any more", where=where)
        chain = replica.chain(self.self_key)
        if chain is not None and chain.cut is not None:
            hint = "another device has the same account; leave the room and join it anew with one of them"
            raise RefusedError("two devices write in this name, so nothing more counts", where=where, hint=hint)
        at = stamp(tx.now_ms, -1 if chain is None else chain.last_ms)
        if at > self._clock_ms(tx, held.info.room) + FUTURE_MS:
            raise behind(held.info.room, at, tx.now_ms)
        return at

    def _tell_entries(self, tx: Transaction, room: str, entries: Sequence[SignedEntry]) -> None:
        if entries:
            told = tuple(entries)
            tx.on_end(lambda kept: self.on_entries(room, told) if kept and self.on_entries is not None else None)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _take(self, tx: Transaction, held: HeldRoom, take: Callable[[int], Offered]) -> Offered:
        room = held.info.room
        was = before(held.replica)
        offered = take(tx.now_ms)
        self._held.save(tx, held, offered)
        if held.replica.settings.ephemeral and not held.ephemeral and self._store.owner:
            self._take_into_memory(tx, held)
        self._keep_members(tx, held)
        announce(tx, held.replica, was, offered, self_key=self.self_key)
        if offered.events:
            tx.on_end(lambda kept: self._tell(room, offered.events) if kept else None)
        return offered

    def _take_into_memory(self, tx: Transaction, held: HeldRoom) -> None:
        """A room that was joined turns out to be ephemeral: what is stored of it goes, what is known of it stays."""
        room = held.info.room
        row = tx.one("SELECT sealed_link FROM rooms WHERE room = ?", (room,))
        if row is not None and row[0] is not None:
            link = decode(self._vault.open(row[0], link_aad(room), held.key), limit=len(row[0]))
            held.link = link if isinstance(link, Mapping) else {}
        self._store.keep_in_memory(room)
        forget_rows(tx, room)
        held.log = held.replica.entries()
        self._held.add_ephemeral(tx, held)

    def _tell(self, room: str, events: tuple[TaskEvent, ...]) -> None:
        if self.on_change is not None:
            self.on_change(room, events)

    def _keep_members(self, tx: Transaction, held: HeldRoom) -> None:
        """Makes the table say what the log says; a mark is dropped with the card for which it was made."""
        if held.ephemeral:
            held.kept_roster = held.replica.roster
            return
        room, members = held.info.room, held.replica.roster.members
        rows: dict[str, int] = dict(tx.rows("SELECT identity_key, verified FROM room_members WHERE room = ?", (room,)))
        if rows.keys() == members.keys() and held.kept_roster is held.replica.roster:
            return
        for key, member in members.items():
            known = None if held.kept_roster is None else held.kept_roster.everybody.get(key)
            if known is not None and known.card.keys != member.card.keys:
                held.verified.discard(key)
            sealed = self._vault.seal(member.card.name.encode(), member_aad(room, key), held.key)
            tx.execute(
                "INSERT INTO room_members (room, identity_key, is_self, joined_ms, sealed) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (room, identity_key) DO UPDATE SET sealed = excluded.sealed, verified = ?",
                (room, key, int(key == self.self_key), member.since_ms, sealed, int(key in held.verified)),
            )
        for key in rows.keys() - members.keys() - {self.self_key}:
            tx.execute("DELETE FROM room_members WHERE room = ? AND identity_key = ?", (room, key))
            held.verified.discard(key)
        held.kept_roster = held.replica.roster

    def _store_room(self, tx: Transaction, room: str, name: str, owner: str) -> tuple[RoomInfo, bytes]:
        key = self._vault.new_key()
        tx.execute(
            "INSERT INTO rooms (room, name, created_ms, sealed_key, owner) VALUES (?, ?, ?, ?, ?)",
            (room, name, tx.now_ms, self._vault.seal(key, key_aad(room)), owner),
        )
        sealed_name = self._vault.seal(self._display_name.encode(), member_aad(room, self.self_key), key)
        tx.execute(
            "INSERT INTO room_members (room, identity_key, is_self, joined_ms, sealed) VALUES (?, ?, 1, ?, ?)",
            (room, self.self_key, tx.now_ms, sealed_name),
        )
        return RoomInfo(room=room, name=name, created_ms=tx.now_ms), key

    def _hold_room(self, tx: Transaction, room: str, name: str, owner: str) -> HeldRoom:
        """A room that is in memory only: its key, its entries, and every event that names it."""
        if not self._store.owner:
            hint = "start orlop, and make it there"
            raise UsageError("an ephemeral room ends with the program that holds it", where=clean(name), hint=hint)
        self._store.keep_in_memory(room)
        me = Member(identity_key=self.self_key, display_name=self._display_name, is_self=True)
        info = RoomInfo(room=room, name=name, created_ms=tx.now_ms)
        held = HeldRoom(info, self._vault.new_key(), owner, me, Replica(room, owner))
        self._held.add_ephemeral(tx, held)
        return held

    def _store_link(self, tx: Transaction, room: str, key: bytes, link: Mapping[str, Json]) -> None:
        ephemeral = self._held.ephemeral(room)
        if ephemeral is not None:
            ephemeral.link = link
            return
        sealed = self._vault.seal(encode(link), link_aad(room), key) if link else None
        if not tx.execute("UPDATE rooms SET sealed_link = ? WHERE room = ?", (sealed, room)).rowcount:
            raise NotFoundError("no such room", where=clean(room, 60))


def behind(room: str, at: int, now_ms: int) -> ClockBehindError:
    """What is raised when the clock fell."""
    why = f"the clock is {(at - now_ms) // 60_000} minutes behind the last entry of this room"
    return ClockBehindError(why, where=f"room {room}", hint="set it right, or run orlop rooms reclock to go on")


def link_aad(room: str) -> bytes:
    """What the sealed link of a room is bound to."""
    return f"orlop-room-link:1:{room}".encode()


def check_name(name: str) -> None:
    """Whether a room may be called so.

    Raises:
        UsageError: it may not.
    """
    if not 1 <= len(name) <= NAME_CHARACTERS or clean(name, 2 * NAME_CHARACTERS) != name or name != name.strip():
        why = f"must have 1 to {NAME_CHARACTERS} characters, none of them invisible, and no blanks around them"
        raise UsageError(why, where="room name")


def _data_aad(room: str, aad: bytes) -> bytes:
    return f"orlop-room-data:1:{room}:".encode() + aad
