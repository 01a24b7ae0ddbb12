"""What is inside the encryption: the original's JSON, and beside it an object `orlop` with what members of ours say.

Megolm carries `{"text","sender","senderName","taskEvent"?,"orlop"?}`, padded; Olm carries
`{"sessionId","sessionKey","senderIdentityKey","rotation"?,"previousSessionId"?,"orlop"?}`, filled with blanks, which
JSON allows, so that its length tells little. The original's clients pass over `orlop`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.canonical import CanonicalError, Json, decode
from runtime.errors import RefusedError
from runtime.rooms.padding import pad, unpad

__all__ = [
    "Broadcast",
    "PlaintextError",
    "SharedKey",
    "from_megolm",
    "from_olm",
    "shared_key",
    "to_megolm",
    "to_olm",
]

_LIMIT: Final = 65_536
_BLOCK: Final = 256


class PlaintextError(RefusedError):
    """A message that decrypts and is not what the protocol asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """What a member says to all.

    Attributes:
        sender: identity key, as the message says it; must be that of its session.
        text: a message of the original's clients, or a copy for them.
        task_event: likewise a change of a task.
        orlop: what members of ours say; None from a client of the original.
    """

    sender: str
    text: str = ""
    task_event: Mapping[str, Json] | None = None
    orlop: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedKey:
    """A Megolm session that its owner shares."""

    session_id: str
    session_key: str


def to_megolm(said: Broadcast, name: str) -> bytes:
    """The bytes that Megolm encrypts.

    Args:
        said: what is said.
        name: the sender's display name.
    """
    fields: dict[str, Json] = {"text": said.text, "sender": said.sender, "senderName": name}
    if said.task_event is not None:
        fields["taskEvent"] = said.task_event
    if said.orlop is not None:
        fields["orlop"] = said.orlop
    return pad(_line(fields))


def from_megolm(plain: bytes) -> Broadcast:
    """Reads what Megolm decrypted.

    Raises:
        PlaintextError: it is not the JSON of the protocol.
        PaddingError: it is not padded.
    """
    fields = _object(unpad(plain))
    sender, text = fields.get("sender"), fields.get("text")
    event, orlop = fields.get("taskEvent"), fields.get("orlop")
    if not isinstance(sender, str) or not isinstance(text, str):
        raise PlaintextError("the message has no text or no sender inside")
    return Broadcast(
        sender=sender,
        text=text,
        task_event=event if isinstance(event, Mapping) else None,
        orlop=_ours(orlop),
    )


def to_olm(content: Mapping[str, Json]) -> bytes:
    """The bytes that Olm encrypts."""
    raw = _line(content)
    return raw + b" " * (-len(raw) % _BLOCK)


def from_olm(plain: bytes) -> Mapping[str, Json]:
    """Reads what Olm decrypted.

    Raises:
        PlaintextError: it is not a JSON object.
    """
    return _object(plain)


def shared_key(content: Mapping[str, Json], sender: str) -> SharedKey | None:
    """The session that an Olm message shares; None when it shares none.

    Args:
        content: of the message.
        sender: identity key of who sent it by Olm.

    Raises:
        PlaintextError: it names another sender, or is not in the protocol's form.
    """
    if "sessionKey" not in content:
        return None
    session_id, key = content.get("sessionId"), content["sessionKey"]
    if not isinstance(session_id, str) or not isinstance(key, str):
        raise PlaintextError("the shared session is not in the protocol's form")
    if content.get("senderIdentityKey") != sender:
        raise PlaintextError("the shared session names another sender")
    return SharedKey(session_id=session_id, session_key=key)


def _ours(value: Json) -> Mapping[str, Json] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise PlaintextError("the message has an `orlop` inside that is no object")
    return value


def _line(fields: Mapping[str, Json]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def _object(raw: bytes) -> Mapping[str, Json]:
    try:
        value = decode(raw, limit=_LIMIT, floats=True)
    except CanonicalError as error:
        raise PlaintextError(f"the message is not JSON inside: {error.why}") from None
    if not isinstance(value, Mapping):
        raise PlaintextError("the message is no JSON object inside")
    return value
