"""How entries that somebody missed come after all: by asking one member for what one lacks.

Members say to all, now and then, a digest of what they have. Whoever has something else asks the one who said it, by a
summary sent to it alone, and is answered to it alone, in pieces. One question at a time, so that nobody is flooded.
"""

from collections.abc import Mapping
from typing import Final

from runtime.canonical import Json
from runtime.rooms.session_effects import Offer
from runtime.rooms.session_state import Peer, SessionState
from runtime.rooms.session_wire import (
    Piece,
    digest_of,
    entries_json,
    pieces_of,
    read_digest,
    read_piece,
    read_summary,
    summary_json,
)

__all__ = ["Gaps"]

_HEADS_S: Final = 30.0
_SOON_S: Final = 1.0
_PATIENCE_S: Final = 10.0
_PIECES: Final = 16


class Gaps:
    """Asks, answers, and says what there is.

    Args:
        state: of the session.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._asked = ""
        self._until_s = 0.0
        self._next = ""
        self._ended: Piece | None = None
        self._came = 0
        self._offers = 0
        self._fruitless: dict[str, tuple[str, str]] = {}
        self._their_digest: dict[str, str] = {}
        self._heads_s = 0.0
        self._caught_up = False
        self._digest = ""
        self._digest_s = 0.0

    def connected(self) -> None:
        """Whatever was asked is lost; what came meanwhile is to be asked for."""
        self._asked = self._next = ""
        self._caught_up = False
        self._fruitless.clear()
        self._their_digest.clear()

    def met(self, peer: Peer) -> None:
        """A member's key has come: the first one is asked for what came meanwhile, or the first one that knows it."""
        self._soon()
        known = self._caught_up and self._state.book.roster().creator
        if self._state.has_room and not known and not self._asked:
            self.ask(peer)

    def ask(self, peer: Peer) -> None:
        """Asks a member for what is missing here, after what was asked before."""
        state = self._state
        if peer.card is None:
            return  # a client of the original, which has no log
        if self._asked and state.now.s < self._until_s:
            self._next = peer.identity_key
            return
        if all(state.send(peer, {"orlop": one}) for one in summary_json(state.book.summary())):
            self._asked, self._until_s = peer.identity_key, state.now.s + _PATIENCE_S
            self._ended, self._came = None, 0

    def asked(self, peer: Peer, said: Mapping[str, Json]) -> None:
        """A member asks: it is given what it lacks.

        Raises:
            MessageError: the question is not in the form of the protocol.
        """
        state = self._state
        theirs = read_summary(said, state.book.summary())
        ends = said.get("end") is True
        pieces, more = pieces_of(state.book.missing(theirs, peer.identity_key), most=_PIECES)
        for piece in pieces:
            last = ends and piece is pieces[-1]
            if piece or last:
                state.send(peer, {"orlop": entries_json(piece, last=last, more=more and last)}, bulk=True)

    def answered(self, peer: Peer, said: Mapping[str, Json]) -> None:
        """A member brings entries to this one alone.

        Raises:
            MessageError: they are not in the form of the protocol.
        """
        piece = read_piece(said, self._state.room)
        self.offer(peer, piece)
        if peer.identity_key != self._asked:
            return
        self._until_s = self._state.now.s + _PATIENCE_S
        self._came += len(piece.entries)
        if piece.last:
            self._ended = piece
            self._finish()

    def offer(self, peer: Peer, piece: Piece) -> None:
        """Entries go to the log."""
        if piece.entries and self._state.has_room:
            self._offers += 1
            self._state.tell(Offer(peer.identity_key, piece.entries))

    def offered(self, peer: Peer | None, *, lacking: bool) -> None:
        """The log has taken what it was offered.

        Args:
            peer: who brought it, when it is still known.
            lacking: whether something before it is missing, or nothing could be stored.
        """
        self.changed()
        self._offers = max(0, self._offers - 1)
        if self._ended is not None:
            self._finish()
        elif lacking and peer is not None and not self._asked:
            self.ask(peer)

    def _finish(self) -> None:
        """The answer is complete once all of it is in the log."""
        if self._ended is None or self._offers:
            return
        state = self._state
        peer, more = state.peers.get(self._asked), self._ended.more
        if not self._came and peer is not None:
            self._fruitless[self._asked] = (self._their_digest.get(self._asked, ""), self._own_digest())
        self._asked, self._ended = "", None
        if more and peer is not None and self._came:
            self.ask(peer)
            return
        self._caught_up = True
        self._soon()
        following, self._next = state.peers.get(self._next), ""
        if following is not None:
            self.ask(following)

    # --- what there is ----------------------------------------------------------------------------------------------

    def heads(self, peer: Peer, said: Mapping[str, Json]) -> None:
        """A member says what it has: asks it if that is something else, and was not asked for in vain before.

        Raises:
            MessageError: it is not in the form of the protocol.
        """
        theirs, ours = read_digest(said), self._own_digest()
        self._their_digest[peer.identity_key] = theirs
        if theirs != ours and self._fruitless.get(peer.identity_key) != (theirs, ours):
            self.ask(peer)

    def tick(self) -> None:
        """Says to all what there is, and gives up on a member that does not answer."""
        state = self._state
        if self._asked and state.now.s >= self._until_s:
            self._asked, self._ended = "", None
            self._offers = 0
            following, self._next = state.peers.get(self._next), ""
            if following is not None:
                self.ask(following)
        if state.now.s >= self._heads_s:
            self._heads_s = state.now.s + _HEADS_S
            self.changed()
            state.broadcast({"v": 1, "t": "heads", "digest": self._own_digest()})

    def changed(self) -> None:
        """The log is another than before."""
        self._digest = ""

    def _own_digest(self) -> str:
        """Of what there is here: asked for at each word of each member, so it is computed once for a log that rests."""
        if not self._digest or self._state.now.s >= self._digest_s:
            self._digest, self._digest_s = digest_of(self._state.book.summary()), self._state.now.s + _SOON_S
        return self._digest

    def _soon(self) -> None:
        self._heads_s = min(self._heads_s, self._state.now.s + _SOON_S)
