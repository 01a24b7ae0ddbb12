"""One room in memory: its replica, what of it is in the store and what is not yet, and the view that is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.canonical import Json
from runtime.rooms.entries import SignedEntry
from runtime.rooms.members import Member
from runtime.rooms.replica import Replica
from runtime.rooms.roster import Roster
from runtime.rooms.view import RoomView

__all__ = ["HeldRoom", "RoomInfo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomInfo:
    """A room by name, without its content."""

    room: str
    name: str
    created_ms: int


@dataclass(slots=True)
class HeldRoom:
    """One room. Whoever changes it holds the lock."""

    info: RoomInfo
    key: bytes = field(repr=False)
    owner: str
    """Fingerprint of the creator's card."""
    me: Member
    """This node's member, as the tables know it."""
    replica: Replica
    verified: set[str] = field(default_factory=set)
    """Members whose safety number was compared."""
    kept_roster: Roster | None = None
    """The roster that the table of members shows."""
    present: frozenset[str] | None = None
    """Who is there, besides this node; None when nobody says."""
    pos: int = 0
    """The last entry that is in the replica."""
    waiting: set[str] = field(default_factory=set)
    """Ids of what the store keeps beside the log."""
    unsaved: list[SignedEntry] = field(default_factory=list)
    """What waited in the store and was taken since, but is not in the log there."""
    dirty: bool = False
    """The replica may contain entries that are not committed yet."""
    stale: bool = False
    """There are committed entries that the view may lack."""
    view: RoomView | None = None
    ephemeral: bool = False
    """Nothing of it is in the store: what follows is all there is."""
    log: list[SignedEntry] = field(default_factory=list)
    """Its entries, as far as they are committed."""
    unlogged: list[SignedEntry] = field(default_factory=list)
    """Those that are not, yet."""
    link: Mapping[str, Json] = field(default_factory=dict, repr=False)
    """How this node reaches the others."""

    def members(self) -> tuple[Member, ...]:
        """Who is in the room, this node first."""
        roster = self.replica.roster
        found = [
            Member(
                identity_key=key,
                display_name=one.card.name,
                is_self=key == self.me.identity_key,
                ed25519_key=one.card.ed25519_key,
                peer_id=one.card.peer_id,
                verified=key in self.verified,
                present=self.present is None or key in self.present or key == self.me.identity_key,
                is_creator=one.is_creator,
            )
            for key, one in roster.members.items()
        ]
        if not roster.creator:
            return (self.me,)  # nothing of the log has come yet
        return tuple(sorted(found, key=lambda one: not one.is_self))

    def shown(self) -> RoomView:
        """A view of the replica as it is."""
        return RoomView(
            room=self.info.room,
            name=self.info.name,
            created_ms=self.info.created_ms,
            tasks=self.replica.fold.folding.state().tasks,
            members=self.members(),
            messages=self.replica.fold.messages,
        )
