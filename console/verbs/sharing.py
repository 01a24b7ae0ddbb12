"""What `rooms invite|join|leave|members|verify|remove|rotate` do."""

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from console.call import Call
from console.client import Json, Result
from console.rooms_online import RelayLink
from runtime.errors import FailedError, NotFoundError, OrlopError, RefusedError, UsageError
from runtime.rooms.cards import Card
from runtime.rooms.invite import Invite, new_secret, parse_invite
from runtime.rooms.joining import PendingJoin
from runtime.rooms.members import NAME_CHARACTERS, Member
from runtime.rooms.roster import RosterMember
from runtime.rooms.view import RoomView
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core
    from console.room_link import RoomLink

__all__ = [
    "invite",
    "join",
    "leave",
    "link_of",
    "meet_at",
    "member_json",
    "members",
    "remove",
    "rotate",
    "rotated",
    "verify",
]

_JOIN_S: Final = 20.0
_NO_RELAY: Final = "has no relay, so nobody can meet there"


async def invite(core: "Core", call: Call) -> Result:
    """`rooms invite`: the line; with a relay or another secret when asked for."""
    room = await _named(core, call)
    if (relay := call.text("relay")) is not None:
        await meet_at(core, room, relay)
    if call.flag("renew"):
        await asyncio.wrap_future(core.rooms.set(room, invite=new_secret()))
    link = await link_of(core, room)
    if link is None or link.leaving:
        raise UsageError(_NO_RELAY, where=call.need("room"), hint="name one: --relay wss://relay.example")
    roster = await asyncio.to_thread(core.rooms.roster, room)
    settings = await asyncio.to_thread(core.rooms.settings, room)
    creator = roster.everybody.get(roster.creator)
    if creator is None:
        raise FailedError("nothing of it has come yet", where=call.need("room"), hint="it comes with the first member")
    text = Invite(
        room=room, relay=link.relay, secret=settings.invite, creator=creator.card.fingerprint, name=settings.name
    )
    return Result(ok=True, value={"v": 1, "room": room, "relay": link.relay, "invitation": str(text)})


async def meet_at(core: "Core", room: str, relay: str) -> None:
    """Has a room meet at a relay from now on.

    Args:
        core: where.
        room: its id.
        relay: the relay's address.

    Raises:
        UsageError: it is none.
    """
    from net.rooms.address import relay_address

    address, before = relay_address(relay), await link_of(core, room)
    kept = RelayLink(relay=address, invite=before.invite if before else "", name=before.name if before else "")
    if kept == before:
        return
    await asyncio.wrap_future(core.rooms.set_link(room, kept.kept()))
    await core.online.drop(room)
    await core.online.look(room)


async def join(core: "Core", call: Call) -> Result:
    """`rooms join`: waits a while for a member who lets us in; goes on without the caller."""
    given = parse_invite(call.need("invitation"))
    name = _own_name(call)
    if not given.relay:
        raise RefusedError("names no relay", where="invitation")
    if given.room in {info.room for info in await asyncio.to_thread(core.rooms.list)}:
        link = await _again(core, given, name)
    else:
        link = await core.online.join(PendingJoin(given, name))
    value: dict[str, Json] = {"v": 1, "room": given.room, "name": given.name, "state": "waiting"}
    if link is None:
        return Result(ok=True, value={**value, "notice": "no orlop runs here; the next one that does joins"})
    ended = await _soon(link, call)
    if link.member.is_set():
        return Result(ok=True, value={**value, "state": "joined"})
    if ended:
        raise FailedError(link.status.problem, where=clean(given.name))
    return Result(ok=True, value={**value, "notice": _waits_for(link)})


async def leave(core: "Core", call: Call) -> Result:
    """`rooms leave`: its agents end first; of a room that is only being joined, the invitation is given up."""
    named = call.need("room")
    for pending in await core.online.joining():
        if named in {pending.invite.room, pending.invite.name} and await core.online.give_up(pending.invite.room):
            return Result(ok=True, value={"v": 1, "room": pending.invite.room, "left": True})
    room = await _named(core, call)
    kept, link = await link_of(core, room), core.online.link(room)
    stopped = await core.life.retire_agents(room)
    if link is not None:
        link.leave()
    try:
        await asyncio.wrap_future(core.rooms.leave(room))
    except OrlopError:
        for key in stopped:
            with contextlib.suppress(OrlopError):
                await core.agents.activate(key)
        raise
    await core.life.end_agents(room)
    value: dict[str, Json] = {"v": 1, "room": room, "left": True}
    if kept is None:
        return Result(ok=True, value=value)
    told = link is not None and link.status.link == "online" and bool(link.status.present)
    await core.online.drop(room, bye=True)
    await asyncio.wrap_future(core.rooms.set_link(room, {} if told else replace(kept, invite="", leaving=True).kept()))
    await core.online.look(room)
    if not told:
        value["notice"] = "nobody is there now; the others are told when somebody is, while orlop runs"
    return Result(ok=True, value=value)


async def members(core: "Core", call: Call) -> Result:
    """`rooms members`: the creator first, then in the order in which they came."""
    room = await _named(core, call)
    view = await asyncio.to_thread(core.rooms.state, room)
    roster = await asyncio.to_thread(core.rooms.roster, room)
    items = [_item(core, room, one, roster.everybody.get(one.identity_key)) for one in view.members]
    return Result(ok=True, value={"v": 1, "room": room, "items": items})


