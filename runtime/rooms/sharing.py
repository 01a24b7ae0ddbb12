"""What rooms share with other members: entries that came, summaries of the log, who is in it and what it is like."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from runtime.canonical import CanonicalError, Json, decode
from runtime.errors import NotFoundError, RefusedError, UsageError
from runtime.events import MemberVerified
from runtime.rooms import missing as gaps
from runtime.rooms.cards import Card
from runtime.rooms.entries import SignedEntry
from runtime.rooms.invite import new_secret
from runtime.rooms.replica import Offered, Replica
from runtime.rooms.roster import Roster
from runtime.rooms.settings import RoomSettings, fits
from runtime.rooms.snapshots import snapshot_contents
from runtime.rooms.summary import AuthorSummary, Summary
from runtime.rooms.writing import Said, WritingRooms, link_aad
from runtime.sanitise import clean
from runtime.store import Transaction

__all__ = ["SharedRooms"]

_LINK_BYTES: Final = 65_536


class SharedRooms(WritingRooms):
    """The rooms of this node, as far as other members are concerned. Its methods may be called from any thread."""

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

    def add_member(self, room: str, *cards: Card) -> "Future[None]":
        """Vouches for somebody, or for several at once; takes them back when they were out.

        Args:
            room: its id.
            cards: theirs, one of each, their signatures verified.

        Returns:
            Done; nothing is said of those who are in the room already, under this card.
        """

        def said(replica: Replica) -> list[Said]:
            return [word for card in cards for word in _vouch(replica, card)]

        return self._say_to(room, said)

    def remove_member(self, room: str, key: str) -> "Future[None]":
        """Removes somebody; what this node has not seen of them until now does not count.

        The invitation's secret becomes another one in the same step: by the old one they could come back under another
        name.

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
            removal = Said("remove", {"key": key, "upto": 0 if chain is None else chain.last_seq})
            renewal = [Said("settings", {"invite": new_secret()})] if replica.settings.invite else []
            return [removal, *renewal]

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
        ephemeral = self._held.ephemeral(room)
        if ephemeral is not None:
            return dict(ephemeral.link)
        sql = "SELECT sealed_link FROM rooms WHERE room = ?"
        row = self._store.read_now(lambda connection: connection.execute(sql, (room,)).fetchone())
        key = self._held.key_of(room)
        if row is None or row[0] is None:
            return {}
        try:
            found = decode(self._vault.open(row[0], link_aad(room), key), limit=_LINK_BYTES)
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

    # --- inside -----------------------------------------------------------------------------------------------------

    def _check_creator(self, room: str, replica: Replica, what: str) -> None:
        if replica.roster.creator != self.self_key:
            raise RefusedError(f"only its creator can {what}", where=f"room {room}")


def _vouch(replica: Replica, card: Card) -> list[Said]:
    key = card.identity_key
    known = replica.roster.everybody.get(key)
    if known is not None and known.is_in and known.card == card:
        return []
    chain = replica.chain(key)
    after = 0 if known is None or chain is None or known.is_in else max(chain.last_seq, known.end)
    return [Said("member", {"card": card.to_json(), "after": after})]
