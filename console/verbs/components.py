"""What `components …` does."""

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Fault, Json, Result
from console.dispatch import fault_of
from console.exit_codes import ExitCode
from console.verbs.reading import read_all
from console.verbs.values import number
from runtime.components.consent import asked_lines
from runtime.components.folder import Folder, read_folder
from runtime.components.manifest.migrate import migrate
from runtime.components.permissions.grants import Grants
from runtime.errors import OrlopError, UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.commands import Command
    from console.core import Core
    from runtime.components.installed import Installed
    from runtime.components.preview import Preview
    from runtime.components.running import Called
    from runtime.components.unit import Unit

__all__ = [
    "NOTHING",
    "check",
    "checked",
    "inspect",
    "inspected",
    "install",
    "list_components",
    "logs",
    "permissions",
    "resume",
    "run",
    "stop",
    "suspend",
    "uninstall",
]

_INPUT_MAX: Final = 1 << 20
_STDIN: Final = "-"
NOTHING: Final = "none"
"""Of what is asked, nothing is granted."""


# --- folders --------------------------------------------------------------------------------------------------------


async def check(_core: "Core", call: Call) -> Result:
    """`components check`."""
    return await asyncio.to_thread(checked, _folder(call), migrating=call.flag("migrate"))


def checked(directory: int, *, migrating: bool) -> Result:
    """Checks a folder.

    Args:
        directory: its descriptor.
        migrating: only print its manifest in today's schema.

    Raises:
        OrlopError: what is wrong.
    """
    if migrating:
        return Result(ok=True, value={"v": 1, "manifest": migrate(_manifest_text(directory))})
    seen = preview(read_folder(directory))
    return Result(ok=True, value={"v": 1, "component": seen.manifest.package.full_name, "hash": seen.hash})


async def inspect(core: "Core", call: Call) -> Result:
    """`components inspect`, compared with what is installed here."""
    components = await core.known_components()
    folder = await asyncio.to_thread(read_folder, _folder(call))
    seen = await asyncio.to_thread(components.preview, folder)
    before = None if seen.before is None else components.unit(seen.manifest.package.full_name).installed
    return Result(ok=True, value=_preview(seen, before))


def inspected(directory: int) -> Result:
    """What a folder holds.

    Args:
        directory: its descriptor.

    Raises:
        OrlopError: what is wrong with it.
    """
    return Result(ok=True, value=_preview(preview(read_folder(directory)), None))


def preview(folder: Folder) -> "Preview":
    """What an installation in an empty node would be."""
    from runtime.components.preview import look

    return look(folder, {}, None)


async def install(core: "Core", call: Call) -> Result:
    """`components install`; the operator was asked by the face."""
    from runtime.components.installer import Install

    folder = await asyncio.to_thread(read_folder, _folder(call))
    components = await core.known_components()
    done = await components.install(
        Install(
            folder=folder,
            folder_hash=call.text("folder_hash") or "",
            granted=_granted(call.many("grant")),
            mounts=_mounts(call),
            upgrade=call.flag("upgrade"),
            unsigned=call.flag("unsigned"),
        )
    )
    package = done.manifest.package
    return Result(
        ok=True,
        value={
            "v": 1,
            "component": done.name,
            "version": package.version,
            "hash": done.hash,
            "mark": done.mark,
            "granted": _in_force(done.grants),
        },
    )


# --- what is installed ----------------------------------------------------------------------------------------------


async def list_components(core: "Core", _call: Call) -> Result:
    """`components list`."""
    from console.component_rows import component_row
    from runtime.shapes import to_wire

    components = await core.known_components()
    return Result(
        ok=True, value={"v": 1, "items": [to_wire(component_row(components, unit)) for unit in components.units()]}
    )


