"""One component while it lives: carries out what its life cycle says, hands it what came, and asks how it is.

A unit belongs to the core's loop. Its actions are carried out one after another by one task; what an action comes to is
the next event of its life. Whatever goes wrong in the guest ends in `failed`, with a reason in words; whether it comes
again is the supervisor's to say.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final, Literal

from runtime.canonical import Json
from runtime.component_events import ComponentHealth, ComponentState
from runtime.components import lifecycle
from runtime.components.answers import Seat
from runtime.components.checkup import IDLE, Checkup
from runtime.components.chores import Chores
from runtime.components.deliveries import Deliveries
from runtime.components.errors import WireError
from runtime.components.export_values import error_of, execute_arguments, init_arguments
from runtime.components.fresh import Fresh
from runtime.components.health import UNASKED, Health
from runtime.components.host.context import ComponentId
from runtime.components.house import Compiled
from runtime.components.housing import Fall, Housing
from runtime.components.in_force import Ceilings
from runtime.components.installed import Installed
from runtime.components.lifecycle import ABSENT, Action, Life
from runtime.components.manifest.against import check_metadata
from runtime.components.permissions import Policy
from runtime.components.post import Box
from runtime.components.running import Called, Lost, Running
from runtime.components.seating import returned, seat_of
from runtime.components.workers import Start
from runtime.errors import OrlopError, UsageError
from runtime.events import CoreError
from runtime.sanitise import clean

__all__ = ["ShutdownReason", "Unit"]

_REASON_MAX: Final = 300

ShutdownReason = Literal["stopping", "restarting", "upgrading", "permission-change", "limit"]


class Unit:
    """One component and its instance, if it has one.

    Args:
        installed: what it is.
        policy: its permissions.
        ceilings: its limits.
        housing: the house.
        number: of the instance; 0, and 1 of one that takes another's place.

    Attributes:
        life: where it is.
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
        housing: Housing,
        *,
        number: int = 0,
    ) -> None:
        self.installed = installed
        self.policy = policy
        self.ceilings = ceilings
        self.life: Life = ABSENT
        self.reason = ""
        self.restarts = 0
        self.calls = 0
        self.denied = 0
        self.seat: Seat | None = None
        self.running: Running | None = None
        self.shutdown_reason: ShutdownReason = "stopping"
        self._housing = housing
        self._number = number
        self._compiled: Compiled | None = None
        self._alone = False
        self._fall = Fall("")
        self._start: Start | None = None
        self._actions: asyncio.Queue[Action] = asyncio.Queue()
        self._waiting: list[tuple[Callable[[Life], bool], asyncio.Future[Life]]] = []
        self._deliveries: Deliveries | None = None
        self._checkup: Checkup | None = None
        self._fresh = Fresh(housing.workers, lambda: self._start, self._initialise)
        self._cpu, self._account = housing.cpu(installed.name), housing.account(installed.name)
        self._chores = Chores(lambda why: self._broke(Fall(why)))
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

    @property
    def health(self) -> Health:
        """What it said last."""
        return self._checkup.health if self._checkup is not None else UNASKED

    @property
    def handles(self) -> int:
        """That it had open after its last call."""
        return 0 if self.running is None else self.running.handles

    @property
    def cpu_used_ms(self) -> int:
        """Of the processor, in the last minute."""
        return round(self._cpu.used_ms(time.monotonic()))

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
        try:
            self.life, actions = lifecycle.step(self.life, event)
        except lifecycle.LifecycleError as error:
            error.where = self.name
            raise
        if reason or event in {"start", "healthy"}:
            self.reason = clean(reason, _REASON_MAX)
        if event == "start":
            self.restarts, self._alone = 0, False
        elif event == "retry":
            self.restarts += 1
        if self.seat is not None:
            self.seat.state = self.life.state
        if event == "stop" and self.running is not None:
            self.running.hurry()
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
        return await self._fresh.execute(arguments, timeout)

    def replace_policy(self, policy: Policy) -> None:
        """From now on this holds. Where the walls of its worker do not let through what it allows, it restarts."""
        self.policy = policy
        if self.seat is not None:
            self.seat.policy = self.seat.box.rights = policy
        if self.running is None or self._start is None:
            return
        self.running.replace_policy(policy)
        self._fresh.replace_policy(policy)
        if self._start.holds(policy):
            self._start = replace(self._start, policy=policy, environment=self._environment())
        elif self.life.state in {"running", "suspended"}:
            self.shutdown_reason = "permission-change"
            self.want("restart", "what it was granted needs another worker")

    def woken(self) -> None:
        """Something came for it."""
        if self._deliveries is not None:
            self._deliveries.wake()

    def put_back(self, life: Life) -> None:
        """What was to become of it did not happen.

        Args:
            life: where it was before, at rest.
        """
        self.life = life
        self._say_state()

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
            "delete": self._clean,
        }
        while True:
            action = await self._actions.get()
            before = self.life.state
            event: lifecycle.Event | None
            try:
                event = await carry_out[action]()
            except OrlopError as error:
                event, self._fall = "failed", self._fall_of(clean(str(error), _REASON_MAX))
            except Exception as error:  # noqa: BLE001 - a fault of ours ends one component, and whoever waits hears
                why = clean(f"{type(error).__name__}: {error}", _REASON_MAX)
                self._housing.emit(CoreError(where=f"component {self.name}", error=why))
                event, self._fall = "failed", self._fall_of(f"host: {why}")
            if event is not None and self.life.state == before:
                self.want(event, self._fall.reason if event == "failed" else "")

    def _fall_of(self, reason: str) -> Fall:
        """What failed in a step of its start, by its own fault or with its worker."""
        lost = None if self.running is None else self.running.lost
        innocent = lost is not None and lost.done() and not lost.cancelled() and lost.result().innocent
        return Fall(reason, innocent=innocent)

    async def _verify(self) -> lifecycle.Event:
        self._compiled = await self._housing.code(self.installed)
        return "verified"

    async def _load(self) -> lifecycle.Event:
        mounts = await self._housing.folders(self.installed, self._number)
        if self._compiled is None:
            raise UsageError("its code is gone")
        code, limits = self._compiled.code, self.ceilings.for_worker(self._compiled.memories)
        world = self.installed.manifest.component.world
        timeout = self.ceilings.limits.init_timeout
        environment = self._environment()
        start = Start(
            self.component,
            world,
            code,
            self.policy,
            limits,
            mounts,
            timeout,
            self._alone,
            environment,
            self._cpu,
            self._account,
        )
        self.seat = seat_of(
            self.component,
            self.installed,
            self.policy,
            self.ceilings,
            state=self.life.state,
            health=self.health,
        )
        self._housing.post.enter(self.seat.box)
        self.running = running = await self._housing.workers.start(start)
        self._start = start
        self._deliveries = deliveries = self._new_deliveries(running, self.seat.box)
        asked = self.installed.manifest.lifecycle
        self._checkup = Checkup(running, deliveries, asked, self._housing.clock, self._felt)
        running.lost.add_done_callback(lambda lost: self._lost(running, lost))
        said = returned(await self._enter(running, "metadata", {}, self.ceilings.limits.call_timeout))
        if isinstance(said, Mapping):
            check_metadata(self.installed.manifest, str(said.get("name")), str(said.get("version")))
        return "loaded"

    async def _init(self) -> lifecycle.Event:
        await self._initialise(self._instance())
        return "initialised"

    async def _initialise(self, running: Running) -> None:
        config, limits = self.installed.manifest.config, self.ceilings.for_guest()
        arguments = init_arguments(config, self._environment(), limits, self.restarts)
        ended = await self._enter(running, "init", arguments, self.ceilings.limits.init_timeout)
        error = error_of(returned(ended))
        if error is not None:
            raise UsageError(f"init: {error[0]}: {error[1]}")

    async def _first_health(self) -> lifecycle.Event:
        if self._checkup is not None:
            await self._checkup.ask()
        if self.health.status == "unhealthy":
            raise UsageError(f"it says that it is unhealthy: {self.health.detail}")
        return "healthy"

    async def _open_mailbox(self) -> None:
        if self.seat is not None:
            self._housing.post.open(self.seat.box)
        if self._deliveries is not None:
            self._chores.begin(self._deliveries.run())
        if self._checkup is not None:
            self._checkup.left()
            self._chores.begin(self._watch(self._checkup))
        if self.running is not None and self.running.lost.done():  # between its last step and now: nobody else tells
            self._lost(self.running, self.running.lost)

    async def _pause(self) -> None:
        if self._deliveries is not None:
            self._deliveries.pause()

    async def _resume(self) -> None:
        if self._deliveries is not None:
            self._deliveries.resume()

    async def _close_mailbox(self) -> None:
        self._chores.cancel()
        if self.seat is not None:
            self._housing.post.close(self.seat.box, "target-gone", self._housing.clock.wall_ms())

    async def _shut_down(self) -> lifecycle.Event:
        running = self._instance()
        running.request_stop()
        await self._enter(running, "shutdown", {"reason": self.shutdown_reason}, self.ceilings.limits.shutdown_timeout)
        self.shutdown_reason = "stopping"
        return "ended"

    async def _clean(self) -> None:
        self._chores.cancel()
        seat, self.seat = self.seat, None
        if seat is not None:
            self._housing.post.close(seat.box, "target-failed", self._housing.clock.wall_ms())
        running, self.running, self._start, self._deliveries = self.running, None, None, None
        if running is not None:
            await running.unload()
        await self._fresh.end()
        self._checkup = None
        await self._housing.tidy(self.installed, self._number)
        self._compiled = None

    async def _ask_supervisor(self) -> None:
        self._housing.fell(self, self._fall)

    # --- while it runs ----------------------------------------------------------------------------------------------

    async def _watch(self, checkup: Checkup) -> None:
        """Ends what is too ill, and stops what nobody needs."""
        found = await checkup.watch(self._ended_badly)
        if found == IDLE:
            self.shutdown_reason = "limit"
            self._came("stop", "nobody called it for its idle_timeout")
        elif found:
            self._broke(Fall(found))

    def _felt(self, before: Health, after: Health) -> None:
        if self.seat is not None:
            self.seat.health = after
        if (before.status, before.detail) != (after.status, after.detail):
            self._housing.emit(ComponentHealth(component=self.name, status=after.status, detail=after.detail))

    # --- calls ------------------------------------------------------------------------------------------------------

    async def _enter(self, running: Running, export: str, arguments: Mapping[str, Json], timeout_ms: int) -> Called:
        """Calls an export; a guest that did not come back by itself has failed."""
        checkup = self._checkup
        if checkup is not None:
            checkup.entered()
        try:
            ended = await running.call(export, arguments, timeout_ms)
        except WireError as error:
            return Called("host", clean(error.why))
        finally:
            if checkup is not None:
                checkup.left()
        if running is self.running:
            self._ended_badly(ended)
            self._move_if_greedy(running)
        return ended

    def _ended_badly(self, ended: Called) -> bool:
        """Whether a call was the end of its instance."""
        badly = not ended.returned and ended.kind != "lost"
        if badly:
            self._broke(Fall(f"{ended.kind}: {ended.detail or ended.trap}"))
        return badly

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

    # --- the rest ---------------------------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        """Variables that it may read now, and those of its manifest."""
        return {**self._housing.variables(self.policy), **self.installed.manifest.environment}

    def _instance(self) -> Running:
        if self.running is None:
            raise UsageError("its instance is gone")
        return self.running

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
