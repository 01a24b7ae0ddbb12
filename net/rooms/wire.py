"""The relay's protocol as text: JSON of section 10 to the values of `runtime.rooms.transport` and back, strictly.

What comes in is JSON in every detail, of the declared shape and within all limits, or refused with the code with which
a relay closes. Fields that nobody knows are left out: what is passed on holds nothing but what was checked.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.canonical import CanonicalError, Json, decode
from runtime.errors import RefusedError
from runtime.rooms.transport import (
    Encrypted,
    Join,
    KeyShare,
    MemberLeft,
    MemberList,
    NewMember,
    OlmMessage,
    Outgoing,
    Purge,
    Seen,
)

__all__ = [
    "CIPHERTEXT_MAX",
    "MESSAGE_MAX",
    "NAME_MAX",
    "Answer",
    "Refusal",
    "WireError",
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_request",
]

MESSAGE_MAX: Final = 128 * 1024
"""Bytes of a message at most."""

CIPHERTEXT_MAX: Final = 65_536
"""Characters of a ciphertext at most."""

NAME_MAX: Final = 32
"""Characters of a display name at most."""

_KEY_MAX: Final = 64
_ONE_TIME_KEYS_MAX: Final = 20
_REASON_MAX: Final = 120
_TIME_MAX: Final = 2**53 - 1
_NOT_JSON: Final = 4002
_NOT_THE_SCHEMA: Final = 4003


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a relay says before it closes, or instead of purging: `kind` is the message's type."""

    kind: str
    reason: str = ""


Answer = MemberList | NewMember | MemberLeft | KeyShare | Encrypted | Refusal
"""What a relay sends."""

REFUSALS: Final = frozenset({"room_not_found", "room_destroyed", "purge_unauthorized", "room_full", "server_full"})


class WireError(RefusedError):
    """Text that is no message of the protocol; `close_code` is what a relay closes with."""

    def __init__(self, why: str, close_code: int = _NOT_THE_SCHEMA, *, where: str = "") -> None:
        super().__init__(why, where=where)
        self.close_code = close_code


# --- reading --------------------------------------------------------------------------------------------------------


def decode_request(raw: bytes) -> Outgoing:
    """What a client sent.

    Raises:
        WireError: not JSON (4002), or not a message of a client (4003).
    """
    found = _object(raw)
    read = _REQUESTS.get(_type(found))
    if read is None:
        raise WireError("no message of a client", where="type")
    return read(found)


def decode_answer(raw: bytes) -> Answer:
    """What a relay sent.

    Raises:
        WireError: not JSON, or not a message of a relay.
    """
    found = _object(raw)
    kind = _type(found)
    if kind in REFUSALS:
        reason = found.get("reason")
        return Refusal(kind, reason[:_REASON_MAX] if isinstance(reason, str) else "")
    read = _ANSWERS.get(kind)
    if read is None:
        raise WireError("no message of a relay", where="type")
    return read(found)


def _object(raw: bytes) -> Mapping[str, Json]:
    try:
        value = decode(raw, limit=MESSAGE_MAX, floats=True)
    except CanonicalError as error:
        raise WireError(error.why, _NOT_JSON, where=error.where) from None
    if not isinstance(value, Mapping):
        raise WireError("an object is wanted")
    return value


def _type(found: Mapping[str, Json]) -> str:
    kind = found.get("type")
    return kind if isinstance(kind, str) else ""


def _join(found: Mapping[str, Json]) -> Join:
    create, ephemeral = (_flag(found, name) for name in ("create", "ephemeral"))
    return Join(me=_whole(found), create=create, ephemeral=ephemeral)


def _new_member(found: Mapping[str, Json]) -> NewMember:
    return NewMember(_whole(found))


def _whole(found: Mapping[str, Json]) -> Seen:
    """A member with its keys."""
    return Seen(
        identity_key=_text(found, "identityKey", _KEY_MAX),
        ed25519_key=_text(found, "ed25519Key", _KEY_MAX),
        display_name=_text(found, "displayName", NAME_MAX),
        one_time_keys=_one_time_keys(found.get("oneTimeKeys")),
        fallback_key=_text(found, "fallbackKey", _KEY_MAX) if "fallbackKey" in found else "",
    )


def _one_time_keys(value: Json) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not 1 <= len(value) <= _ONE_TIME_KEYS_MAX:
        raise WireError(f"an object of 1 to {_ONE_TIME_KEYS_MAX} keys is wanted", where="oneTimeKeys")
    for name in value:
        if len(name) > _KEY_MAX:
            raise WireError(f"a name of more than {_KEY_MAX} characters", where="oneTimeKeys")
    return {name: _text(value, name, _KEY_MAX, where="oneTimeKeys") for name in value}


def _member_list(found: Mapping[str, Json]) -> MemberList:
    members = found.get("members")
    if not isinstance(members, Sequence) or isinstance(members, str):
        raise WireError("a list is wanted", where="members")
    return MemberList([_listed(member) for member in members])