async def verify(core: "Core", call: Call) -> Result:
    """`rooms verify`: the safety number; the mark is set or taken back only when that is asked for."""
    room = await _named(core, call)
    member, theirs = await _member(core, call, room)
    if call.flag("yes") and (call.flag("off") or call.flag("numbers")):
        raise UsageError("--yes stands alone", where="--off" if call.flag("off") else "--numbers")
    from runtime.rooms.safety import safety

    if member.is_self:
        raise UsageError("is yourself", where=clean(member.display_name))
    number = safety(await _own_card(core, room), theirs.card)
    verified = member.verified
    if call.flag("yes") or call.flag("off"):
        verified = call.flag("yes")
        await asyncio.wrap_future(core.rooms.mark_verified(room, member.identity_key, verified=verified))
    value: dict[str, Json] = {
        "v": 1,
        "room": room,
        "member": member.identity_key,
        "name": member.display_name,
        "numbers": list(number.digits),
        "words": list(number.words),
        "verified": verified,
    }
    return Result(ok=True, value=value)


async def remove(core: "Core", call: Call) -> Result:
    """`rooms remove`: by the creator; the others get another key at once, and under it another secret to invite by."""
    room = await _named(core, call)
    member, _ = await _member(core, call, room)
    await asyncio.wrap_future(core.rooms.remove_member(room, member.identity_key))
    value: dict[str, Json] = {"v": 1, "room": room, "member": member.identity_key, "name": member.display_name}
    return Result(ok=True, value=value)


async def rotate(core: "Core", call: Call) -> Result:
    """`rooms rotate`."""
    return await rotated(core, await _named(core, call))


async def rotated(core: "Core", room: str) -> Result:
    """Speaks under a new key in a room.

    Args:
        core: where.
        room: its id.

    Raises:
        UsageError: nobody can be there.
        FailedError: nobody is reached.
    """
    if await link_of(core, room) is None:
        name = (await _view(core, room)).name
        raise UsageError(_NO_RELAY, where=clean(name), hint="orlop rooms invite ROOM --relay URL names one")
    if not core.online.rotate(room):
        raise FailedError("nobody is reached now", hint="the next connection brings another key anyway")
    return Result(ok=True, value={"v": 1, "room": room, "rotated": True})


async def link_of(core: "Core", room: str) -> RelayLink | None:
    """Where a room meets; None when it is this node's alone.

    Args:
        core: where.
        room: its id.
    """
    return RelayLink.of(await asyncio.to_thread(core.rooms.link, room))


def member_json(core: "Core", room: str, one: Member) -> dict[str, Json]:
    """A member as documents show it.

    Args:
        core: where.
        room: its id.
        one: the member.
    """
    status = core.online.status(room)
    return {
        "identityKey": one.identity_key,
        "displayName": one.display_name,
        "self": one.is_self,
        "creator": one.is_creator,
        "present": one.is_self or (status is not None and one.identity_key in status.present),
        "verified": one.verified,
    }


# --- inside ---------------------------------------------------------------------------------------------------------


async def _again(core: "Core", given: Invite, name: str) -> "RoomLink | None":
    """A room that is here already: who is out of it may come back by an invitation.

    Raises:
        RefusedError: this member is in it.
    """
    roster = await asyncio.to_thread(core.rooms.roster, given.room)
    if roster.member(core.account.identity_key) is not None:
        raise RefusedError("this node is in the room already", where=clean(given.name))
    link = RelayLink(relay=given.relay, invite=str(given), name=name)
    await asyncio.wrap_future(core.rooms.set_link(given.room, link.kept()))
    await core.online.drop(given.room)
    return await core.online.look(given.room)


async def _soon(link: "RoomLink", call: Call) -> bool:
    """Waits until this member is in, the way has ended, the caller goes away, or it takes too long."""
    waits = [asyncio.ensure_future(event.wait()) for event in (link.member, link.over)]
    either: set[asyncio.Future[Any]] = {*waits, call.interrupted}
    await asyncio.wait(either, timeout=_JOIN_S, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    return link.over.is_set()


def _waits_for(link: "RoomLink") -> str:
    status = link.status
    if status.link == "online":
        return "no member has let us in yet; it goes on while orlop runs"
    return f"{status.problem or 'the relay does not answer'}; it goes on while orlop runs"


def _own_name(call: Call) -> str:
    name = call.text("name") or ""
    if len(name) > NAME_CHARACTERS or clean(name, 2 * NAME_CHARACTERS) != name or name != name.strip():
        why = f"has 1 to {NAME_CHARACTERS} characters, none of them invisible, and no blanks around them"
        raise UsageError(why, where="--name")
    return name


async def _named(core: "Core", call: Call) -> str:
    return await asyncio.to_thread(core.rooms.resolve, call.need("room"))


async def _view(core: "Core", room: str) -> RoomView:
    return await asyncio.to_thread(core.rooms.state, room)


async def _member(core: "Core", call: Call, room: str) -> tuple[Member, RosterMember]:
    member = (await _view(core, room)).resolve_member(call.need("member"))
    roster = await asyncio.to_thread(core.rooms.roster, room)
    found = roster.member(member.identity_key)
    if found is None:
        raise NotFoundError("is not a member of the room", where=clean(member.display_name))
    return member, found


async def _own_card(core: "Core", room: str) -> Card:
    roster = await asyncio.to_thread(core.rooms.roster, room)
    own = roster.everybody.get(core.account.identity_key)
    return core.rooms.card() if own is None else own.card


def _item(core: "Core", room: str, one: Member, known: RosterMember | None) -> dict[str, Json]:
    return {
        **member_json(core, room, one),
        "since_ms": None if known is None else known.since_ms,
        "vouched_by": "" if known is None else known.vouched_by,
        "peer_id": one.peer_id,
    }
