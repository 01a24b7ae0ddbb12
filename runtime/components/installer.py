"""Puts components in their place and takes them away: all of it, or nothing.

What is true changes in one transaction. What was made before it is undone when something fails or somebody gives up;
what comes after it is done to the end. A blob that no row names goes by itself.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from runtime.blobs import Blobs
from runtime.clock import Clock
from runtime.component_events import ComponentInstalled, ComponentPolicy, ComponentUninstalled
from runtime.components.chores import to_the_end
from runtime.components.folder import Folder
from runtime.components.house import Code, Folders
from runtime.components.installed import Installed, is_wanted, remember_grants, remove, save
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.read import rule_lines
from runtime.components.permissions import Policy
from runtime.components.permissions.grants import Grants
from runtime.components.preview import UNSIGNED, Preview, carried, look
from runtime.components.roll import Roll
from runtime.components.supervisor import at_rest
from runtime.components.unit import Unit
from runtime.errors import FailedError, OrlopError, RefusedError, UsageError
from runtime.sanitise import clean
from runtime.store import Store, Transaction

__all__ = ["Install", "Installer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """What is to be installed.

    Attributes:
        folder: as its author gave it.
        folder_hash: of the folder that the operator was shown; empty where nobody was asked.
        granted: ids of the rules that the operator agrees to; None for all that is asked.
        mounts: host folders by guest path, for the mounts of the operator's.
        upgrade: it may take the place of another version.
        unsigned: the operator says that nobody, or somebody else than before, need vouch for it.
    """

    folder: Folder
    folder_hash: str = ""
    granted: Sequence[str] | None = None
    mounts: Mapping[str, str] = field(default_factory=dict)
    upgrade: bool = False
    unsigned: bool = False


class Installer:
    """Changes what is installed.

    Args:
        store: where it is kept.
        blobs: where the bytes are.
        clock: tells the time.
        folders: of the components.
        code: compiles.
        ceilings: the operator's, by keys of Component.toml.
        roll: who is installed.
        made: a unit of what is installed, with the number of its instance.
    """

    def __init__(
        self,
        store: Store,
        *,
        blobs: Blobs,
        clock: Clock,
        folders: Folders,
        code: Code,
        ceilings: Mapping[str, int],
        roll: Roll,
        made: Callable[[Installed, int], Unit],
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._folders = folders
        self._code = code
        self._ceilings = ceilings
        self._roll = roll
        self._made = made

    def preview(self, folder: Folder) -> Preview:
        """As `look`, against what is installed here and the operator's ceilings."""
        before = self._roll.units.get(folder.manifest.package.full_name)
        return look(folder, self._ceilings, before.installed if before is not None else None)

    async def install(self, wanted: Install) -> Installed:
        """As `Components.install`."""
        name = wanted.folder.manifest.package.full_name
        _check_shown(wanted)
        async with self._roll.turn(name):
            seen = await asyncio.to_thread(self.preview, wanted.folder)
            before = self._roll.units.get(name)
            self._check_place(wanted, seen, before)
            installed = self._installed(wanted, seen, before)
            await asyncio.to_thread(self._blobs.put, wanted.folder.wasm, limit=len(wanted.folder.wasm))
            unit = self._made(installed, 0 if before is None else 1 - before.component.instance)
            try:
                if before is None:  # nobody has that name: what lies there is left of one that was taken away
                    await self._folders.remove(name)
                await self._code(installed)
                if before is not None and before.life.state in {"running", "suspended"}:
                    await self._run_beside(before, unit)
            except BaseException:
                await to_the_end(self._undo(unit))
                raise
            await to_the_end(self._take_place(unit, before))
        return unit.installed

    async def uninstall(self, name: str) -> None:
        """As `Components.uninstall`, of one that may be damaged; `name` is the whole one."""
        async with self._roll.turn(name):
            if self._roll.full_name(name) in self._roll.damaged:
                await to_the_end(self._take_away(name))
                return
            unit = self._roll.find(name)
            life = unit.life
            unit.want("uninstall")
            try:
                await to_the_end(self._take_away(name, unit))
            except OrlopError:
                unit.put_back(life)
                raise

    async def change(self, name: str, changed: Callable[[Grants], Grants]) -> Policy:
        """As `Components.change`; `name` is the whole one."""
        async with self._roll.turn(name):
            unit = self._roll.find(name)
            before, grants = unit.installed.grants, changed(unit.installed.grants)
            policy = grants.policy(rule_lines(unit.installed.manifest))
            gone, came = _ids(before) - _ids(grants), _ids(grants) - _ids(before)
            told = ComponentPolicy(
                component=unit.name, version=policy.version, granted=tuple(sorted(came)), revoked=tuple(sorted(gone))
            )

            def write(tx: Transaction) -> None:
                remember_grants(tx, unit.name, grants)
                tx.emit(told)

            async def hold() -> None:
                await self._write(write)
                unit.installed = replace(unit.installed, grants=grants)
                unit.replace_policy(policy)

            await to_the_end(hold())
        return policy

    # --- installing -------------------------------------------------------------------------------------------------

    def _check_place(self, wanted: Install, seen: Preview, before: Unit | None) -> None:
        full_name = seen.manifest.package.full_name
        if full_name in self._roll.damaged:
            self._roll.find(full_name)
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

    def _installed(self, wanted: Install, seen: Preview, before: Unit | None) -> Installed:
        return Installed(
            manifest=seen.manifest,
            hash=seen.hash,
            size=len(wanted.folder.wasm),
            grants=_granted(wanted.granted, seen.manifest, before.installed if before is not None else None),
            mounts=_mounts(seen.manifest, wanted.mounts, before.installed if before is not None else None),
            mark=seen.mark,
            installed_ms=self._clock.wall_ms(),
            wanted=seen.manifest.lifecycle.autostart,
        )

    async def _run_beside(self, before: Unit, unit: Unit) -> None:
        """The new version runs beside the old one, and takes its place at the post the moment that it runs."""
        self._roll.newer[unit.name] = unit
        unit.want("start")
        life = await unit.until(lambda life: not life.starting)
        if life.state != "running":
            version = before.installed.manifest.package.version
            raise FailedError(f"{unit.reason}; {version} goes on", where=unit.name)

    async def _take_place(self, unit: Unit, before: Unit | None) -> None:
        """What is true changes; then the old version ends."""
        previous = "" if before is None else before.installed.manifest.package.version
        try:
            await self._write(lambda tx: _put(tx, unit.installed, previous))
        except BaseException:
            await self._undo(unit)
            raise
        self._roll.newer.pop(unit.name, None)
        self._roll.put(unit)
        if before is not None:
            before.shutdown_reason = "upgrading"
            with suppress(OrlopError):  # it rests
                before.want("stop", "another version took its place")
            await before.until(at_rest)
            await before.end()

    async def _undo(self, unit: Unit) -> None:
        self._roll.newer.pop(unit.name, None)
        await unit.end()

    async def _take_away(self, name: str, unit: Unit | None = None) -> None:
        await self._write(lambda tx: _removed(tx, name))
        self._roll.remove(name)
        if unit is not None:
            await unit.end()
        await self._folders.remove(name)

    async def _write(self, work: Callable[[Transaction], None]) -> None:
        await asyncio.wrap_future(self._store.write(work))


