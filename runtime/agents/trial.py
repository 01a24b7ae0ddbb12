"""`orlop agents try`: an agent run offline, call by call, without a state directory.

The document is a contract. It is the same code that runs agents in rooms, with a room that exists only for this run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from runtime.agents.abi import AgentLinker
from runtime.agents.binary import check_binary, invalid_binary
from runtime.agents.calls import Performed, failure_text, perform
from runtime.agents.emission import Dropped, Emissions, rejections
from runtime.agents.host import HostCall
from runtime.agents.instance import AgentInstance, AgentModule, Sandbox
from runtime.agents.interface import ENTRIES, Trigger
from runtime.agents.limits import CALL_LIMIT_MS, MAX_STATE_BYTES
from runtime.agents.manifest import AgentManifest, read_manifest
from runtime.agents.symbols import function_names, stack_text
from runtime.agents.view import AgentView, event_json
from runtime.canonical import CanonicalError, Json, decode
from runtime.clock import Clock, SystemClock
from runtime.errors import OrlopError, RefusedError
from runtime.rooms.admission import Admitted, Context, Refused, admit, stamp
from runtime.rooms.drafts import Rejection
from runtime.rooms.members import Member, agent_actor, parse_members
from runtime.rooms.reasons import Reason
from runtime.rooms.tasks import Folding, Task, TaskEvent, TaskState, event_to_json, parse_task, parse_task_event
from runtime.sandbox.compile import Compiler
from runtime.sandbox.engine import EpochTicker, agent_engine
from runtime.sandbox.errors import ModuleRefusedError

__all__ = ["TrialRequest", "run_trial"]

ROOM: Final = "0" * 32
RUNNER: Final = "try"
_FILE_LIMIT: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRequest:
    """What to run; files as their bytes, None for those that were not given.

    Attributes:
        wasm: the module.
        manifest: its manifest.
        tasks: JSON array of tasks.
        members: JSON array of members, taken as they are.
        event: JSON of a task event, delivered before the ticks.
        state_hex: the state that the agent finds.
        now_ms: the time, standing still; None for the clock.
        ticks: how many.
        feedback: whether accepted emissions change the tasks of the next call.
        symbols: a debug build of the module, for the words of traps.
    """

    wasm: bytes
    manifest: bytes
    tasks: bytes | None = None
    members: bytes | None = None
    event: bytes | None = None
    state_hex: str | None = None
    now_ms: int | None = None
    ticks: int = 1
    feedback: bool = False
    symbols: bytes | None = None


@dataclass(slots=True)
class _World:
    """The inputs, read."""

    manifest: AgentManifest
    members: tuple[Member, ...]
    tasks: TaskState
    event: TaskEvent | None
    state: bytes | None
    names: dict[int, str] = field(default_factory=dict)


def run_trial(
    request: TrialRequest,
    *,
    limit_ms: int = CALL_LIMIT_MS,
    clock: Clock | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[dict[str, Json], int]:
    """Runs an agent and says what it did; blocks for as long as the agent may run.

    Args:
        request: what to run.
        limit_ms: the deadline of each call.
        clock: the time when the request names none; the machine's by default.
        stopped: asked before each tick; once it says so, none is made any more.

    Returns:
        The document, and the exit status: 0 when every call was good, 1 when one failed, 2 when an input was refused
        (then the document is `{"v": 1, "error": …}`).
    """
    engine = agent_engine()
    try:
        world = _read(request)
        with Compiler(None) as compiler:
            try:
                compiled = compiler.module("agent", request.wasm, engine)
            except ModuleRefusedError as error:
                raise invalid_binary(error) from None
    except OrlopError as error:
        return {"v": 1, "error": str(error)}, 2
    ticker = EpochTicker(engine)
    try:
        sandbox = Sandbox(engine, AgentLinker(engine), ticker, limit_ms)
        trial = _Trial(sandbox, AgentModule.of(compiled), world, request, clock or SystemClock())
        return trial.run(stopped)
    finally:
        ticker.close()


class _Trial:
    """One run."""

    def __init__(
        self, sandbox: Sandbox, module: AgentModule, world: _World, request: TrialRequest, clock: Clock
    ) -> None:
        self._sandbox = sandbox
        self._module = module
        self._world = world
        self._request = request
        self._clock = clock
        self._granted = frozenset(world.manifest.permissions)
        self._actor = agent_actor(ROOM, world.manifest.name, RUNNER)
        self._tasks = world.tasks
        self._state = world.state
        self._instance: AgentInstance | None = None
        self._stamped = -1
        self._calls: list[dict[str, Json]] = []

    def run(self, stopped: Callable[[], bool]) -> tuple[dict[str, Json], int]:
        before = AgentView(self._tasks.tasks, self._world.members)
        if self._call("init"):
            if self._world.event is not None:
                self._call("event")
            for _ in range(self._request.ticks):
                if stopped():
                    break
                self._call("tick")
        if self._instance is not None:
            self._instance.close()
        document: dict[str, Json] = {
            "calls": self._calls,
            "state_hex": None if self._state is None else self._state.hex(),
            "assignment_data_hex": before.assignment_data.hex(),
            "dependency_data_hex": before.dependency_data.hex(),
        }
        return document, 0 if all(call["ok"] for call in self._calls) else 1

    def _now(self) -> int:
        return self._clock.wall_ms() if self._request.now_ms is None else self._request.now_ms

    def _call(self, trigger: Trigger) -> bool:
        """Makes a call; a failure leaves state and tasks as they were."""
        view = AgentView(self._tasks.tasks, self._world.members)
        event = event_json(self._world.event) if trigger == "event" and self._world.event is not None else None
        host = HostCall(view, self._granted, self._state, self._now, event)
        done = perform(self._sandbox, self._module, self._instance, host, trigger, tasks=view.tasks)
        self._instance = done.instance
        admitted, dropped = self._admit(done.emissions)
        if done.ok:
            self._state = host.state
        self._calls.append(
            {
                "call": ENTRIES[trigger],
                "ok": done.ok,
                "error": None if done.ok else self._why(done, trigger),
                "emitted": [event_to_json(one) for one in admitted],
                "dropped": [{"reason": one.reason, "event": one.event} for one in dropped],
                "log": list(host.log),
                "duration_us": done.outcome.duration_us,
            }
        )
        return done.ok

    def _why(self, done: Performed, trigger: Trigger) -> str:
        stack = stack_text(self._world.names, done.outcome.functions)
        text = failure_text(done, trigger)
        return f"{text}, at {stack}" if stack else text

    def _admit(self, emissions: Emissions) -> tuple[list[TaskEvent], list[Dropped]]:
        """Judges the drafts one after another, as the room does; `--feedback` keeps what they change."""
        folding = Folding(self._tasks)
        admitted: list[TaskEvent] = []
        rejected: list[Rejection] = []
        now = self._now()
        for draft in emissions.drafts:
            time = stamp(now, self._stamped)
            event = TaskEvent(
                type=draft.type, task_id=draft.task_id, task=draft.task, timestamp=time, actor_id=self._actor
            )
            context = Context(ROOM, folding.tasks, self._world.members, now)
            match admit(event, context, author=RUNNER):
                case Admitted(accepted):
                    self._stamped = time
                    folding.apply(accepted)
                    admitted.append(accepted)
                case Refused(reason):
                    rejected.append(Rejection(draft, reason))
                case _:
                    rejected.append(Rejection(draft, Reason("the clock stands too far behind the agent's last event")))
        if self._request.feedback:
            self._tasks = folding.state()
        return admitted, [*emissions.dropped, *rejections(emissions, rejected)]


def _read(request: TrialRequest) -> _World:
    manifest = read_manifest(request.manifest)
    check_binary(request.wasm, manifest)
    tasks: dict[str, Task] = {}
    for index, item in enumerate(_array(request.tasks, "tasks")):
        try:
            task = parse_task(item)
        except RefusedError as error:
            raise RefusedError(str(error), where=f"tasks[{index}]") from None
        if task.id in tasks:
            raise RefusedError("the task id occurs twice", where=f"tasks[{index}]")
        tasks[task.id] = task
    return _World(
        manifest,
        parse_members(_array(request.members, "members")),
        TaskState(tasks, {name: task.created_by for name, task in tasks.items()}, frozenset()),
        None if request.event is None else parse_task_event(_json(request.event, "event")),
        _state(request.state_hex),
        {} if request.symbols is None else function_names(request.symbols, request.wasm),
    )


def _state(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        state = bytes.fromhex(text)
    except ValueError:
        raise RefusedError("must be hexadecimal", where="state") from None
    if len(state) > MAX_STATE_BYTES:
        raise RefusedError(f"Agent state exceeds max size ({MAX_STATE_BYTES} bytes)", where="state")
    return state


def _json(raw: bytes, where: str) -> Json:
    try:
        return decode(raw, limit=_FILE_LIMIT)
    except CanonicalError as error:
        raise RefusedError(error.why, where=where) from None


def _array(raw: bytes | None, where: str) -> Sequence[Json]:
    value = [] if raw is None else _json(raw, where)
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise RefusedError("must be an array", where=where)
    return value
