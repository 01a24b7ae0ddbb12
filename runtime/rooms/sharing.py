"""What rooms share with other members: entries that came, summaries of the log, who is in it and what it is like."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from runtime.canonical import CanonicalError, Json, decode, encode
from runtime.errors import NotFoundError, RefusedError, UnavailableError, UsageError
from runtime.events import MemberVerified
from runtime.rooms import missing as gaps
from runtime.rooms.admission import FUTURE_MS, stamp
from runtime.rooms.announce import announce, before
from runtime.rooms.cards import Card, make_card
from runtime.rooms.drafts import ClockBehindError
from runtime.rooms.entries import NO_ENTRY, SignedEntry, Signer, block_of, place, sign_entry
from runtime.rooms.held import HeldRoom, HeldRooms, member_aad
from runtime.rooms.members import cut_name
from runtime.rooms.replica import Offered, Replica
from runtime.rooms.roster import Roster
from runtime.rooms.settings import RoomSettings, fits
from runtime.rooms.snapshots import snapshot_contents
from runtime.rooms.summary import AuthorSummary, Summary
from runtime.rooms.tasks import TaskEvent
from runtime.sanitise import clean
from runtime.store import Store, Transaction
from runtime.vault import Vault

__all__ = ["ROOM_BLOCK", "Node", "OnChange", "OnEntries", "SharedRooms"]

ROOM_BLOCK: Final = "room_block"
"""The key of table `meta` with the block in which this node writes; a restore sets another one."""

OnChange = Callable[[str, tuple[TaskEvent, ...]], None]
"""Called with a room and task events that came into it, after their commit, on the store's writer thread; must only
hand them on. What goes through `Rooms.append` is its caller's to pass on."""

OnEntries = Callable[[str, tuple[SignedEntry, ...]], None]
"""Called with a room and this node's own new entries, after their commit, on the store's writer thread; must only hand
them on."""

_LINK_BYTES: Final = 65_536


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


