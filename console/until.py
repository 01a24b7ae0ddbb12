"""Which events: the expressions of `--until` and `--events`. Pure.

`--until receipt.verified,verdict=valid` is a type (or a glob of types), then conditions that all must hold:
`field=value`, `field!=value`, `field>n`, `>=`, `<`, `<=`. A value may be a glob; an id may be cut to its first four
characters or more; a list compares by its length with numbers and by any of its items with text.
`--events 'tick.*,!job.output'` is a list of globs, `!` takes away.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from types import MappingProxyType

from runtime.codec import event_types
from runtime.errors import UsageError
from runtime.events import Event, Record
from runtime.sanitise import clean

__all__ = ["EventFilter", "Until", "parse_events", "parse_until", "with_conditions"]

_CONDITION = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(>=|<=|!=|=|>|<)(.*)", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)
_ID = re.compile(r"[0-9a-f]{4,}", re.ASCII)
_ALWAYS = frozenset({"core.started", "core.stopped", "stream.gap"})
_COMPARE: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {">": float.__gt__, ">=": float.__ge__, "<": float.__lt__, "<=": float.__le__}
)


@dataclass(frozen=True, slots=True)
class _Condition:
    name: str
    operator: str
    text: str

    def holds(self, value: object) -> bool:
        if self.operator in _COMPARE:
            number = len(value) if isinstance(value, tuple) else value
            if isinstance(number, bool) or not isinstance(number, int | float):
                return False
            return _COMPARE[self.operator](float(number), float(self.text))
        return self._equal(value) == (self.operator == "=")

    def _equal(self, value: object) -> bool:
        if isinstance(value, tuple):
            if _NUMBER.fullmatch(self.text):
                return len(value) == float(self.text)
            return any(isinstance(item, str) and fnmatchcase(item, self.text) for item in value)
        if value is None or isinstance(value, bool):
            return self.text == {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, int | float):
            return bool(_NUMBER.fullmatch(self.text)) and float(self.text) == value
        shown = str(value)
        return fnmatchcase(shown, self.text) or bool(
            _ID.fullmatch(self.text) and _ID.fullmatch(shown) and shown.startswith(self.text)
        )


@dataclass(frozen=True, slots=True)
class Until:
    """A parsed `--until`."""

    types: frozenset[str]
    conditions: tuple[_Condition, ...]

    def matches(self, record: Record) -> bool:
        """Whether a record is the one that was waited for."""
        event = record.event
        if event.TYPE not in self.types:
            return False
        return all(hasattr(event, c.name) and c.holds(getattr(event, c.name)) for c in self.conditions)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A parsed `--events`: the types that are written."""

    types: frozenset[str]

    def wants(self, event: Event) -> bool:
        """Whether events of its type are written; the first, the last and gaps always are."""
        return event.TYPE in self.types or event.TYPE in _ALWAYS


def parse_until(text: str) -> Until:
    """Reads an expression.

    Raises:
        UsageError: a type or field that does not exist, or a condition that is none.
    """
    glob, *rest = text.split(",")
    return with_conditions(_matching(glob.strip(), "--until"), (part.strip() for part in rest), what="--until")


def with_conditions(types: frozenset[str], texts: Iterable[str], *, what: str) -> Until:
    """Events of some types whose fields fulfil conditions.

    Args:
        types: names of types.
        texts: conditions, such as `verdict=valid`.
        what: where they stand, for messages.

    Raises:
        UsageError: a field that none of the types has, or a condition that is none.
    """
    known = {
        field.name: bool(field.metadata.get("content"))
        for name in types
        for field in fields(event_types()[name])
        if field.metadata.get("wire", True)
    }
    return Until(types, tuple(_condition(text, known, what) for text in texts))


def parse_events(texts: Iterable[str], *, what: str = "--events") -> EventFilter:
    """Reads lists of globs; globs with `!` take away, and stand for "everything but" when they are alone.

    Args:
        texts: the lists.
        what: where they stand, for messages.

    Raises:
        UsageError: a glob that fits no type.
    """
    globs = [glob.strip() for text in texts for glob in text.split(",")]
    wanted = [_matching(glob, what) for glob in globs if not glob.startswith("!")]
    gone = [_matching(glob[1:], what) for glob in globs if glob.startswith("!")]
    types = frozenset().union(*wanted) if wanted else frozenset(event_types())
    return EventFilter(types.difference(*gone))


def _matching(glob: str, what: str) -> frozenset[str]:
    known = event_types()
    types = frozenset(name for name in known if fnmatchcase(name, glob))
    if not types:
        near = get_close_matches(glob, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else "`orlop schema` lists the types"
        raise UsageError(f"`{clean(glob, 60)}` fits no type of event", what=what, hint=hint)
    return types


def _condition(text: str, known: Mapping[str, bool], what: str) -> _Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise UsageError(f"`{clean(text, 60)}` is no condition", what=what, hint="write field=value or field>n")
    name, operator, value = match.groups()
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"its fields are {', '.join(sorted(known))}"
        raise UsageError(f"no such event has a field `{clean(name, 60)}`", what=what, hint=hint)
    if known[name]:
        raise UsageError(f"`{name}` is content, which events are not chosen by", what=what)
    if operator in _COMPARE and not _NUMBER.fullmatch(value):
        raise UsageError(f"`{clean(value, 40)}` is no number", what=what, where=text)
    return _Condition(name, operator, value)
