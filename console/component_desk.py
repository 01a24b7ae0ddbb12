"""What components may ask of the rest of this node: jobs, and words in rooms.

A component names a module by its hash, and this node has to hold it already; it sees no job but its own. In a room it
speaks as `component:NAME@KEY`, so that everybody sees that it was no person, and on whose node it runs.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from runtime.canonical import Json
from runtime.components.answers import Asked, Seat
from runtime.components.errors import CaseError
from runtime.components.permissions import Decision
from runtime.components.worker.wire import bytes_of, text_of
from runtime.errors import NetworkError, NotFoundError, OrlopError, UnavailableError, UsageError
from runtime.jobs import UNFINISHED, JobLimits, JobRequest, Terms
from runtime.rooms.drafts import TaskDraft, new_task_id
from runtime.rooms.members import component_actor
from runtime.shapes import from_wire

if TYPE_CHECKING:
    from console.parts import Parts

__all__ = ["outside"]

_MODULE_MAX: Final = 64 << 20
_STDOUT_MAX: Final = 65_536
_JOBS_MAX: Final = 64
"""Jobs of one component that it may still ask about; older ones are forgotten."""
_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Spec:
    module_hash: str
    entry: str | None
    arguments: tuple[str, ...]
    stdin: str
    timeout: int | None
    max_memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class _Wait:
    id: str
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class _Job:
    id: str


@dataclass(frozen=True, slots=True)
class _Message:
    room: str
    text: str


@dataclass(frozen=True, slots=True)
class _Task:
    room: str
    title: str
    description: str


def outside(parts: "Parts") -> Mapping[str, Asked]:
    """Who answers what.

    Args:
        parts: of the node.
    """
    jobs, rooms = _Jobs(parts), _Rooms(parts)
    return {
        "jobs.submit": jobs.submit,
        "jobs.wait": jobs.wait,
        "jobs.cancel": jobs.cancel,
        "rooms.post-message": rooms.post,
        "rooms.create-task": rooms.create_task,
    }


class _Jobs:
    def __init__(self, parts: "Parts") -> None:
        self._parts = parts
        self._of: dict[str, list[str]] = {}

    async def submit(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        spec = from_wire(_Spec, fields)
        _allowed(seat.policy.submit_job(spec.module_hash))
        if spec.entry not in {None, "_start"}:
            raise CaseError("invalid-argument", "a job begins at _start")
        jobs = self._parts.jobs
        try:
            module = await asyncio.to_thread(jobs.blobs.read, spec.module_hash, limit=_MODULE_MAX)
            stdin = bytes_of(spec.stdin)
            given = await asyncio.to_thread(jobs.blobs.put, stdin, limit=len(stdin)) if stdin else None
            request = JobRequest(name=f"{seat.component.name}.job", args=spec.arguments, limits=self._limits(spec))
            job, state = await jobs.queue.submit(
                request, module=module, stdin=given, terms=Terms(detached=True, keep_output=True)
            )
        except OrlopError as error:
            raise _job_case(error) from None
        if state == "refused":
            raise CaseError("resource-exhausted", "the queue is full")
        own = self._of.setdefault(seat.box.name, [])
        own.append(job)
        del own[:-_JOBS_MAX]
        return job

    async def wait(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Wait, fields)
        self._own(seat, asked.id)
        jobs = self._parts.jobs
        deadline = asyncio.get_running_loop().time() + asked.timeout_ms / 1000
        while (record := (await jobs.show(asked.id))[0]).state in UNFINISHED:
            if asyncio.get_running_loop().time() >= deadline:
                raise CaseError("timeout", f"the job is {record.state}")
            await asyncio.sleep(_LOOK_S)
        stdout = b"" if not record.output_bytes else (await jobs.output(asked.id)).stdout
        return {
            "outcome": record.outcome,
            "exit_code": record.exit_code,
            "receipt": record.receipt or None,
            "stdout": text_of(stdout[:_STDOUT_MAX]),
        }

    async def cancel(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Job, fields)
        self._own(seat, asked.id)
        try:
            await self._parts.jobs.cancel(asked.id, "command")
        except OrlopError as error:
            raise _job_case(error) from None
        return None

    def _limits(self, spec: _Spec) -> JobLimits:
        settings = self._parts.config.jobs
        base = JobLimits.of(
            memory_bytes=spec.max_memory_bytes or settings.memory_bytes,
            fuel=settings.fuel or None,
            timeout_ms=spec.timeout or settings.timeout_ms,
            max_output_bytes=settings.max_output_bytes,
        )
        return replace(base, cpu_ms=min(base.cpu_ms, settings.ceiling_cpu_ms))

    def _own(self, seat: Seat, job: str) -> None:
        if job not in self._of.get(seat.box.name, ()):
            raise CaseError("not-found", "no job of this component")


class _Rooms:
    def __init__(self, parts: "Parts") -> None:
        self._parts = parts

    async def post(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Message, fields)
        room = await self._room(seat, asked.room)
        try:
            said = await asyncio.wrap_future(self._parts.rooms.say(room, asked.text, actor=self._actor(seat)))
        except OrlopError as error:
            raise _room_case(error) from None
        return said.id

    async def create_task(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Task, fields)
        room = await self._room(seat, asked.room)
        if not asked.title.strip():
            raise CaseError("invalid-argument", "a task has a title")
        task = new_task_id()
        draft = TaskDraft("task_created", task, {"title": asked.title, "description": asked.description})
        try:
            done = await asyncio.wrap_future(self._parts.rooms.submit(room, [draft], actor=self._actor(seat)))
        except OrlopError as error:
            raise _room_case(error) from None
        if done.rejected:
            raise CaseError("invalid-argument", str(done.rejected[0].reason))
        return task

    async def _room(self, seat: Seat, named: str) -> str:
        """A room by its whole name or id: what a rule allows is what is meant."""
        _allowed(seat.policy.post_room(named))
        for info in await asyncio.to_thread(self._parts.rooms.list):
            if named in {info.name, info.room}:
                return info.room
        raise CaseError("not-found", "no such room")

    def _actor(self, seat: Seat) -> str:
        return component_actor(seat.box.name, self._parts.account.identity_key)


def _allowed(decision: Decision) -> None:
    if not decision.allowed:
        raise CaseError("permission-denied", decision.reason)


def _job_case(error: OrlopError) -> CaseError:
    if isinstance(error, NotFoundError):
        return CaseError("not-found", error.why)
    unavailable = isinstance(error, UnavailableError | NetworkError)
    return CaseError("unavailable" if unavailable else "invalid-argument", error.why)


def _room_case(error: OrlopError) -> CaseError:
    if isinstance(error, UsageError):
        return CaseError("invalid-argument", error.why)
    return CaseError("unavailable", error.why)