async def run(core: "Core", call: Call) -> Result:
    """`components run`: starts, or runs an operation."""
    components = await core.known_components()
    name, operation = call.need("component"), call.text("operation")
    if operation is None:
        if not core.options.owner:
            hint = "start orlop, or orlop --no-ui, and run this again; or name an operation"
            raise UsageError("nothing runs here that would keep it running", hint=hint)
        life = await components.start(name)
        unit = components.unit(name)
        return Result(ok=True, value={"v": 1, "component": unit.name, "state": life.state})
    given = await _input(call)
    timeout = number(_command(call), call.args, "timeout")
    try:
        ended = await components.execute(name, operation, given, timeout or (1 << 31), f"{call.face}:{call.uid}")
    except OrlopError as error:
        if isinstance(error, UsageError):
            raise
        return Result(ok=False, fault=fault_of(error, call.command), exit_code=ExitCode.NOT_RUN)
    return _operation_result(components.unit(name).name, operation, ended)


async def stop(core: "Core", call: Call) -> Result:
    """`components stop`."""
    components = await core.known_components()
    life = await components.stop(call.need("component"))
    return _state(components.unit(call.need("component")), life.state)


async def suspend(core: "Core", call: Call) -> Result:
    """`components suspend`."""
    components = await core.known_components()
    unit = components.unit(call.need("component"))
    unit.want("suspend")
    return _state(unit, unit.life.state)


async def resume(core: "Core", call: Call) -> Result:
    """`components resume`."""
    components = await core.known_components()
    unit = components.unit(call.need("component"))
    unit.want("resume")
    return _state(unit, unit.life.state)


async def logs(core: "Core", call: Call) -> Result:
    """`components logs`."""
    components = await core.known_components()
    unit = components.unit(call.need("component"))
    limit = number(_command(call), call.args, "limit") or 1
    lines = await asyncio.to_thread(components.journal.lines, unit.name, limit)
    return Result(ok=True, value={"v": 1, "component": unit.name, "items": lines})


async def permissions(core: "Core", call: Call) -> Result:
    """`components permissions`: shows them, after the changes that are asked for, all or none of them."""
    components = await core.known_components()
    unit = components.unit(call.need("component"))
    changes: list[Callable[[Grants], Grants]] = []
    for name, change in (("grant", Grants.grant), ("revoke", Grants.revoke), ("deny", Grants.deny)):
        changes += [partial(_changed, change, text) for text in call.many(name)]
    if changes:
        await components.change(unit.name, lambda grants: _all(changes, grants))
    grants = unit.installed.grants
    return Result(
        ok=True,
        value={
            "v": 1,
            "component": unit.name,
            "version": grants.version,
            "asked": [
                {
                    "rule": line.rule,
                    "text": line.text,
                    "level": line.level,
                    "in_force": line.rule not in grants.withheld,
                }
                for line in asked_lines(unit.installed.manifest)
                if line.rule
            ],
            "added": [rule.id for rule in grants.added],
            "granted": _in_force(grants),
        },
    )


async def uninstall(core: "Core", call: Call) -> Result:
    """`components uninstall`."""
    components = await core.known_components()
    name = await components.uninstall(call.need("component"))
    return Result(ok=True, value={"v": 1, "component": name, "uninstalled": True})


# --- parts ----------------------------------------------------------------------------------------------------------


def _folder(call: Call) -> int:
    descriptor = call.files.get("folder")
    if descriptor is None:
        raise UsageError("a component's folder is needed")
    return descriptor


def _granted(given: Sequence[str]) -> list[str] | None:
    """The rules that are agreed to; None for all that is asked."""
    if not given:
        return None
    return [f"permissions.{one.removeprefix('permissions.')}" for one in given if one != NOTHING]


def _manifest_text(directory: int) -> bytes:
    from runtime.components.folder import read_manifest_file

    return read_manifest_file(directory)


def _mounts(call: Call) -> dict[str, str]:
    """Guest path to the folder of the host, as its descriptor names it."""
    found: dict[str, str] = {}
    for index, text in enumerate(call.many("dir")):
        guest = text.removesuffix(":ro").removesuffix(":rw").rpartition(":")[2]
        descriptor = call.files.get(f"dir.{index}")
        if descriptor is None:
            raise UsageError("the folder did not come along", where=clean(text, 200))
        found[guest] = str(Path(f"/proc/self/fd/{descriptor}").readlink())
    return found


