"""The rules of a component as records: what a manifest asks for, and what goes to its worker.

A rule is known by its id, which does not change when others are taken away: the key of Component.toml and the place in
its list, such as `permissions.filesystem.read[0]`; `operator.filesystem.read[0]` is one that the operator added.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from runtime.components.permissions.ports import PortRange

__all__ = [
    "KILL",
    "PATTERN_GROUPS",
    "FileAction",
    "HostRule",
    "MessageAction",
    "PatternRule",
    "Rule",
    "Rules",
    "SpawnRule",
    "StorageAction",
    "StorageRule",
    "TopicAction",
]

FileAction = Literal["read", "write", "delete", "list"]
StorageAction = Literal["read", "write", "delete"]
MessageAction = Literal["send", "request", "broadcast", "receive"]
TopicAction = Literal["publish", "subscribe"]

KILL: Final = "process.kill"
"""The group of the one rule that has no place in a list."""

PATTERN_GROUPS: Final = (
    "filesystem.read",
    "filesystem.write",
    "filesystem.delete",
    "filesystem.list",
    "filesystem.deny.read",
    "filesystem.deny.write",
    "filesystem.deny.delete",
    "filesystem.deny.list",
    "filesystem.deny.all",
    "network.resolve",
    "process.signals",
    "process.deny",
    "environment.read",
    "messaging.send",
    "messaging.request",
    "messaging.broadcast",
    "messaging.receive",
    "messaging.publish",
    "messaging.subscribe",
    "jobs.submit",
    "rooms.post",
)
"""Groups whose rules are one text each."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What all rules have.

    Attributes:
        group: the key below `permissions`, such as `filesystem.deny.all`.
        index: from 0; the place in the list.
        origin: `permissions` for the manifest, `operator` for the operator.
    """

    group: str
    index: int
    origin: str

    @property
    def id(self) -> str:
        """Names the rule."""
        return f"{self.origin}.{self.group}" if self.group == KILL else f"{self.origin}.{self.group}[{self.index}]"

    @property
    def denies(self) -> bool:
        """Whether it takes away instead of giving."""
        return "deny" in self.group.split(".")


@dataclass(frozen=True, slots=True)
class PatternRule(Rule):
    """A rule of one of `PATTERN_GROUPS`, or the one of `process.kill`, whose pattern is `true`."""

    pattern: str


@dataclass(frozen=True, slots=True)
class HostRule(Rule):
    """A rule of `network.outbound`, `network.inbound` or `network.deny`.

    Attributes:
        host: a pattern; for `network.inbound` an address.
        ports: which of its ports.
        private: a name may lead to addresses that are not public.
        tls_insecure: certificates need not be verified.
    """

    host: str
    ports: tuple[PortRange, ...]
    private: bool = False
    tls_insecure: bool = False


@dataclass(frozen=True, slots=True)
class SpawnRule(Rule):
    """A rule of `process.spawn`.

    Attributes:
        command: a path pattern over host paths.
        args: a pattern for each argument; a last `**` is any rest.
        sha256: what the program's file must hash to before each start; None for any.
        environment: patterns of the names that a child may be given beside `PATH` and `LANG`.
        max: children of this rule at a time.
    """

    command: str
    args: tuple[str, ...] = ()
    sha256: str | None = None
    environment: tuple[str, ...] = ()
    max: int = 4


@dataclass(frozen=True, slots=True)
class StorageRule(Rule):
    """A rule of `storage.namespaces`: `prefix:name`, which may end in `*`, and what may be done with it."""

    name: str
    actions: tuple[str, ...] = ("read",)


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a component.

    Attributes:
        resolve_as_outbound: the names of `network.outbound` may be resolved too; so it is unless a manifest has
            `network.resolve`.
    """

    patterns: tuple[PatternRule, ...] = ()
    hosts: tuple[HostRule, ...] = ()
    spawn: tuple[SpawnRule, ...] = ()
    storage: tuple[StorageRule, ...] = ()
    resolve_as_outbound: bool = True

    def __iter__(self) -> Iterator[Rule]:
        yield from (*self.patterns, *self.hosts, *self.spawn, *self.storage)

    def of(self, *groups: str) -> Iterator[PatternRule]:
        """The rules of some groups of one text each, group by group."""
        for group in groups:
            yield from (rule for rule in self.patterns if rule.group == group)

    def hosts_of(self, group: str) -> Iterator[HostRule]:
        """The rules of a group of `network`."""
        return (rule for rule in self.hosts if rule.group == group)

    def where(self, keep: Callable[[Rule], bool]) -> "Rules":
        """Those rules that something holds for."""
        return Rules(
            tuple(filter(keep, self.patterns)),
            tuple(filter(keep, self.hosts)),
            tuple(filter(keep, self.spawn)),
            tuple(filter(keep, self.storage)),
            self.resolve_as_outbound,
        )

    def plus(self, other: "Rules") -> "Rules":
        """These rules and those of another, in this order."""
        return Rules(
            self.patterns + other.patterns,
            self.hosts + other.hosts,
            self.spawn + other.spawn,
            self.storage + other.storage,
            self.resolve_as_outbound,
        )
