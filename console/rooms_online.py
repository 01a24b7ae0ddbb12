"""The rooms of a running core that have other members: one way for each, kept open. Core loop only.

Only an owner has ways. What another process writes into a room's log meanwhile, one command without an owner, goes out
when an owner starts; `unsent` says whether that is so.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runtime.canonical import Json
from runtime.errors import LockedError, NotFoundError, OrlopError
from runtime.rooms.joining import PendingJoin, PendingJoins

if TYPE_CHECKING:
    from console.core import Core
    from console.room_link import LinkStatus, RoomLink
    from runtime.agents.lease import Lease
    from runtime.rooms.cards import Card
    from runtime.rooms.entries import SignedEntry
    from runtime.rooms.room import RoomInfo
    from runtime.rooms.transport import RoomTransport

__all__ = ["RelayLink", "RoomsOnline"]

_HURRY_S: Final = 10.0
_TEXTS: Final = ("relay", "invite", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLink:
    """What a room keeps, sealed, of its way to the others: the value of `Rooms.link`."""

    relay: str
    invite: str = ""
    """The invitation by which this member came; empty for the room's creator."""
    name: str = ""
    """What this member is called there; empty for the node's name."""
    leaving: bool = False
    """This member has left, and nobody knows yet."""

    @classmethod
    def of(cls, kept: Mapping[str, Json]) -> "RelayLink | None":
        """The link that a room keeps, or None when it meets nowhere."""
        relay, invite, name = (text if isinstance(text := kept.get(key), str) else "" for key in _TEXTS)
        return cls(relay=relay, invite=invite, name=name, leaving=kept.get("leaving") is True) if relay else None

    def kept(self) -> dict[str, Json]:
        """For `Rooms.set_link`."""
        return {"relay": self.relay, "invite": self.invite, "name": self.name, "leaving": self.leaving}


