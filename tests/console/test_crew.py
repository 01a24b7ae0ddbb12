"""The demo's second member: let in by an invitation, she runs an agent while she is there, the operator after her."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from console import crew, demo
from console.core import Core, CoreOptions
from runtime.events import AgentLeased, Event, MemberJoined, Record


class Watch:
    """Waits for events, in their order."""

    def __init__(self, core: Core) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def take(records: Sequence[Record]) -> None:
            for record in records:
                loop.call_soon_threadsafe(self._events.put_nowait, record.event)

        core.journal.subscribe(core.journal.last_seq(), take)

    async def until(self, wanted: Callable[[Event], bool]) -> Event:
        while not wanted(event := await self._events.get()):
            pass
        return event


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    # As a demo, but that nothing lives in it yet.
    started = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True, demo=True, crew=True))
    yield started
    await started.stop("test")


async def test_the_lease_of_an_agent_moves_when_its_runner_leaves(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("_ARRIVES_S", "_STAYS_LATER_S", "_AWAY_LATER_S"):
        monkeypatch.setattr(crew, pause, 0.0)
    monkeypatch.setattr(crew, "_STAYS_S", ())
    monkeypatch.setattr(crew, "_AWAY_S", ())
    await demo.seed(core)
    room = core.rooms.resolve(demo.ROOM)
    watch = Watch(core)
    gone = asyncio.Event()
    shared = crew._share_agent

    async def leaves_when_she_runs_it(core: Core, ada: Core, room: str) -> None:
        await shared(core, ada, room)
        await watch.until(lambda event: _leased(event) == ada.account.identity_key)
        gone.set()

    monkeypatch.setattr(crew, "_share_agent", leaves_when_she_runs_it)
    living = asyncio.ensure_future(crew.live(core, room))
    try:
        await gone.wait()
        await watch.until(lambda event: _leased(event) == core.account.identity_key)
        assert {one.display_name for one in core.rooms.state(room).members} == {core.config.node_name, crew.NAME}
        assert {one.author for one in core.rooms.state(room).messages} >= {core.account.identity_key}
    finally:
        living.cancel()
        with suppress(asyncio.CancelledError):
            await living


async def test_she_is_let_in_by_an_invitation_and_knows_the_room(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_ARRIVES_S", 0.0)
    await demo.seed(core)
    room = core.rooms.resolve(demo.ROOM)
    watch = Watch(core)
    seen: asyncio.Future[set[str]] = asyncio.get_running_loop().create_future()

    async def looks(ada: Core, room: str, stays_s: float) -> None:
        seen.set_result(set(ada.rooms.state(room).tasks))
        await asyncio.Event().wait()

    monkeypatch.setattr(crew, "_chat", looks)
    living = asyncio.ensure_future(crew.live(core, room))
    try:
        await watch.until(lambda event: isinstance(event, MemberJoined))
        assert await seen >= {task.id for task in demo.TASKS}
        assert (core.state.path / "crew" / "orlop.db").exists()
    finally:
        living.cancel()
        with suppress(asyncio.CancelledError):
            await living


def _leased(event: Event) -> str:
    return event.runner if isinstance(event, AgentLeased) and event.agent == crew.SHARED else ""
