"""Who puts a newcomer into the room's log: one of those who are there, and the others only if that one does not."""

from typing import Final

from runtime.rooms.session_effects import Proven, Vouch
from runtime.rooms.session_state import Peer, SessionState

__all__ = ["Vouching"]

_TURN_S: Final = 2.0
"""How long each member waits for the one before it."""
_AGAIN_S: Final = 60.0
_STRANGER_TURN_S: Final = 5.0
"""How long somebody waits who is no member itself."""


class Vouching:
    """Takes turns with the others.

    Args:
        state: of the session.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state

    def turn_s(self) -> float:
        """How long this member waits for those who are longer in the room and there; 0 for the first of them."""
        state = self._state
        roster = state.book.roster()
        if roster.member(state.key) is None:
            return _STRANGER_TURN_S
        there = {peer.identity_key for peer in state.present}
        before = 0
        for key, one in roster.everybody.items():
            if key == state.key:
                break
            before += key in there and one.is_in
        return _TURN_S * before

    def welcome(self, peer: Peer) -> None:
        """Tells of somebody who is trusted, and decides when this member would put it into the log."""
        if not peer.welcomed and peer.card is not None:
            peer.welcomed = True
            self._state.tell(Proven(peer.identity_key, peer.card.shown_name))
        self.take_turn(peer)

    def take_turn(self, peer: Peer) -> None:
        """Who is longest in the room puts a newcomer into the log at once; each other one waits for those before."""
        state = self._state
        if peer.vouch_s is not None:
            return
        roster = state.book.roster()
        if roster.member(peer.identity_key) is None and roster.member(state.key) is not None:
            peer.vouch_s = peer.turn_s or state.now.s + self.turn_s()
            self.vouch(peer)

    def vouch(self, peer: Peer) -> None:
        """Puts a newcomer into the log once it is this member's turn."""
        state = self._state
        if peer.vouch_s is None or state.now.s < peer.vouch_s or peer.card is None:
            return
        roster = state.book.roster()
        if roster.member(peer.identity_key) is not None or not state.trusts(peer):
            peer.vouch_s = None
        elif peer.proven or roster.creator == state.key:
            peer.vouch_s = state.now.s + _AGAIN_S  # once more, should that entry get lost
            state.tell(Vouch(peer.card))
