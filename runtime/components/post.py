"""The post between components: who may write to whom, and into which mailbox. Pure; time is passed in.

Both sides agree to a message: the sender's rules, and the receiver's. What is put in a mailbox by one sender comes out
in the order in which it was sent. What could not be delivered, and what nobody will read any more, is a dead letter:
it is counted, and the newest are kept without their content.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from runtime.agents.pace import Pace
from runtime.components.errors import CaseError
from runtime.components.mailbox import Letter, Mailbox
from runtime.components.permissions import Decision
from runtime.components.permissions.errors import PatternError
from runtime.components.permissions.exchange import SegmentPattern, target_pattern
from runtime.components.requests import Due, Requests

__all__ = ["BROADCAST_MAX", "Box", "Content", "DeadLetter", "Post", "Rights"]

BROADCAST_MAX: Final = 256
TOPICS_MAX: Final = 64
_DEAD_KEPT: Final = 100
_PER_SECOND: Final = 200.0
_BURST: Final = 400
_TYPE_MAX: Final = 128


class Rights(Protocol):
    """What of a policy the post asks for."""

    def message(self, target: str, action: Literal["send", "request", "broadcast", "receive"]) -> Decision:
        """Whether a message may go to, or come from, a component."""
        ...

    def topic(self, topic: str, action: Literal["publish", "subscribe"]) -> Decision:
        """Whether a topic may be written to or listened to."""
        ...


@dataclass(frozen=True, slots=True)
class Content:
    """What somebody sends.

    Attributes:
        content_type: as the sender calls it.
        payload: the bytes.
        at: monotonic seconds of the call.
        at_ms: wall time of the call.
    """

    content_type: str
    payload: bytes
    at: float
    at_ms: int


@dataclass(slots=True)
class Box:
    """One component, as the post knows it.

    Attributes:
        name: `namespace/name`.
        rights: in force now.
        mailbox: what waits for it.
        message_max: bytes of a message that it sends.
        pending_max: requests that it may have open.
    """

    name: str
    rights: Rights
    mailbox: Mailbox
    message_max: int
    pending_max: int
    topics: dict[str, SegmentPattern] = field(default_factory=dict)
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody read, without its content."""

    sender: str
    target: str
    reason: str
    size: int
    at_ms: int


