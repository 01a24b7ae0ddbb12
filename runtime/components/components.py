"""The components of a node: installed, started, supervised, spoken with, upgraded and taken away.

Everything here belongs to the core's loop. What is true is in the database; what runs is in units, one per component,
and a second one while another version takes its place.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from runtime.blobs import Blobs
from runtime.canonical import Json
from runtime.clock import Clock
from runtime.component_events import (
    ComponentDeadLetter,
    ComponentInstalled,
    ComponentMeasured,
    ComponentPolicy,
    ComponentUninstalled,
)
from runtime.components.answers import Answers, Asked, Seat, messages, stored
from runtime.components.folder import Folder
from runtime.components.host.context import ComponentId
from runtime.components.house import Code, Folders, Journal
from runtime.components.in_force import Ceilings
from runtime.components.installed import Installed, read_all, remember_aim, remove, save
from runtime.components.lifecycle import Life
from runtime.components.manifest.ceilings import cut_down
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.read import rule_lines
from runtime.components.permissions import Policy
from runtime.components.permissions.grants import Grants
from runtime.components.post import Post
from runtime.components.preview import UNSIGNED, Preview, carried, look
from runtime.components.running import Called
from runtime.components.storage import Sealing
from runtime.components.supervision import Group
from runtime.components.supervisor import Supervisor, at_rest
from runtime.components.unit import Fall, Housing, Unit
from runtime.components.workers import Workers
from runtime.errors import FailedError, NotFoundError, OrlopError, UsageError
from runtime.events import CoreError, Event
from runtime.sandbox.compile import Compiler
from runtime.sanitise import clean
from runtime.store import Store, Transaction
from runtime.vault import Vault

__all__ = ["Components", "Install"]

_MEASURE_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """What is to be installed.

    Attributes:
        folder: as its author gave it.
        granted: ids of the rules that the operator agrees to; None for all that is asked.
        mounts: host folders by guest path, for the mounts of the operator's.
        upgrade: it may take the place of another version.
        unsigned: the operator says that nobody, or somebody else than before, need vouch for it.
    """

    folder: Folder
    granted: Sequence[str] | None = None
    mounts: Mapping[str, str] = field(default_factory=dict)
    upgrade: bool = False
    unsigned: bool = False


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
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._folders = folders
        self._ceilings = ceilings
        self._units: dict[str, Unit] = {}
        self._newer: dict[str, Unit] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._dead_told = 0
        self._told: dict[str, tuple[int, ...]] = {}
        self.journal = Journal(store, vault)
        self.post = Post(self._wake, self._request_due)
        answers = Answers(
            self._seat, {**stored(store, Sealing(vault)), **messages(self.post, self._seat_named, clock), **kinds}
        )
        self.workers = Workers(_Desk(answers, self), self._trouble)
        self._housing = Housing(
            workers=self.workers,
            post=self.post,
            clock=clock,
            code=Code(blobs, compiler),
            folders=folders,
            tidy=folders.tidy,
            emit=self._emit,
            fell=self._fell,
        )
        self._supervisor = Supervisor(groups, self._units, clock, self._emit, self._given_up)

    # --- life -------------------------------------------------------------------------------------------------------

    async def restore(self, *, start: bool) -> None:
        """Knows again what is installed.

        Args:
            start: what is to run is started.
        """
        installed, damaged = await asyncio.wrap_future(self._store.read(read_all))
        for error in damaged:
            self._emit(CoreError(where="components", error=clean(str(error), 300)))
        for one in installed:
            try:
                unit = self._units[one.name] = self._unit(one)
            except OrlopError as error:
                self._emit(CoreError(where=f"component {one.name}", error=clean(str(error), 300)))
                continue
            if one.given_up:
                unit.life, unit.reason = Life("given-up"), one.given_up[-1]
            elif start and (one.wanted or one.manifest.lifecycle.autostart):
                unit.want("start")
        self._keep(self._measure())

    async def close(self) -> None:
        """Stops all that runs, with its last call, and lets go of everything; what ran runs again at the next start."""
        for unit in self._everybody():
            with suppress(OrlopError):
                unit.want("stop", "orlop stops")
        await asyncio.gather(*(unit.until(at_rest) for unit in self._everybody()))
        await self._supervisor.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._timer is not None:
            self._timer.cancel()
        for unit in self._everybody():
            await unit.end()
        await self.workers.close()

    # --- what is asked of it ----------------------------------------------------------------------------------------

    def units(self) -> list[Unit]:
        """All installed components, by name."""
        return [self._units[name] for name in sorted(self._units)]

    def unit(self, name: str) -> Unit:
        """One component; without a namespace, the only one of that name.

        Args:
            name: `namespace/name` or `name`.

        Raises:
            NotFoundError: there is none.
            UsageError: several have that name.
        """
        if name in self._units:
            return self._units[name]
        found = [full for full in sorted(self._units) if full.partition("/")[2] == name]
        if len(found) > 1:
            raise UsageError(f"`{clean(name, 80)}` could be {', '.join(found)}")
        if not found:
            hint = "orlop components list shows what is installed"
            raise NotFoundError(f"no component `{clean(name, 140)}`", hint=hint)
        return self._units[found[0]]

    def preview(self, folder: Folder) -> Preview:
        """As `look`, against what is installed here and the operator's ceilings."""
        before = self._units.get(folder.manifest.package.full_name)
        return look(folder, self._ceilings, before.installed if before is not None else None)

    async def install(self, wanted: Install) -> Installed:
        """Installs a component, or another version of one; a running one is replaced once the new one runs.

        Args:
            wanted: what, and what the operator agrees to.

        Raises:
            OrlopError: what is wrong; then nothing changed.
        """
        seen = await asyncio.to_thread(self.preview, wanted.folder)
        before = self._units.get(seen.manifest.package.full_name)
        self._check_place(wanted, seen, before)
        grants = self._granted(wanted, seen.manifest, before)
        blob = await asyncio.to_thread(self._blobs.put, wanted.folder.wasm, limit=len(wanted.folder.wasm))
        installed = Installed(
            manifest=seen.manifest,
            hash=seen.hash,
            size=blob.size,
            grants=grants,
            mounts=_mounts(seen.manifest, wanted.mounts, before),
            mark=seen.mark,
            installed_ms=self._clock.wall_ms(),
            wanted=before.installed.wanted if before is not None else False,
        )
        unit = self._unit(installed, number=0 if before is None else 1 - before.component.instance)
        try:
            await self._housing.code(installed)
            if before is not None and before.life.state == "running":
                await self._run_beside(before, unit)
            await self._write(lambda tx: self._put(tx, installed, before))
        except BaseException:
            self._newer.pop(unit.name, None)
            await unit.end()
            raise
        self._newer.pop(unit.name, None)
        self._units[unit.name] = unit
        if before is not None:
            await self._retire(before)
        return installed

    async def uninstall(self, name: str) -> None:
        """Takes a component away, with what it stored, logged and kept in its folders.

        Args:
            name: as for `unit`.

        Raises:
            OrlopError: it is not there, or runs.
        """
        unit = self.unit(name)
        unit.want("uninstall")
        del self._units[unit.name]
        await unit.end()
        await self._write(lambda tx: _removed(tx, unit.name))
        await self._folders.remove(unit.name)
        self._supervisor.forget(unit.name)

    async def start(self, name: str) -> Life:
        """Starts a component, and waits until it runs or failed.

        Args:
            name: as for `unit`.

        Raises:
            LifecycleError: it was started already.
            FailedError: it does not come to run.
        """
        unit = self.unit(name)
        unit.want("start")
        self._supervisor.forget(unit.name)
        await self._write(lambda tx: remember_aim(tx, unit.name, wanted=True))
        life = await unit.until(lambda life: not life.starting)
        if life.state != "running":
            raise FailedError(unit.reason or f"is {life.state}", where=unit.name)
        return life

    async def stop(self, name: str) -> Life:
        """Stops a component, and waits until it has stopped.

        Args:
            name: as for `unit`.

        Raises:
            LifecycleError: it does not run.
        """
        unit = self.unit(name)
        unit.want("stop", "by the operator")
        await self._write(lambda tx: remember_aim(tx, unit.name, wanted=False))
        return await unit.until(at_rest)

    async def execute(self, name: str, operation: str, given: bytes, timeout_ms: int, source: str) -> Called:
        """Runs an operation; starts the component where it does not run.

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
            await self.start(unit.name)
        elif unit.life.starting:
            await unit.until(lambda life: not life.starting)
        return await unit.execute(operation, given, timeout_ms, source)

    async def change(self, name: str, changed: Callable[[Grants], Grants]) -> Policy:
        """Changes what a component may do, at once.

        Args:
            name: as for `unit`.
            changed: makes the new grants of the old.

        Raises:
            OrlopError: a rule that does not exist, or is none.
        """
        unit = self.unit(name)
        before, grants = unit.installed.grants, changed(unit.installed.grants)
        policy = grants.policy(rule_lines(unit.installed.manifest))
        installed = replace(unit.installed, grants=grants)
        gone, came = _ids(before) - _ids(grants), _ids(grants) - _ids(before)
        told = ComponentPolicy(
            component=unit.name, version=policy.version, granted=tuple(sorted(came)), revoked=tuple(sorted(gone))
        )

        def write(tx: Transaction) -> None:
            save(tx, replace(installed, wanted=find_wanted(tx, unit.name)))
            tx.emit(told)

        await self._write(write)
        unit.installed = installed
        unit.replace_policy(policy)
        return policy

    # --- installing -------------------------------------------------------------------------------------------------

    def _check_place(self, wanted: Install, seen: Preview, before: Unit | None) -> None:
        if before is None:
            return
        name, version = before.name, before.installed.manifest.package.version
        if not wanted.upgrade:
            hint = f"--upgrade puts {seen.manifest.package.version} in its place"
            raise UsageError(f"{version} is installed already", where=name, hint=hint)
        if before.installed.mark not in {UNSIGNED, seen.mark} and not wanted.unsigned:
            hint = "--unsigned takes it all the same"
            raise UsageError(f"was signed by {before.installed.mark[:16]}, this one was not", where=name, hint=hint)
        if before.life.starting or before.life.state == "stopping":
            raise UsageError(f"is {before.life.state}; wait, or stop it first", where=name)

    def _granted(self, wanted: Install, manifest: Manifest, before: Unit | None) -> Grants:
        grants, new = carried(manifest, before.installed if before is not None else None)
        if before is None:
            return grants if wanted.granted is None else grants.only(wanted.granted)
        for rule in new if wanted.granted is None else [one for one in new if one in wanted.granted]:
            grants = grants.grant(rule)
        return grants

    async def _run_beside(self, before: Unit, unit: Unit) -> None:
        """The new version runs beside the old one, and takes its place at the post the moment that it runs."""
        self._newer[unit.name] = unit
        unit.want("start")
        life = await unit.until(lambda life: not life.starting)
        if life.state != "running":
            version = before.installed.manifest.package.version
            raise FailedError(f"{unit.reason}; {version} goes on", where=unit.name)

    async def _retire(self, before: Unit) -> None:
        before.shutdown_reason = "upgrading"
        with suppress(OrlopError):
            before.want("stop", "another version took its place")
        await before.until(at_rest)
        await before.end()

    def _put(self, tx: Transaction, installed: Installed, before: Unit | None) -> None:
        save(tx, installed)
        package = installed.manifest.package
        tx.emit(
            ComponentInstalled(
                component=installed.name,
                version=package.version,
                hash=installed.hash,
                world=installed.manifest.component.world,
                mark=installed.mark,
                previous="" if before is None else before.installed.manifest.package.version,
            )
        )

    def _unit(self, installed: Installed, *, number: int = 0) -> Unit:
        limits, messaging, _ = cut_down(installed.manifest, self._ceilings)
        policy = installed.grants.policy(rule_lines(installed.manifest))
        given = {name: value for name, value in os.environ.items() if policy.environment(name).allowed}
        environment = {**given, **installed.manifest.environment}
        return Unit(installed, policy, Ceilings(limits, messaging), environment, self._housing, number=number)

    # --- what happens -----------------------------------------------------------------------------------------------

    def told(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> None:
        """As `CoreDesk.told`."""
        if kind == "log":
            self.journal.log(component, fields)
        elif kind == "audit":
            denied = self.journal.audit(component, fields)
            unit = self._of(component)
            if unit is not None:
                unit.denied += denied
        else:
            self.journal.fault(component, fields)

    def _fell(self, unit: Unit, fall: Fall) -> None:
        if self._newer.get(unit.name) is not unit:  # one that has never run in anybody's place is not missed
            self._supervisor.fell(unit, fall)

    def _given_up(self, name: str, reasons: tuple[str, ...], told: Event) -> None:
        def write(tx: Transaction) -> None:
            remember_aim(tx, name, wanted=False, given_up=reasons)
            tx.emit(told)

        self._keep(self._write(write))

    def _of(self, component: ComponentId) -> Unit | None:
        name = f"{component.namespace}/{component.name}"
        found = (self._units.get(name), self._newer.get(name))
        return next((unit for unit in found if unit is not None and unit.component == component), None)

    def _seat(self, component: ComponentId) -> Seat | None:
        unit = self._of(component)
        return unit.seat if unit is not None else None

    def _seat_named(self, name: str) -> Seat | None:
        box = self.post.box(name)
        seats = (unit.seat for unit in (self._units.get(name), self._newer.get(name)) if unit is not None)
        return next((seat for seat in seats if seat is not None and seat.box is box), None)

    def _wake(self, key: str) -> None:
        for unit in (self._units.get(key), self._newer.get(key)):
            if unit is not None:
                unit.woken()

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

    async def _measure(self) -> None:
        """Says now and then what components use, where it changed; and that letters died."""
        while True:
            await asyncio.sleep(_MEASURE_S)
            for unit in self.units():
                found = measured(unit, self.post)
                if self._told.get(unit.name) != found:
                    self._told[unit.name] = found
                    calls, denied, mailbox = found
                    self._emit(ComponentMeasured(component=unit.name, calls=calls, denied=denied, mailbox=mailbox))
            if self.post.dead_count > self._dead_told:
                died, self._dead_told = self.post.dead_count - self._dead_told, self.post.dead_count
                last = self.post.dead[-1]
                told = ComponentDeadLetter(component=last.target, sender=last.sender, reason=last.reason, count=died)
                self._emit(told)

    def _trouble(self, why: str) -> None:
        self._emit(CoreError(where="components", error=clean(why, 300)))

    def _emit(self, event: Event) -> None:
        self._store.emit(event)

    async def _write(self, work: Callable[[Transaction], None]) -> None:
        await asyncio.wrap_future(self._store.write(work))

    def _everybody(self) -> list[Unit]:
        return [*self._units.values(), *self._newer.values()]

    def _keep(self, work: Coroutine[object, object, None], name: str | None = None) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._trouble(f"{type(error).__name__}: {error}")


class _Desk:
    """As `CoreDesk`."""

    def __init__(self, answers: Answers, components: Components) -> None:
        self._answers = answers
        self._components = components

    async def answer(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> Json:
        return await self._answers.answer(component, kind, fields)

    def told(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> None:
        self._components.told(component, kind, fields)


def measured(unit: Unit, post: Post) -> tuple[int, int, int]:
    """Calls and denials since its start, and what waits for it."""
    box = post.box(unit.name)
    return unit.calls, unit.denied, 0 if box is None else len(box.mailbox)


def find_wanted(tx: Transaction, name: str) -> bool:
    """Whether a component is to run at the next start."""
    row = tx.one("SELECT wanted FROM components WHERE component = ?", (name,))
    return row is not None and bool(row[0])


def _removed(tx: Transaction, name: str) -> None:
    remove(tx, name)
    tx.emit(ComponentUninstalled(component=name))


def _ids(grants: Grants) -> set[str]:
    out = set(grants.withheld)
    return {rule.id for rule in grants.asked if rule.id not in out} | {rule.id for rule in grants.added}


def _mounts(manifest: Manifest, given: Mapping[str, str], before: Unit | None) -> dict[str, str]:
    """Host folders for the mounts of the operator's: those that are given, else those of the version before."""
    kept = before.installed.mounts if before is not None else {}
    wanted = {mount.guest for mount in manifest.mounts if mount.source == "operator"}
    for guest in sorted(set(given) - wanted):
        raise UsageError(f"has no mount {clean(guest, 100)} for a folder of yours", where=manifest.package.full_name)
    found = {guest: given.get(guest) or kept.get(guest, "") for guest in sorted(wanted)}
    for guest, host in found.items():
        if not host:
            hint = f"--dir HOST:{guest}"
            raise UsageError(f"wants a folder at {guest}", where=manifest.package.full_name, hint=hint)
    return found
