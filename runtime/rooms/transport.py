"""What rooms ask of whatever carries their bytes, as values: the messages of section 10 of the relay's protocol.

A transport is believed in nothing: who is present, which keys they have and what they say is proven end to end by
`runtime.rooms.session`. It may lose, repeat, delay, reorder and change what it carries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = [
    "Connected",
    "Disconnected",
    "Encrypted",
    "Join",
    "KeyShare",
    "MemberLeft",
    "MemberList",
    "NewMember",
    "OlmMessage",
    "Outgoing",
    "Purge",
    "Received",
    "RoomTransport",
    "Seen",
    "Turned",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A member as a transport shows it: a claim."""

    identity_key: str
    ed25519_key: str
    display_name: str
    one_time_keys: Mapping[str, str] = field(default_factory=dict)
    fallback_key: str = ""


@dataclass(frozen=True, slots=True)
class OlmMessage:
    """An Olm message: type 0 opens a session, 1 goes on; unpadded base64."""

    message_type: int
    ciphertext: str


# --- to the transport -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Takes part in the room, under these keys."""

    me: Seen
    create: bool = False
    ephemeral: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyShare:
    """An Olm message for one member, or from one."""

    target: str
    sender: str
    message: OlmMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted:
    """A Megolm message for all, or from one."""

    sender: str
    session_id: str
    ciphertext: str
    timestamp_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """Asks that the room end for everybody."""

    identity_key: str


Outgoing = Join | KeyShare | Encrypted | Purge


# --- from the transport ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """The way is open; nobody is there yet: join."""


@dataclass(frozen=True, slots=True)
class MemberList:
    """Those who are there already; the answer to `Join`."""

    members: Sequence[Seen]


@dataclass(frozen=True, slots=True)
class NewMember:
    """Somebody has joined."""

    member: Seen


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """Somebody's connection has ended."""

    identity_key: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The way is closed; the transport tries again by itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class Turned:
    """The room is closed to us, and trying again is of no use: destroyed, full, unknown, purged."""

    reason: str


Received = Connected | MemberList | NewMember | MemberLeft | KeyShare | Encrypted | Disconnected | Turned


class RoomTransport(Protocol):
    """A way to the other members of one room. All calls on one event loop."""

    def start(self, receive: Callable[[Received], None]) -> None:
        """Begins; `receive` is called for whatever arrives, never from within `send`."""
        ...

    def send(self, message: Outgoing) -> None:
        """Sends, or drops what cannot be sent now: whoever needs it asks again."""
        ...

    async def close(self) -> None:
        """Ends the connection; nothing is received afterwards."""
        ...
