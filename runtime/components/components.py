"""The components of a node: installed, started, supervised, spoken with, upgraded and taken away.

Everything here belongs to the core's loop. What is true is in the database; what runs is in units, one per component,
and a second one while another version takes its place.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from weakref import WeakValueDictionary

from runtime.blobs import Blobs
from runtime.canonical import Json
from runtime.clock import Clock
from runtime.component_events import ComponentDeadLetter, ComponentMeasured
from runtime.components.answers import Answers, Asked, messages, stored
from runtime.components.chores import Chores, to_the_end
from runtime.components.cpu_quota import CpuUse
from runtime.components.folder import Folder
from runtime.components.folder_account import FolderAccount
from runtime.components.host.context import ComponentId
from runtime.components.house import Code, Folders, Journal
from runtime.components.housing import Fall, Housing
from runtime.components.in_force import Ceilings
from runtime.components.installed import Installed, read_all, remember_aim
from runtime.components.installer import Install, Installer
from runtime.components.lifecycle import Life
from runtime.components.manifest.ceilings import cut_down
from runtime.components.manifest.read import rule_lines
from runtime.components.permissions import Policy
from runtime.components.permissions.grants import Grants
from runtime.components.post import Post
from runtime.components.preview import Preview
from runtime.components.roll import Roll
from runtime.components.running import Called
from runtime.components.storage import Sealing
from runtime.components.supervision import Group
from runtime.components.supervisor import Supervisor, at_rest
from runtime.components.unit import Unit
from runtime.components.workers import Workers
from runtime.errors import FailedError, OrlopError
from runtime.events import CoreError, Event
from runtime.sandbox.compile import Compiler
from runtime.sanitise import clean
from runtime.store import Store, Transaction
from runtime.vault import Vault

__all__ = ["Components"]

_MEASURE_S: Final = 2.0


class Components:
    """All components of a node.

    Args:
        store: where they are kept.
        vault: seals what they keep.
        blobs: where their bytes are.
        compiler: asked for when the first one is compiled.
        clock: tells the time.
        folders: makes what they see of the file system.
        ceilings: the operator's, by keys of Component.toml.
        groups: who is supervised with whom, by name.
        kinds: further questions that they may ask, such as about jobs.
        need_space: raises `UnavailableError` while room on the disk is short: nothing more is stored then.
    """

    def __init__(
        self,
        store: Store,
        *,
        vault: Vault,
        blobs: Blobs,
        compiler: Callable[[], Compiler],
        clock: Clock,
        folders: Folders,
        ceilings: Mapping[str, int],
        groups: Mapping[str, Group],
        kinds: Mapping[str, Asked],
        need_space: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._ceilings = ceilings
        self._folders = folders
        self._roll = Roll()
        self._chores = Chores(self._trouble)
        self._timer: asyncio.TimerHandle | None = None
        self._dead_told = 0
        self._cpu: WeakValueDictionary[str, CpuUse] = WeakValueDictionary()
        self._accounts: WeakValueDictionary[str, FolderAccount] = WeakValueDictionary()
        self._measured: dict[str, tuple[int, int, int]] = {}
        self.journal = Journal(store, vault)
        self.post = Post(self._roll.wake, self._request_due)
        answers = Answers(
            self._roll.seat,
            {
                **stored(store, Sealing(vault), need_space),
                **messages(self.post, lambda name: self._roll.seat_named(name, self.post), clock),
                **kinds,
            },
        )
        self.workers = Workers(_Desk(answers, self), self._trouble)
        code = Code(blobs, compiler)
        self._housing = Housing(
            workers=self.workers,
            post=self.post,
            clock=clock,
            code=code,
            folders=folders,
            tidy=folders.tidy,
            cpu=self._cpu_of,
            account=self._account_of,
            variables=_variables,
            emit=store.emit,
            fell=self._fell,
        )
        self._supervisor = Supervisor(groups, self._roll.units, clock, store.emit, self._given_up)
        self._installer = Installer(
            store,
            blobs=blobs,
            clock=clock,
            folders=folders,
            code=code,
            ceilings=ceilings,
            roll=self._roll,
            made=self._unit,
        )

    # --- life -------------------------------------------------------------------------------------------------------

    async def restore(self, *, start: bool) -> None:
        """Knows again what is installed.

        Args:
            start: what is to run is started, and what belongs to nobody is removed: nobody else uses this node.
        """
        installed, damaged = await asyncio.wrap_future(self._store.read(read_all))
        for name, error in damaged.items():
            self._is_damaged(name, error)
        if start:
            await self._folders.keep({one.name for one in installed} | damaged.keys())
        for one in installed:
            try:
                unit = self._unit(one)
            except OrlopError as error:
                self._is_damaged(one.name, error)
                continue
            self._roll.put(unit)
            if one.given_up:
                unit.life, unit.reason = Life("given-up"), one.given_up[-1]
            elif start and one.wanted:
                unit.want("start")
        self._chores.begin(self._measure())

    async def close(self) -> None:
        """Stops all that runs, with its last call, and lets go of everything; what ran runs again at the next start."""
        await self._supervisor.close()
        for unit in self._roll.everybody():
            with suppress(OrlopError):  # it rests
                unit.want("stop", "orlop stops")
        await asyncio.gather(*(unit.until(at_rest) for unit in self._roll.everybody()))
        await self._chores.close()
        if self._timer is not None:
            self._timer.cancel()
        for unit in self._roll.everybody():
            await unit.end()
        await self.workers.close()

    # --- what is asked of it ----------------------------------------------------------------------------------------

    def units(self) -> list[Unit]:
        """All installed components, by name."""
        return [self._roll.units[name] for name in sorted(self._roll.units)]

    def damaged(self) -> Mapping[str, OrlopError]:
        """What is wrong with components that are installed and cannot be read, by name."""
        return self._roll.damaged

    def unit(self, name: str) -> Unit:
        """One component; without a namespace, the only one of that name.

        Args:
            name: `namespace/name` or `name`.

        Raises:
            NotFoundError: there is none.
            UsageError: several have that name.
            UnavailableError: what is stored of it is damaged.
        """
        return self._roll.find(name)

    def preview(self, folder: Folder) -> Preview:
        """As `look`, against what is installed here and the operator's ceilings."""
        return self._installer.preview(folder)

    async def install(self, wanted: Install) -> Installed:
        """Installs a component, or another version of one; a running one is replaced once the new one runs.

        Args:
            wanted: what, and what the operator agrees to.

        Raises:
            OrlopError: what is wrong; then nothing changed.
        """
        installed = await self._installer.install(wanted)
        self._supervisor.forget(installed.name)
        return installed

    async def uninstall(self, name: str) -> str:
        """Takes a component away, with what it stored, logged and kept in its folders; also one that is damaged.

        Args:
            name: as for `unit`.

        Returns:
            Its whole name.

        Raises:
            OrlopError: it is not there, or runs.
        """
        full = self._roll.full_name(name)
        await self._installer.uninstall(full)
        self._supervisor.spare(full)
        self._supervisor.forget(full)
        self._measured.pop(full, None)
        return full

    async def start(self, name: str) -> Life:
        """Starts a component, and waits until it runs or failed; from now on it is to run whenever orlop does.

        Args:
            name: as for `unit`.

        Raises:
            LifecycleError: it was started already.
            FailedError: it does not come to run.
        """
        unit = self._begin(name)
        await self._aim(unit, wanted=True)
        return await self._begun(unit)

    async def stop(self, name: str) -> Life:
        """Stops a component, and waits until it has stopped; nothing starts it again but an operator.

        Args:
            name: as for `unit`.

        Raises:
            LifecycleError: it does not run, nor would it have been restarted.
        """
        unit = self.unit(name)
        spared = self._supervisor.spare(unit.name)
        if not spared or unit.life.state not in {"stopped", "stopping"}:
            unit.want("stop", "by the operator")
        await self._aim(unit, wanted=False)
        return await unit.until(at_rest)

    async def execute(self, name: str, operation: str, given: bytes, timeout_ms: int, source: str) -> Called:
        """Runs an operation; starts the component where it does not run, until orlop ends or somebody stops it.

        Args:
            name: as for `unit`.
            operation: its name.
            given: its input.
            timeout_ms: cut to the component's own.
            source: who asks.

        Raises:
            OrlopError: it cannot be asked.
        """
        unit = self.unit(name)
        if at_rest(unit.life):
            await self._begun(self._begin(unit.name))
        elif unit.life.starting:
            await self._begun(unit)
        return await unit.execute(operation, given, timeout_ms, source)

    async def change(self, name: str, changed: Callable[[Grants], Grants]) -> Policy:
        """Changes what a component may do, at once.

        Args:
            name: as for `unit`.
            changed: makes the new grants of the old.

        Raises:
            OrlopError: a rule that does not exist, or is none.
        """
        return await self._installer.change(self._roll.full_name(name), changed)

    # --- what happens -----------------------------------------------------------------------------------------------

    def told(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> None:
        """As `CoreDesk.told`."""
        if kind == "log":
            self.journal.log(component, fields)
        elif kind == "audit":
            denied = self.journal.audit(component, fields)
            unit = self._roll.of(component)
            if unit is not None:
                unit.denied += denied
        else:
            self.journal.fault(component, fields)

    def _unit(self, installed: Installed, number: int = 0) -> Unit:
        limits, messaging, _ = cut_down(installed.manifest, self._ceilings)
        policy = installed.grants.policy(rule_lines(installed.manifest))
        return Unit(installed, policy, Ceilings(limits, messaging), self._housing, number=number)

    def _cpu_of(self, name: str) -> CpuUse:
        """Of all versions of a component, as long as one of them is there."""
        return self._cpu.setdefault(name, CpuUse())

    def _account_of(self, name: str) -> FolderAccount:
        """Likewise."""
        return self._accounts.setdefault(name, FolderAccount())

    def _is_damaged(self, name: str, error: OrlopError) -> None:
        self._roll.damaged[name] = error
        self._store.emit(CoreError(where=f"component {clean(name, 140)}", error=clean(str(error), 300)))

    def _begin(self, name: str) -> Unit:
        unit = self.unit(name)
        unit.want("start")
        self._supervisor.forget(unit.name)
        return unit

    async def _begun(self, unit: Unit) -> Life:
        life = await unit.until(lambda life: not life.starting)
        if life.state not in {"running", "suspended"}:
            raise FailedError(unit.reason or f"is {life.state}", where=unit.name)
        return life

    async def _aim(self, unit: Unit, *, wanted: bool) -> None:
        """What the operator wants of it; to the end, for it has been begun."""
        await to_the_end(self._write(lambda tx: remember_aim(tx, unit.name, wanted=wanted)))

    def _fell(self, unit: Unit, fall: Fall) -> None:
        if self._roll.units.get(unit.name) is unit:  # one that has never run in anybody's place is not missed
            self._supervisor.fell(unit, fall)

    def _given_up(self, members: tuple[str, ...], fallen: str, reasons: tuple[str, ...], told: Event) -> None:
        def write(tx: Transaction) -> None:
            for member in members:
                remember_aim(tx, member, wanted=False, given_up=reasons if member == fallen else ())
            tx.emit(told)

        self._chores.begin(self._write(write))

    def _request_due(self, deadline: float) -> None:
        """Looks at open requests when the first of them is due."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0.0, deadline - self._clock.monotonic())
        if self._timer is not None and self._timer.when() <= when:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self.post.expire(self._clock.monotonic())
        due = self.post.requests.next_due()
        if due is not None:
            self._request_due(due)

    def _measure_units(self) -> None:
        for unit in self.units():
            found = _use(unit, self.post)
            if self._measured.get(unit.name) != found:
                self._measured[unit.name] = found
                calls, denied, mailbox = found
                self._store.emit(ComponentMeasured(component=unit.name, calls=calls, denied=denied, mailbox=mailbox))

    async def _measure(self) -> None:
        """Says now and then what components use, where it changed; and that letters died."""
        while True:
            await asyncio.sleep(_MEASURE_S)
            self._measure_units()  # by itself: a unit that this coroutine names lives until the next round
            if self.post.dead_count > self._dead_told:
                died, self._dead_told = self.post.dead_count - self._dead_told, self.post.dead_count
                last = self.post.dead[-1]
                told = ComponentDeadLetter(component=last.target, sender=last.sender, reason=last.reason, count=died)
                self._store.emit(told)

    def _trouble(self, why: str) -> None:
        self._store.emit(CoreError(where="components", error=clean(why, 300)))

    async def _write(self, work: Callable[[Transaction], None]) -> None:
        await asyncio.wrap_future(self._store.write(work))


class _Desk:
    """As `CoreDesk`."""

    def __init__(self, answers: Answers, components: Components) -> None:
        self._answers = answers
        self._components = components

    async def answer(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> Json:
        return await self._answers.answer(component, kind, fields)

    def told(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> None:
        self._components.told(component, kind, fields)


def _variables(policy: Policy) -> dict[str, str]:
    """Of the environment of this process, what a policy lets be read."""
    if not any(policy.rules.of("environment.read")):
        return {}
    return {name: value for name, value in os.environ.items() if policy.environment(name).allowed}


def _use(unit: Unit, post: Post) -> tuple[int, int, int]:
    """Calls and denials since its start, and what waits for it."""
    box = post.box(unit.name)
    return unit.calls, unit.denied, 0 if box is None else len(box.mailbox)
