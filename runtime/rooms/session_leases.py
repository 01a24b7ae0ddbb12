"""What members say of the leases of their agents: many in one message, under one signature.

A member with hundreds of agents says something of each every ten seconds; one message for each would be more than a
relay takes. So what is to be said waits for the session's next tick, and goes out together.
"""

from collections.abc import Mapping
from typing import Final

from runtime.canonical import Json, encode
from runtime.identity import verify
from runtime.rooms.cards import key_bytes
from runtime.rooms.session_effects import LeaseHeard
from runtime.rooms.session_state import Peer, SessionState
from runtime.rooms.session_wire import MessageError

__all__ = ["Leases"]

_DOMAIN: Final = b"orlop-lease:v1:"
_AT_ONCE: Final = 128
"""Leases in one message at most."""


class Leases:
    """Says and hears them.

    Args:
        state: of the session.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._unsaid: dict[str, Mapping[str, Json]] = {}

    @property
    def waiting(self) -> bool:
        """Whether something is to be said."""
        return bool(self._unsaid)

    def say(self, leases: Mapping[str, Mapping[str, Json]]) -> None:
        """Says something with the next `flush`, in place of what was to be said of the same agents.

        Args:
            leases: by the agent's name, as they are read back at the others, who add `room` and `runner` from whom
                they hear it.
        """
        for agent, lease in leases.items():
            self._unsaid.pop(agent, None)
            self._unsaid[agent] = lease

    def clear(self) -> None:
        """Nobody is there who would hear it."""
        self._unsaid.clear()

    def flush(self) -> None:
        """Says what is to be said."""
        state = self._state
        unsaid = list(self._unsaid.values())
        self._unsaid.clear()
        for at in range(0, len(unsaid), _AT_ONCE):
            some: list[Json] = [dict(one) for one in unsaid[at : at + _AT_ONCE]]
            signature = state.me.account.sign(_DOMAIN, self._signed(state.key, some))
            state.broadcast({"v": 1, "t": "leases", "leases": some, "sig": signature.hex()})

    def heard(self, peer: Peer, said: Mapping[str, Json]) -> None:
        """A member has said something.

        Raises:
            MessageError: it is not in the form of the protocol, or not signed by that member for this room.
        """
        leases, signature = said.get("leases"), said.get("sig")
        if not isinstance(leases, list | tuple) or len(leases) > _AT_ONCE or not isinstance(signature, str):
            raise MessageError("its leases are not in the protocol's form")
        if not self._fits(peer, self._signed(peer.identity_key, leases), signature):
            raise MessageError("the signature of its leases does not fit")
        for lease in leases:
            if isinstance(lease, Mapping):
                self._state.tell(LeaseHeard({**lease, "room": self._state.room, "runner": peer.identity_key}))

    def _signed(self, runner: str, leases: list[Json] | tuple[Json, ...]) -> bytes:
        return encode({"room": self._state.room, "runner": runner, "leases": leases})

    def _fits(self, peer: Peer, signed: bytes, signature: str) -> bool:
        member = self._state.book.roster().member(peer.identity_key)
        card = peer.card if member is None else member.card
        try:
            return card is not None and verify(key_bytes(card.ed25519_key), _DOMAIN, signed, bytes.fromhex(signature))
        except ValueError:
            return False
