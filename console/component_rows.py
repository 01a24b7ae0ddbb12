"""A component as a row."""

from typing import TYPE_CHECKING

from console.rows import ComponentRow
from runtime.components.components import Components
from runtime.sanitise import clean

if TYPE_CHECKING:
    from runtime.components.unit import Unit

__all__ = ["component_row"]


def component_row(components: Components, unit: "Unit") -> ComponentRow:
    """The row of one component.

    Args:
        components: the node's.
        unit: one of them.
    """
    installed, limits = unit.installed, unit.ceilings.limits
    box = components.post.box(unit.name)
    return ComponentRow(
        component=unit.name,
        version=installed.manifest.package.version,
        description=clean(installed.manifest.package.description, 200),
        hash=installed.hash,
        world=installed.manifest.component.world,
        mark=installed.mark,
        state=unit.life.state,
        reason=unit.reason,
        status=unit.health.status,
        detail=unit.health.detail,
        restarts=unit.restarts,
        calls=unit.calls,
        denied=unit.denied,
        mailbox=0 if box is None else len(box.mailbox),
        mailbox_max=unit.ceilings.messaging.mailbox,
        memory_max=limits.memory,
        storage_max=limits.storage,
        handles_max=limits.handles,
        cpu_max_ms=limits.cpu_per_minute,
        rules_version=unit.policy.version,
    )
