"""The post between components: who may write to whom, and into which mailbox. Pure; time is passed in.

Both sides agree to a message: the sender's rules, and the receiver's. What is put in a mailbox by one sender comes out
in the order in which it was sent. What could not be delivered, and what nobody will read any more, is a dead letter:
it is counted, and the newest are kept without their content.
"""

import itertools
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
    """One instance of a component, as the post knows it.

    Attributes:
        name: `namespace/name`, as others call it.
        rights: in force now.
        mailbox: what waits for it; while it is closed the instance sends and listens, and gets nothing yet.
        message_max: bytes of a message that it sends.
        pending_max: requests that it may have open.
    """

    name: str
    rights: Rights
    mailbox: Mailbox
    message_max: int
    pending_max: int
    key: str = ""
    """Under which the post keeps it: its name, or one of its own while another instance has that."""
    topics: dict[str, SegmentPattern] = field(default_factory=dict)


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
        wake: is told the key of a box for which something has come.
        due: is told when to let requests expire, in monotonic seconds, whenever one is opened.

    Attributes:
        dead: the newest dead letters, oldest first.
        dead_count: how many there were.
        requests: what is open.
    """

    def __init__(self, wake: Callable[[str], None], due: Callable[[float], None] = lambda _: None) -> None:
        self._wake = wake
        self._due = due
        self._boxes: dict[str, Box] = {}
        self._paces: dict[str, Pace] = {}
        self._numbers = itertools.count(1)
        self.requests = Requests()
        self.dead: deque[DeadLetter] = deque(maxlen=_DEAD_KEPT)
        self.dead_count = 0

    def enter(self, box: Box) -> None:
        """An instance is there and may send; others reach it from `open` on.

        Args:
            box: its own; gets its key here.
        """
        box.key = box.name if box.name not in self._boxes else self._key_of_its_own(box)
        self._boxes[box.key] = box

    def open(self, box: Box) -> None:
        """An instance runs. Where an older one has its name, it takes its place, and the messages that wait for it.

        What the older one asked stays its own: no answer to it reaches another instance.

        Args:
            box: its own.
        """
        old = self._boxes.get(box.name)
        if old is not None and old is not box:
            own = box.key
            self._move(old, self._key_of_its_own(old))
            self._move(box, box.name)
            del self._boxes[own]
            box.mailbox.take_over(old.mailbox.hand_over())
        box.mailbox.open = True
        if box.mailbox.waiting:
            self._wake(box.key)

    def close(self, box: Box, failure: Literal["target-failed", "target-gone"], now_ms: int) -> None:
        """An instance ended: who waits for it hears so, and what waited for it is dead. Nothing the second time.

        Args:
            box: its own; one whose place another took just goes.
            failure: what its askers hear.
            now_ms: wall time.
        """
        if self._boxes.get(box.key) is not box:
            return
        del self._boxes[box.key]
        if not self._instances(box.name):
            self._paces.pop(box.name, None)
        for letter in box.mailbox.close():
            self._bury(letter.sender, box.name, failure, len(letter.payload), now_ms)
        self._call_back(self.requests.ended(box.key, failure))

    def box(self, name: str) -> Box | None:
        """The box of a component that others reach.

        Args:
            name: whose.
        """
        box = self._boxes.get(name)
        return box if box is not None and box.mailbox.open else None

    def reachable(self, own: Box) -> list[str]:
        """The running components that an instance may write to, sorted.

        Args:
            own: of the instance.
        """
        return [name for name in self._names(own) if _may_write(own, name)]

    def send(self, own: Box, target: str, content: Content) -> None:
        """Puts a message into a mailbox.

        Args:
            own: of the instance that sends it.
            target: `namespace/name`.
            content: the message.

        Raises:
            CaseError: it was not taken.
        """
        self._may_send(own, content)
        box = self._agreed(own, target, "send")
        self._put(box, _letter(own, content))

    def request(self, own: Box, target: str, content: Content, timeout_ms: int) -> int:
        """As `send`; exactly one callback follows within the time.

        Returns:
            The number of the request.

        Raises:
            CaseError: it was not taken; no callback follows.
        """
        self._may_send(own, content)
        box = self._agreed(own, target, "request")
        if sum(self.requests.pending(one.key) for one in self._instances(own.name)) >= own.pending_max:
            raise CaseError("mailbox-full", f"{own.pending_max} requests are open already")
        if self.requests.waits_for(target, own.name):
            raise CaseError("deadlock", f"{target} waits for an answer of {own.name}")
        number, deadline = self.requests.begin(own.key, target, timeout_ms, content.at)
        try:
            self._put(box, _letter(own, content, request=number, deadline=deadline))
        except CaseError:
            self.requests.cancel(number, own.key)
            raise
        self._due(deadline)
        return number

    def broadcast(self, own: Box, pattern: str, content: Content) -> list[tuple[str, CaseError | None]]:
        """One message to each running component whose name fits, but the sender.

        Args:
            own: as for `send`.
            pattern: of names.
            content: as for `send`.

        Returns:
            How it went for each, by name.

        Raises:
            CaseError: nothing was sent.
        """
        self._may_send(own, content)
        try:
            fits = target_pattern(pattern)
        except PatternError as error:
            raise CaseError("invalid-message", f"the pattern: {error.why}") from None
        targets = [name for name in self._names(own) if fits.matches(name)]
        if len(targets) > BROADCAST_MAX:
            raise CaseError("too-large", f"more than {BROADCAST_MAX} components fit")
        return [(name, self._try(own, name, _letter(own, content))) for name in targets]

    def publish(self, own: Box, topic: str, content: Content) -> int:
        """One message to each running component that listens to a topic, but the sender.

        Args:
            own: as for `send`.
            topic: segments by `/`.
            content: as for `send`.

        Returns:
            How many took it.

        Raises:
            CaseError: nothing was sent.
        """
        self._may_send(own, content)
        _allowed(own.rights.topic(topic, "publish"))
        took = 0
        for name in self._names(own):
            box = self._boxes[name]
            if not _listens(box, topic):
                continue
            try:
                self._put(box, _letter(own, content, topic=topic))
                took += 1
            except CaseError:
                continue
        return took

    def subscribe(self, own: Box, pattern: str) -> None:
        """A component listens to all topics that fit.

        Args:
            own: of the instance.
            pattern: of topics.

        Raises:
            CaseError: it may not, or the pattern is none.
        """
        try:
            compiled = SegmentPattern(pattern)
        except PatternError as error:
            raise CaseError("invalid-message", f"the pattern: {error.why}") from None
        _allowed(own.rights.topic(pattern, "subscribe"))
        if pattern not in own.topics and len(own.topics) >= TOPICS_MAX:
            raise CaseError("too-large", f"more than {TOPICS_MAX} patterns")
        own.topics[pattern] = compiled

    def answer(self, own: Box, asked: Letter, reply: bytes | None, failure: str, now_ms: int) -> None:
        """Settles a request; the sender is called back. A reply for which nobody waits is a dead letter.

        Args:
            own: of the instance that answers.
            asked: the request.
            reply: as for `Requests.answer`, like `failure`.
            failure: why there is no reply.
            now_ms: wall time.
        """
        if asked.request is None:
            return
        due = self.requests.answer(asked.request, own.name, reply, failure)
        if due is not None:
            self._call_back([due])
        elif reply is not None:
            self._bury(own.name, asked.sender, "nobody waits", len(reply), now_ms)

    def expire(self, now: float) -> None:
        """Calls back those whose time is over.

        Args:
            now: monotonic seconds.
        """
        self._call_back(self.requests.expire(now))

    def _key_of_its_own(self, box: Box) -> str:
        return f"{box.name}#{next(self._numbers)}"

    def _move(self, box: Box, key: str) -> None:
        self.requests.rename(box.key, key)
        box.key = key
        self._boxes[key] = box

    def _instances(self, name: str) -> list[Box]:
        """All of one component: another version of it can be there too."""
        return [box for box in self._boxes.values() if box.name == name]

    def _names(self, own: Box) -> list[str]:
        """Of all that can be reached, but its own; sorted."""
        return [key for key, box in sorted(self._boxes.items()) if key == box.name != own.name and box.mailbox.open]

    def _may_send(self, own: Box, content: Content) -> None:
        pace = self._paces.get(own.name)
        if pace is None:
            pace = self._paces[own.name] = Pace(content.at, burst=_BURST, per_second=_PER_SECOND)
        if not pace.take(1, content.at):
            raise CaseError("mailbox-full", f"more than {_PER_SECOND:.0f} messages a second")
        if len(content.payload) > own.message_max:
            raise CaseError("too-large", f"a message has {own.message_max} bytes at most")
        if len(content.content_type) > _TYPE_MAX or not content.content_type.isprintable():
            raise CaseError("invalid-message", f"a content type is one line of at most {_TYPE_MAX} characters")

    def _agreed(self, own: Box, target: str, action: Literal["send", "request", "broadcast"]) -> Box:
        """The target's box, if both sides agree; whoever may not write does not learn who runs."""
        _allowed(own.rights.message(target, action))
        box = self.box(target)
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
        self._wake(box.key)

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