class RoomsOnline:
    """All ways of a core's rooms.

    Args:
        core: whose.
        transport: makes the way to a room from a relay's address and the room's id; that of `net.rooms` when absent.
    """

    def __init__(self, core: "Core", transport: "Callable[[str, str], RoomTransport] | None" = None) -> None:
        self._core = core
        self._transport = transport or _through_relay
        self._within: dict[str, Callable[[], RoomTransport]] = {}
        self._links: dict[str, RoomLink] = {}
        self._joins: dict[str, PendingJoin] = {}
        self._unsent: set[str] = set()
        self._door = asyncio.Lock()
        self._open = False

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Opens the way to every room that has one, and goes on with joining."""
        core = self._core
        self._open = True
        core.lock.watch(self._locked)
        core.agents.leases = self._tell_leases
        await self._open_all()

    async def close(self) -> None:
        """Says good-bye everywhere, and closes all ways."""
        self._open = False
        links, self._links = list(self._links.values()), {}
        if links:
            closing = [asyncio.ensure_future(link.close(bye=True)) for link in links]
            _, late = await asyncio.wait(closing, timeout=_HURRY_S)
            for task in late:
                task.cancel()

    async def _locked(self, locked: bool) -> None:
        """While the screen is locked there are no keys, and so no ways."""
        if locked:
            await self.close()
        else:
            self._open = True
            await self._open_all()

    async def _open_all(self) -> None:
        try:
            joins = await asyncio.to_thread(self._pending.list)
        except OrlopError as error:
            self._core.report("invitations", error)
            joins = []
        self._joins = {join.invite.room: join for join in joins}
        rooms = [info.room for info in await asyncio.to_thread(self._core.rooms.list)]
        for room in dict.fromkeys([*rooms, *self._joins]):
            await self.look(room)

    # --- rooms ------------------------------------------------------------------------------------------------------

    def status(self, room: str) -> "LinkStatus | None":
        """How it stands with a room's way; None when it has none here."""
        link = self._links.get(room)
        return None if link is None else link.status

    def link(self, room: str) -> "RoomLink | None":
        """The way of a room; None when it has none, or this core keeps none."""
        return self._links.get(room)

    async def look(self, room: str) -> "RoomLink | None":
        """Opens, changes or closes a room's way, as the room says now.

        Args:
            room: its id.

        Returns:
            Its way.
        """
        if not self._open:
            return None
        async with self._door:
            try:
                wanted = await asyncio.to_thread(self._wanted, room)
            except LockedError:
                return None
            except OrlopError as error:
                self._core.report(f"room {room}", error)
                return None
            before = self._links.get(room)
            if wanted is None:
                self._links.pop(room, None)
                if before is not None:
                    await before.close()
                return None
            if before is None:
                self._links[room] = before = self._opened(room, wanted)
            return before

    async def drop(self, room: str, *, bye: bool = False) -> None:
        """Closes a room's way.

        Args:
            room: its id.
            bye: whether the others are told.
        """
        async with self._door:
            link = self._links.pop(room, None)
            if link is not None:
                await link.close(bye=bye)

    def within(self, room: str, transport: "Callable[[], RoomTransport]") -> None:
        """Has a room meet in this program from its next `look` on, where it has no relay.

        Args:
            room: its id.
            transport: makes the way.
        """
        self._within[room] = transport

    def rotate(self, room: str) -> bool:
        """Speaks under a new key in a room; false when nobody is reached, and the next connection brings one anyway."""
        link = self._links.get(room)
        if link is None or link.status.link != "online":
            return False
        link.rotate()
        return True

    # --- joining ----------------------------------------------------------------------------------------------------

    async def join(self, join: PendingJoin) -> "RoomLink | None":
        """Begins to join, and goes on until a member of the room answers, also after a restart.

        Args:
            join: the invitation.

        Returns:
            The way, on which `member` is set in the end; None where no owner runs.
        """
        await asyncio.wrap_future(self._pending.add(join))
        self._joins[join.invite.room] = join
        return await self.look(join.invite.room)

    async def give_up(self, room: str) -> bool:
        """Joins no more; says whether that was going on."""
        self._joins.pop(room, None)
        found = await asyncio.wrap_future(self._pending.remove(room))
        if found:
            await self.drop(room)
        return found

    async def joining(self) -> list[PendingJoin]:
        """The invitations that nobody has answered yet."""
        return await asyncio.to_thread(self._pending.list)

    def adopt(self, room: str, creator: "Card") -> "Future[None]":
        """A member has answered: the room is kept from now on.

        Args:
            room: its id.
            creator: the creator's card, which fits the invitation.
        """
        adopted: Future[None] = Future()
        join = self._joins.pop(room, None)
        if join is None:
            adopted.set_result(None)
            return adopted
        invite = join.invite
        link = RelayLink(relay=invite.relay, invite=str(invite), name=join.display_name)

        def done(kept: "Future[RoomInfo]") -> None:
            error = kept.exception()
            if error is not None:
                adopted.set_exception(error)
                return
            self._pending.remove(room)
            adopted.set_result(None)

        self._core.rooms.adopt(room, invite.name, creator, link.kept()).add_done_callback(done)
        return adopted

    # --- what this side says ----------------------------------------------------------------------------------------

    def wrote(self, room: str, entries: "tuple[SignedEntry, ...]") -> None:
        """This member has written into a room's log, and it is committed."""
        link = self._links.get(room)
        if link is not None:
            link.entries(entries)
        elif not self._core.options.owner:
            self._unsent.add(room)

    async def unsent(self) -> str:
        """What is to be said when this process has written what no owner sends; empty for nothing."""
        rooms = self._core.rooms if self._unsent else None
        for room in self._unsent:
            if rooms is not None and RelayLink.of(await asyncio.to_thread(rooms.link, room)) is not None:
                return "no orlop runs here; the other members get it from the next one that does"
        return ""

    def _tell_leases(self, leases: "Sequence[Lease]") -> None:
        by_room: dict[str, list[Lease]] = {}
        for lease in leases:
            by_room.setdefault(lease.room, []).append(lease)
        for room, some in by_room.items():
            if room in self._links:
                self._links[room].leases(some)

    # --- inside -----------------------------------------------------------------------------------------------------

    @property
    def _pending(self) -> PendingJoins:
        return PendingJoins(self._core.store, self._core.vault)

    def _wanted(self, room: str) -> RelayLink | None:
        """On a thread: where a room is met; for one that is being joined, where its invitation says."""
        with contextlib.suppress(NotFoundError):
            kept = RelayLink.of(self._core.rooms.link(room))
            return kept or (RelayLink(relay="") if room in self._within else None)
        join = self._joins.get(room)
        if join is None:
            return None
        return RelayLink(relay=join.invite.relay, invite=str(join.invite), name=join.display_name)

    def _opened(self, room: str, wanted: RelayLink) -> "RoomLink":
        from console.room_link import RoomLink
        from runtime.rooms.invite import parse_invite

        invite = parse_invite(wanted.invite) if wanted.invite else None
        name = wanted.name or self._core.config.node_name
        link = RoomLink(
            self._core,
            room,
            name,
            self._way(wanted.relay, room),
            invite=invite,
            leaving=wanted.leaving,
            ended=lambda kind: self._over(room, wanted, kind),
        )
        link.start()
        return link

    def _way(self, relay: str, room: str) -> "RoomTransport":
        return self._transport(relay, room) if relay else self._within[room]()

    def _over(self, room: str, wanted: RelayLink, kind: str) -> None:
        self._core.keep_running(self._ended(room, wanted, kind), f"room {room}")

    async def _ended(self, room: str, wanted: RelayLink, kind: str) -> None:
        """Closes a way that is over, but not its row; at the next start who was removed knocks no more."""
        link = self._links.get(room)
        if link is not None:
            await link.close()
        if kind == "left":
            await asyncio.wrap_future(self._core.rooms.set_link(room, {}))
        elif kind == "removed":
            await self._core.life.end_agents(room)
            kept = RelayLink(relay=wanted.relay, name=wanted.name)
            await asyncio.wrap_future(self._core.rooms.set_link(room, kept.kept()))


def _through_relay(relay: str, room: str) -> "RoomTransport":
    from net.rooms.client import RelayClient

    return RelayClient(relay, room)