async def _input(call: Call) -> bytes:
    text = call.text("input")
    if text == _STDIN:
        descriptor = call.files.get("stdin")
        if descriptor is None:
            raise UsageError("standard input did not come along", where="input")
        return await read_all(descriptor, limit=_INPUT_MAX, what="standard input", interrupted=call.interrupted)
    return (text or "").encode()


def _operation_result(name: str, operation: str, ended: "Called") -> Result:
    from runtime.components.export_values import error_of

    value: dict[str, Json] = {"v": 1, "component": name, "operation": operation, "outcome": ended.kind}
    value |= {"duration_us": ended.duration_us, "cpu_us": ended.cpu_us}
    if not ended.returned:
        code = ExitCode.DEADLINE if ended.kind == "deadline" else ExitCode.NOT_RUN
        fault = Fault("failed", f"{name}: {operation}: {ended.kind}: {ended.detail or ended.trap}")
        return Result(ok=False, value=value, fault=fault, exit_code=code)
    error = error_of(ended.value)
    if error is not None:
        value |= {"case": error[0], "reason": error[1]}
        fault = Fault("failed", f"{name}: {operation}: {error[0]}: {error[1]}")
        return Result(ok=False, value=value, fault=fault, exit_code=ExitCode.FAILED)
    payload = ended.value.get("ok") if isinstance(ended.value, Mapping) else None
    return Result(ok=True, value={**value, "output": payload if isinstance(payload, str) else ""})


def _state(unit: "Unit", state: str) -> Result:
    return Result(ok=True, value={"v": 1, "component": unit.name, "state": state})


def _preview(seen: "Preview", before: "Installed | None") -> dict[str, Json]:
    from runtime.components.preview import carried
    from runtime.shapes import to_wire

    package, manifest = seen.manifest.package, seen.manifest
    grants, _ = carried(manifest, before)
    lines, past = asked_lines(manifest), asked_lines(before.manifest) if before is not None else ()
    known = {line.text for line in lines}
    return {
        "v": 1,
        "component": package.full_name,
        "version": package.version,
        "description": clean(package.description),
        "world": manifest.component.world,
        "hash": seen.hash,
        "folder_hash": seen.folder_hash,
        "mark": seen.mark,
        "before": seen.before,
        "imports": list(seen.imports),
        "asked": [
            {
                "rule": line.rule,
                "level": line.level,
                "text": line.text,
                "why": line.why,
                "reason": line.reason,
                "new": line.rule in seen.new_rules,
                "in_force": bool(line.rule) and line.rule not in grants.withheld,
            }
            for line in lines
        ],
        "gone": [line.text for line in past if line.rule and line.text not in known],
        "mounts": [
            {
                "guest": mount.guest,
                "source": mount.source,
                "read_only": mount.read_only,
                "host": clean(before.mounts.get(mount.guest, "") if before else "", 300),
            }
            for mount in manifest.mounts
        ],
        "cuts": [to_wire(cut) for cut in seen.cuts],
    }


def _in_force(grants: Grants) -> list[Json]:
    out = set(grants.withheld)
    asked = [rule.id for rule in grants.asked if rule.id not in out and not rule.denies]
    return [*asked, *(rule.id for rule in grants.added)]


def _changed(change: Callable[[Grants, str], Grants], text: str, grants: Grants) -> Grants:
    return change(grants, text)


def _all(changes: Sequence[Callable[[Grants], Grants]], grants: Grants) -> Grants:
    for change in changes:
        grants = change(grants)
    return grants


def _command(call: Call) -> "Command":
    from console.registry import COMMANDS

    return COMMANDS[call.command]


def payload_of(value: Mapping[str, Json]) -> bytes:
    """What an operation returned, for the face that prints it."""
    output = value.get("output")
    return base64.b64decode(output) if isinstance(output, str) else b""
