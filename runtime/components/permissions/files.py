"""Decisions about paths."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from runtime.components.permissions.decision import Decision
from runtime.components.permissions.errors import InvalidRequestError
from runtime.components.permissions.glob import quoted
from runtime.components.permissions.paths import PathPattern, names_of, normalise
from runtime.components.permissions.rules import FileAction, Rules

__all__ = ["FileRules"]

_ACTIONS: Final[tuple[FileAction, ...]] = ("read", "write", "delete", "list")

_Compiled = list[tuple[PathPattern, Decision]]


class FileRules:
    """The rules of `permissions.filesystem`, compiled.

    Args:
        rules: of a component.

    Raises:
        PatternError: a pattern is none.
    """

    def __init__(self, rules: Rules) -> None:
        self._allow: dict[str, _Compiled] = {}
        self._deny: dict[str, _Compiled] = {}
        for action in _ACTIONS:
            allow = rules.of(f"filesystem.{action}")
            deny = rules.of(f"filesystem.deny.{action}", "filesystem.deny.all")
            self._allow[action] = [(PathPattern(rule.pattern), Decision.by(rule.id)) for rule in allow]
            self._deny[action] = [(PathPattern(rule.pattern), Decision.against(rule.id)) for rule in deny]

    def denied(self, action: FileAction, path: str) -> Decision | None:
        """What a deny rule, or an impossible path, says already before links are resolved; None when nothing does."""
        try:
            return _first(self._deny[action], names_of(normalise(path)))
        except InvalidRequestError as error:
            return Decision.never(error.why)

    def decide(self, action: FileAction, path: str, resolved: str) -> Decision:
        """Decides about an action.

        Args:
            action: what is to be done.
            path: as the guest gave it, absolute.
            resolved: where it leads, links followed, as a guest path.
        """
        try:
            asked = normalise(path)
            end = asked if resolved == path else normalise(resolved)
        except InvalidRequestError as error:
            return Decision.never(error.why)
        names, deny = names_of(end), self._deny[action]
        if refused := _first(deny, names_of(asked)):
            return refused
        if end != asked and (refused := _first(deny, names)):
            return replace(refused, reason=f"{refused.reason} on the resolved path")
        absent = f"filesystem.{action}={quoted(end)}"
        return _first(self._allow[action], names) or Decision(False, None, "no rule", remedy=absent)


def _first(compiled: _Compiled, names: Sequence[str]) -> Decision | None:
    for pattern, decision in compiled:
        if pattern.fits(names):
            return decision
    return None
