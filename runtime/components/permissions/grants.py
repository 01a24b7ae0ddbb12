"""What of a component's permissions is in force: asked by its manifest, cut and added to by the operator.

Every change makes a new value with the next version. An id is never used for two rules.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from runtime.canonical import Json
from runtime.components.permissions.operator_rules import read_rule
from runtime.components.permissions.policy import Policy
from runtime.components.permissions.rules import Rule, Rules
from runtime.errors import UsageError
from runtime.sanitise import clean
from runtime.shapes import from_wire, to_wire

__all__ = ["Grants"]

_FROM = "permissions."


@dataclass(frozen=True, slots=True)
class Grants:
    """The state of one component's permissions.

    Attributes:
        asked: by the manifest.
        withheld: ids of rules that are not in force, never granted or revoked.
        added: by the operator, in force.
        numbered: how many rules the operator ever added; the next one gets this index.
        version: rises by one with every change.
    """

    asked: Rules = field(default_factory=Rules)
    withheld: tuple[str, ...] = ()
    added: Rules = field(default_factory=Rules)
    numbered: int = 0
    version: int = 1

    def policy(self, lines: Mapping[str, int] | None = None) -> Policy:
        """The rules in force, ready to decide.

        Args:
            lines: of Component.toml, as `manifest.read.rule_lines` finds them.
        """
        out = frozenset(self.withheld)
        given = self.asked.where(lambda rule: rule.id not in out)
        missing = self.asked.where(lambda rule: rule.id in out and not rule.denies)
        return Policy(given.plus(self.added), self.version, missing, lines or {})

    def only(self, granted: Iterable[str]) -> "Grants":
        """Grants a part of what is asked: the allow rules with these ids, and every deny rule.

        Raises:
            UsageError: an id that the manifest does not have.
        """
        wanted = {self._known(rule) for rule in granted}
        rest = tuple(rule.id for rule in self.asked if not rule.denies and rule.id not in wanted)
        return replace(self, withheld=rest, version=self.version + 1)

    def grant(self, text: str) -> "Grants":
        """Puts a rule in force.

        Args:
            text: the id of a rule that the manifest has, with or without `permissions.`, or `GROUP=VALUE` for one of
                the operator's own.

        Raises:
            UsageError: no such rule, or a value that is none.
        """
        if "=" in text:
            added = self.added.plus(read_rule(text, self.numbered))
            return replace(self, added=added, numbered=self.numbered + 1, version=self.version + 1)
        known = self._known(text)
        if known not in self.withheld:
            raise UsageError(f"{known} is granted already")
        rest = tuple(rule for rule in self.withheld if rule != known)
        return replace(self, withheld=rest, version=self.version + 1)

    def deny(self, text: str) -> "Grants":
        """Adds a deny rule of the operator's.

        Args:
            text: `GROUP=VALUE` with a group that denies, or one whose actions can be denied: `filesystem.read=/x` is
                `filesystem.deny.read=/x`, `network.outbound=h:1` is `network.deny=h:1`, `process.spawn=/x` is
                `process.deny=/x`.

        Raises:
            UsageError: no such group, or a value that is none.
        """
        group, found, value = text.partition("=")
        known = {"network.outbound": "network.deny", "network.inbound": "network.deny", "process.spawn": "process.deny"}
        if group.startswith("filesystem.") and ".deny" not in group:
            known[group] = group.replace("filesystem.", "filesystem.deny.", 1)
        group = known.get(group, group)
        if not found or "deny" not in group.split("."):
            raise UsageError(f"`{clean(text, 80)}` cannot be denied", hint="revoke the rule that allows it")
        return self.grant(f"{group}={value}")

    def revoke(self, text: str) -> "Grants":
        """Takes a rule out of force; a deny rule that is revoked denies no more.

        Args:
            text: the id, with or without `permissions.`.

        Raises:
            UsageError: no such rule, or it is not in force.
        """
        if any(rule.id == text for rule in self.added):
            rest = self.added.where(lambda rule: rule.id != text)
            return replace(self, added=rest, version=self.version + 1)
        known = self._known(text)
        if known in self.withheld:
            raise UsageError(f"{known} is not in force")
        return replace(self, withheld=(*self.withheld, known), version=self.version + 1)

    def carried_to(self, asked: Rules) -> tuple["Grants", tuple[str, ...]]:
        """The grants of the next version of a component.

        Args:
            asked: by its manifest.

        Returns:
            Its grants: an allow rule is in force if the same one was before; deny rules are unless the operator had
            lifted the same one. And the ids of allow rules that nobody was asked about yet, which are withheld.
        """
        before = {_content(rule): rule.id not in self.withheld for rule in self.asked}
        new = tuple(rule.id for rule in asked if not rule.denies and _content(rule) not in before)
        withheld = tuple(rule.id for rule in asked if not before.get(_content(rule), rule.denies))
        return replace(self, asked=asked, withheld=withheld, version=self.version + 1), new

    def to_json(self) -> dict[str, Json]:
        """For storage."""
        return to_wire(self)

    @classmethod
    def from_json(cls, value: object) -> "Grants":
        """Reads what `to_json` wrote; raises `ShapeError` for anything else."""
        return from_wire(cls, value)

    def _known(self, text: str) -> str:
        known = text if text.startswith(_FROM) else f"{_FROM}{text}"
        if any(rule.id == known for rule in self.asked):
            return known
        hint = "`orlop components permissions NAME` lists the rules; GROUP=VALUE adds one"
        raise UsageError(f"no rule `{clean(text, 80)}`", hint=hint)


def _content(rule: Rule) -> Rule:
    """A rule without its place."""
    return replace(rule, index=0)
