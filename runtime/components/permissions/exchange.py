"""Decisions about what goes to the host and to other components: storage, messages, topics, jobs, rooms."""

import re
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from runtime.components.permissions.decision import Decision
from runtime.components.permissions.errors import PatternError
from runtime.components.permissions.glob import Glob, checked_text
from runtime.components.permissions.rules import MessageAction, Rules, StorageAction, TopicAction

__all__ = ["ExchangeRules", "SegmentPattern", "TailPattern", "hash_pattern", "target_pattern"]

_TOPIC_BYTES: Final = 256
_TOPIC_SEGMENTS: Final = 16
_NAMESPACE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}:[A-Za-z0-9._-]{1,64}", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HASH_PATTERN: Final = re.compile(r"[0-9a-f]{64}|[0-9a-f]{0,63}\*", re.ASCII)
_ROOM_CHARACTERS: Final = 256

P = TypeVar("P", "SegmentPattern", "TailPattern")


class SegmentPattern:
    """Segments by `/`, in each of which `*` is any run of characters.

    A pattern itself is asked about as if it were a text: since no rule can spell a `*`, it fits exactly those rules
    that hold all that it stands for.

    Args:
        text: the pattern.

    Raises:
        PatternError: it is none.
    """

    __slots__ = ("_globs", "fits_all")

    def __init__(self, text: str) -> None:
        segments = checked_text(text, _TOPIC_BYTES).split("/")
        if "" in segments:
            raise PatternError("an empty segment is not allowed in a pattern")
        if len(segments) > _TOPIC_SEGMENTS:
            raise PatternError(f"more than {_TOPIC_SEGMENTS} segments")
        if found := set(text) & set("?\\"):
            raise PatternError(f"{min(found)} is reserved")
        self._globs = [Glob(segment) for segment in segments]
        self.fits_all = all(glob.fits_all for glob in self._globs)

    def matches(self, text: str) -> bool:
        """Whether a text fits, or everything that a pattern stands for."""
        segments = text.split("/")
        fits = len(segments) == len(self._globs)
        return fits and all(glob.matches(segment) for glob, segment in zip(self._globs, segments, strict=True))


class TailPattern:
    """A text, or a beginning and a final `*`.

    Args:
        text: the pattern.

    Raises:
        PatternError: a `*` stands elsewhere.
    """

    __slots__ = ("_exact", "_head", "fits_all")

    def __init__(self, text: str) -> None:
        checked_text(text, 512)
        self._exact = not text.endswith("*")
        self._head = text.removesuffix("*")
        self.fits_all = text == "*"
        if "*" in self._head:
            raise PatternError("* stands at the end only")

    def matches(self, text: str) -> bool:
        """Whether a text fits."""
        return text == self._head if self._exact else text.startswith(self._head)


def hash_pattern(text: str) -> TailPattern:
    """A pattern of modules: a SHA-256 in full, a beginning of one and `*`, or `*`; raises `PatternError`."""
    if not _HASH_PATTERN.fullmatch(text):
        raise PatternError("64 hexadecimal characters, a beginning of them and *, or * are needed")
    return TailPattern(text)


def target_pattern(text: str) -> SegmentPattern:
    """A pattern of components, `namespace/name`; raises `PatternError`."""
    if text.count("/") != 1:
        raise PatternError("namespace/name is needed")
    return SegmentPattern(text)


class _Group(Generic[P]):
    def __init__(self, rules: Rules, group: str, compiled: Callable[[str], P]) -> None:
        self._group = group
        self._rules: list[tuple[P, Decision]] = [
            (compiled(rule.pattern), Decision.by(rule.id)) for rule in rules.of(group)
        ]

    def decide(self, text: str) -> Decision:
        found = next((decision for pattern, decision in self._rules if pattern.matches(text)), None)
        return found or Decision(False, None, "no rule", remedy=f"{self._group}={text}")


class ExchangeRules:
    """The rules of `permissions.storage`, `messaging`, `jobs` and `rooms`, compiled.

    Args:
        rules: of a component.

    Raises:
        PatternError: a pattern is none.
    """

    def __init__(self, rules: Rules) -> None:
        self._storage = [(TailPattern(rule.name), rule.actions, Decision.by(rule.id)) for rule in rules.storage]
        messages = ("send", "request", "broadcast", "receive")
        self._messages = {name: _Group(rules, f"messaging.{name}", target_pattern) for name in messages}
        self._topics = {name: _Group(rules, f"messaging.{name}", SegmentPattern) for name in ("publish", "subscribe")}
        self._jobs = _Group(rules, "jobs.submit", hash_pattern)
        self._rooms = _Group(rules, "rooms.post", TailPattern)

    def storage(self, namespace: str, action: StorageAction) -> Decision:
        """Whether a namespace may be used so."""
        if not _NAMESPACE.fullmatch(namespace):
            return Decision.never("invalid namespace")
        for pattern, actions, decision in self._storage:
            if action in actions and pattern.matches(namespace):
                return decision
        return Decision(False, None, "no rule", remedy=f"storage.namespaces={namespace}:{action}")

    def message(self, target: str, action: MessageAction) -> Decision:
        """Whether a message may go to, or come from, a component or all that fit a pattern."""
        return self._messages[action].decide(target) if _sound(target, 2) else Decision.never("invalid component name")

    def topic(self, topic: str, action: TopicAction) -> Decision:
        """Whether a topic, or all that fit a pattern, may be written to or listened to."""
        return self._topics[action].decide(topic) if _sound(topic) else Decision.never("invalid topic")

    def submit_job(self, module_hash: str) -> Decision:
        """Whether a job of a module may be submitted."""
        if not _HASH.fullmatch(module_hash):
            return Decision.never("invalid module hash")
        return self._jobs.decide(module_hash)

    def post_room(self, room: str) -> Decision:
        """Whether something may be written to a room."""
        if not 0 < len(room) <= _ROOM_CHARACTERS or not _writable([room]):
            return Decision.never("invalid room")
        return self._rooms.decide(room)


def _sound(text: str, segments: int = 0) -> bool:
    parts = text.split("/")
    if not 0 < len(parts) <= _TOPIC_SEGMENTS or (segments and len(parts) != segments):
        return False
    return len(text) <= _TOPIC_BYTES and all(parts) and _writable(parts)


def _writable(parts: Sequence[str]) -> bool:
    """Whether texts are free of control and other invisible characters, and of lone surrogates."""
    return all(part.isprintable() for part in parts)
