"""Being there: how this member joins and joins again, and what the transport says of who else is there."""

from typing import Final

from runtime.errors import RefusedError
from runtime.rooms.cards import key_bytes
from runtime.rooms.session_effects import Impostor
from runtime.rooms.session_state import Peer, SessionState
from runtime.rooms.transport import Join, Seen

__all__ = ["Presence"]

_REJOIN_S: Final = 10.0
_REJOIN_MAX_S: Final = 300.0
_ALONE_S: Final = 60.0
_KEYS_LOW: Final = 8


class Presence:
    """Joins, publishes keys, and knows who else does.

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
        self.mark = ""
        """Id of that one of this member's one-time keys that stays unused."""

    def connected(self) -> None:
        """Joins, under keys that nobody has seen; whoever was there before must come again."""
        state = self._state
        state.peers.clear()
        state.inbound.clear()
        state.pace.clear()
        state.tell_present()
        self._rejoin_after_s = _REJOIN_S
        self._join(afresh=True)

    def disconnected(self) -> None:
        """Nobody can be reached."""
        state = self._state
        for peer in state.peers.values():
            peer.present = False
        state.pace.clear()
        state.tell_present()

    def want_rejoin(self) -> None:
        """Somebody is there who cannot be spoken to: joining again, all greet anew."""
        self._wanted = True

    def tick(self) -> None:
        """Joins again where that is wanted; publishes keys when few are left (W17)."""
        state = self._state
        if self._wanted and state.now.s >= self._rejoin_s:
            self._rejoin_after_s = min(_REJOIN_MAX_S, 2 * self._rejoin_after_s)
            self._join(afresh=True)
        elif state.present and state.me.account.unused(state.room) <= _KEYS_LOW:
            self._join(afresh=False)
        elif not state.present and state.now.s >= self._alone_s:
            self._join(afresh=False)  # perhaps somebody is there of whom the relay did not tell

    def known(self, seen: Seen) -> Peer | None:
        """Somebody of whom the transport tells; None for who cannot be one."""
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

    def key_for(self, peer: Peer) -> str:
        """A key of the newcomer that no other member takes: the one at our rank among those who are there (W16).

        The last of its keys stays unused: by it, new keys of the same connection are told from those of another.
        """
        others = (one.identity_key for one in self._state.present if one is not peer)
        rank = sum(key < self._state.key for key in others)
        keys = [key for _, key in sorted(peer.one_time_keys.items())]
        if not peer.fallback_key:
            return keys[rank % len(keys)] if keys else ""
        return keys[rank] if rank < len(keys) - 1 else peer.fallback_key

    def _join(self, *, afresh: bool) -> None:
        state = self._state
        card = state.me.card
        keys = state.me.account.offer(state.room, afresh=afresh)
        self.mark = max(keys, default="")
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
