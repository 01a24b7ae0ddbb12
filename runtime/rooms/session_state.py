"""What the parts of a room's session share: who is there, whom it trusts, its keys, and what it wants done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from runtime.canonical import Json
from runtime.rooms.cards import Card
from runtime.rooms.entries import SignedEntry
from runtime.rooms.invite import Invite
from runtime.rooms.megolm import InboundSessions, Outbound
from runtime.rooms.olm import OlmAccount, OlmLink
from runtime.rooms.plaintext import Broadcast, to_megolm
from runtime.rooms.roster import Roster
from runtime.rooms.session_effects import Effect, Impostor, Present
from runtime.rooms.session_pace import Pace
from runtime.rooms.settings import RoomSettings
from runtime.rooms.summary import Summary
from runtime.rooms.transport import Encrypted, KeyShare, Seen

__all__ = ["Book", "Me", "Now", "Peer", "SessionAccount", "SessionState"]

_PEERS_MAX = 256


class Book(Protocol):
    """What a session reads of its room's log. Before the room is adopted, all of it is empty."""

    def roster(self) -> Roster:
        """Who is in the room."""
        ...

    def settings(self) -> RoomSettings:
        """What it is like."""
        ...

    def summary(self) -> Summary:
        """What there is."""
        ...

    def missing(self, theirs: Summary, to: str) -> Sequence[SignedEntry]:
        """What the member `to` lacks and may see, in an order in which it can be taken."""
        ...


class SessionAccount(OlmAccount, Protocol):
    """What is needed of `runtime.account.MemberAccount`."""

    def offer(self, holder: str, *, afresh: bool) -> Mapping[str, str]:
        """One-time keys to publish."""
        ...

    def unused(self, holder: str) -> int:
        """How many of those nobody has used."""
        ...

    def fallback_key(self) -> str:
        """The key for those for whom none is left."""
        ...

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """Signs under a domain."""
        ...


@dataclass(frozen=True, slots=True)
class Me:
    """This member: its card and its account."""

    card: Card
    account: SessionAccount


class Now(NamedTuple):
    """The time of a call: the wall's in milliseconds, and seconds that never go back."""

    ms: int
    s: float


@dataclass(slots=True, eq=False)
class Peer:
    """Somebody of whom the transport has told.

    Attributes:
        identity_key: under which it is known.
        link: Olm with it.
        ed25519_key: as the transport says; empty when it says none.
        one_time_keys: likewise.
        fallback_key: likewise.
        first_key: with which Olm with it is to be opened once there is something to be said; empty when it was.
        turn_s: when it is this member's turn to let it in, should nobody have done it; 0 when that is not known.
        mark: id of one of its keys that stays unused, as it says itself.
        present: whether it is there, as the transport says.
        card: its own, after a hello that fits.
        new: whether it has nothing of the room yet, as far as is known.
        proven: it has proven to know the secret of the invitation.
        member: it was one when the log was looked at last.
        out: it was one and is none any more; what it proves does not count until it comes anew.
        impostor: whether keys do not belong together; then nothing is shared until the transport shows other ones.
        holds: id of the sender session of ours that it has, as far as is known.
        greeted: how often it was greeted since its link was opened.
        greet_s: when it is greeted next, while its sender session is missing.
        ask_s: before then its key is not asked for again.
        misheard: how often it was greeted because what it sends to us alone cannot be read.
        vouch_s: when it is to be put into the log; None for never.
        welcomed: whether it was told of.
    """

    identity_key: str
    link: OlmLink
    ed25519_key: str = ""
    one_time_keys: Mapping[str, str] = field(default_factory=dict)
    fallback_key: str = ""
    first_key: str = ""
    turn_s: float = 0.0
    mark: str = ""
    present: bool = True
    card: Card | None = None
    new: bool = True
    proven: bool = False
    member: bool = False
    out: bool = False
    impostor: bool = False
    holds: str = ""
    greeted: int = 0
    greet_s: float = 0.0
    ask_s: float = 0.0
    misheard: int = 0
    vouch_s: float | None = None
    welcomed: bool = False

    @property
    def reachable(self) -> bool:
        """Whether there is a way to it, or one could be opened."""
        return bool(self.first_key) or self.link.usable

    def is_same(self, seen: Seen) -> bool:
        """Whether this one has been there all the time, and only publishes more keys."""
        return self.present and bool((self.one_time_keys.keys() | {self.mark}) & seen.one_time_keys.keys())

    def learn(self, seen: Seen) -> None:
        """What the transport says of it now. Another signing key than before is judged anew."""
        self.present = True
        if seen.ed25519_key not in {"", self.ed25519_key}:
            self.impostor = False
        self.ed25519_key = seen.ed25519_key or self.ed25519_key
        if seen.one_time_keys or seen.fallback_key:
            self.one_time_keys, self.fallback_key = dict(seen.one_time_keys), seen.fallback_key


