"""The life of rooms beside their logs: a look at the whole, a clock that fell, a move to a file and back."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from runtime.errors import RefusedError
from runtime.events import MemberJoined, RoomCreated, RoomImported
from runtime.rooms.admission import FUTURE_MS
from runtime.rooms.blocks import begin_block
from runtime.rooms.entries import block_of
from runtime.rooms.held_room import RoomInfo
from runtime.rooms.log import insert
from runtime.rooms.replica import Replica
from runtime.rooms.room_file import RoomFile
from runtime.rooms.sharing import SharedRooms
from runtime.rooms.writing import RECLOCK, check_name
from runtime.store import Transaction

__all__ = ["LivingRooms"]

_T = TypeVar("_T")


class LivingRooms(SharedRooms):
    """What a room goes through besides what is said in it."""

    def look(self, room: str, use: Callable[[Replica], _T]) -> _T:
        """What somebody makes of a room with everything that is committed.

        Args:
            room: its id.
            use: must be quick, and keep nothing of the replica that changes.

        Raises:
            NotFoundError: there is no such room.
            RefusedError: its log was tampered with.
            UnavailableError: the store cannot be read.
        """
        return self._held.look(room, use)

    def is_ephemeral(self, room: str) -> bool:
        """Whether a room is in memory only."""
        return self._held.ephemeral(room) is not None

    # --- a clock that fell ------------------------------------------------------------------------------------------

    def reclock(self, room: str) -> "Future[int]":
        """Lets this node's entries go on behind the last one, although the clock is more than five minutes before it.

        Args:
            room: its id.

        Returns:
            The time behind which they are dated; 0 when the clock is well, and nothing had to be done.
        """

        def work(tx: Transaction) -> int:
            with self._held.lock:
                held = self._held.fresh(tx, room)
                chain = held.replica.chain(self.self_key)
                last_ms = 0 if chain is None else chain.last_ms
                if last_ms <= tx.now_ms + FUTURE_MS:
                    return 0
                tx.set_meta(f"{RECLOCK}{room}", last_ms, room)
                return last_ms

        return self._store.write(work)

    # --- a move -----------------------------------------------------------------------------------------------------

    def written_down(self, room: str, now_ms: int) -> RoomFile:
        """A room for a file.

        Args:
            room: its id.
            now_ms: wall time.

        Raises:
            NotFoundError: there is no such room.
            RefusedError: nothing of it has come yet, or nothing of it may be kept.
        """
        view = self._held.view(room)
        if self.settings(room).ephemeral:
            raise RefusedError("nothing of an ephemeral room is kept", where=view.name)
        owner, entries = self._held.look(room, lambda replica: (replica.owner, replica.entries()))
        if not entries:
            raise RefusedError("nothing of it has come yet", where=view.name)
        return RoomFile(
            room=room,
            name=view.name,
            owner=owner,
            created_ms=view.created_ms,
            exported_ms=now_ms,
            card=self.card(),
            entries=tuple(entries),
        )

    def take_over(self, file: RoomFile, name: str) -> "Future[RoomInfo]":
        """Makes a room of what a file holds. This node writes on in a new block: it may have written more than that.

        Args:
            file: verified.
            name: what the room is called here.

        Returns:
            The room. The future fails with `RefusedError` when it is here already.

        Raises:
            UsageError: the name does not fit.
        """
        check_name(name)

        def work(tx: Transaction) -> RoomInfo:
            if tx.one("SELECT 1 FROM rooms WHERE room = ?", (file.room,)) is not None:
                raise RefusedError("the room is here already", where=name, hint="nothing was changed")
            info, key = self._store_room(tx, file.room, name, file.owner)
            for entry in file.entries:
                insert(tx, self._vault, key, entry)
            ours = [block_of(entry.seq) for entry in file.entries if entry.author == self.self_key]
            begin_block(tx, above=max(ours, default=0))
            tx.emit(RoomCreated(room=file.room, name=name))
            with self._held.lock:
                held = self._held.fresh(tx, file.room)
                self._keep_members(tx, held)
                for member in held.members():
                    joined = MemberJoined(
                        room=file.room,
                        key=member.identity_key,
                        already=not member.is_self,
                        name=member.display_name,
                    )
                    tx.emit(joined)
            tx.emit(RoomImported(room=file.room, name=name, entries=len(file.entries)))
            return info

        return self._store.write(work)
