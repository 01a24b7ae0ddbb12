"""What the exports of a component are given, and what they come back with, as it travels to its worker. Pure."""

from collections.abc import Mapping

from runtime.canonical import Json, encode
from runtime.components.answers import component_json
from runtime.components.host.context import ComponentId
from runtime.components.mailbox import Callback, Letter
from runtime.components.worker.wire import bytes_of, text_of
from runtime.sanitise import clean

__all__ = ["callback_arguments", "error_of", "execute_arguments", "init_arguments", "message_arguments", "reply_of"]

Arguments = dict[str, Json]


def init_arguments(
    config: Mapping[str, Json], environment: Mapping[str, str], limits: Mapping[str, Json], restarts: int
) -> Arguments:
    """For `init`.

    Args:
        config: of the manifest.
        environment: variables.
        limits: in force, as the WIT has them.
        restarts: how often it came again.
    """
    pairs: list[Json] = [[name, value] for name, value in sorted(environment.items())]
    data = text_of(encode(config)) if config else None
    return {"config": {"env_vars": pairs, "config_data": data, "limits": limits, "restart_count": restarts}}


def execute_arguments(operation: str, given: bytes, number: int, timeout_ms: int, source: str) -> Arguments:
    """For `execute`.

    Args:
        operation: its name.
        given: its input.
        number: of the call.
        timeout_ms: it may take.
        source: who asks.
    """
    context: dict[str, Json] = {
        "request_id": number,
        "timeout_ms": timeout_ms,
        "caller": {"component_id": None, "external_source": source},
        "trace_id": f"{source}#{number}",
    }
    return {"operation": operation, "input": text_of(given), "context": context}


def message_arguments(letter: Letter, left_ms: int | None, now_ms: int) -> Arguments:
    """For `handle-message`.

    Args:
        letter: the message.
        left_ms: until its sender waits no more; None of a plain message.
        now_ms: wall time.
    """
    namespace, _, short = letter.sender.partition("/")
    return {
        "message": {
            "sender": component_json(ComponentId(namespace, short, "", 0)),
            "request_id": letter.request,
            "content_type": letter.content_type,
            "payload": text_of(letter.payload),
            "sent_at": _timestamp(letter.sent_ms),
            "deadline": None if left_ms is None else _timestamp(now_ms + left_ms),
            "topic": letter.topic,
        }
    }


def callback_arguments(callback: Callback) -> Arguments:
    """For `handle-callback`.

    Args:
        callback: the outcome.
    """
    outcome = {"err": callback.failure} if callback.reply is None else {"ok": text_of(callback.reply)}
    return {"request_id": callback.request, "outcome": outcome}


def reply_of(value: Json) -> tuple[bytes | None, str]:
    """What becomes of a request when its target's `handle-message` came back.

    Args:
        value: what it came back with.

    Returns:
        The reply, or why there is none.
    """
    if not isinstance(value, Mapping) or "err" in value:
        return None, "target-failed"
    reply = value.get("ok")
    return (None, "cancelled-by-target") if reply is None else (bytes_of(reply), "")


def error_of(value: Json) -> tuple[str, str] | None:
    """The error with which an export came back, harmless to show.

    Args:
        value: what it came back with.

    Returns:
        Case and reason; None of a good end.
    """
    if not isinstance(value, Mapping) or "err" not in value:
        return None
    error = value["err"]
    if not isinstance(error, list) or len(error) != 2:  # noqa: PLR2004 - case and reason
        return "error", ""
    return clean(str(error[0]), 60), clean(str(error[1]), 300)


def _timestamp(ms: int) -> dict[str, Json]:
    return {"seconds": ms // 1000, "nanoseconds": ms % 1000 * 1_000_000}
