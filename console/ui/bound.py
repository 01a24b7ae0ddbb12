"""Which keys the operator chose, and how hints name the key of an action; imports no Textual."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

__all__ = ["Bound", "Keys", "keys_of"]


@dataclass(frozen=True, slots=True)
class Bound:
    """The keys of one action; none at all when it was unbound."""

    keys: tuple[str, ...] = ()
    """As Textual calls them: `question_mark`."""
    shown: str = "—"
    """The first of them as people read it: `?`."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What the operator's key map changes; every other action keeps its built-in keys."""

    chosen: Mapping[str, Bound] = field(default_factory=lambda: MappingProxyType({}))
    """By the action's id."""

    def named(self, action: str, built_in: str) -> str:
        """The key of an action as a hint names it.

        Args:
            action: its id.
            built_in: its first built-in key, as people read it.
        """
        bound = self.chosen.get(action)
        return bound.shown if bound is not None else built_in

    def keymap(self) -> dict[str, str]:
        """As Textual takes it. What has no key gets one that no keyboard has: an empty text would change nothing."""
        return {action: ",".join(bound.keys) or f"<{action}>" for action, bound in self.chosen.items()}


@runtime_checkable
class _KeyHolder(Protocol):
    bound_keys: Keys


def keys_of(app: object) -> Keys:
    """The keys of the application that shows a widget; the built-in ones elsewhere."""
    return app.bound_keys if isinstance(app, _KeyHolder) else Keys()
