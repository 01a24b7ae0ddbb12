"""`orlop:core/host-messaging`: messages to other components, which the core delivers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, get_args

from runtime.canonical import Json
from runtime.components.bindings.core_types import (
    ComponentId,
    Delivery,
    MailboxStatus,
    MessagingError,
    MessagingPermissionDenied,
    MessagingTargetFailed,
    MessagingTooLarge,
)
from runtime.components.host.context import Context
from runtime.components.host.desk import Desk, count, nothing
from runtime.components.permissions.rules import MessageAction
from runtime.components.values import Err, Ok, Result
from runtime.components.worker.wire import text_of
from runtime.shapes import ShapeError, from_wire

__all__ = ["Messaging"]

_CASES: Final = {case.case: case for case in get_args(MessagingError)}


@dataclass(frozen=True, slots=True)
class _Mailbox:
    length: int
    capacity: int
    dropped: int
    pending: int


class Messaging:
    """The operations of one instance.

    Args:
        context: whose they are.
        message_max: bytes of one message.
    """

    def __init__(self, context: Context, message_max: int) -> None:
        self._context = context
        self._max = message_max
        self._desk: Desk[MessagingError] = Desk(context, _CASES, MessagingPermissionDenied, MessagingTargetFailed)

    def send_message(self, target: ComponentId, content_type: str, message: bytes) -> Result[None, MessagingError]:
        """Puts one message into the target's mailbox."""
        if len(message) > self._max:
            return self._too_large()
        decision = self._context.policy.message(_name(target), "send")
        fields = self._content(content_type, message) | {"target": asdict(target)}
        return self._desk.ask("messaging.send-message", fields, nothing, decision, _name(target))

    def send_request(
        self, target: ComponentId, content_type: str, request: bytes, timeout: int
    ) -> Result[int, MessagingError]:
        """As a message, and exactly one callback follows within the timeout."""
        if len(request) > self._max:
            return self._too_large()
        decision = self._context.policy.message(_name(target), "request")
        fields = self._content(content_type, request) | {"target": asdict(target), "timeout_ms": timeout}
        return self._desk.ask("messaging.send-request", fields, count, decision, _name(target))

    def cancel_request(self, request_id: int) -> Result[None, MessagingError]:
        """Forgets an own request."""
        fields = {"request": request_id}
        return self._desk.ask("messaging.cancel-request", fields, nothing, None, str(request_id))

    def broadcast(
        self, target_pattern: str, content_type: str, message: bytes
    ) -> Result[tuple[Delivery, ...], MessagingError]:
        """One message to each running component that matches; the core judges each of them."""
        if len(message) > self._max:
            return self._too_large()
        decision = self._context.policy.message(target_pattern, "broadcast")
        fields = self._content(content_type, message) | {"pattern": target_pattern}
        return self._desk.ask("messaging.broadcast", fields, self._deliveries, decision, target_pattern)

    def mailbox(self) -> MailboxStatus:
        """The state of the own mailbox."""
        answer = self._desk.ask("messaging.mailbox", {}, _mailbox, None, "")
        return answer.value if isinstance(answer, Ok) else MailboxStatus(0, 0, 0, 0)

    def publish(self, topic: str, content_type: str, message: bytes) -> Result[int, MessagingError]:
        """One message to all that subscribed to the topic; how many they are."""
        if len(message) > self._max:
            return self._too_large()
        decision = self._context.policy.topic(topic, "publish")
        fields = self._content(content_type, message) | {"topic": topic}
        return self._desk.ask("messaging.publish", fields, count, decision, topic)

    def subscribe(self, topic_pattern: str) -> Result[None, MessagingError]:
        """Has messages of topics put into the own mailbox."""
        decision = self._context.policy.topic(topic_pattern, "subscribe")
        return self._desk.ask("messaging.subscribe", {"pattern": topic_pattern}, nothing, decision, topic_pattern)

    def unsubscribe(self, topic_pattern: str) -> Result[None, MessagingError]:
        """Ends that."""
        return self._desk.ask("messaging.unsubscribe", {"pattern": topic_pattern}, nothing, None, topic_pattern)

    def _content(self, content_type: str, message: bytes) -> dict[str, Json]:
        self._context.note(size=len(message))
        return {"content_type": content_type, "payload": text_of(message)}

    def _too_large(self) -> Err[MessagingError]:
        return Err(MessagingTooLarge(f"a message of this component has at most {self._max:,} bytes"))

    def _deliveries(self, value: Json) -> tuple[Delivery, ...]:
        if not isinstance(value, list):
            raise ShapeError("a list is wanted")
        return tuple(self._delivery(item) for item in value)

    def _delivery(self, item: Json) -> Delivery:
        match item:
            case [target, None]:
                return Delivery(from_wire(ComponentId, target), None)
            case [target, [str() as case, str() as reason]]:
                return Delivery(from_wire(ComponentId, target), _CASES.get(case, MessagingTargetFailed)(reason))
            case _:
                raise ShapeError("a delivery is wanted")


def may_message(context: Context, target: ComponentId) -> bool:
    """Whether a component may write to another in any way."""
    actions: Mapping[MessageAction, None] = {"send": None, "request": None, "broadcast": None}
    return any(context.policy.message(_name(target), action).allowed for action in actions)


def _name(target: ComponentId) -> str:
    return f"{target.namespace}/{target.name}"


def _mailbox(value: Json) -> MailboxStatus:
    status = from_wire(_Mailbox, value)
    return MailboxStatus(status.length, status.capacity, status.dropped, status.pending)
