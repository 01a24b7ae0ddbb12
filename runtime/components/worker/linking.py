"""Everything that a component may import, given to the engine: the host classes of one instance, by its world.

mypy holds each class to the Protocol that was generated from the WIT: here they meet.
"""

from typing import TYPE_CHECKING

from runtime.components.bindings.core_host_jobs import link_jobs
from runtime.components.bindings.core_host_messaging import link_messaging
from runtime.components.bindings.core_host_rooms import link_rooms
from runtime.components.bindings.core_host_services import link_services
from runtime.components.bindings.core_permissions import link_permissions
from runtime.components.bindings.core_storage import link_storage
from runtime.components.bindings.core_types import ResourceLimits
from runtime.components.bindings.ext_filesystem_filesystem import link_filesystem
from runtime.components.bindings.operations import WORLDS
from runtime.components.host.context import Context
from runtime.components.host.filesystem import Filesystem
from runtime.components.host.jobs import ComponentJobs
from runtime.components.host.messaging import Messaging
from runtime.components.host.mounts import Mounts
from runtime.components.host.paths import Paths
from runtime.components.host.permission_checks import PermissionChecks
from runtime.components.host.rooms import ComponentRooms
from runtime.components.host.services import Services
from runtime.components.host.storage import Storage
from runtime.components.worker.wire import Load, LoadLimits

if TYPE_CHECKING:
    import wasmtime
    import wasmtime.component

__all__ = ["Hosts", "link"]


class Hosts:
    """The host classes of one instance.

    Args:
        context: the frame of their operations.
        load: what is wanted.
        mounts: what it sees of the file system.
    """

    def __init__(self, context: Context, load: Load, mounts: Mounts) -> None:
        self._context = context
        self._world = WORLDS.get(load.world, frozenset())
        self._paths = Paths(context, mounts)
        self._services = Services(context, _limits(load.limits), load.limits.log_rate)
        self._messaging = Messaging(context, load.limits.message)

    def link(self, root: "wasmtime.component.LinkerInstance") -> None:
        """Defines what the world has.

        Args:
            root: of the linker.
        """
        context, world = self._context, self._world
        link_services(root, self._services, context)
        link_messaging(root, self._messaging, context)
        link_storage(root, Storage(context), context)
        link_permissions(root, PermissionChecks(context, lambda: self._paths.directory), context)
        if "orlop:core/host-jobs" in world:
            link_jobs(root, ComponentJobs(context), context)
        if "orlop:core/host-rooms" in world:
            link_rooms(root, ComponentRooms(context), context)
        if "orlop:ext-filesystem/filesystem" in world:
            link_filesystem(root, Filesystem(context, self._paths), context)

    def close(self) -> None:
        """Says the last that there is to say; handles are the context's to end."""
        self._services.close()


def link(engine: "wasmtime.Engine", hosts: Hosts) -> "wasmtime.component.Linker":
    """A linker for one instance.

    Args:
        engine: of the kind `component`.
        hosts: what the instance may import.
    """
    from wasmtime.component import Linker

    linker = Linker(engine)
    with linker.root() as root:
        hosts.link(root)
    return linker


def _limits(limits: LoadLimits) -> ResourceLimits:
    return ResourceLimits(limits.memory, limits.cpu_per_minute_ms, limits.call_timeout_ms, limits.fuel, limits.handles)
