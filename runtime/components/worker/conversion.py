"""Calls of the lifecycle as they travel: arguments to dataclasses of the WIT, what came back to JSON.

Names are those of the WIT with underscores, bytes are base64, a component id is an object, `result` is `{"ok": …}` or
`{"err": [case, reason]}`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar, get_args

from runtime.canonical import Json
from runtime.components.bindings.core_component_lifecycle import ComponentLifecycle
from runtime.components.bindings.core_types import (
    ComponentConfig,
    ComponentError,
    ComponentId,
    ExecutionContext,
    ExecutionError,
    Message,
    ResourceLimits,
    ShutdownReason,
    Timestamp,
)
from runtime.components.errors import WireError
from runtime.components.values import Err, Ok, Result
from runtime.components.worker.wire import bytes_of, text_of
from runtime.shapes import from_wire

__all__ = ["LIFECYCLE", "enter_export"]

LIFECYCLE: Final = "orlop:core/component-lifecycle"

_T = TypeVar("_T")
_E = TypeVar("_E", bound=ComponentError | ExecutionError)

_REASONS: Final[Mapping[str, ShutdownReason]] = {reason: reason for reason in get_args(ShutdownReason)}


@dataclass(frozen=True, slots=True)
class _Config:
    env_vars: tuple[tuple[str, ...], ...]
    config_data: str | None
    limits: ResourceLimits
    restart_count: int


@dataclass(frozen=True, slots=True)
class _Init:
    config: _Config


@dataclass(frozen=True, slots=True)
class _Execute:
    operation: str
    input: str
    context: ExecutionContext


@dataclass(frozen=True, slots=True)
class _Message:
    sender: ComponentId
    request_id: int | None
    content_type: str
    payload: str
    sent_at: Timestamp
    deadline: Timestamp | None
    topic: str | None


@dataclass(frozen=True, slots=True)
class _HandleMessage:
    message: _Message


@dataclass(frozen=True, slots=True)
class _HandleCallback:
    request_id: int
    outcome: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Nothing:
    pass


@dataclass(frozen=True, slots=True)
class _Shutdown:
    reason: str


def enter_export(lifecycle: ComponentLifecycle, export: str, arguments: Json) -> Json:
    """Calls one export.

    Args:
        lifecycle: the instance's.
        export: its name in the WIT.
        arguments: by their names.

    Returns:
        What it returned.

    Raises:
        OrlopError: the arguments are not those of the export; the guest was not entered.
        Exception: whatever the call raises.
    """
    enter = _EXPORTS.get(export)
    if enter is None:
        raise WireError(f"there is no export {export}")
    return enter(lifecycle, arguments)


def _init(lifecycle: ComponentLifecycle, arguments: Json) -> Json:
    config = from_wire(_Init, arguments).config
    if any(len(pair) != 2 for pair in config.env_vars):  # noqa: PLR2004 - name and value
        raise WireError("a variable is a name and a value")
    data = None if config.config_data is None else bytes_of(config.config_data)
    variables = tuple((name, value) for name, value in config.env_vars)
    return _result(lifecycle.init(ComponentConfig(variables, data, config.limits, config.restart_count)), _same)


def _execute(lifecycle: ComponentLifecycle, arguments: Json) -> Json:
    asked = from_wire(_Execute, arguments)
    return _result(lifecycle.execute(asked.operation, bytes_of(asked.input), asked.context), text_of)


def _handle_message(lifecycle: ComponentLifecycle, arguments: Json) -> Json:
    told = from_wire(_HandleMessage, arguments).message
    message = Message(
        told.sender,
        told.request_id,
        told.content_type,
        bytes_of(told.payload),
        told.sent_at,
        told.deadline,
        told.topic,
    )
    return _result(lifecycle.handle_message(message), lambda reply: None if reply is None else text_of(reply))


def _handle_callback(lifecycle: ComponentLifecycle, arguments: Json) -> Json:
    told = from_wire(_HandleCallback, arguments)
    outcome: Result[bytes, str]
    match dict(told.outcome):
        case {"ok": text}:
            outcome = Ok(bytes_of(text))
        case {"err": text}:
            outcome = Err(text)
        case _:
            raise WireError("an outcome is ok or err")
    return _result(lifecycle.handle_callback(told.request_id, outcome), _same)


def _metadata(lifecycle: ComponentLifecycle, arguments: Json) -> Json:
    from_wire(_Nothing, arguments)
    return dataclasses.asdict(lifecycle.metadata())


def _health(lifecycle: ComponentLifecycle, arguments: Json) -> Json:
    from_wire(_Nothing, arguments)
    return dataclasses.asdict(lifecycle.health())


def _shutdown(lifecycle: ComponentLifecycle, arguments: Json) -> Json:
    reason = _REASONS.get(from_wire(_Shutdown, arguments).reason)
    if reason is None:
        raise WireError("there is no such reason to stop")
    return _result(lifecycle.shutdown(reason), _same)


_EXPORTS: Final[Mapping[str, Callable[[ComponentLifecycle, Json], Json]]] = {
    "init": _init,
    "execute": _execute,
    "handle-message": _handle_message,
    "handle-callback": _handle_callback,
    "metadata": _metadata,
    "health": _health,
    "shutdown": _shutdown,
}


def _same(_: None) -> Json:
    return None


def _result(result: Result[_T, _E], plain: Callable[[_T], Json]) -> Json:
    if isinstance(result, Ok):
        return {"ok": plain(result.value)}
    return {"err": [result.error.case, result.error.reason]}