class SessionState:
    """State and voice of a session.

    Args:
        room: its id.
        me: this member.
        book: the room's log.
        invite: by which it joined; None for the creator.
        pace: how fast it speaks.
    """

    def __init__(self, room: str, me: Me, book: Book, invite: Invite | None, pace: Pace) -> None:
        self.room = room
        self.me = me
        self.book = book
        self.invite = invite
        self.pace = pace
        self.key = me.card.identity_key
        self.outbound = Outbound()
        self.inbound = InboundSessions()
        self.peers: dict[str, Peer] = {}
        self.effects: list[Effect] = []
        self.now = Now(0, 0.0)
        self.adopted = invite is None
        """Whether the room is kept here, or soon will be."""
        self._told_present: frozenset[str] = frozenset()

    # --- whom it trusts ---------------------------------------------------------------------------------------------

    def trusts(self, peer: Peer) -> bool:
        """Whether the room's keys are for this one: a member, or one that proved to be invited, or anybody if open.

        Who was removed proves nothing any more; who left by itself may come again.
        """
        if peer.impostor:
            return False
        known = self.book.roster().everybody.get(peer.identity_key)
        if known is not None and not known.left:
            return known.is_in
        return peer.proven or self.book.settings().admission == "open"

    @property
    def secret(self) -> str:
        """Of the invitation; empty when there is none."""
        if self.book.roster().creator:
            return self.book.settings().invite
        return "" if self.invite is None else self.invite.secret

    @property
    def has_room(self) -> bool:
        """Whether there is a log into which entries can go."""
        return self.adopted or bool(self.book.roster().creator)

    def suspect(self, peer: Peer, why: str) -> None:
        """Keys do not belong together: says so, once, and shares nothing with it from now on."""
        if not peer.impostor:
            peer.impostor = True
            self.tell(Impostor(peer.identity_key, why))

    # --- who is there -----------------------------------------------------------------------------------------------

    def peer(self, identity_key: str) -> Peer | None:
        """The one with this key, made known when there is room for another."""
        found = self.peers.get(identity_key)
        if found is None:
            if len(self.peers) >= _PEERS_MAX and not self._forget_one():
                return None
            found = self.peers[identity_key] = Peer(identity_key, OlmLink(self.me.account, identity_key))
        return found

    @property
    def present(self) -> list[Peer]:
        """Who is there, as the transport says."""
        return [peer for peer in self.peers.values() if peer.present]

    def tell_present(self) -> None:
        """Says who is there, if that has changed."""
        keys = frozenset(peer.identity_key for peer in self.present)
        if keys != self._told_present:
            self._told_present = keys
            self.tell(Present(keys))

    def _forget_one(self) -> bool:
        for key, peer in self.peers.items():
            if not peer.present:
                del self.peers[key]
                self.inbound.drop(key)
                return True
        return False

    # --- its voice --------------------------------------------------------------------------------------------------

    def tell(self, effect: Effect) -> None:
        """Wants something done, or told."""
        self.effects.append(effect)

    def send(self, peer: Peer, content: Mapping[str, Json], *, bulk: bool = False) -> bool:
        """Says something to one member alone; false when there is no way."""
        if not peer.link.usable or not peer.present:
            return False
        message = peer.link.encrypt(content)
        self.pace.put(KeyShare(target=peer.identity_key, sender=self.key, message=message), bulk=bulk)
        return True

    def broadcast(
        self, orlop: Mapping[str, Json], *, text: str = "", task_event: Mapping[str, Json] | None = None
    ) -> None:
        """Says something to all who have the key of the sender session; nothing goes out when nobody has."""
        session_id = self.outbound.session_id
        if not any(peer.holds == session_id for peer in self.present):
            return
        said = Broadcast(sender=self.key, text=text, task_event=task_event, orlop=orlop)
        ciphertext = self.outbound.encrypt(to_megolm(said, self.me.card.name))
        self.pace.put(
            Encrypted(sender=self.key, session_id=session_id, ciphertext=ciphertext, timestamp_ms=self.now.ms)
        )
