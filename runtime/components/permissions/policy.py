"""What one component may do: the rules that are in force, compiled, with a method for every kind of request.

No method raises, whatever text it is given; a request that is none is denied with the reason.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from runtime.canonical import Json
from runtime.components.permissions.addresses import Address
from runtime.components.permissions.decision import Decision
from runtime.components.permissions.errors import PatternError
from runtime.components.permissions.exchange import ExchangeRules
from runtime.components.permissions.files import FileRules
from runtime.components.permissions.network import NetworkRules
from runtime.components.permissions.processes import ProcessRules
from runtime.components.permissions.rules import (
    FileAction,
    MessageAction,
    Rules,
    SpawnRule,
    StorageAction,
    TopicAction,
)
from runtime.sanitise import clean
from runtime.shapes import ShapeError, from_wire, to_wire

__all__ = ["Policy"]

_REMEDY_CHARACTERS: Final = 1000


class _Compiled:
    """One set of rules, ready to decide."""

    def __init__(self, rules: Rules) -> None:
        self.files = FileRules(rules)
        self.network = NetworkRules(rules)
        self.processes = ProcessRules(rules)
        self.exchange = ExchangeRules(rules)
        self.ids = frozenset(rule.id for rule in rules)


@dataclass(frozen=True)
class Policy:
    """The rules of one component after the operator's cuts; default deny, and deny wins.

    Attributes:
        rules: in force.
        version: rises by one with every change; stands in every audit record.
        withheld: allow rules that were asked for and are not in force, so that a denial can name the one that is
            missing. They allow nothing.
        lines: of Component.toml, by rule id and by group (`permissions.filesystem.read`).

    Raises:
        PatternError: a pattern is none; only when it is made.
    """

    rules: Rules = field(default_factory=Rules)
    version: int = 1
    withheld: Rules = field(default_factory=Rules)
    lines: Mapping[str, int] = field(default_factory=dict)
    _compiled: _Compiled = field(init=False, repr=False, compare=False)
    _missing: _Compiled | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", _Compiled(self.rules))
        withheld = self.withheld.where(lambda rule: not rule.denies)
        object.__setattr__(self, "_missing", _Compiled(withheld) if any(withheld) else None)

    # Files: guest paths in any spelling; the permission of what a link leads to is asked with `file`.

    def read(self, path: str) -> Decision:
        """Whether a file may be read."""
        return self.file("read", path)

    def write(self, path: str) -> Decision:
        """Whether a file or directory may be made or changed."""
        return self.file("write", path)

    def delete(self, path: str) -> Decision:
        """Whether a file or directory may be removed."""
        return self.file("delete", path)

    def list(self, path: str) -> Decision:
        """Whether a directory may be listed."""
        return self.file("list", path)

    def denied(self, action: FileAction, path: str) -> Decision | None:
        """What deny rules say about a path before links are resolved; None when they say nothing."""
        decision = self._compiled.files.denied(action, path)
        return None if decision is None else self._with_line(decision, f"filesystem.{action}")

    def file(self, action: FileAction, path: str, resolved: str | None = None) -> Decision:
        """Whether something may be done to a path.

        Args:
            action: what.
            path: as the guest gave it, absolute or from the root.
            resolved: where it leads, links followed, as a guest path; deny rules look at both, allow rules at this
                one alone. None for the path itself.
        """
        end = path if resolved is None else resolved
        return self._answer(lambda rules: rules.files.decide(action, path, end), f"filesystem.{action}")

    # Network: hosts in any spelling, ports as numbers, addresses as texts or objects.

    def outbound_name(self, host: str, port: int) -> Decision:
        """Whether connecting to a host may be tried; an address literal is decided as an address."""
        return self._answer(lambda rules: rules.network.outbound_name(host, port), "network.outbound")

    def outbound_address(self, ip: str | Address, port: int) -> Decision:
        """Whether an address may be connected or sent to by an address rule."""
        return self._answer(lambda rules: rules.network.outbound_address(ip, port), "network.outbound")

    def dialable(self, host: str, port: int, answers: Iterable[str | Address]) -> tuple[tuple[Address, ...], Decision]:
        """Which of the resolver's answers may be dialled: dial these and resolve nothing again.

        Args:
            host: as the guest gave it.
            port: to connect to.
            answers: what the resolver said; ignored for an address literal.

        Returns:
            The addresses in the resolver's order, mapped ones as IPv4, and the decision; no addresses when denied.
        """
        given = tuple(answers)
        found: tuple[Address, ...] = ()

        def decide(rules: _Compiled) -> Decision:
            nonlocal found
            addresses, decision = rules.network.dialable(host, port, given)
            found = addresses if rules is self._compiled else found
            return decision

        decision = self._answer(decide, "network.outbound")
        return found, decision

    def inbound(self, ip: str | Address, port: int) -> Decision:
        """Whether listening at an address is allowed; port 0 asks for any free one."""
        return self._answer(lambda rules: rules.network.inbound(ip, port), "network.inbound")

    def resolve(self, host: str) -> Decision:
        """Whether a name may be resolved."""
        return self._answer(lambda rules: rules.network.resolve(host), "network.resolve")

    def tls_insecure(self, host: str, port: int) -> Decision:
        """Whether a host's certificate need not be verified."""
        return self._answer(lambda rules: rules.network.tls_insecure(host, port), "network.outbound")

    def any_network(self) -> Decision:
        """Whether there is any rule for connecting or listening, as making a socket needs."""
        return self._answer(lambda rules: rules.network.any_rule(), "network.outbound")

    def any_outbound(self) -> Decision:
        """Whether there is any rule for connecting."""
        return self._answer(lambda rules: rules.network.any_outbound(), "network.outbound")

    def any_inbound(self) -> Decision:
        """Whether there is any rule for listening."""
        return self._answer(lambda rules: rules.network.any_inbound(), "network.inbound")

    def denied_peer(self, ip: str | Address, port: int) -> Decision | None:
        """What deny rules say about an address that speaks to the component; None when they say nothing."""
        decision = self._compiled.network.denied_peer(ip, port)
        return None if decision is None else self._with_line(decision, "network.deny")

    # Programs.

    def spawn(self, command: str, arguments: Sequence[str], resolved: str | None = None) -> Decision:
        """Whether a program may be started.

        Args:
            command: as the guest gave it; only an absolute path can be allowed.
            arguments: without the command.
            resolved: the command's real path; None for the command itself.
        """
        given, end = tuple(arguments), command if resolved is None else resolved
        return self._answer(lambda rules: rules.processes.spawn(command, given, end), "process.spawn")

    def spawn_rule(self, rule: str) -> SpawnRule | None:
        """The rule in force that a decision of `spawn` named: its hash, environment and number of children."""
        return self._compiled.processes.spawn_rule(rule)

    def child_environment(self, rule: str, name: str) -> Decision:
        """Whether a child that a rule of `process.spawn` allowed may be given a variable of this name."""
        return self._answer(lambda rules: rules.processes.child_environment(rule, name), "process.spawn")

    def any_spawn(self) -> Decision:
        """Whether there is any program that may be started."""
        return self._answer(lambda rules: rules.processes.any_spawn(), "process.spawn")

    def kill(self) -> Decision:
        """Whether own children may be ended, by SIGTERM and SIGKILL."""
        return self._answer(lambda rules: rules.processes.kill(), "process.kill")

    def signal(self, signal: str | int) -> Decision:
        """Whether own children may be sent a signal, given by name or number."""
        return self._answer(lambda rules: rules.processes.signal(signal), "process.signals")

    def environment(self, name: str) -> Decision:
        """Whether a variable of this machine's environment may be read."""
        return self._answer(lambda rules: rules.processes.environment(name), "environment.read")

    # The host and other components.

    def storage(self, namespace: str, action: StorageAction) -> Decision:
        """Whether a namespace, `prefix:name`, may be used so."""
        return self._answer(lambda rules: rules.exchange.storage(namespace, action), "storage.namespaces")

    def message(self, target: str, action: MessageAction) -> Decision:
        """Whether a message may go to (`receive`: come from) `namespace/name`, or a pattern of these as a whole."""
        return self._answer(lambda rules: rules.exchange.message(target, action), f"messaging.{action}")

    def topic(self, topic: str, action: TopicAction) -> Decision:
        """Whether a topic may be published to or subscribed to; a pattern is decided as a whole."""
        return self._answer(lambda rules: rules.exchange.topic(topic, action), f"messaging.{action}")

    def submit_job(self, module_hash: str) -> Decision:
        """Whether a job of a module may be submitted, by the SHA-256 of its file."""
        return self._answer(lambda rules: rules.exchange.submit_job(module_hash), "jobs.submit")

    def post_room(self, room: str) -> Decision:
        """Whether something may be written to a room."""
        return self._answer(lambda rules: rules.exchange.post_room(room), "rooms.post")

    def grant(self, rule: str) -> bool:
        """Whether a rule is in force; a handle that was opened under one that is not is closed."""
        return rule in self._compiled.ids

    def to_json(self) -> dict[str, Json]:
        """The policy for the wire; what the line does not bear is compiled again there."""
        return to_wire(self)

    @classmethod
    def from_json(cls, value: object) -> "Policy":
        """Reads what `to_json` wrote.

        Raises:
            ShapeError: anything else, patterns that are none included.
        """
        try:
            return from_wire(cls, value)
        except PatternError as error:
            raise ShapeError(error.why, where="$.rules") from None

    def _answer(self, decide: Callable[[_Compiled], Decision], group: str) -> Decision:
        decision = decide(self._compiled)
        if decision.allowed:
            line = self.lines.get(decision.rule or "")
            return decision if line is None else Decision(True, decision.rule, decision.reason, line)
        if decision.rule is None and decision.remedy and self._missing is not None:
            missing = decide(self._missing)
            if missing.allowed and missing.rule is not None:
                known = missing.rule.removeprefix("permissions.")
                decision = Decision(False, missing.rule, f"{missing.rule} is not granted", remedy=known)
        return self._with_line(decision, group)

    def _with_line(self, decision: Decision, group: str) -> Decision:
        place = decision.rule or f"permissions.{group}"
        while place and place not in self.lines:
            place = place.rpartition(".")[0]
        return replace(decision, line=self.lines.get(place), remedy=_spoken(decision.remedy))


def _spoken(remedy: str) -> str:
    """A remedy as an option for a shell; empty when it cannot be shown as it is."""
    if not remedy.isprintable() or len(remedy) > _REMEDY_CHARACTERS or clean(remedy, _REMEDY_CHARACTERS) != remedy:
        return ""
    if not remedy or remedy.startswith("--"):
        return remedy
    return f"--grant {shlex.quote(remedy)}"
