"""The life of rooms in a running core: reminders, countdowns, and the end of a room. Core loop only.

Every few seconds the rooms are looked at, as far as they changed or a moment has come that they name; nothing is asked
of a core that is locked.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runtime.agents.records import hash_in_use
from runtime.errors import LockedError, NotFoundError, OrlopError, RefusedError
from runtime.events import RoomCountdown, TaskDue
from runtime.rooms.autodelete import deletion_ms
from runtime.rooms.burning import Burned, burn_rows, finish, remove_copies
from runtime.rooms.reminders import Reminder, due_reminders, note_reminded, reminded
from runtime.rooms.view import RoomView
from runtime.store import Transaction

if TYPE_CHECKING:
    from console.core import Core
    from runtime.agents.keys import AgentKey

__all__ = ["LOOK_S", "RoomsLife"]

LOOK_S: Final = 5.0
"""Seconds between two looks."""


@dataclass(slots=True)
class _Seen:
    """A room as it was looked at last."""

    view: RoomView
    reminded: dict[str, int]
    deletes_ms: int | None = None
    mine: bool = False
    """Whether this node made it."""
    ephemeral: bool = False


class RoomsLife:
    """What happens to rooms by itself.

    Args:
        core: an owner.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._seen: dict[str, _Seen] = {}
        self._door = asyncio.Lock()
        self._looking = asyncio.Lock()

    async def run(self) -> None:
        """Looks now and then, until it is cancelled; makes good at first what an earlier end left over."""
        try:
            await self.finish()
        except OrlopError as error:
            self._core.report("burned rooms", error)
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    def deletes_ms(self, room: str) -> int | None:
        """When a room deletes itself; None when it does not."""
        seen = self._seen.get(room)
        return None if seen is None else seen.deletes_ms

    async def look(self) -> None:
        """Does what is due. What fails is told, and tried again at the next look."""
        if self._core.lock.locked:
            return
        try:
            async with self._looking:
                for info in await asyncio.to_thread(self._core.rooms.list):
                    with contextlib.suppress(NotFoundError):  # it was burned meanwhile
                        await self._look_at(info.room)
                await self.finish()
        except LockedError:
            return
        except OrlopError as error:
            self._core.report("rooms", error)

    async def burn(self, room: str, by: str) -> Burned:
        """Burns a room: its agents end, then key, rows and events go, then every byte that is left of them.

        In a room with others its creator tells them first, as far as they are there; they do the same.

        Args:
            room: its id.
            by: `operator`, `countdown` or `creator`.

        Raises:
            RefusedError: it has others in it, and this node did not make it.
            OrlopError: there is no such room; or the bytes could not be wiped, which the next start does.
        """
        core = self._core
        async with self._door:
            if by != "creator":
                await self._tell_all(room)
            modules = core.modules
            wasm = {}
            if core.built("agents"):
                await core.agents.forget(room)
            await core.online.drop(room, bye=True)
            done = await core.write(lambda tx: self._burn(tx, room, by))
            if core.built("agents"):
                await core.agents.forget(room)  # one may have been started since
            self._seen.pop(room, None)
            for digest in done.modules:
                with contextlib.suppress(OrlopError):
                    wasm[digest] = await asyncio.to_thread(modules.files.read, digest)
                await core.write(lambda tx, digest=digest: modules.files.sweep(tx, digest))  # type: ignore[misc]
            for content in wasm.values():
                await asyncio.to_thread(core.compiler.forget, "agent", content)
            core.journal.forget(room)
            await asyncio.to_thread(remove_copies, core.store.database, room)
            await self.finish()
            return done

    async def retire_agents(self, room: str) -> "list[AgentKey]":
        """Stops the agents of a room that this node is about to leave.

        Args:
            room: its id.

        Returns:
            Those that were on.

        Raises:
            UnavailableError: the host could not store it.
        """
        if not await self._core.modules.list(room):
            return []
        from runtime.agents.leaving import retire

        return await retire(self._core.agents, room)

    async def end_agents(self, room: str) -> None:
        """Stops the agents of a room that this node is out of; of those of an ephemeral room nothing is left.

        Args:
            room: its id.

        Raises:
            UnavailableError: the host could not store it.
        """
        await self.retire_agents(room)
        if self._core.store.in_memory(room) and await self._core.modules.list(room):
            from runtime.agents.leaving import wipe

            await wipe(self._core.agents, room)

    async def finish(self) -> None:
        """Wipes what burned rooms left in the database's files.

        Raises:
            UnavailableError: somebody reads the database, or room is short.
        """
        wiped = await asyncio.to_thread(finish, self._core.store)
        if wiped is not None:
            await asyncio.wrap_future(wiped)

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _tell_all(self, room: str) -> None:
        """Says to the others that the room ends.

        Raises:
            RefusedError: it is not for this node to say.
        """
        rooms = self._core.rooms
        try:
            roster = await asyncio.to_thread(rooms.roster, room)
        except RefusedError:
            return  # its log was tampered with: nothing can be said there, and it can be burned all the same
        if roster.creator == rooms.self_key:
            if len(roster.members) > 1:
                await asyncio.wrap_future(rooms.burn_for_all(room))
        elif roster.member(rooms.self_key) is not None:
            name = (await asyncio.to_thread(rooms.state, room)).name
            hint = f"orlop rooms leave {name} takes you out of it; then your copy can be burned"
            raise RefusedError("only its creator burns it, for all", where=name, hint=hint)

    async def _look_at(self, room: str) -> None:
        core = self._core
        view = await asyncio.to_thread(core.rooms.state, room)
        seen = self._seen.get(room)
        if seen is None:
            done = await asyncio.wrap_future(core.store.read(lambda connection: reminded(connection, room)))
            seen = self._seen[room] = _Seen(view, done)
            await self._count_down(room, seen)
        elif seen.view is not view:
            seen.view = view
            await self._count_down(room, seen)
        if not any(one.is_self for one in view.members):
            await self.end_agents(room)
        if core.rooms.settings(room).burned:
            await self.burn(room, "creator")
            return
        now_ms = core.clock.wall_ms()
        for one in () if seen.ephemeral else due_reminders(view.tasks.values(), seen.reminded, now_ms):
            await core.write(lambda tx, one=one: _remind(tx, view, one))  # type: ignore[misc]
            seen.reminded[one.task_id] = one.due_ms
        if seen.deletes_ms is not None and seen.deletes_ms <= now_ms and seen.mine:
            await self.burn(room, "countdown")

    async def _count_down(self, room: str, seen: _Seen) -> None:
        rooms = self._core.rooms
        settings = rooms.settings(room)
        seen.mine = rooms.roster(room).creator == rooms.self_key
        seen.ephemeral = settings.ephemeral
        at_ms = deletion_ms(seen.view.tasks.values(), auto_delete=settings.auto_delete, keep=settings.keep)
        if at_ms != seen.deletes_ms:
            seen.deletes_ms = at_ms
            await self._core.write(lambda tx: tx.emit(RoomCountdown(room=room, at_ms=at_ms)))

    def _burn(self, tx: Transaction, room: str, by: str) -> Burned:
        ephemeral = self._core.rooms.is_ephemeral(room)
        self._core.rooms.forget(tx, room)
        return burn_rows(tx, room, by, in_use=hash_in_use, ephemeral=ephemeral)


def _remind(tx: Transaction, view: RoomView, reminder: Reminder) -> None:
    note_reminded(tx, view.room, reminder)
    title = view.tasks[reminder.task_id].title
    tx.emit(TaskDue(room=view.room, task=reminder.task_id, due_ms=reminder.due_ms, title=title))
