"""The limits that are in force for one component: its manifest's, after the operator's cuts."""

from dataclasses import dataclass

from runtime.canonical import Json
from runtime.components.manifest.model import Limits, Messaging
from runtime.components.worker.wire import LoadLimits

__all__ = ["Ceilings"]


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The limits in force: the manifest's after the operator's cuts."""

    limits: Limits
    messaging: Messaging

    def for_worker(self, memories: int) -> LoadLimits:
        """As a worker is told them.

        Args:
            memories: that the component makes.
        """
        limits = self.limits
        return LoadLimits(
            memory=limits.memory,
            table_elements=limits.table_elements,
            instances=limits.instances,
            memories=memories,
            fuel=limits.fuel,
            call_timeout_ms=limits.call_timeout,
            cpu_per_minute_ms=limits.cpu_per_minute,
            handles=limits.handles,
            sockets=limits.sockets,
            children=limits.children,
            open_files=limits.open_files,
            filesystem=limits.filesystem,
            message=limits.message,
            log_rate=limits.log_rate,
        )

    def for_guest(self) -> dict[str, Json]:
        """As `init` is told them."""
        limits = self.limits
        return {
            "max_memory_bytes": limits.memory,
            "max_cpu_time_ms": limits.cpu_per_minute,
            "max_execution_time_ms": limits.call_timeout,
            "max_fuel": limits.fuel,
            "max_handles": limits.handles,
        }
