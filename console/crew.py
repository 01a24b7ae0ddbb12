"""The demo's second member: she has a directory of her own, takes part in the same program, and comes and goes.

What is seen is real: an invitation, keys that are proven, signed entries, and the lease of an agent that moves to the
operator when she leaves. Only the way between the two is a call instead of a relay.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from console.shipped import upload_agent
from runtime.agents.keys import AgentKey
from runtime.errors import OrlopError
from runtime.events import AgentLeased, Record
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.in_process import InProcessHub
from runtime.rooms.invite import Invite
from runtime.rooms.joining import PendingJoin

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["NAME", "SHARED", "live"]

NAME: Final = "ada"

SHARED: Final = "digest"
"""The agent that both have: she runs it while she is there, the operator after her."""

_FOLDER: Final = "crew"
_ARRIVES_S: Final = 3.0
_STAYS_S: Final = (25.0, 60.0)
_STAYS_LATER_S: Final = 300.0
_AWAY_S: Final = (20.0, 40.0)
_AWAY_LATER_S: Final = 120.0
_LEASE_MAX_S: Final = 60.0
_TALK_MAX: Final = 40
"""Messages in the room from which on she only works."""

_WORDS: Final = (
    "Morning. I keep the digest while I am here.",
    "The tide gauge is yours, I take the buoy.",
    "Gone ashore in a moment: the digest moves over to you.",
)


async def live(core: "Core", room: str) -> None:
    """Lets her come and go until this is cancelled.

    Args:
        core: the demo's, which made the room.
        room: its id.
    """
    hub = InProcessHub()
    core.online.within(room, hub.transport)
    await core.online.look(room)
    await asyncio.sleep(_ARRIVES_S)
    for stays, away in zip(_pauses(_STAYS_S, _STAYS_LATER_S), _pauses(_AWAY_S, _AWAY_LATER_S), strict=False):
        try:
            await _visit(core, room, hub, stays)
        except OrlopError as error:
            core.report("demo", error)
        await asyncio.sleep(away)


async def _visit(core: "Core", room: str, hub: InProcessHub, stays_s: float) -> None:
    ada = await _aboard(core)
    try:
        ada.online.within(room, hub.transport)
        await _join(core, ada, room)
        await _share_agent(core, ada, room)
        await _chat(ada, room, stays_s)
    finally:
        await asyncio.shield(ada.stop("ashore"))


async def _aboard(core: "Core") -> "Core":
    """Her core, in a directory inside the demo's."""
    options = core.options
    return await type(core).start(
        replace(
            options,
            state_path=core.state.path / _FOLDER,
            config=replace(core.config, node=replace(core.config.node, name=NAME)),
            passphrase=None,
            reload=None,
            crew=True,
        )
    )


async def _join(core: "Core", ada: "Core", room: str) -> None:
    """With an invitation the first time; afterwards she is a member."""
    if room in {info.room for info in await asyncio.to_thread(ada.rooms.list)}:
        await ada.online.look(room)
        return
    settings = await asyncio.to_thread(core.rooms.settings, room)
    roster = await asyncio.to_thread(core.rooms.roster, room)
    card = roster.everybody[roster.creator].card
    invite = Invite(room=room, relay="", secret=settings.invite, creator=card.fingerprint, name=settings.name)
    link = await ada.online.join(PendingJoin(invite, NAME))
    if link is not None:
        await link.member.wait()


async def _share_agent(core: "Core", ada: "Core", room: str) -> None:
    """She takes the lease first; the operator's own copy then stands by."""
    key = AgentKey(room, SHARED)
    await upload_agent(core, key)
    await core.agents.deactivate(key)
    await upload_agent(ada, key)
    await _run_it(ada, key)
    await core.agents.activate(key)


async def _run_it(ada: "Core", key: AgentKey) -> None:
    """Activates her copy, and waits until it holds the lease: of two that claim it at once either may win."""
    loop, holds = asyncio.get_running_loop(), asyncio.Event()

    def take(records: Sequence[Record]) -> None:
        for event in (record.event for record in records):
            if isinstance(event, AgentLeased) and event.own and event.agent == key.agent:
                loop.call_soon_threadsafe(holds.set)

    subscription = ada.journal.subscribe(ada.journal.last_seq(), take, content=False)
    try:
        await ada.agents.activate(key)
        with suppress(TimeoutError):
            await asyncio.wait_for(holds.wait(), _LEASE_MAX_S)
    finally:
        subscription.close()


async def _chat(ada: "Core", room: str, stays_s: float) -> None:
    for text in _WORDS:
        view = await asyncio.to_thread(ada.rooms.state, room)
        if len(view.messages) < _TALK_MAX:
            await asyncio.wrap_future(ada.rooms.say(room, text))
        free = [task for task in view.tasks.values() if task.status == "pending" and task.assignee is None]
        if free and text == _WORDS[1]:
            draft = TaskDraft("task_assigned", free[0].id, {"assignee": ada.account.identity_key})
            await asyncio.wrap_future(ada.rooms.submit(room, [draft]))
        await asyncio.sleep(stays_s / len(_WORDS))


def _pauses(first: tuple[float, ...], later: float) -> Iterator[float]:
    return chain(first, repeat(later))
