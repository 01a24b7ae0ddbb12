"""What a room's session wants done, and what it has to tell, as values; `runtime.rooms.session_driver` acts on them."""

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.canonical import Json
from runtime.rooms.cards import Card
from runtime.rooms.entries import SignedEntry
from runtime.rooms.transport import Outgoing

__all__ = [
    "Adopt",
    "Effect",
    "Gone",
    "Impostor",
    "LeaseHeard",
    "LegacyMessage",
    "Offer",
    "Present",
    "Proven",
    "Reestablishing",
    "Refused",
    "Rotated",
    "Said",
    "Send",
    "Undecryptable",
    "Vouch",
]


# --- to be done -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Goes to the transport; not before the account is saved."""

    message: Outgoing


@dataclass(frozen=True, slots=True)
class Offer:
    """Entries that a member passed on, for the log; `RoomSession.offered` then hears of it."""

    sender: str
    entries: tuple[SignedEntry, ...]


@dataclass(frozen=True, slots=True)
class Vouch:
    """A newcomer has proven itself, and it is for this member to put it into the log."""

    card: Card


@dataclass(frozen=True, slots=True)
class Adopt:
    """The creator's card has come, and is the one of the invitation: the room can be kept."""

    creator: Card


# --- to be told -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Present:
    """Who is there, as the transport says, without this member."""

    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Proven:
    """Somebody who is there has proven to be one of us."""

    identity_key: str
    name: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A member has said good-bye."""

    identity_key: str


@dataclass(frozen=True, slots=True)
class Undecryptable:
    """A message could not be read; `why` says it in words that go on from "a message could not be read:"."""

    sender: str
    why: str


@dataclass(frozen=True, slots=True)
class Reestablishing:
    """After a connection: members who are there and have not shared their keys yet; empty when all have."""

    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Impostor:
    """Keys do not belong together: somebody stands between. Nothing is shared with this key."""

    identity_key: str
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A member does not let us in."""

    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Rotated:
    """This member speaks under a new key from now on."""

    why: str


@dataclass(frozen=True, slots=True)
class LegacyMessage:
    """What a client of the original said. It is signed by nobody and belongs to no log."""

    sender: str
    text: str
    task_event: Mapping[str, Json] | None


@dataclass(frozen=True, slots=True)
class LeaseHeard:
    """What a member says about the lease of an agent, under its signature."""

    lease: Mapping[str, Json]


Said = (
    Present | Proven | Gone | Undecryptable | Reestablishing | Impostor | Refused | Rotated | LegacyMessage | LeaseHeard
)
Effect = Send | Offer | Vouch | Adopt | Said
