"""`[[notify]]` in the configuration: which events are told, and how. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from console.until import Until, parse_events, with_conditions
from runtime.errors import UsageError
from runtime.events import CoreStopped, Record
from runtime.sanitise import clean

__all__ = ["RATE", "NotifyKeyError", "NotifyRule", "read_rule"]

RATE: Final = 6
"""Times a minute, unless a rule says otherwise."""

_KEYS: Final = ("events", "where", "command", "bell", "per_minute")
_RATE_MAX: Final = 600
_WORDS_MAX: Final = 64
_WORD_MAX: Final = 4096
_OPERATORS: Final = (">", "<", "=", "!=")


class NotifyKeyError(UsageError):
    """A rule that is none; `key` is the one of its keys that is wrong, empty for the rule as a whole."""

    def __init__(self, key: str, why: str, hint: str = "") -> None:
        super().__init__(why, hint=hint)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyRule:
    """One `[[notify]]`.

    Attributes:
        origin: file and line, such as `config.toml:12`.
        events: what matches.
        command: program and arguments; empty for none.
        bell: ring the terminal's bell where a screen is open.
        per_minute: times a minute at most.
    """

    origin: str
    events: Until
    command: tuple[str, ...]
    bell: bool
    per_minute: int

    def matches(self, record: Record) -> bool:
        """Whether an event is told by this rule.

        A rule never tells what happens to itself, and a command nothing that happens to any rule: two that fail would
        tell of one another for ever.
        """
        event = record.event
        own = event.TYPE.startswith("notify.")
        if own and (self.command or getattr(event, "rule", "") == self.origin):
            return False
        return self.events.matches(record)


def read_rule(table: Mapping[str, object], origin: str) -> NotifyRule:
    """A rule as it stands in a file.

    Args:
        table: its keys and values.
        origin: file and line.

    Raises:
        NotifyKeyError: an unknown key, a wrong value, or nothing to match or to do.
    """
    for key in table:
        if key not in _KEYS:
            raise NotifyKeyError(key, f"unknown key `{clean(key, 60)}`", f"there are {', '.join(_KEYS)}")
    bell = table.get("bell", False)
    if not isinstance(bell, bool):
        raise NotifyKeyError("bell", "expected true or false")
    rate = table.get("per_minute", RATE)
    if not isinstance(rate, int) or isinstance(rate, bool) or not 1 <= rate <= _RATE_MAX:
        raise NotifyKeyError("per_minute", f"expected a number, 1 to {_RATE_MAX}")
    command = _command(table.get("command"))
    if not command and not bell:
        raise NotifyKeyError("", "does nothing", 'give it command = ["PROGRAM", …] or bell = true')
    return NotifyRule(origin=origin, events=_events(table), command=command, bell=bell, per_minute=rate)


def _events(table: Mapping[str, object]) -> Until:
    globs = _texts("events", table.get("events"), 'expected a list of event types, such as ["breaker.*"]')
    try:
        types = parse_events(globs, what="events").types
    except UsageError as error:
        raise NotifyKeyError("events", error.why, error.hint) from error
    # Nothing can be told of the last event: its command would have to outlive us.
    types -= {CoreStopped.TYPE}
    if not types:
        raise NotifyKeyError("events", "nothing can run after core.stopped", "use core.stopping")
    where = table.get("where", {})
    if not isinstance(where, Mapping):
        raise NotifyKeyError("where", 'expected a table, such as { verdict = "invalid" }')
    try:
        return with_conditions(types, [_condition(str(name), value) for name, value in where.items()], what="where")
    except NotifyKeyError:
        raise
    except UsageError as error:
        raise NotifyKeyError("where", error.why, error.hint) from error


def _condition(name: str, value: object) -> str:
    """`name=value`; a text may bring its own operator, as in `--until`."""
    if isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    if isinstance(value, str):
        return f"{name}{value}" if value.startswith(_OPERATORS) else f"{name}={value}"
    if isinstance(value, int | float):
        return f"{name}={value}"
    raise NotifyKeyError("where", f"`{clean(name, 60)}` is compared with a text, a number, true or false")


def _command(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    words = _texts(
        "command", value, 'expected a list of words, such as ["mail", "-s", "orlop", "me"]; there is no shell'
    )
    if not words[0] or len(words) > _WORDS_MAX or any("\0" in word or len(word) > _WORD_MAX for word in words):
        raise NotifyKeyError("command", "no program, too many words or too long ones")
    return words


def _texts(key: str, value: object, expected: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise NotifyKeyError(key, expected)
    return tuple(value)
