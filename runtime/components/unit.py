"""One component while it lives: carries out what its life cycle says, hands it what came, and asks how it is.

A unit belongs to the core's loop. Its actions are carried out one after another by one task; what an action comes to is
the next event of its life. Whatever goes wrong in the guest ends in `failed`, with a reason in words; whether it comes
again is the supervisor's to say.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from runtime.canonical import Json
from runtime.clock import Clock
from runtime.component_events import ComponentHealth, ComponentState
from runtime.components import health as feeling
from runtime.components import lifecycle
from runtime.components.answers import Seat
from runtime.components.deliveries import Deliveries
from runtime.components.errors import WireError
from runtime.components.export_values import error_of, execute_arguments, init_arguments
from runtime.components.health import UNASKED, Health
from runtime.components.host.context import ComponentId
from runtime.components.house import Compiled
from runtime.components.in_force import Ceilings
from runtime.components.installed import Installed
from runtime.components.lifecycle import ABSENT, Action, Life
from runtime.components.mailbox import Mailbox
from runtime.components.manifest.against import check_metadata
from runtime.components.permissions import Policy
from runtime.components.post import Box, Post
from runtime.components.running import Called, Lost, Running
from runtime.components.workers import HostMount, Start, Workers
from runtime.errors import OrlopError, UsageError
from runtime.events import Event
from runtime.sanitise import clean

__all__ = ["Fall", "Housing", "ShutdownReason", "Unit"]

_REASON_MAX: Final = 300

ShutdownReason = Literal["stopping", "restarting", "upgrading", "permission-change", "limit"]


@dataclass(frozen=True, slots=True)
class Fall:
    """An end that nobody asked for."""

    reason: str
    innocent: bool = False


@dataclass(frozen=True, slots=True)
class Housing:
    """What a unit needs of the house.

    Attributes:
        workers: make instances.
        post: carries messages.
        clock: tells the time.
        code: compiled code of an installed component, whose bytes were hashed just now.
        folders: what it sees of the file system; makes what is missing.
        tidy: empties what is temporary of its folders.
        emit: says that something happened.
        fell: asks the supervisor about a fall.
    """

    workers: Workers
    post: Post
    clock: Clock
    code: Callable[[Installed], Awaitable[Compiled]]
    folders: Callable[[Installed, Policy], Awaitable[tuple[HostMount, ...]]]
    tidy: Callable[[Installed], Awaitable[None]]
    emit: Callable[[Event], None]
    fell: Callable[["Unit", Fall], None]


class Unit:
    """One component and its instance, if it has one.

    Args:
        installed: what it is.
        ceilings: its limits.
        environment: variables that it is given at `init`.
        housing: the house.
        number: of the instance; 0, and 1 of one that takes another's place.

    Attributes:
        life: where it is.
        health: what it said last.
        reason: why it failed or stopped last, one line.
        restarts: how often it came again since an operator started it.
        calls: into it, since its start.
        seat: while it has an instance.
        denied: requests that were denied, since its start.
    """

    def __init__(
        self,
        installed: Installed,
        policy: Policy,
        ceilings: Ceilings,
        environment: Mapping[str, str],
        housing: Housing,
        *,
        number: int = 0,
    ) -> None:
        self.installed = installed
        self.policy = policy
        self.ceilings = ceilings
        self.life: Life = ABSENT
        self.health: Health = UNASKED
        self.reason = ""
        self.restarts = 0
        self.calls = 0
        self.denied = 0
        self.seat: Seat | None = None
        self.running: Running | None = None
        self.shutdown_reason: ShutdownReason = "stopping"
        self._environment = environment
        self._housing = housing
        self._number = number
        self._compiled: Compiled | None = None
        self._alone = False
        self._fall = Fall("")
        self._start: Start | None = None
        self._actions: asyncio.Queue[Action] = asyncio.Queue()
        self._waiting: list[tuple[Callable[[Life], bool], asyncio.Future[Life]]] = []
        self._deliveries: Deliveries | None = None
        self._busy_since: float | None = None
        self._last_call = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._actor = asyncio.get_running_loop().create_task(self._act())
        self.life = lifecycle.step(ABSENT, "install")[0]

    @property
    def name(self) -> str:
        """`namespace/name`."""
        return self.installed.name

    @property
    def component(self) -> ComponentId:
        """Who it is while it runs."""
        package = self.installed.manifest.package
        return ComponentId(package.namespace, package.name, package.version, self._number)

    # --- what others ask of it --------------------------------------------------------------------------------------

    def want(self, event: lifecycle.Event, reason: str = "") -> None:
        """Lets something happen in its life; what follows is done in the background.

        Args:
            event: what is wanted, or happened.
            reason: why, for people.

        Raises:
            LifecycleError: its state does not allow it.
        """
        before = self.life.state
        self.life, actions = lifecycle.step(self.life, event)
        if reason or event in {"start", "healthy"}:
            self.reason = clean(reason, _REASON_MAX)
        if event == "start":
            self.restarts, self._alone = 0, False
        elif event == "retry":
            self.restarts += 1
        if self.seat is not None:
            self.seat.state = self.life.state
        for action in actions:
            self._actions.put_nowait(action)
        if self.life.state != before:
            self._say_state()
        self._tell_waiting()

    async def until(self, true: Callable[[Life], bool]) -> Life:
        """Waits until its life is as it should be.

        Args:
            true: whether it is.
        """
        if true(self.life):
            return self.life
        waits: asyncio.Future[Life] = asyncio.get_running_loop().create_future()
        self._waiting.append((true, waits))
        return await waits

    async def execute(self, operation: str, given: bytes, timeout_ms: int, source: str) -> Called:
        """Runs a named operation.

        Args:
            operation: its name.
            given: its input.
            timeout_ms: cut to the component's own.
            source: who asks, for the component.

        Raises:
            UsageError: it does not run.
        """
        if self.life.state != "running" or self.running is None:
            hint = f"orlop components run {self.name} starts it"
            raise UsageError(f"is {self.life.state}, so nothing can be asked of it", where=self.name, hint=hint)
        timeout = min(timeout_ms, self.ceilings.limits.call_timeout)
        self.calls += 1
        arguments = execute_arguments(operation, given, self.calls, timeout, source)
        if self.installed.manifest.component.stateful:
            return await self._enter(self.running, "execute", arguments, timeout)
        return await self._execute_afresh(arguments, timeout)

    def replace_policy(self, policy: Policy) -> None:
        """From now on this holds. Where the walls of its worker do not let through what it allows, it restarts."""
        self.policy = policy
        if self.seat is not None:
            self.seat.policy = self.seat.box.rights = policy
        if self.running is None or self._start is None:
            return
        self.running.replace_policy(policy)
        if not self._start.holds(policy) and self.life.state in {"running", "suspended"}:
            self.shutdown_reason = "permission-change"
            self.want("restart", "what it was granted needs another worker")

    def woken(self) -> None:
        """Something came for it."""
        if self._deliveries is not None:
            self._deliveries.wake()

    async def end(self) -> None:
        """Lets go of everything; the unit is of no use afterwards."""
        self._actor.cancel()
        with suppress(asyncio.CancelledError):
            await self._actor
        await self._clean()

    # --- its actions ------------------------------------------------------------------------------------------------

    async def _act(self) -> None:
        """Carries out actions, one after another, until the end."""
        carry_out: Mapping[Action, Callable[[], Awaitable[lifecycle.Event | None]]] = {
            "verify": self._verify,
            "load": self._load,
            "init": self._init,
            "ask-health": self._first_health,
            "open-mailbox": self._open_mailbox,
            "pause-calls": self._pause,
            "resume-calls": self._resume,
            "close-mailbox": self._close_mailbox,
            "shutdown": self._shut_down,
            "clean": self._clean,
            "ask-supervisor": self._ask_supervisor,
        }
        while True:
            action = await self._actions.get()
            before = self.life.state
            event: lifecycle.Event | None
            try:
                event = await carry_out[action]()
            except OrlopError as error:
                event = "failed"
                self._fall = Fall(clean(str(error), _REASON_MAX))
            if event is not None and self.life.state == before:
                self.want(event, self._fall.reason if event == "failed" else "")

    async def _verify(self) -> lifecycle.Event:
        self._compiled = await self._housing.code(self.installed)
        return "verified"

    async def _load(self) -> lifecycle.Event:
        mounts = await self._housing.folders(self.installed, self.policy)
        if self._compiled is None:
            raise UsageError("its code is gone")
        code, limits = self._compiled.code, self.ceilings.for_worker(self._compiled.memories)
        world = self.installed.manifest.component.world
        timeout = self.ceilings.limits.init_timeout
        start = Start(self.component, world, code, self.policy, limits, mounts, timeout, self._alone, self._environment)
        self.seat = self._new_seat()
        self._housing.post.enter(self.seat.box)
        self.running = running = await self._housing.workers.start(start)
        self._start = start
        self._deliveries = self._new_deliveries(running, self.seat.box)
        running.lost.add_done_callback(lambda lost: self._lost(running, lost))
        said = self._returned(await self._enter(running, "metadata", {}, self.ceilings.limits.call_timeout))
        if isinstance(said, Mapping):
            check_metadata(self.installed.manifest, str(said.get("name")), str(said.get("version")))
        return "loaded"

    async def _init(self) -> lifecycle.Event:
        await self._initialise(self._instance())
        return "initialised"

    async def _initialise(self, running: Running) -> None:
        config, limits = self.installed.manifest.config, self.ceilings.for_guest()
        arguments = init_arguments(config, self._environment, limits, self.restarts)
        ended = await self._enter(running, "init", arguments, self.ceilings.limits.init_timeout)
        error = error_of(self._returned(ended))
        if error is not None:
            raise UsageError(f"init: {error[0]}: {error[1]}")

    async def _first_health(self) -> lifecycle.Event:
        await self._ask_health()
        if self.health.status == "unhealthy":
            raise UsageError(f"it says that it is unhealthy: {self.health.detail}")
        return "healthy"

    async def _open_mailbox(self) -> None:
        if self.seat is not None:
            self._housing.post.open(self.seat.box)
        self._last_call = self._housing.clock.monotonic()
        if self._deliveries is not None:
            self._keep(self._deliveries.run())
        self._keep(self._watch_health())

    async def _pause(self) -> None:
        if self._deliveries is not None:
            self._deliveries.pause()

    async def _resume(self) -> None:
        if self._deliveries is not None:
            self._deliveries.resume()

    async def _close_mailbox(self) -> None:
        self._end_tasks()
        if self.seat is not None:
            self._housing.post.close(self.seat.box, "target-gone", self._housing.clock.wall_ms())

    async def _shut_down(self) -> lifecycle.Event:
        running = self._instance()
        running.request_stop()
        await self._enter(running, "shutdown", {"reason": self.shutdown_reason}, self.ceilings.limits.shutdown_timeout)
        self.shutdown_reason = "stopping"
        return "ended"

    async def _clean(self) -> None:
        self._end_tasks()
        seat, self.seat = self.seat, None
        if seat is not None:
            self._housing.post.close(seat.box, "target-failed", self._housing.clock.wall_ms())
        running, self.running, self._start, self._deliveries = self.running, None, None, None
        if running is not None:
            await running.unload()
        await self._housing.tidy(self.installed)
        self._compiled = None

    async def _ask_supervisor(self) -> None:
        self._housing.fell(self, self._fall)

    # --- while it runs ----------------------------------------------------------------------------------------------

    async def _watch_health(self) -> None:
        """Asks again and again; stops what was idle for too long."""
        asked = self.installed.manifest.lifecycle
        while True:
            await asyncio.sleep(asked.health_interval / 1000)
            now = self._housing.clock.monotonic()
            if asked.idle_timeout is not None and now - self._last_call > asked.idle_timeout / 1000:
                self.shutdown_reason = "limit"
                self._came("stop", f"idle for {round(now - self._last_call)} s")
                return
            if self._deliveries is not None:
                await self._deliveries.unpaused()
            if self._busy_since is not None:
                self._feel(feeling.busy(self.health, now - self._busy_since))
            else:
                await self._ask_health()
            if self.health.bad >= asked.health_failures:
                self._broke(Fall(f"unhealthy {self.health.bad} times: {self.health.detail}"))
                return

    async def _ask_health(self) -> None:
        timeout = self.installed.manifest.lifecycle.health_timeout
        ended = await self._instance().call("health", {}, timeout)
        if ended.returned and isinstance(ended.value, Mapping):
            status, detail = str(ended.value.get("status")), str(ended.value.get("detail"))
            self._feel(feeling.answered(self.health, feeling.status_of(status), detail))
        else:
            self._feel(feeling.silent(self.health, ended.detail or ended.kind))
            self._ended_badly(ended)

    def _feel(self, after: Health) -> None:
        before, self.health = self.health, after
        if self.seat is not None:
            self.seat.health = after
        if (before.status, before.detail) != (after.status, after.detail):
            self._housing.emit(ComponentHealth(component=self.name, status=after.status, detail=after.detail))

    # --- calls ------------------------------------------------------------------------------------------------------

    async def _enter(self, running: Running, export: str, arguments: Mapping[str, Json], timeout_ms: int) -> Called:
        """Calls an export; a guest that did not come back by itself has failed."""
        now = self._housing.clock.monotonic()
        self._busy_since = now
        try:
            ended = await running.call(export, arguments, timeout_ms)
        except WireError as error:
            return Called("host", clean(error.why))
        finally:
            self._busy_since, self._last_call = None, self._housing.clock.monotonic()
        if running is self.running:
            self._ended_badly(ended)
            self._move_if_greedy(running)
        return ended

    def _ended_badly(self, ended: Called) -> None:
        if not ended.returned and ended.kind != "lost":
            self._broke(Fall(f"{ended.kind}: {ended.detail or ended.trap}"))

    def _broke(self, fall: Fall) -> None:
        """It failed while it ran; what fails in a step of its start is that step's event."""
        if self.life.state in {"running", "suspended"}:
            self._fall = fall
            self._came("failed", fall.reason)

    def _lost(self, running: Running, lost: "asyncio.Future[Lost]") -> None:
        if not lost.cancelled() and running is self.running:
            found = lost.result()
            self._broke(Fall(f"worker-lost: {found.why}", innocent=found.innocent))

    def _move_if_greedy(self, running: Running) -> None:
        """One that used up its processor time among others gets a worker of its own."""
        if running.overran and not running.alone and self.life.state == "running":
            self._alone, self.shutdown_reason = True, "limit"
            self._came("restart", "used up its processor time; gets a worker of its own")

    def _came(self, event: lifecycle.Event, reason: str) -> None:
        with suppress(lifecycle.LifecycleError):  # something else was faster
            self.want(event, reason)

    async def _execute_afresh(self, arguments: Mapping[str, Json], timeout_ms: int) -> Called:
        """In an instance that nobody used before and nobody will after."""
        if self._start is None:
            return Called("lost", "the component stopped")
        fresh = await self._housing.workers.start(self._start)
        try:
            await self._initialise(fresh)
            return await fresh.call("execute", arguments, timeout_ms)
        finally:
            await fresh.unload()

    def _returned(self, ended: Called) -> Json:
        """What a call of the start came back with.

        Raises:
            UsageError: it did not come back.
        """
        if not ended.returned:
            raise UsageError(f"{ended.kind}: {ended.detail or ended.trap}")
        return ended.value

    # --- the rest ---------------------------------------------------------------------------------------------------

    def _instance(self) -> Running:
        if self.running is None:
            raise UsageError("its instance is gone")
        return self.running

    def _new_seat(self) -> Seat:
        messaging = self.ceilings.messaging
        mailbox = Mailbox(messaging.mailbox, messaging.overflow)
        box = Box(self.name, self.policy, mailbox, self.ceilings.limits.message, messaging.pending_requests)
        description = self.installed.manifest.package.description
        return Seat(
            self.component, box, self.policy, self.ceilings.limits.storage, description, self.life.state, self.health
        )

    def _new_deliveries(self, running: Running, box: Box) -> Deliveries:
        async def enter(export: str, arguments: dict[str, Json], timeout_ms: int) -> Called:
            return await self._enter(running, export, arguments, timeout_ms)

        housing = self._housing
        return Deliveries(box, housing.post, housing.clock, enter, self.ceilings.limits.call_timeout)

    def _say_state(self) -> None:
        self._housing.emit(
            ComponentState(
                component=self.name,
                version=self.installed.manifest.package.version,
                state=self.life.state,
                reason=self.reason,
                restarts=self.restarts,
            )
        )

    def _tell_waiting(self) -> None:
        due = [waits for true, waits in self._waiting if true(self.life)]
        self._waiting = [(true, waits) for true, waits in self._waiting if waits not in due and not waits.done()]
        for waits in due:
            if not waits.done():
                waits.set_result(self.life)

    def _keep(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._broke(Fall(clean(f"{type(error).__name__}: {error}", _REASON_MAX)))

    def _end_tasks(self) -> None:
        ours = asyncio.current_task()
        for task in self._tasks:
            if task is not ours:
                task.cancel()