def _listed(value: Json) -> Seen:
    """A member as the list shows it: the original's relay tells no keys but this one."""
    if not isinstance(value, Mapping):
        raise WireError("a list of objects is wanted", where="members")
    return Seen(
        identity_key=_text(value, "identityKey", _KEY_MAX),
        ed25519_key=_text(value, "ed25519Key", _KEY_MAX) if "ed25519Key" in value else "",
        display_name=_text(value, "displayName", NAME_MAX),
    )


def _member_left(found: Mapping[str, Json]) -> MemberLeft:
    return MemberLeft(_text(found, "identityKey", _KEY_MAX))


def _key_share(found: Mapping[str, Json]) -> KeyShare:
    olm = found.get("olmMessage")
    if not isinstance(olm, Mapping):
        raise WireError("an object is wanted", where="olmMessage")
    kind = olm.get("messageType")
    if isinstance(kind, bool) or not isinstance(kind, int) or kind not in {0, 1}:
        raise WireError("0 or 1 is wanted", where="olmMessage.messageType")
    return KeyShare(
        target=_text(found, "targetIdentityKey", _KEY_MAX),
        sender=_text(found, "senderIdentityKey", _KEY_MAX),
        message=OlmMessage(kind, _text(olm, "ciphertext", CIPHERTEXT_MAX)),
    )


def _encrypted(found: Mapping[str, Json]) -> Encrypted:
    at = found.get("timestamp")
    if isinstance(at, bool) or not isinstance(at, int | float) or not -_TIME_MAX <= at <= _TIME_MAX:
        raise WireError("a time in milliseconds is wanted", where="timestamp")
    return Encrypted(
        sender=_text(found, "senderIdentityKey", _KEY_MAX),
        session_id=_text(found, "sessionId", _KEY_MAX),
        ciphertext=_text(found, "ciphertext", CIPHERTEXT_MAX),
        timestamp_ms=int(at),
    )


def _purge(found: Mapping[str, Json]) -> Purge:
    return Purge(identity_key=_text(found, "identityKey", _KEY_MAX))


def _text(found: Mapping[str, Json], name: str, most: int, *, where: str = "") -> str:
    value = found.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise WireError(f"a text of 1 to {most} characters is wanted", where=where or name)
    return value


def _flag(found: Mapping[str, Json], name: str) -> bool:
    value = found.get(name, False)
    if not isinstance(value, bool):
        raise WireError("true or false is wanted", where=name)
    return value


_REQUESTS: Mapping[str, Callable[[Mapping[str, Json]], Outgoing]] = {
    "join": _join,
    "key_share": _key_share,
    "encrypted": _encrypted,
    "purge": _purge,
}

_ANSWERS: Mapping[str, Callable[[Mapping[str, Json]], Answer]] = {
    "member_list": _member_list,
    "new_member": _new_member,
    "member_left": _member_left,
    "key_share": _key_share,
    "encrypted": _encrypted,
}


# --- writing --------------------------------------------------------------------------------------------------------


def encode_request(message: Outgoing) -> str:
    """A client's message; a display name is cut to what every relay takes."""
    match message:
        case Join():
            fields = {"type": "join", **_member(message.me), "create": message.create, "ephemeral": message.ephemeral}
        case Purge():
            fields = {"type": "purge", "identityKey": message.identity_key}
        case _:
            fields = _forwarded(message)
    return _line(fields)


def encode_answer(message: Answer) -> str:
    """A relay's message."""
    match message:
        case MemberList():
            fields: dict[str, Json] = {"type": "member_list", "members": [_brief(one) for one in message.members]}
        case NewMember():
            fields = {"type": "new_member", **_member(message.member)}
        case MemberLeft():
            fields = {"type": "member_left", "identityKey": message.identity_key}
        case Refusal():
            fields = {"type": message.kind, "reason": message.reason} if message.reason else {"type": message.kind}
        case _:
            fields = _forwarded(message)
    return _line(fields)


def _forwarded(message: KeyShare | Encrypted) -> dict[str, Json]:
    if isinstance(message, KeyShare):
        olm: dict[str, Json] = {"messageType": message.message.message_type, "ciphertext": message.message.ciphertext}
        return {
            "type": "key_share",
            "targetIdentityKey": message.target,
            "senderIdentityKey": message.sender,
            "olmMessage": olm,
        }
    return {
        "type": "encrypted",
        "senderIdentityKey": message.sender,
        "sessionId": message.session_id,
        "ciphertext": message.ciphertext,
        "timestamp": message.timestamp_ms,
    }


def _member(one: Seen) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "identityKey": one.identity_key,
        "ed25519Key": one.ed25519_key,
        "oneTimeKeys": dict(one.one_time_keys),
        "displayName": _name(one.display_name),
    }
    return {**fields, "fallbackKey": one.fallback_key} if one.fallback_key else fields


def _brief(one: Seen) -> dict[str, Json]:
    fields: dict[str, Json] = {"identityKey": one.identity_key, "displayName": _name(one.display_name)}
    return {**fields, "ed25519Key": one.ed25519_key} if one.ed25519_key else fields


def _name(text: str) -> str:
    """At most 32 UTF-16 units, which is what the original's relay counts, and at least one."""
    units = text.encode("utf-16-le", "replace")[: 2 * NAME_MAX]
    return units.decode("utf-16-le", "ignore") or "?"


def _line(fields: Mapping[str, Json]) -> str:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
