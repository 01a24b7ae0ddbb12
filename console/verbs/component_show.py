"""What `components show` answers: all that is known of one component, for a screen's sheet and for scripts."""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Json, Result
from console.component_rows import component_row
from runtime.components.consent import asked_lines
from runtime.components.storage import Place, usage
from runtime.components.trail import calls, denials
from runtime.sanitise import clean
from runtime.shapes import to_wire

if TYPE_CHECKING:
    from console.core import Core
    from runtime.components.installed import Installed
    from runtime.components.manifest.model import Manifest
    from runtime.components.permissions.grants import Grants
    from runtime.components.unit import Unit

__all__ = ["show"]

_CALLS: Final = 50
_DENIALS: Final = 10
_LINES: Final = 50


async def show(core: "Core", call: Call) -> Result:
    """`components show`."""
    components = await core.known_components()
    unit = components.unit(call.need("component"))
    row = component_row(components, unit)
    quota = unit.ceilings.limits.storage

    def read(connection: sqlite3.Connection) -> dict[str, Json]:
        return {
            "storage_used": usage(connection, Place(unit.name, "", quota)).used,
            "denials": _listed(denials(connection, unit.name, _DENIALS)),
            "audit": _listed(calls(connection, unit.name, _CALLS)),
        }

    found = await asyncio.wrap_future(core.store.read(read))
    log = await asyncio.to_thread(components.journal.lines, unit.name, _LINES)
    return Result(
        ok=True,
        value={"v": 1, **to_wire(row), **_facts(unit), **_permissions(unit.installed), **found, "log": _listed(log)},
    )


def _facts(unit: "Unit") -> dict[str, Json]:
    """What its manifest says, after the operator's cuts."""
    manifest = unit.installed.manifest
    hosts = unit.installed.mounts
    return {
        "authors": [clean(one, 200) for one in manifest.package.authors],
        "license": clean(manifest.package.license, 100),
        "installed_ms": unit.installed.installed_ms,
        "stateful": manifest.component.stateful,
        "limits": to_wire(unit.ceilings.limits),
        "handles_used": unit.handles,
        "cpu_used_ms": unit.cpu_used_ms,
        "autostart": manifest.lifecycle.autostart,
        "health_interval": manifest.lifecycle.health_interval,
        "restart": manifest.supervision.restart,
        "max_restarts": manifest.supervision.max_restarts,
        "window": manifest.supervision.window,
        "mounts": [
            {
                "guest": mount.guest,
                "source": mount.source,
                "read_only": mount.read_only,
                "host": clean(hosts.get(mount.guest, ""), 300),
            }
            for mount in manifest.mounts
        ],
    }


def _permissions(installed: "Installed") -> dict[str, Json]:
    """What was asked for and what the operator added, each with whether it is in force."""
    manifest, grants = installed.manifest, installed.grants
    return {
        "asked": _rules(manifest, grants),
        "added": _rules(replace(manifest, permissions=grants.added), grants),
    }


def _rules(manifest: "Manifest", grants: "Grants") -> list[Json]:
    return [
        {
            "rule": line.rule,
            "text": line.text,
            "level": line.level,
            "why": line.why,
            "in_force": line.rule not in grants.withheld,
        }
        for line in asked_lines(manifest)
        if line.rule
    ]


def _listed(found: Sequence[dict[str, Json]]) -> list[Json]:
    return [*found]