class SharedRooms:
    """The rooms of this node, as far as other members are concerned. Its methods may be called from any thread.

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

    # --- the log ----------------------------------------------------------------------------------------------------

    def offer(self, room: str, entries: Sequence[SignedEntry]) -> "Future[Offered]":
        """Takes entries that came from other members: verifies, stores and folds them, and tells what changed.

        Args:
            room: its id.
            entries: of this room, in any order.

        Returns:
            What became of them. The future fails as that of `Rooms.submit`; then nothing happened.
        """

        def work(tx: Transaction) -> Offered:
            with self._held.lock:
                held = self._held.fresh(tx, room)
                return self._take(tx, held, lambda now_ms: held.replica.offer(entries, now_ms))

        return self._store.write(work)

    def tick(self, room: str) -> "Future[Offered]":
        """Takes entries that waited for their time."""

        def work(tx: Transaction) -> Offered:
            with self._held.lock:
                held = self._held.fresh(tx, room)
                return self._take(tx, held, held.replica.tick)

        return self._store.write(work)

    def next_due_ms(self, room: str) -> int | None:
        """Wall time at which `tick` may have something to take; None while nothing waits."""
        return self._held.look(room, lambda replica: replica.next_due_ms())

    def summary(self, room: str) -> dict[str, AuthorSummary]:
        """What this node has of a room's log.

        Raises:
            NotFoundError: there is no such room.
        """
        return self._held.look(room, gaps.summary)

    def missing(self, room: str, theirs: Summary, to: str | None = None) -> list[SignedEntry]:
        """What somebody lacks, in an order in which it can be taken.

        Args:
            room: its id.
            theirs: their summary.
            to: identity key of the member, who is given what the room's history setting allows; None for everything.

        Raises:
            NotFoundError: there is no such room.
        """
        return self._held.look(room, lambda replica: gaps.missing(replica, theirs, to=to))

    def entries(self, room: str) -> list[SignedEntry]:
        """The whole log as it is here, in the order of time."""
        return self._held.look(room, lambda replica: replica.entries())

    def log_state(self, room: str) -> dict[str, Json]:
        """The state in the form in which it is compared: the same at all who have the same entries."""
        return self._held.look(room, lambda replica: replica.state())

    # --- members ----------------------------------------------------------------------------------------------------

    def roster(self, room: str) -> Roster:
        """Who is and was in a room.

        Raises:
            NotFoundError: there is no such room.
        """
        return self._held.look(room, lambda replica: replica.roster)

    def add_member(self, room: str, card: Card) -> "Future[None]":
        """Vouches for somebody; takes them back when they were out.

        Args:
            room: its id.
            card: theirs, its signatures verified.

        Returns:
            Done; nothing happens when they are in the room already, under this card.
        """

        def said(replica: Replica) -> list[Said]:
            key = card.identity_key
            known = replica.roster.everybody.get(key)
            if known is not None and known.is_in and known.card == card:
                return []
            chain = replica.chain(key)
            after = 0 if known is None or chain is None or known.is_in else max(chain.last_seq, known.end)
            return [Said("member", {"card": card.to_json(), "after": after})]

        return self._say_to(room, said)

    def remove_member(self, room: str, key: str) -> "Future[None]":
        """Removes somebody; what this node has not seen of them until now does not count.

        Args:
            room: its id.
            key: their identity key.

        Returns:
            Done. The future fails with `RefusedError` when this node's member is not the creator, `NotFoundError` when
            there is no such member.
        """

        def said(replica: Replica) -> list[Said]:
            self._check_creator(room, replica, "remove members")
            if replica.roster.member(key) is None:
                raise NotFoundError("is not a member of the room", where=clean(key, 60))
            if key == self.self_key:
                raise RefusedError("the creator cannot be removed; leave the room, or burn it", where=f"room {room}")
            chain = replica.chain(key)
            return [Said("remove", {"key": key, "upto": 0 if chain is None else chain.last_seq})]

        return self._say_to(room, said)

    def leave(self, room: str) -> "Future[None]":
        """Says good-bye; what this node says afterwards counts for nobody."""
        return self._say_to(room, lambda _: [Said("leave", {})])

    def mark_verified(self, room: str, key: str, *, verified: bool = True) -> "Future[None]":
        """Keeps that a member's safety number was compared, or takes it back.

        Args:
            room: its id.
            key: the member's identity key.
            verified: whether it is the same.
        """

        def work(tx: Transaction) -> None:
            with self._held.lock:
                held = self._held.fresh(tx, room)
                if held.replica.roster.member(key) is None:
                    raise NotFoundError("is not a member of the room", where=clean(key, 60))
                (held.verified.add if verified else held.verified.discard)(key)
                sql = "UPDATE room_members SET verified = ? WHERE room = ? AND identity_key = ?"
                tx.execute(sql, (int(verified), room, key))
                tx.emit(MemberVerified(room=room, key=key, verified=verified))

        return self._store.write(work)

    def note_present(self, room: str, keys: Iterable[str] | None) -> None:
        """Says which other members are there now; None when nobody knows. Kept in memory only."""
        self._held.note_present(room, keys)

    # --- settings ---------------------------------------------------------------------------------------------------

    def settings(self, room: str) -> RoomSettings:
        """What a room is like.

        Raises:
            NotFoundError: there is no such room.
        """
        return self._held.look(room, lambda replica: replica.settings)

    def set(self, room: str, **changes: str | bool) -> "Future[None]":
        """Changes settings: `history`, `invite`, `auto_delete`, `require_signed`.

        Args:
            room: its id.
            changes: new values by name.

        Returns:
            Done. The future fails with `RefusedError` when this node's member is not the creator.

        Raises:
            UsageError: there is no such setting, or it does not take the value.
        """
        if not fits(changes):
            raise UsageError("no such setting of a room, or not one of its values", where=", ".join(sorted(changes)))

        def said(replica: Replica) -> list[Said]:
            self._check_creator(room, replica, "change its settings")
            return [Said("settings", changes)]

        return self._say_to(room, said)

    def keep(self, room: str, until_ms: int | None) -> "Future[None]":
        """Says that the room is not to delete itself before a time, or for as long as no task changes."""
        return self._say_to(room, lambda _: [Said("keep", {"until_ms": until_ms})])

    def burn_for_all(self, room: str) -> "Future[None]":
        """Tells the other members that the creator ends the room; nothing is deleted here."""

        def said(replica: Replica) -> list[Said]:
            self._check_creator(room, replica, "burn it for all")
            return [Said("burn", {})]

        return self._say_to(room, said)

    def snapshot(self, room: str) -> "Future[None]":
        """Says what the tasks are now, so that new members need not read all history; the creator's part.

        Returns:
            Done. The future fails with `RefusedError` when this node's member is not the creator, or a
            `SnapshotError`.
        """

        def said(replica: Replica) -> list[Said]:
            self._check_creator(room, replica, "make its snapshots")
            number = 1 if replica.snapshot is None else replica.snapshot.number + 1
            heads = {
                (author, block): head.number
                for author, chain in replica.chains.items()
                for block, head in chain.heads(replica.end_of(author)).items()
            }
            contents = snapshot_contents(number, replica.fold.last_ms, heads, replica.fold.folding.state())
            return [Said("snapshot", content) for content in contents]

        return self._say_to(room, said)

    # --- the way to others ------------------------------------------------------------------------------------------

    def link(self, room: str) -> dict[str, Json]:
        """How this node reaches the others: relay and invitation; empty for a room that it has alone.

        Raises:
            NotFoundError: there is no such room.
        """
        sql = "SELECT sealed_link FROM rooms WHERE room = ?"
        row = self._store.read_now(lambda connection: connection.execute(sql, (room,)).fetchone())
        key = self._held.key_of(room)
        if row is None or row[0] is None:
            return {}
        try:
            found = decode(self._vault.open(row[0], _link_aad(room), key), limit=_LINK_BYTES)
        except CanonicalError as error:
            raise RefusedError(f"its link: {error.why}", where=f"room {room}") from None
        return dict(found) if isinstance(found, Mapping) else {}

    def set_link(self, room: str, link: Mapping[str, Json]) -> "Future[None]":
        """Keeps how this node reaches the others, sealed.

        Args:
            room: its id.
            link: `relay` and `invite`, or nothing.
        """
        key = self._held.key_of(room)
        return self._store.write(lambda tx: self._store_link(tx, room, key, link))

    def _store_link(self, tx: Transaction, room: str, key: bytes, link: Mapping[str, Json]) -> None:
        sealed = self._vault.seal(encode(link), _link_aad(room), key) if link else None
        if not tx.execute("UPDATE rooms SET sealed_link = ? WHERE room = ?", (sealed, room)).rowcount:
            raise NotFoundError("no such room", where=clean(room, 60))

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
        at = self._next_ms(tx, held)
        last = replica.chain(self.self_key)
        last_seq = 0 if last is None else last.last_seq
        block = max(int(tx.meta(ROOM_BLOCK) or 0), block_of(last_seq))
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
        offered = replica.offer([entry], tx.now_ms, trusted=True)
        if entry not in offered.taken:
            raise RefusedError("this entry would not count", where=f"room {clean(held.info.name)}")
        self._held.save(tx, held, offered)
        return entry

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
        if at > tx.now_ms + FUTURE_MS:
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
        self._keep_members(tx, held)
        announce(tx, held.replica, was, offered, self_key=self.self_key)
        if offered.events:
            tx.on_end(lambda kept: self._tell(room, offered.events) if kept else None)
        return offered

    def _tell(self, room: str, events: tuple[TaskEvent, ...]) -> None:
        if self.on_change is not None:
            self.on_change(room, events)

    def _keep_members(self, tx: Transaction, held: HeldRoom) -> None:
        """Makes the table say what the log says; a mark is dropped with the card for which it was made."""
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

    def _check_creator(self, room: str, replica: Replica, what: str) -> None:
        if replica.roster.creator != self.self_key:
            raise RefusedError(f"only its creator can {what}", where=f"room {room}")


def behind(room: str, at: int, now_ms: int) -> ClockBehindError:
    """What is raised when the clock fell."""
    why = f"the clock is {(at - now_ms) // 60_000} minutes behind the last entry of this room"
    return ClockBehindError(why, where=f"room {room}", hint="set it right; nothing is taken until it has caught up")


def new_invite() -> str:
    """A secret for an invitation: 32 hexadecimal characters."""
    return secrets.token_hex(16)


def _link_aad(room: str) -> bytes:
    return f"orlop-room-link:1:{room}".encode()
