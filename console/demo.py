"""The demo: a room with work in it, agents that work on it, jobs, a component that breaks down, a machine that boots.

`seed` puts everything back as it should be and may run at any start: what is missing is added, finished tasks are
re-opened, and the agent that fails on purpose gets its three tries again. `live` then plays the crew: it finishes tasks
and runs jobs now and then, so that there is something to watch; it touches nothing but what `seed` made.
"""

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import assets
from console import crew, gauge, pier, slipway
from console.shipped import upload_agent
from runtime.agents.keys import AgentKey
from runtime.errors import NotFoundError, OrlopError
from runtime.jobs import JobLimits, JobRequest, Streams
from runtime.rooms.derived import is_blocked
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.tasks import Task

if TYPE_CHECKING:
    from console.core import Core
    from runtime.canonical import Json

__all__ = ["AGENTS", "ROOM", "TASKS", "fill", "live", "seed"]

ROOM: Final = "quiet-harbor"
AGENTS: Final = ("auto-balance", "unblock", "faulty")
"""The last one fails on purpose, and says so."""

_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_JOBS_S: Final = (1.5, 4.0, *itertools.repeat(7.0, 10))
_JOBS_LATER_S: Final = 30.0
_STEPS_S: Final = (9.0,) * 24
_STEPS_LATER_S: Final = 60.0
"""Seconds before each of the first jobs and finished tasks, and before each later one: a demo may run for days."""
_WELCOME: Final = (
    "This room is a demo: three agents work in it, and one of them fails on purpose.",
    "Try /task Polish the bell | due: 2h | urgent, and watch auto-balance take it.",
)
_SENTENCES: Final = (
    b"Hello, harbor",
    "Der Hafen schläft, die Lichter nicht".encode(),
    b"A receipt is a promise that anyone can check",
    "港の灯りが水に揺れる".encode(),
    b"not \xff UTF-8: this job traps, and its receipt says so",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _DemoTask:
    """One task of the room; `due_ms` counts from the start."""

    id: str
    title: str
    description: str = ""
    due_ms: int | None = None
    parent: str = ""
    waits_for: tuple[str, ...] = ()

    def draft(self, now_ms: int) -> TaskDraft:
        """What creates it."""
        fields: dict[str, Json] = {"title": self.title}
        if self.description:
            fields["description"] = self.description
        if self.due_ms is not None:
            fields["dueAt"] = now_ms + self.due_ms
        if self.parent:
            fields["parentId"] = self.parent
        if self.waits_for:
            fields["blockedBy"] = list(self.waits_for)
        return TaskDraft("subtask_created" if self.parent else "task_created", self.id, fields)


TASKS: Final = (
    _DemoTask(id="d-rotate-keys", title="Rotate the relay's keys", due_ms=2 * _HOUR_MS, description="Two wait for it."),
    _DemoTask(id="d-sign-image", title="Sign boot image 14"),
    _DemoTask(
        id="d-publish-image",
        title="Publish boot image 14",
        due_ms=_DAY_MS,
        waits_for=("d-rotate-keys", "d-sign-image"),
    ),
    _DemoTask(id="d-announce-image", title="Announce image 14 to the crews", waits_for=("d-publish-image",)),
    _DemoTask(id="d-renew-certificate", title="Renew the LAN certificate", due_ms=3 * _DAY_MS),
    _DemoTask(id="d-move-relay", title="Move the relay to pier 4", waits_for=("d-rotate-keys",)),
    _DemoTask(id="d-report", title="Write the incident report", due_ms=2 * _DAY_MS),
    _DemoTask(id="d-report-logs", title="Collect the logs", parent="d-report"),
    _DemoTask(id="d-report-timeline", title="Draw the timeline", parent="d-report", waits_for=("d-report-logs",)),
    _DemoTask(id="d-tide-gauge", title="Calibrate the tide gauge"),
    _DemoTask(id="d-buoy", title="Replace the battery of buoy 7", due_ms=5 * _HOUR_MS),
)
"""What there is to do; a task that others wait for comes before them."""


async def seed(core: "Core") -> None:
    """Puts the demo in order.

    Args:
        core: of a directory that is marked as a demo.

    Raises:
        OrlopError: the store cannot be written, or a module that is shipped is damaged.
    """
    await fill(core, await _room(core))


async def fill(core: "Core", room: str) -> None:
    """Puts the demo's tasks, words and agents into a room; its agents tick as often as all others of the directory.

    Args:
        core: of any directory.
        room: its id.

    Raises:
        OrlopError: the store cannot be written, or a module that is shipped is damaged.
    """
    view = await asyncio.to_thread(core.rooms.state, room)
    drafts = _missing(view.tasks, core.clock.wall_ms())
    if drafts:
        await asyncio.wrap_future(core.rooms.submit(room, drafts))
    if not view.messages:
        for text in _WELCOME:
            await asyncio.wrap_future(core.rooms.say(room, text))
    for name in AGENTS:
        await _agent(core, AgentKey(room, name))


async def live(core: "Core") -> None:
    """Plays the crew until it is cancelled.

    Args:
        core: after `seed`.
    """
    module = await asyncio.to_thread(assets.path("jobs/hello/hello.wasm").read_bytes)
    await asyncio.gather(
        _work(core),
        _run_jobs(core, module),
        crew.live(core, await _room(core)),
        pier.live(core, module),
        gauge.live(core),
        slipway.live(core, module),
    )


async def _room(core: "Core") -> str:
    """The demo's room: the oldest of its name."""
    for info in await asyncio.to_thread(core.rooms.list):
        if info.name == ROOM:
            return info.room
    return (await asyncio.wrap_future(core.rooms.create(ROOM))).room


def _missing(tasks: Mapping[str, Task], now_ms: int) -> list[TaskDraft]:
    """What brings the tasks back: missing ones are made, finished ones are free again."""
    drafts = []
    for wanted in TASKS:
        there = tasks.get(wanted.id)
        if there is None:
            drafts.append(wanted.draft(now_ms))
        elif there.status == "completed":
            drafts += _reopened(there)
    return drafts


def _reopened(task: Task) -> list[TaskDraft]:
    free = [TaskDraft("task_assigned", task.id, {"assignee": None})] if task.assignee else []
    return [*free, TaskDraft("task_status_changed", task.id, {"status": "pending"})]


async def _agent(core: "Core", key: AgentKey) -> None:
    """An agent as it is shipped, active."""
    await upload_agent(core, key, builtin=key.agent != AGENTS[-1])
    await core.agents.activate(key)


async def _work(core: "Core") -> None:
    """Finishes one task after another, and begins again when all are done."""
    room = await _room(core)
    for pause in _pauses(_STEPS_S, _STEPS_LATER_S):
        await asyncio.sleep(pause)
        if core.lock.locked:
            continue
        try:
            view = await asyncio.to_thread(core.rooms.state, room)
            drafts = _next_step(view.tasks)
            if drafts:
                await asyncio.wrap_future(core.rooms.submit(room, drafts))
        except NotFoundError:
            return  # it was burned
        except OrlopError as error:
            core.report("demo", error)


def _next_step(tasks: Mapping[str, Task]) -> list[TaskDraft]:
    ours = [task for wanted in TASKS if (task := tasks.get(wanted.id)) is not None]
    if all(task.status == "completed" for task in ours):
        return [draft for task in ours for draft in _reopened(task)]
    doing = [task for task in ours if task.status == "in_progress" and not is_blocked(task, tasks)]
    return [TaskDraft("task_status_changed", doing[0].id, {"status": "completed"})] if doing else []


async def _run_jobs(core: "Core", module: bytes) -> None:
    """Runs the hello job on one sentence after another, and verifies each receipt as it is stored."""
    for pause, sentence in zip(_pauses(_JOBS_S, _JOBS_LATER_S), itertools.cycle(_SENTENCES), strict=False):
        await asyncio.sleep(pause)
        settings = core.config.jobs
        limits = JobLimits.of(
            memory_bytes=settings.memory_bytes,
            timeout_ms=settings.timeout_ms,
            max_output_bytes=settings.max_output_bytes,
            fuel=settings.fuel or None,
        )
        try:
            request = JobRequest(name="hello.wasm", limits=limits)
            end = await core.jobs.run(request, module=module, streams=Streams(stdin=sentence))
            if end.receipt:
                await core.receipts.verify(end.receipt)
        except OrlopError as error:
            core.report("demo", error)


def _pauses(first: Sequence[float], later: float) -> Iterator[float]:
    return itertools.chain(first, itertools.repeat(later))
