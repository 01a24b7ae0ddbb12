"""Who gets the key of this member's sender session, and from whom keys are taken.

Who is there already greets who comes: one of them at once, and the others when it is let in. A hello shows a card,
proves that its sender knows the secret of the invitation, and names the sender session of the other that it holds. It
contains its own sender session's key when the other is trusted already: a member of the log, whose identity Olm proves,
or one that has proven itself. Each hello that shows that the other lacks the key is answered with it. What is lost is
said again, more and more slowly.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from runtime.canonical import Json
from runtime.rooms.cards import Card
from runtime.rooms.invite import invite_proof, proof_fits
from runtime.rooms.megolm import Outbound
from runtime.rooms.olm import OlmError
from runtime.rooms.plaintext import shared_key
from runtime.rooms.roster import Roster
from runtime.rooms.session_effects import (
    Adopt,
    Reestablishing,
    Refused,
    Rotated,
    Undecryptable,
)
from runtime.rooms.session_presence import Presence
from runtime.rooms.session_state import Peer, SessionState
from runtime.rooms.session_vouching import Vouching
from runtime.rooms.session_wire import Hello, MessageError
from runtime.rooms.settings import RoomSettings
from runtime.rooms.transport import Seen

__all__ = ["KeyExchange"]

_GREET_S: Final = 5.0
_GREET_MAX_S: Final = 60.0
_ASK_S: Final = 5.0
_MISHEARD_MOST: Final = 3
_NO_PROOF: Final = "it does not know the secret of the present invitation"


class KeyExchange:
    """Greets, proves, shares and rotates.

    Args:
        state: of the session.
        ephemeral: whether the room is kept nowhere.
    """

    def __init__(self, state: SessionState, *, ephemeral: bool) -> None:
        self._state = state
        self._presence = Presence(state, ephemeral=ephemeral)
        self._vouching = Vouching(state)
        self._missing: frozenset[str] | None = None
        self._previous = ""
        self._looked_at: tuple[Roster, RoomSettings] | None = None

    # --- the connection ---------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """Joins; whoever was there before must come again."""
        self._missing = frozenset()
        self._presence.connected()

    def disconnected(self) -> None:
        """Nobody can be reached."""
        self._presence.disconnected()

    def listed(self, members: Iterable[Seen]) -> None:
        """Those who are there; they will greet."""
        state = self._state
        keys = set()
        for seen in members:
            peer = self._presence.known(seen)
            if peer is not None:
                keys.add(peer.identity_key)
                if not peer.greet_s:
                    peer.greet_s = state.now.s + _GREET_S
        for peer in state.present:
            peer.present = peer.identity_key in keys
        state.tell_present()
        self.tell_missing()

    def arrived(self, seen: Seen) -> None:
        """Somebody has come, or has published new keys.

        It is greeted at once by who is to let it in, and by all who know it already; the others wait until it is in,
        or it is their turn. Most of what a room of many would say to a newcomer is not said in vain so.
        """
        state = self._state
        before = state.peers.get(seen.identity_key)
        again = before is not None and before.is_same(seen)
        peer = self._presence.known(seen)
        if peer is None or (again and peer.reachable):
            return
        state.tell_present()
        peer.holds, peer.greeted, peer.misheard, peer.impostor, peer.out = "", 0, 0, False, False
        peer.proven, peer.vouch_s = False, None  # who has left since, and comes again, proves itself again
        peer.first_key = self._presence.key_for(peer)
        peer.turn_s = peer.greet_s = state.now.s + self._vouching.turn_s()
        if peer.turn_s <= state.now.s or state.trusts(peer):
            self.greet(peer)

    def left(self, identity_key: str) -> None:
        """Somebody's connection has ended; one who was in nobody's log must not read on."""
        state = self._state
        peer = state.peers.get(identity_key)
        if peer is None or not peer.present:
            return
        peer.present = False
        state.tell_present()
        if peer.holds and state.book.roster().member(identity_key) is None:
            self.rotate("somebody has left")

    def _reach(self, peer: Peer) -> bool:
        """Whether there is a way to somebody; the first is opened only when there is something to be said."""
        key, peer.first_key = peer.first_key, ""
        if key:
            self._open(peer, key)
        return peer.link.usable

    def _open(self, peer: Peer, one_time_key: str) -> None:
        try:
            peer.link.open(one_time_key)
        except OlmError as error:
            self._state.tell(Undecryptable(peer.identity_key, error.why))

    # --- greeting ---------------------------------------------------------------------------------------------------

    def greet(self, peer: Peer, *, rotated: bool = False) -> None:
        """Says hello, with the key if the other is trusted."""
        state = self._state
        if peer.impostor or not self._reach(peer):
            return
        trusted = state.trusts(peer)
        hello = Hello(
            card=state.me.card,
            proof=self._proof_for(peer),
            have=state.inbound.newest(peer.identity_key) if trusted else "",  # who is to prove itself must answer
            mark=self._presence.mark,
            refused="" if trusted or peer.card is None else _NO_PROOF,
            new=not state.book.roster().creator,
            creator=self._creator_for(peer) if trusted else None,
        )
        content: dict[str, Json] = {"orlop": hello.to_json()}
        if trusted:
            content |= self._key_fields(rotated=rotated)
            peer.holds = state.outbound.session_id
        if not hello.have:
            peer.ask_s = state.now.s + _ASK_S
        if state.send(peer, content):
            peer.greet_s = state.now.s + min(_GREET_MAX_S, _GREET_S * 2**peer.greeted)
            peer.greeted = min(peer.greeted + 1, 10)

    def _proof_for(self, peer: Peer) -> str:
        """Nothing of who has left without an invitation back: it still knows the secret, and would be let in again."""
        state = self._state
        own = state.book.roster().everybody.get(state.key)
        if not state.secret or (own is not None and not own.is_in and state.invite is None):
            return ""
        return invite_proof(state.secret, state.room, state.key, peer.identity_key)

    def _creator_for(self, peer: Peer) -> Card | None:
        roster = self._state.book.roster()
        return roster.everybody[roster.creator].card if roster.creator and peer.new else None

    def _key_fields(self, *, rotated: bool) -> dict[str, Json]:
        shared = self._state.outbound.shared()
        fields: dict[str, Json] = {
            "sessionId": shared.session_id,
            "sessionKey": shared.session_key,
            "senderIdentityKey": self._state.key,
        }
        return fields | {"rotation": True, "previousSessionId": self._previous} if rotated else fields

    def hello(self, peer: Peer, said: Hello, content: Mapping[str, Json]) -> None:
        """A hello has come by Olm: who sent it is certain, what it says is not yet."""
        state = self._state
        if why := self._contradiction(peer, said):
            if not peer.impostor:
                self._presence.want_rejoin()  # the list that comes then may be a true one
            state.suspect(peer, why)
            return
        first = peer.card is None
        peer.card = said.card
        peer.holds, peer.mark, peer.new = said.have, said.mark, said.new
        if not peer.out and proof_fits(said.proof, state.secret, state.room, peer.identity_key, state.key):
            peer.proven = True
        if said.refused and state.book.roster().member(state.key) is None:
            state.tell(Refused(peer.identity_key, said.refused))
        trusted = state.trusts(peer)
        if trusted and said.creator is not None:
            self._adopt(peer, said)
        self.take_key(peer, content)
        if trusted:
            self._vouching.welcome(peer)
        if peer.holds != state.outbound.session_id if trusted else first or not peer.greeted:
            self.greet(peer)

    def _contradiction(self, peer: Peer, said: Hello) -> str:
        card = said.card
        if card.identity_key != peer.identity_key:
            return "it shows the card of another member"
        if peer.ed25519_key and card.ed25519_key != peer.ed25519_key:
            return "its signing key is another one than the relay says"
        known = self._state.book.roster().everybody.get(peer.identity_key)
        if known is not None and known.card.ed25519_key != card.ed25519_key:
            return "its signing key is another one than the room's log says"
        return ""

    def _adopt(self, peer: Peer, said: Hello) -> None:
        state = self._state
        if state.has_room or state.invite is None or said.creator is None:
            return
        if said.creator.fingerprint != state.invite.creator:
            state.suspect(peer, "it names another creator of the room than the invitation")
            return
        state.adopted = True
        state.tell(Adopt(said.creator))

    def take_key(self, peer: Peer, content: Mapping[str, Json]) -> None:
        """The key that a message by Olm shares, if it shares one.

        Raises:
            RefusedError: it is not in the protocol's form.
        """
        shared = shared_key(content, peer.identity_key)
        if shared is not None:
            self._state.inbound.add(peer.identity_key, shared)
            self._is_missing_no_more(peer.identity_key)

    def lacks(self, peer: Peer) -> None:
        """A message of this member cannot be read because its key is missing: asks for it, not too often."""
        state = self._state
        if not peer.reachable or not peer.present:
            self._presence.want_rejoin()
        elif state.now.s >= peer.ask_s:
            peer.ask_s = state.now.s + _ASK_S
            self.greet(peer)

    def shared_by_original(self, peer: Peer, content: Mapping[str, Json]) -> None:
        """A client of the original shares its key; it is taken where anybody is let in, and answered in the same way.

        Raises:
            RefusedError: it is not in the protocol's form, or the room is not open.
        """
        state = self._state
        if not state.trusts(peer):
            raise MessageError("it comes from a client that cannot prove that it was invited")
        self.take_key(peer, content)
        if peer.holds != state.outbound.session_id:
            self.greet(peer)

    def misheard(self, identity_key: str) -> None:
        """A message for this member alone cannot be read: its sender has a way to it that leads nowhere.

        If its sender's key is missing, all are to greet anew. Else the sender is greeted by our own way to it, since it
        may lack our key and be asking for it in vain; and when that changes nothing, all greet anew as well.
        """
        state = self._state
        peer = state.peers.get(identity_key)
        if peer is None or not state.inbound.newest(identity_key) or peer.misheard >= _MISHEARD_MOST:
            self._presence.want_rejoin()
        elif state.now.s >= peer.ask_s:
            peer.misheard += 1
            peer.ask_s = state.now.s + _ASK_S
            self.greet(peer)

    # --- being cut off ----------------------------------------------------------------------------------------------

    def want_rejoin(self) -> None:
        """Somebody is there who cannot be spoken to: joining again, all greet anew."""
        self._presence.want_rejoin()

    def _is_missing_no_more(self, identity_key: str) -> None:
        if self._missing and identity_key in self._missing:
            self._missing -= {identity_key}
            self._state.tell(Reestablishing(self._missing))

    def tell_missing(self) -> None:
        """Says whose keys are still missing after a connection, whenever that changes."""
        state = self._state
        if self._missing is None:
            return
        members = state.book.roster().members
        missing = frozenset(
            peer.identity_key
            for peer in state.present
            if peer.identity_key in members and not peer.impostor and not state.inbound.newest(peer.identity_key)
        )
        if missing != self._missing:
            self._missing = missing
            state.tell(Reestablishing(missing))

    # --- rotation ---------------------------------------------------------------------------------------------------

    def rotate(self, why: str) -> None:
        """Speaks under a new key, which only those get who are trusted now (W22)."""
        state = self._state
        self._previous = state.outbound.session_id
        state.outbound = Outbound()
        state.tell(Rotated(why))
        for peer in state.present:
            if state.trusts(peer) and peer.link.usable:
                self.greet(peer, rotated=True)

    def membership(self) -> None:
        """The log has changed: whoever is a member no more must not read on, and who has become one may."""
        state = self._state
        members = state.book.roster().members
        touched = self._touched()
        for peer in touched:
            if peer.member and peer.identity_key not in members:
                peer.proven, peer.welcomed, peer.out = False, False, True
            peer.member = peer.identity_key in members
        gone = [peer for peer in state.peers.values() if peer.holds and not state.trusts(peer)]
        for peer in gone:
            peer.holds = ""
            state.inbound.drop(peer.identity_key)
        if gone:
            self.rotate("a member is one no more")
        for peer in touched:
            if peer.present and peer.holds != state.outbound.session_id and peer.reachable and state.trusts(peer):
                self.greet(peer)
            if peer.present and peer.welcomed:
                self._vouching.take_turn(peer)
        if touched or gone:
            self.tell_missing()

    def _touched(self) -> list[Peer]:
        """Those for whom the log may say something else than when it was looked at last."""
        state = self._state
        roster, settings = state.book.roster(), state.book.settings()
        before, self._looked_at = self._looked_at, (roster, settings)
        peers = list(state.peers.values())
        if before is None or settings is not before[1]:
            return peers
        then, now = before[0].everybody, roster.everybody
        if then.get(state.key) is not now.get(state.key):
            return peers
        return [peer for peer in peers if then.get(peer.identity_key) is not now.get(peer.identity_key)]

    # --- time -------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Says again what may have been lost."""
        state = self._state
        for peer in state.present:
            self._vouching.vouch(peer)
            lacks = not state.inbound.newest(peer.identity_key) or not state.trusts(peer)
            if lacks and not peer.impostor and state.now.s >= peer.greet_s:
                self._say_again(peer)
        self._presence.tick()

    def _say_again(self, peer: Peer) -> None:
        state = self._state
        if not peer.reachable:
            roster = state.book.roster()
            # Who is new is greeted by one member at least; who is none cannot know which of the others are.
            alone = roster.member(state.key) is None and not any(one.reachable for one in state.present)
            if alone or roster.member(peer.identity_key) is not None:
                self._presence.want_rejoin()
            return
        if not peer.first_key and not peer.link.answered and peer.greeted and peer.fallback_key:
            self._open(peer, peer.fallback_key)  # its one-time key may have been used by somebody else
        self.greet(peer)
