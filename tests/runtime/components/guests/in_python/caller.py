"""A component in Python that calls the operation that `execute` names with the arguments of its input, in JSON.

What JSON has no word for is `{"bytes": TEXT}`. The answer is how Python writes what came back.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import (
    connection,
    filesystem,
    host_messaging,
    host_services,
    lifecycle,
    metadata,
    permissions,
    signals,
    storage,
)
from wit_world.imports.orlop_core_types import (
    ComponentConfig,
    ComponentMetadata,
    ExecutionContext,
    ExecutionError_ProcessingFailed,
    ExecutionError_UnknownOperation,
    HealthReport,
    HealthStatus,
    MemoryRequirements,
    Message,
    ShutdownReason,
)

INTERFACES = {
    "connection": connection,
    "filesystem": filesystem,
    "host-messaging": host_messaging,
    "host-services": host_services,
    "lifecycle": lifecycle,
    "metadata": metadata,
    "permissions": permissions,
    "signals": signals,
    "storage": storage,
}


def argument(given: object) -> object:
    """An argument as Python has it."""
    return given["bytes"].encode() if isinstance(given, dict) else given


class ComponentLifecycle(exports.ComponentLifecycle):
    """What the host calls."""

    def init(self, config: ComponentConfig) -> None:
        """Nothing has to be made ready."""

    def execute(self, operation: str, input: bytes, context: ExecutionContext) -> bytes:  # noqa: A002, ARG002 - the WIT's
        """Calls an operation."""
        interface, _, name = operation.partition(".")
        called = getattr(INTERFACES.get(interface), name.replace("-", "_"), None)
        if called is None:
            raise Err(ExecutionError_UnknownOperation(operation))
        try:
            return repr(called(*map(argument, json.loads(input)))).encode()
        except Err as error:
            raise Err(ExecutionError_ProcessingFailed(type(error.value).__name__)) from None

    def handle_message(self, message: Message) -> bytes | None:  # noqa: ARG002 - the WIT's
        """It asks for no messages."""
        return None

    def handle_callback(self, request_id: int, outcome: object) -> None:
        """It sends no requests."""

    def metadata(self) -> ComponentMetadata:
        """Who it is."""
        return ComponentMetadata("caller", "1.0.0", "", "", [], MemoryRequirements(0, 0, 0), False)

    def health(self) -> HealthReport:
        """As always."""
        return HealthReport(HealthStatus.HEALTHY, "")

    def shutdown(self, reason: ShutdownReason) -> None:
        """Nothing has to be put away."""
