"""`orlop:core/permissions`: what the component that asks would be allowed. Advice only: nothing is opened."""

from collections.abc import Callable
from typing import Final

from runtime.components.bindings.core_capabilities import (
    Denied,
    EnvironmentPermission,
    FilesystemAction,
    FilesystemPermission,
    Granted,
    MessagingAction,
    MessagingPermission,
    NetworkAction,
    NetworkPermission,
    PermissionResult,
    PortRange,
    ProcessAction,
    ProcessPermission,
    RequestedPermissions,
    StorageAction,
    StoragePermission,
)
from runtime.components.bindings.core_types import ComponentId
from runtime.components.host.context import Context
from runtime.components.permissions import Decision
from runtime.components.permissions.rules import HostRule, PatternRule, Rule, SpawnRule, StorageRule

__all__ = ["PermissionChecks"]

_FILES: Final[dict[str, FilesystemAction]] = {
    "filesystem.read": "read",
    "filesystem.write": "write",
    "filesystem.delete": "delete",
    "filesystem.list": "list-dir",
}
_NETWORK: Final[dict[str, NetworkAction]] = {
    "network.outbound": "outbound",
    "network.inbound": "inbound",
    "network.resolve": "resolve",
}
_PROCESSES: Final[dict[str, ProcessAction]] = {
    "process.spawn": "spawn",
    "process.kill": "kill",
    "process.signals": "signal",
}
_STORAGE: Final[dict[str, StorageAction]] = {"read": "read", "write": "write", "delete": "delete"}
_MESSAGES: Final[dict[str, MessagingAction]] = {
    "messaging.send": "send",
    "messaging.request": "request",
    "messaging.broadcast": "broadcast",
    "messaging.receive": "receive",
    "messaging.publish": "publish",
    "messaging.subscribe": "subscribe",
}


class PermissionChecks:
    """The operations of one instance.

    Args:
        context: whose they are.
        directory: gives its working directory, beneath which relative paths lie.
    """

    def __init__(self, context: Context, directory: Callable[[], str]) -> None:
        self._context = context
        self._directory = directory

    def check_file_read(self, path: str) -> PermissionResult:
        """Whether a file could be read."""
        return self._answer(self._context.policy.read(self._absolute(path)), path)

    def check_file_write(self, path: str) -> PermissionResult:
        """Whether a file could be written."""
        return self._answer(self._context.policy.write(self._absolute(path)), path)

    def check_file_delete(self, path: str) -> PermissionResult:
        """Whether a file could be deleted."""
        return self._answer(self._context.policy.delete(self._absolute(path)), path)

    def check_directory_list(self, path: str) -> PermissionResult:
        """Whether a directory could be listed."""
        return self._answer(self._context.policy.list(self._absolute(path)), path)

    def check_network_outbound(self, host: str, port: int) -> PermissionResult:
        """Whether a connection could be made, as far as the name or address tells."""
        return self._answer(self._context.policy.outbound_name(host, port), f"{host}:{port}")

    def check_network_inbound(self, address: str, port: int) -> PermissionResult:
        """Whether a port could be listened on."""
        return self._answer(self._context.policy.inbound(address, port), f"{address}:{port}")

    def check_process_spawn(self, command: str, arguments: tuple[str, ...]) -> PermissionResult:
        """Whether a program could be started."""
        return self._answer(self._context.policy.spawn(command, arguments), command)

    def check_process_signal(self, signal: str) -> PermissionResult:
        """Whether a signal could be sent to an own child."""
        return self._answer(self._context.policy.signal(signal), signal)

    def check_environment(self, name: str) -> PermissionResult:
        """Whether a variable could be read."""
        return self._answer(self._context.policy.environment(name), name)

    def check_storage_access(self, namespace: str, action: StorageAction) -> PermissionResult:
        """Whether a namespace could be used so."""
        return self._answer(self._context.policy.storage(namespace, action), namespace)

    def check_message(self, target: ComponentId, action: MessagingAction) -> PermissionResult:
        """Whether a component could be written to so; for publish and subscribe the target's name is the topic."""
        policy, name = self._context.policy, f"{target.namespace}/{target.name}"
        if action == "publish" or action == "subscribe":  # noqa: PLR1714 - so that the type is known afterwards
            return self._answer(policy.topic(target.name, action), target.name)
        return self._answer(policy.message(name, action), name)

    def granted(self) -> RequestedPermissions:
        """Everything that is granted, after the operator's cuts."""
        rules = [rule for rule in self._context.policy.rules if not rule.denies]
        patterns = [rule for rule in rules if isinstance(rule, PatternRule)]
        return RequestedPermissions(
            tuple(FilesystemPermission(_FILES[r.group], r.pattern) for r in patterns if r.group in _FILES),
            (
                *_network(rules),
                *(NetworkPermission("resolve", r.pattern, ()) for r in _of(patterns, "network.resolve")),
            ),
            (
                *_processes(rules),
                *(ProcessPermission(_PROCESSES[r.group], r.pattern) for r in patterns if r.group in _PROCESSES),
            ),
            tuple(_storage(rules)),
            tuple(MessagingPermission(_MESSAGES[r.group], r.pattern) for r in patterns if r.group in _MESSAGES),
            tuple(EnvironmentPermission(r.pattern) for r in _of(patterns, "environment.read")),
            tuple(r.pattern for r in _of(patterns, "jobs.submit")),
            tuple(r.pattern for r in _of(patterns, "rooms.post")),
            tuple(rule.id for rule in self._context.policy.rules if rule.denies),
        )

    def _absolute(self, path: str) -> str:
        return path if path.startswith("/") else f"{self._directory()}/{path}"

    def _answer(self, decision: Decision, target: str) -> PermissionResult:
        # Asking is allowed to everybody; what would be denied is no denial yet.
        self._context.note(target)
        return Granted() if decision.allowed else Denied(decision.reason)


def _of(rules: list[PatternRule], group: str) -> list[PatternRule]:
    return [rule for rule in rules if rule.group == group]


def _network(rules: list[Rule]) -> list[NetworkPermission]:
    return [
        NetworkPermission(_NETWORK[rule.group], rule.host, tuple(PortRange(p.first, p.last) for p in rule.ports))
        for rule in rules
        if isinstance(rule, HostRule) and rule.group in _NETWORK
    ]


def _processes(rules: list[Rule]) -> list[ProcessPermission]:
    return [ProcessPermission("spawn", rule.command) for rule in rules if isinstance(rule, SpawnRule)]


def _storage(rules: list[Rule]) -> list[StoragePermission]:
    return [
        StoragePermission(_STORAGE[action], rule.name)
        for rule in rules
        if isinstance(rule, StorageRule)
        for action in rule.actions
        if action in _STORAGE
    ]
