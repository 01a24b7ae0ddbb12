"""Members of a room, self included."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.canonical import Json
from runtime.errors import AmbiguousError, NotFoundError, RefusedError
from runtime.rooms.naming import PREFIX_CHARACTERS
from runtime.sanitise import clean

__all__ = [
    "NAME_CHARACTERS",
    "Member",
    "agent_actor",
    "component_actor",
    "cut_name",
    "is_program",
    "member_to_json",
    "parse_members",
    "resolve_member",
    "runner_of",
]

NAME_CHARACTERS: Final = 32
"""Characters of a display name at most."""

_COMPONENT: Final = re.compile(r"component:[a-z0-9-]{1,64}/[a-z0-9-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person in a room. `identity_key` is a Curve25519 public key in 43 characters of base64.

    Attributes:
        identity_key: what the member is known by.
        display_name: chosen by the member.
        is_self: whether it is this node's own.
        ed25519_key: signs its entries.
        peer_id: its node.
        verified: whether somebody here compared the safety number.
        present: whether it is there now, as far as anybody says.
        is_creator: whether it made the room.
    """

    identity_key: str
    display_name: str
    is_self: bool = False
    ed25519_key: str = ""
    peer_id: str = ""
    verified: bool = False
    present: bool = True
    is_creator: bool = False


def cut_name(text: str) -> str:
    """A display name within the limit, without blanks around it."""
    return text.strip()[:NAME_CHARACTERS]


def member_to_json(member: Member) -> dict[str, Json]:
    """The member as agents read it."""
    return {"identityKey": member.identity_key, "displayName": member.display_name}


def parse_members(value: Json) -> tuple[Member, ...]:
    """Reads the JSON that `member_to_json` writes, as a list.

    Raises:
        RefusedError: not a list of objects with two strings each, or a key that occurs twice.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise RefusedError("must be a list", where="members")
    members: dict[str, Member] = {}
    for index, item in enumerate(value):
        key = item.get("identityKey") if isinstance(item, Mapping) else None
        name = item.get("displayName") if isinstance(item, Mapping) else None
        if not isinstance(key, str) or not isinstance(name, str) or not key:
            raise RefusedError("must have the strings identityKey and displayName", where=f"members[{index}]")
        if key in members:
            raise RefusedError("occurs twice", where=f"members[{index}].identityKey")
        members[key] = Member(identity_key=key, display_name=cut_name(name))
    return tuple(members.values())


def resolve_member(text: str, members: Iterable[Member], *, names: bool = False) -> Member:
    """The member that this text stands for: a whole key, or a unique beginning of one, at least 4 characters long.

    Args:
        text: what an agent or a person wrote. Agents know at most the first 36 bytes of a key.
        members: all members.
        names: whether a unique display name counts as well.

    Raises:
        NotFoundError: nobody fits.
        AmbiguousError: several fit.
    """
    found = []
    for member in members:
        if member.identity_key == text:
            return member
        begins = len(text) >= PREFIX_CHARACTERS and member.identity_key.startswith(text)
        if begins or (names and member.display_name == text):
            found.append(member)
    if not found:
        raise NotFoundError("is not a member of the room", where=clean(text, 60))
    if len(found) > 1:
        keys = ", ".join(f"{clean(member.display_name)} {clean(member.identity_key, 60)}" for member in found)
        raise AmbiguousError(f"fits several members: {keys}", where=clean(text, 60))
    return found[0]


def agent_actor(room: str, name: str, runner: str) -> str:
    """The actor id of an agent, which names the member who runs it.

    Args:
        room: the room's id; 32 zeros in `agents try`.
        name: the agent's name.
        runner: identity key of the member; `try` in `agents try`.
    """
    return f"agent:{room}:{name}@{runner}"


def component_actor(name: str, runner: str) -> str:
    """The actor id of a component, which names the member on whose node it runs.

    Args:
        name: `namespace/name`.
        runner: identity key of the member.
    """
    return f"component:{name}@{runner}"


def is_program(actor: str) -> bool:
    """Whether an actor is an agent or a component, for which a member answers."""
    return actor.startswith(("agent:", "component:"))


def runner_of(actor: str, room: str) -> str:
    """Who answers for an actor of this room: a program's runner, else the actor itself; empty for a malformed one."""
    if not is_program(actor):
        return actor
    head, _, runner = actor.rpartition("@")
    if head.startswith("component:"):
        return runner if _COMPONENT.fullmatch(head) else ""
    prefix, _, name = head.rpartition(":")
    return runner if prefix == f"agent:{room}" and name else ""