def _check_shown(wanted: Install) -> None:
    """What was agreed to is what was read: nothing else of the folder is installed."""
    if wanted.folder_hash not in {"", wanted.folder.hash}:
        name, hint = wanted.folder.manifest.package.full_name, "nothing was installed; look at it again"
        raise RefusedError("the folder is no longer what was shown", where=name, hint=hint)


def _put(tx: Transaction, installed: Installed, previous: str) -> None:
    """Whether another version is to run is what its operator said of the one before."""
    wanted = is_wanted(tx, installed.name) if previous else installed.wanted
    save(tx, replace(installed, wanted=wanted))
    tx.emit(
        ComponentInstalled(
            component=installed.name,
            version=installed.manifest.package.version,
            hash=installed.hash,
            world=installed.manifest.component.world,
            mark=installed.mark,
            previous=previous,
        )
    )


def _removed(tx: Transaction, name: str) -> None:
    remove(tx, name)
    tx.emit(ComponentUninstalled(component=name))


def _granted(granted: Sequence[str] | None, manifest: Manifest, before: Installed | None) -> Grants:
    """What the operator agrees to; another version keeps what was in force, and new is only what is said."""
    grants, new = carried(manifest, before)
    if before is None:
        return grants if granted is None else grants.only(granted)
    if granted is None:
        wanted = new
    else:
        said = Grants(asked=manifest.permissions).only(granted)
        agreed = {rule.id for rule in said.asked if not rule.denies and rule.id not in said.withheld}
        wanted = tuple(rule for rule in grants.withheld if rule in agreed)
    for rule in wanted:
        grants = grants.grant(rule)
    return grants


def _mounts(manifest: Manifest, given: Mapping[str, str], before: Installed | None) -> dict[str, str]:
    """Host folders for the mounts of the operator's: those that are given, else those of the version before."""
    kept = before.mounts if before is not None else {}
    wanted = {mount.guest for mount in manifest.mounts if mount.source == "operator"}
    for guest in sorted(set(given) - wanted):
        raise UsageError(f"has no mount {clean(guest, 100)} for a folder of yours", where=manifest.package.full_name)
    found = {guest: given.get(guest) or kept.get(guest, "") for guest in sorted(wanted)}
    for guest, host in found.items():
        if not host:
            hint = f"--dir HOST:{guest}"
            raise UsageError(f"wants a folder at {guest}", where=manifest.package.full_name, hint=hint)
    return found


def _ids(grants: Grants) -> set[str]:
    out = set(grants.withheld)
    return {rule.id for rule in grants.asked if rule.id not in out} | {rule.id for rule in grants.added}
