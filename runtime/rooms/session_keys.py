"""Who gets the key of this member's sender session, and from whom keys are taken.

Whoever is there already greets who comes: with a hello that shows its card, proves that it knows the secret of the
invitation, and names the sender session of the other that it holds. It contains its own sender session's key when the
other is trusted already: a member of the log, whose identity Olm proves, or one that has proven itself. Each hello that
shows that the other lacks the key is answered with it. What is lost is said again, more and more slowly.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from runtime.canonical import Json
from runtime.errors import RefusedError
from runtime.rooms.cards import Card, key_bytes
from runtime.rooms.invite import invite_proof, proof_fits
from runtime.rooms.megolm import Outbound
from runtime.rooms.olm import OlmError
from runtime.rooms.plaintext import shared_key
from runtime.rooms.session_effects import (
    Adopt,
    Impostor,
    Proven,
    Reestablishing,
    Refused,
    Rotated,
    Undecryptable,
    Vouch,
)
from runtime.rooms.session_state import Peer, SessionState
from runtime.rooms.session_wire import Hello, MessageError
from runtime.rooms.transport import Join, Seen

__all__ = ["KeyExchange"]

_GREET_S: Final = 5.0
_GREET_MAX_S: Final = 60.0
_ASK_S: Final = 5.0
_REJOIN_S: Final = 10.0
_REJOIN_MAX_S: Final = 300.0
_ALONE_S: Final = 60.0
_VOUCH_S: Final = 2.0
_KEYS_LOW: Final = 8
_NO_PROOF: Final = "it does not know the secret of the present invitation"


class KeyExchange:
    """Greets, proves, shares and rotates.

    Args:
        state: of the session.
        ephemeral: whether the room is kept nowhere.
    """

    def __init__(self, state: SessionState, *, ephemeral: bool) -> None:
        self._state = state
        self._ephemeral = ephemeral
        self._rejoin_s = 0.0
        self._rejoin_after_s = _REJOIN_S
        self._alone_s = 0.0
        self._wanted = False
        self._missing: frozenset[str] | None = None
        self._previous = ""
        self._mark = ""

    # --- the connection ---------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """Joins, under keys that nobody has seen; whoever was there before must come again."""
        state = self._state
        state.peers.clear()
        state.inbound.clear()
        state.pace.clear()
        state.tell_present()
        self._rejoin_after_s = _REJOIN_S
        self._missing = frozenset()
        self._join(afresh=True)

    def _join(self, *, afresh: bool) -> None:
        state = self._state
        card = state.me.card
        keys = state.me.account.offer(state.room, afresh=afresh)
        self._mark = max(keys, default="")
        seen = Seen(
            identity_key=card.identity_key,
            ed25519_key=card.ed25519_key,
            display_name=card.name,
            one_time_keys=keys,
            fallback_key=state.me.account.fallback_key(),
        )
        state.pace.put(Join(me=seen, create=True, ephemeral=self._ephemeral))
        self._rejoin_s = state.now.s + self._rejoin_after_s
        self._alone_s = state.now.s + _ALONE_S
        self._wanted = False

    def disconnected(self) -> None:
        """Nobody can be reached."""
        state = self._state
        for peer in state.peers.values():
            peer.present = False
        state.pace.clear()
        state.tell_present()

    def listed(self, members: Iterable[Seen]) -> None:
        """Those who are there; they will greet."""
        state = self._state
        keys = set()
        for seen in members:
            peer = self._known(seen)
            if peer is not None:
                keys.add(peer.identity_key)
                if not peer.greet_s:
                    peer.greet_s = state.now.s + _GREET_S
        for peer in state.present:
            peer.present = peer.identity_key in keys
        state.tell_present()
        self.tell_missing()

    def arrived(self, seen: Seen) -> None:
        """Somebody has come, or has published new keys."""
        state = self._state
        before = state.peers.get(seen.identity_key)
        again = before is not None and before.is_same(seen)
        peer = self._known(seen)
        if peer is None or (again and peer.link.usable):
            return
        state.tell_present()
        peer.holds, peer.greeted, peer.impostor, peer.out = "", 0, False, False
        peer.proven, peer.vouch_s = False, None  # who has left since, and comes again, proves itself again
        if self._open(peer, self._key_for(peer)):
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

    def _known(self, seen: Seen) -> Peer | None:
        state = self._state
        if seen.identity_key == state.key:
            state.tell(Impostor(seen.identity_key, "somebody else is there under this member's own key"))
            return None
        try:
            key_bytes(seen.identity_key)
        except RefusedError:
            return None
        peer = state.peer(seen.identity_key)
        if peer is not None:
            peer.learn(seen)
            # As it stands now: who leaves later must not be taken for somebody who comes with an invitation.
            member = state.book.roster().member(peer.identity_key) is not None
            if peer.member and not member:
                peer.proven, peer.welcomed = False, False
            peer.member = member
        return peer

    def _key_for(self, peer: Peer) -> str:
        """A key of the newcomer that no other member takes: the one at our rank among those who are there (W16).

        The last of its keys stays unused: by it, new keys of the same connection are told from those of another.
        """
        others = (one.identity_key for one in self._state.present if one is not peer)
        rank = sorted([*others, self._state.key]).index(self._state.key)
        keys = [key for _, key in sorted(peer.one_time_keys.items())]
        if not peer.fallback_key:
            return keys[rank % len(keys)] if keys else ""
        return keys[rank] if rank < len(keys) - 1 else peer.fallback_key

    def _open(self, peer: Peer, one_time_key: str) -> bool:
        try:
            peer.link.open(one_time_key)
        except OlmError as error:
            self._state.tell(Undecryptable(peer.identity_key, error.why))
            return False
        return True

    # --- greeting ---------------------------------------------------------------------------------------------------

    def greet(self, peer: Peer, *, rotated: bool = False) -> None:
        """Says hello, with the key if the other is trusted."""
        state = self._state
        if peer.impostor or not peer.link.usable:
            return
        trusted = state.trusts(peer)
        hello = Hello(
            card=state.me.card,
            proof=self._proof_for(peer),
            have=state.inbound.newest(peer.identity_key),
            mark=self._mark,
            refused="" if trusted or peer.card is None else _NO_PROOF,
            new=not state.book.roster().creator,
            creator=self._creator_for(peer) if trusted else None,
        )
        content: dict[str, Json] = {"orlop": hello.to_json()}
        if trusted:
            content |= self._key_fields(rotated=rotated)
            peer.holds = state.outbound.session_id
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
                self.want_rejoin()  # the list that comes then may be a true one
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
            self._welcome(peer)
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

    def _welcome(self, peer: Peer) -> None:
        """Tells of a newcomer, and decides when this member would put it into the log."""
        if not peer.welcomed and peer.card is not None:
            peer.welcomed = True
            self._state.tell(Proven(peer.identity_key, peer.card.shown_name))
        self._take_turn(peer)

    def _take_turn(self, peer: Peer) -> None:
        """Who is longest in the room puts a newcomer into the log at once; each other one waits for those before."""
        state = self._state
        roster = state.book.roster()
        if peer.vouch_s is None and roster.member(peer.identity_key) is None and roster.member(state.key) is not None:
            there = {one.identity_key for one in state.present} | {state.key}
            peer.vouch_s = state.now.s + _VOUCH_S * [key for key in roster.members if key in there].index(state.key)
            self._vouch(peer)

    def _vouch(self, peer: Peer) -> None:
        state = self._state
        if peer.vouch_s is None or state.now.s < peer.vouch_s or peer.card is None:
            return
        roster = state.book.roster()
        if roster.member(peer.identity_key) is not None or not state.trusts(peer):
            peer.vouch_s = None
        elif peer.proven or roster.creator == state.key:
            peer.vouch_s = state.now.s + _GREET_MAX_S  # once more, should that entry get lost
            state.tell(Vouch(peer.card))

    def take_key(self, peer: Peer, content: Mapping[str, Json]) -> None:
        """The key that a message by Olm shares, if it shares one.

        Raises:
            RefusedError: it is not in the protocol's form.
        """
        shared = shared_key(content, peer.identity_key)
        if shared is not None:
            self._state.inbound.add(peer.identity_key, shared)
            self.tell_missing()

    def lacks(self, peer: Peer) -> None:
        """A message of this member cannot be read because its key is missing: asks for it, not too often."""
        state = self._state
        if not peer.link.usable or not peer.present:
            self.want_rejoin()
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
        """A message for this member alone cannot be read: if its sender's key is missing, all are to greet anew."""
        if not self._state.inbound.newest(identity_key):
            self.want_rejoin()

    # --- being cut off ----------------------------------------------------------------------------------------------

    def want_rejoin(self) -> None:
        """Somebody is there who cannot be spoken to: joining again, all greet anew."""
        self._wanted = True

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
        for peer in state.peers.values():
            if peer.member and peer.identity_key not in members:
                peer.proven, peer.welcomed, peer.out = False, False, True
            peer.member = peer.identity_key in members
        holders = [peer for peer in state.peers.values() if peer.holds]
        gone = [peer for peer in holders if not state.trusts(peer)]
        for peer in gone:
            peer.holds = ""
            state.inbound.drop(peer.identity_key)
        if gone:
            self.rotate("a member is one no more")
        for peer in state.present:
            if state.trusts(peer) and peer.holds != state.outbound.session_id and peer.link.usable:
                self.greet(peer)
            if peer.welcomed:
                self._take_turn(peer)
        self.tell_missing()

    # --- time -------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Says again what may have been lost; publishes keys when few are left (W17)."""
        state = self._state
        for peer in state.present:
            self._vouch(peer)
            if not peer.impostor and state.now.s >= peer.greet_s and not state.inbound.newest(peer.identity_key):
                self._say_again(peer)
        if self._wanted and state.now.s >= self._rejoin_s:
            self._rejoin_after_s = min(_REJOIN_MAX_S, 2 * self._rejoin_after_s)
            self._join(afresh=True)
        elif state.present and state.me.account.unused(state.room) <= _KEYS_LOW:
            self._join(afresh=False)
        elif not state.present and state.now.s >= self._alone_s:
            self._join(afresh=False)  # perhaps somebody is there of whom the relay did not tell

    def _say_again(self, peer: Peer) -> None:
        state = self._state
        if not peer.link.usable:
            roster = state.book.roster()
            if roster.member(state.key) is None or roster.member(peer.identity_key) is not None:
                self.want_rejoin()
            return
        if not peer.link.answered and peer.greeted and peer.fallback_key:
            self._open(peer, peer.fallback_key)  # its one-time key may have been used by somebody else
        self.greet(peer)
