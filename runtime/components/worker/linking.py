"""Everything that a component may import, given to the engine: the host classes of one instance, by its world.

mypy holds each class to the Protocol that was generated from the WIT: here they meet.
"""

import socket
from typing import TYPE_CHECKING

from runtime.components.bindings.core_host_jobs import link_jobs
from runtime.components.bindings.core_host_messaging import link_messaging
from runtime.components.bindings.core_host_rooms import link_rooms
from runtime.components.bindings.core_host_services import link_services
from runtime.components.bindings.core_permissions import link_permissions
from runtime.components.bindings.core_storage import link_storage
from runtime.components.bindings.core_types import ResourceLimits
from runtime.components.bindings.ext_filesystem_filesystem import link_filesystem
from runtime.components.bindings.ext_filesystem_metadata import link_metadata
from runtime.components.bindings.ext_network_connection import link_connection
from runtime.components.bindings.ext_network_socket import link_socket
from runtime.components.bindings.ext_process_lifecycle import link_lifecycle
from runtime.components.bindings.ext_process_signals import link_signals
from runtime.components.bindings.operations import WORLDS
from runtime.components.host.connections import Connections
from runtime.components.host.context import Context
from runtime.components.host.file_trees import Metadata
from runtime.components.host.filesystem import Filesystem
from runtime.components.host.jobs import ComponentJobs
from runtime.components.host.messaging import Messaging
from runtime.components.host.mounts import Mounts
from runtime.components.host.names import Names
from runtime.components.host.paths import Paths
from runtime.components.host.permission_checks import PermissionChecks
from runtime.components.host.process_lifecycle import ProcessLifecycle
from runtime.components.host.process_signals import ProcessSignals
from runtime.components.host.reach import Reach
from runtime.components.host.rooms import ComponentRooms
from runtime.components.host.services import Services
from runtime.components.host.sockets import Sockets
from runtime.components.host.spawner_line import SpawnerLine
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
        spawner: starts its programs; None when it may start none.
    """

    def __init__(self, context: Context, load: Load, mounts: Mounts, spawner: SpawnerLine | None) -> None:
        self._context = context
        self._load = load
        self._spawner = spawner
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
            link_metadata(root, Metadata(context, self._paths), context)
        if "orlop:ext-network/socket" in world:
            self._link_network(root)
        if "orlop:ext-process/lifecycle" in world:
            self._link_processes(root)

    def _link_network(self, root: "wasmtime.component.LinkerInstance") -> None:
        context, reach = self._context, Reach(self._context)
        sockets = Sockets(context, reach)
        link_socket(root, sockets, context)
        link_connection(root, Connections(context, sockets, reach, Names(context)), context)

    def _link_processes(self, root: "wasmtime.component.LinkerInstance") -> None:
        # Without a rule there is no spawner to ask, and the policy denies everything before one would be.
        line = self._spawner = self._spawner or SpawnerLine(_nobody())
        load = self._load
        lifecycle = ProcessLifecycle(self._context, self._paths, line, load.environment, load.limits.log_rate)
        link_lifecycle(root, lifecycle, self._context)
        link_signals(root, ProcessSignals(self._context, line), self._context)

    def close(self) -> None:
        """Says the last that there is to say, and ends the spawner; handles were the context's to end."""
        self._services.close()
        if self._spawner is not None:
            self._spawner.close()


def _nobody() -> socket.socket:
    """A line whose other end is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    return ours


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