class Post:
    """All mailboxes of a node.

    Args:
        wake: is told the name of a component for which something has come.

    Attributes:
        dead: the newest dead letters, oldest first.
        dead_count: how many there were.
        requests: what is open.
    """

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._boxes: dict[str, Box] = {}
        self.requests = Requests()
        self.dead: deque[DeadLetter] = deque(maxlen=_DEAD_KEPT)
        self.dead_count = 0

    def open(self, box: Box) -> None:
        """A component runs: from now on it takes and sends messages.

        Args:
            box: its own; one of the same name is replaced.
        """
        box.mailbox.open = True
        self._boxes[box.name] = box

    def hand_over(self, box: Box) -> None:
        """Another instance of a component takes the place of its older one, with all that waits and all that is open.

        Args:
            box: of the new instance; takes over the mailbox and the topics.
        """
        old = self._boxes[box.name]
        box.mailbox, box.topics = old.mailbox, old.topics
        self._boxes[box.name] = box
        if box.mailbox.waiting:
            self._wake(box.name)

    def close(self, name: str, failure: Literal["target-failed", "target-gone"], now_ms: int) -> None:
        """A component ended: who waits for it hears so, and what waited for it is dead.

        Args:
            name: whose.
            failure: what its askers hear.
            now_ms: wall time.
        """
        box = self._boxes.pop(name, None)
        if box is None:
            return
        for letter in box.mailbox.close():
            self._bury(letter.sender, name, failure, len(letter.payload), now_ms)
        self._call_back(self.requests.ended(name, failure))

    def box(self, name: str) -> Box | None:
        """The box of a running component.

        Args:
            name: whose.
        """
        return self._boxes.get(name)

    def reachable(self, name: str) -> list[str]:
        """The running components that a component may write to, sorted.

        Args:
            name: whose view.
        """
        own = self._boxes.get(name)
        if own is None:
            return []
        return [other for other in sorted(self._boxes) if other != name and _may_write(own, other)]

    def send(self, sender: str, target: str, content: Content) -> None:
        """Puts a message into a mailbox.

        Args:
            sender: the running component that sends it.
            target: `namespace/name`.
            content: the message.

        Raises:
            CaseError: it was not taken.
        """
        own = self._sending(sender, content)
        box = self._agreed(own, target, "send")
        self._put(box, _letter(own, content))

    def request(self, sender: str, target: str, content: Content, timeout_ms: int) -> int:
        """As `send`; exactly one callback follows within the time.

        Returns:
            The number of the request.

        Raises:
            CaseError: it was not taken; no callback follows.
        """
        own = self._sending(sender, content)
        box = self._agreed(own, target, "request")
        if self.requests.pending(sender) >= own.pending_max:
            raise CaseError("mailbox-full", f"{own.pending_max} requests are open already")
        number, deadline = self.requests.begin(sender, target, timeout_ms, content.at)
        try:
            self._put(box, _letter(own, content, request=number, deadline=deadline))
        except CaseError:
            self.requests.cancel(number, sender)
            raise
        return number

    def broadcast(self, sender: str, pattern: str, content: Content) -> list[tuple[str, CaseError | None]]:
        """One message to each running component whose name fits, but the sender.

        Args:
            sender: as for `send`.
            pattern: of names.
            content: as for `send`.

        Returns:
            How it went for each, by name.

        Raises:
            CaseError: nothing was sent.
        """
        own = self._sending(sender, content)
        try:
            fits = target_pattern(pattern)
        except PatternError as error:
            raise CaseError("invalid-message", f"the pattern: {error.why}") from None
        targets = [name for name in sorted(self._boxes) if name != sender and fits.matches(name)]
        if len(targets) > BROADCAST_MAX:
            raise CaseError("too-large", f"more than {BROADCAST_MAX} components fit")
        return [(name, self._try(own, name, _letter(own, content))) for name in targets]

    def publish(self, sender: str, topic: str, content: Content) -> int:
        """One message to each running component that listens to a topic, but the sender.

        Args:
            sender: as for `send`.
            topic: segments by `/`.
            content: as for `send`.

        Returns:
            How many took it.

        Raises:
            CaseError: nothing was sent.
        """
        own = self._sending(sender, content)
        _allowed(own.rights.topic(topic, "publish"))
        took = 0
        for name in sorted(self._boxes):
            box = self._boxes[name]
            if name == sender or not _listens(box, topic):
                continue
            try:
                self._put(box, _letter(own, content, topic=topic))
                took += 1
            except CaseError:
                continue
        return took

    def subscribe(self, name: str, pattern: str) -> None:
        """A component listens to all topics that fit.

        Args:
            name: whose.
            pattern: of topics.

        Raises:
            CaseError: it may not, or the pattern is none.
        """
        own = self._own(name)
        try:
            compiled = SegmentPattern(pattern)
        except PatternError as error:
            raise CaseError("invalid-message", f"the pattern: {error.why}") from None
        _allowed(own.rights.topic(pattern, "subscribe"))
        if pattern not in own.topics and len(own.topics) >= TOPICS_MAX:
            raise CaseError("too-large", f"more than {TOPICS_MAX} patterns")
        own.topics[pattern] = compiled

    def unsubscribe(self, name: str, pattern: str) -> None:
        """A component listens no longer; nothing where it did not.

        Args:
            name: whose.
            pattern: as it was given.
        """
        self._own(name).topics.pop(pattern, None)

    def answer(self, number: int, target: str, reply: bytes | None, failure: str = "") -> None:
        """As `Requests.answer`; the sender is called back."""
        due = self.requests.answer(number, target, reply, failure)
        self._call_back([due] if due is not None else [])

    def expire(self, now: float) -> None:
        """Calls back those whose time is over.

        Args:
            now: monotonic seconds.
        """
        self._call_back(self.requests.expire(now))

    def _own(self, name: str) -> Box:
        box = self._boxes.get(name)
        if box is None:
            raise CaseError("component-not-found", f"{name} does not run")
        return box

    def _sending(self, sender: str, content: Content) -> Box:
        own = self._own(sender)
        if own.pace is None:
            own.pace = Pace(content.at, burst=_BURST, per_second=_PER_SECOND)
        if not own.pace.take(1, content.at):
            raise CaseError("mailbox-full", f"more than {_PER_SECOND:.0f} messages a second")
        if len(content.payload) > own.message_max:
            raise CaseError("too-large", f"a message has {own.message_max} bytes at most")
        if len(content.content_type) > _TYPE_MAX or not content.content_type.isprintable():
            raise CaseError("invalid-message", f"a content type is one line of at most {_TYPE_MAX} characters")
        return own

    def _agreed(self, own: Box, target: str, action: Literal["send", "request", "broadcast"]) -> Box:
        """The target's box, if both sides agree; whoever may not write does not learn who runs."""
        _allowed(own.rights.message(target, action))
        box = self._boxes.get(target)
        if box is None:
            raise CaseError("component-not-found", f"{target} does not run")
        if not box.rights.message(own.name, "receive").allowed:
            raise CaseError("permission-denied", f"{target} takes no messages of {own.name}")
        return box

    def _try(self, own: Box, name: str, letter: Letter) -> CaseError | None:
        try:
            self._put(self._agreed(own, name, "broadcast"), letter)
        except CaseError as refused:
            return refused
        return None

    def _put(self, box: Box, letter: Letter) -> None:
        took, gone = box.mailbox.put(letter)
        for one in gone:
            self._bury(one.sender, box.name, "dropped for a newer one", len(one.payload), letter.sent_ms)
        if not took:
            self._bury(letter.sender, box.name, "mailbox-full", len(letter.payload), letter.sent_ms)
            raise CaseError("mailbox-full", f"the mailbox of {box.name} is full")
        self._wake(box.name)

    def _call_back(self, due: list[Due]) -> None:
        for one in due:
            box = self._boxes.get(one.sender)
            if box is not None:
                box.mailbox.call_back(one.callback)
                self._wake(one.sender)

    def _bury(self, sender: str, target: str, reason: str, size: int, at_ms: int) -> None:
        self.dead_count += 1
        self.dead.append(DeadLetter(sender, target, reason, size, at_ms))


def _letter(
    own: Box,
    content: Content,
    *,
    request: int | None = None,
    deadline: float | None = None,
    topic: str | None = None,
) -> Letter:
    return Letter(
        sender=own.name,
        content_type=content.content_type,
        payload=content.payload,
        sent_ms=content.at_ms,
        request=request,
        deadline=deadline,
        topic=topic,
    )


def _allowed(decision: Decision) -> None:
    if not decision.allowed:
        raise CaseError("permission-denied", decision.reason)


def _may_write(own: Box, other: str) -> bool:
    return own.rights.message(other, "send").allowed or own.rights.message(other, "request").allowed


def _listens(box: Box, topic: str) -> bool:
    """Whether it listens and still may: rules can have been revoked since it began."""
    return (
        any(pattern.matches(topic) for pattern in box.topics.values()) and box.rights.topic(topic, "subscribe").allowed
    )
