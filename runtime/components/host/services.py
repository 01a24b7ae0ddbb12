"""`orlop:core/host-services`: log, clocks, random bytes, and what a component may know of itself and of others."""

import os
import time
from dataclasses import asdict, dataclass
from typing import Final, get_args

from runtime.canonical import Json
from runtime.components.bindings.core_types import (
    ComponentError,
    ComponentId,
    ComponentInfo,
    ComponentInternalError,
    ComponentNotFound,
    ComponentPermissionDenied,
    ComponentResourceExhausted,
    HealthStatus,
    LogLevel,
    ResourceLimits,
    Timestamp,
)
from runtime.components.host.context import Context
from runtime.components.host.desk import Desk
from runtime.components.host.log_pace import LogPace
from runtime.components.host.messaging import may_message
from runtime.components.values import Err, Ok, Result
from runtime.sanitise import clean
from runtime.shapes import ShapeError, from_wire

__all__ = ["Services"]

_CASES: Final = {case.case: case for case in get_args(ComponentError)}
_HEALTH: Final[dict[str, HealthStatus]] = {status: status for status in get_args(HealthStatus)}
_RANDOM_MAX: Final = 65_536
_TALK: Final = ("messaging.send", "messaging.request", "messaging.broadcast")
_LISTED_MAX: Final = 1_000
_LINE_CHARS: Final = 4_096
_FIELDS_MAX: Final = 32
_FIELD_CHARS: Final = 256


@dataclass(frozen=True, slots=True)
class _Info:
    id: ComponentId
    description: str
    state: str
    status: str
    detail: str


class Services:
    """The operations of one instance.

    Args:
        context: whose they are.
        limits: in force, as the guest sees them.
        log_rate: lines a second.
    """

    def __init__(self, context: Context, limits: ResourceLimits, log_rate: int) -> None:
        self._context = context
        self._limits = limits
        self._pace = LogPace(log_rate)
        self._started = time.monotonic_ns()
        # Who may not be asked about is not told apart from who is not there.
        self._desk: Desk[ComponentError] = Desk(context, _CASES, ComponentNotFound, ComponentInternalError)

    def log(self, level: LogLevel, message: str, context: tuple[tuple[str, str], ...] | None) -> None:
        """Appends a line to the component's log; lines beyond the rate are counted."""
        left_out = self._pace.line(time.monotonic())
        if left_out is None:
            return
        self.tell_left_out(left_out)
        fields = [
            [clean(name, _FIELD_CHARS), clean(value, _FIELD_CHARS)] for name, value in (context or ())[:_FIELDS_MAX]
        ]
        self._context.core.notify("log", {"level": level, "message": clean(message, _LINE_CHARS), "fields": fields})

    def tell_left_out(self, count: int) -> None:
        """Says in one line how many were left out; nothing when none was."""
        if count:
            line = f"{count} lines were left out: more than limits.log_rate allows"
            self._context.core.notify("log", {"level": "warn", "message": line, "fields": []})

    def close(self) -> None:
        """Says what of the log was left out last."""
        self.tell_left_out(self._pace.left_out())

    def current_time(self) -> Timestamp:
        """The wall clock in UTC."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        return Timestamp(seconds, nanoseconds)

    def current_time_millis(self) -> int:
        """The wall clock in UTC, in milliseconds since 1970."""
        return max(0, time.time_ns() // 1_000_000)

    def monotonic_nanos(self) -> int:
        """A clock that never steps back, in nanoseconds since the instance started."""
        return time.monotonic_ns() - self._started

    def sleep_millis(self, duration: int) -> bool:
        """Sleeps; true if it was cut short by a stop request or the call's deadline."""
        until = time.monotonic_ns() + duration * 1_000_000
        self._context.wait_any([], duration)
        return time.monotonic_ns() < until

    def random_bytes(self, count: int) -> Result[bytes, ComponentError]:
        """Bytes of the system's random generator."""
        if count > _RANDOM_MAX:
            return Err(ComponentResourceExhausted(f"at most {_RANDOM_MAX:,} bytes at a time"))
        return Ok(os.urandom(count))

    def self_id(self) -> ComponentId:
        """The id of this component."""
        me = self._context.component
        return ComponentId(me.namespace, me.name, me.version, me.instance)

    def limits(self) -> ResourceLimits:
        """The ceilings in force."""
        return self._limits

    def stop_requested(self) -> bool:
        """Whether the host wants this component to come to an end."""
        return self._context.stopping()

    def list_components(self) -> tuple[ComponentId, ...]:
        """Ids of the components that this one may message."""
        policy = self._context.policy
        if not any(True for group in _TALK for _ in policy.rules.of(group)):
            self._context.allow(policy.message("*/*", "send"), "components")
            return ()
        answer = self._desk.ask("services.components", {}, _ids, None, "")
        if isinstance(answer, Err):
            return ()
        return tuple(one for one in answer.value if may_message(self._context, one))[:_LISTED_MAX]

    def get_component_metadata(self, id: ComponentId) -> Result[ComponentInfo, ComponentError]:  # noqa: A002 - the WIT's
        """Facts about a component that this one may message."""
        target = f"{id.namespace}/{id.name}"
        if not may_message(self._context, id):
            self._context.allow(self._context.policy.message(target, "send"), target)
            return Err(ComponentPermissionDenied("no rule allows messages to it"))
        return self._desk.ask("services.component", {"id": asdict(id)}, _info, None, target)


def _ids(value: Json) -> tuple[ComponentId, ...]:
    if not isinstance(value, list):
        raise ShapeError("a list is wanted")
    return tuple(from_wire(ComponentId, item) for item in value)


def _info(value: Json) -> ComponentInfo:
    info = from_wire(_Info, value)
    return ComponentInfo(info.id, info.description, info.state, _HEALTH.get(info.status, "unknown"))
