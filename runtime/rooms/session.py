"""One room's encrypted conversation: what came in and what time it is go in, what is to be done and told comes out.

A session does no input or output and never waits: transports, stores and clocks are its driver's. Whatever a transport
says is a claim; what members say is believed when Olm or Megolm proves who said it, and what they say of the room when
the log's own signatures do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.canonical import Json
from runtime.errors import RefusedError
from runtime.rooms.cards import Card, key_bytes
from runtime.rooms.entries import SignedEntry
from runtime.rooms.invite import Invite
from runtime.rooms.megolm import MegolmError, NoSessionError
from runtime.rooms.olm import OlmError
from runtime.rooms.plaintext import Broadcast, from_megolm
from runtime.rooms.session_effects import Effect, Gone, LegacyMessage, Send, Undecryptable
from runtime.rooms.session_gaps import Gaps
from runtime.rooms.session_keys import KeyExchange
from runtime.rooms.session_leases import Leases
from runtime.rooms.session_pace import Pace
from runtime.rooms.session_state import Book, Me, Now, Peer, SessionState
from runtime.rooms.session_wire import MessageError, entries_json, pieces_of, read_hello, read_piece
from runtime.rooms.transport import (
    Connected,
    Disconnected,
    Encrypted,
    KeyShare,
    MemberLeft,
    MemberList,
    NewMember,
    Received,
    Turned,
)

__all__ = ["RoomSession"]

_EARLY_S: Final = 20.0
_EARLY_MAX: Final = 64
_OWN_PIECES: Final = 64


@dataclass(frozen=True, slots=True)
class _Early:
    """A message whose key may still be on its way."""

    message: Encrypted
    until_s: float


class RoomSession:
    """The conversation of one room. For one thread; every call returns what is to be done, in order.

    Args:
        room: its id.
        me: this member.
        book: reads the room's log.
        invite: by which this member joins; None when it is in the log already.
        ephemeral: whether the room is kept nowhere.
        pace: how fast it speaks.
    """

    def __init__(
        self,
        room: str,
        me: Me,
        book: Book,
        *,
        invite: Invite | None = None,
        ephemeral: bool = False,
        pace: Pace | None = None,
    ) -> None:
        self._state = SessionState(room, me, book, invite, pace or Pace())
        self._keys = KeyExchange(self._state, ephemeral=ephemeral)
        self._gaps = Gaps(self._state)
        self._leases = Leases(self._state)
        self._early: list[_Early] = []
        self._connected = False

    # --- from outside -----------------------------------------------------------------------------------------------

    def receive(self, message: Received, now: Now) -> list[Effect]:
        """Something came from the transport."""
        self._state.now = now
        match message:
            case Connected():
                self._connected = True
                self._early.clear()
                self._keys.connected()
                self._gaps.connected()
            case Disconnected() | Turned():
                self._connected = False
                self._keys.disconnected()
                self._leases.clear()
            case MemberList():
                self._keys.listed(message.members)
            case NewMember():
                self._keys.arrived(message.member)
            case MemberLeft():
                self._keys.left(message.identity_key)
            case KeyShare():
                self._key_share(message)
            case Encrypted():
                self._encrypted(message, early=False)
        return self._done()

    def tick(self, now: Now) -> list[Effect]:
        """Time has passed; to be called once a second, and as long as messages wait ten times."""
        self._state.now = now
        if self._connected:
            self._expire()
            self._keys.tick()
            self._gaps.tick()
            self._leases.flush()
        return self._done()

    @property
    def waiting(self) -> bool:
        """Whether messages wait for their turn."""
        return self._state.pace.waiting or self._leases.waiting

    def entries(self, entries: Sequence[SignedEntry], now: Now) -> list[Effect]:
        """This member has written into the log: says so to all. The log's word on who is a member may have changed.

        Who is removed hears that as the last thing: what follows is said under another key.
        """
        self._state.now = now
        self._gaps.changed()
        if self._connected:
            removals = [at for at, entry in enumerate(entries, 1) if entry.kind == "remove"]
            farewell = removals[-1] if removals else 0
            self._leases.flush()  # who leaves gives back its leases before
            self._broadcast(entries[:farewell])
            self._keys.membership()
            self._broadcast(entries[farewell:])
        return self._done()

    def _broadcast(self, entries: Sequence[SignedEntry]) -> None:
        pieces, _ = pieces_of(entries, most=_OWN_PIECES)
        for piece in filter(None, pieces):
            text, event = self._for_originals(piece)
            self._state.broadcast(entries_json(piece), text=text, task_event=event)

    def offered(self, sender: str, now: Now, *, lacking: bool) -> list[Effect]:
        """The log has judged what an `Offer` brought.

        Args:
            sender: who brought it.
            now: the time.
            lacking: whether entries wait there for others before them, or could not be stored.
        """
        self._state.now = now
        if self._connected:
            self._keys.membership()
            self._gaps.offered(self._state.peers.get(sender), lacking=lacking)
        return self._done()

    def adopt_failed(self) -> None:
        """The room could not be kept; the next member who greets brings it again."""
        self._state.adopted = False

    def rotate(self, now: Now) -> list[Effect]:
        """Speaks under a new key from now on."""
        self._state.now = now
        self._keys.rotate("asked for")
        return self._done()

    def leases(self, leases: Mapping[str, Mapping[str, Json]], now: Now) -> list[Effect]:
        """Says something about the leases of agents, signed: at the next tick, together.

        Args:
            leases: by the agent's name, as they are read back at the others, who know `room` and `runner`.
            now: the time.
        """
        self._state.now = now
        if self._connected:
            self._leases.say(leases)
        return self._done()

    def bye(self, now: Now) -> list[Effect]:
        """Says to all that this member goes."""
        self._state.now = now
        self._leases.flush()
        self._state.broadcast({"v": 1, "t": "bye"})
        return self._done()

    @property
    def cards(self) -> Mapping[str, Card]:
        """The cards of those who are there and have shown one that fits."""
        return {
            peer.identity_key: peer.card for peer in self._state.present if peer.card is not None and not peer.impostor
        }

    def _done(self) -> list[Effect]:
        state = self._state
        for message in state.pace.take(state.now.s):
            state.tell(Send(message))
        effects, state.effects = state.effects, []
        return effects

    # --- for this member alone --------------------------------------------------------------------------------------

    def _key_share(self, message: KeyShare) -> None:
        state = self._state
        if message.target != state.key or message.sender == state.key:
            return
        try:
            key_bytes(message.sender)
            peer = state.peer(message.sender)
            if peer is None:
                return
            content = peer.link.decrypt(message.message)
            peer.misheard = 0
            self._spoken(peer, content)
        except OlmError as error:
            state.tell(Undecryptable(message.sender, error.why))
            self._keys.misheard(message.sender)
        except RefusedError as error:
            state.tell(Undecryptable(message.sender, error.why))

    def _spoken(self, peer: Peer, content: Mapping[str, Json]) -> None:
        """A member has said something to this one alone, and Olm proves who it is.

        Raises:
            RefusedError: it is not in the form of the protocol.
        """
        state = self._state
        said = content.get("orlop")
        before = state.inbound.newest(peer.identity_key)
        if not isinstance(said, Mapping):
            self._keys.shared_by_original(peer, content)
        elif said.get("t") == "hello":
            self._keys.hello(peer, read_hello(said), content)
        elif not state.trusts(peer):
            raise MessageError("it comes from nobody who is a member")
        elif said.get("t") == "summary":
            self._gaps.asked(peer, said)
        elif said.get("t") == "entries":
            self._gaps.answered(peer, said)
        if state.inbound.newest(peer.identity_key) != before and state.trusts(peer):
            self._gaps.met(peer)
            self._again(peer)

    def _again(self, peer: Peer) -> None:
        """A key has come: messages that came before it are read now."""
        mine = [one for one in self._early if one.message.sender == peer.identity_key]
        self._early = [one for one in self._early if one.message.sender != peer.identity_key]
        for one in mine:
            self._encrypted(one.message, early=True)

    def _expire(self) -> None:
        for one in [one for one in self._early if self._state.now.s >= one.until_s]:
            self._early.remove(one)
            self._state.tell(Undecryptable(one.message.sender, "the key of its session has not come"))

    # --- for all ----------------------------------------------------------------------------------------------------

    def _encrypted(self, message: Encrypted, *, early: bool) -> None:
        state = self._state
        peer = state.peers.get(message.sender)
        if message.sender == state.key:
            return
        if peer is None or not peer.present:
            self._keys.want_rejoin()
            self._keep(message, early=early)
            return
        try:
            plain = state.inbound.decrypt(message.sender, message.session_id, message.ciphertext)
            if not state.trusts(peer):
                raise MegolmError("it comes from nobody who is a member")
            said = from_megolm(plain)
            if said.sender != message.sender:
                raise MegolmError("it says that somebody else has sent it")
            self._said(peer, said)
        except NoSessionError:
            self._keys.lacks(peer)
            self._keep(message, early=early)
        except RefusedError as error:
            state.tell(Undecryptable(message.sender, error.why))

    def _keep(self, message: Encrypted, *, early: bool) -> None:
        if not early and len(self._early) < _EARLY_MAX:
            self._early.append(_Early(message, self._state.now.s + _EARLY_S))
        else:
            self._state.tell(Undecryptable(message.sender, "the key of its session has not come"))

    def _said(self, peer: Peer, said: Broadcast) -> None:
        """A member has said something to all, and Megolm proves who it is.

        Raises:
            RefusedError: it is not in the form of the protocol.
        """
        state = self._state
        orlop = said.orlop
        if orlop is None:
            state.tell(LegacyMessage(said.sender, said.text, said.task_event))
            return
        match orlop.get("t"):
            case "entries":
                self._gaps.offer(peer, read_piece(orlop, state.room))
            case "heads":
                self._gaps.heads(peer, orlop)
            case "leases":
                self._leases.heard(peer, orlop)
            case "bye":
                state.tell(Gone(peer.identity_key))
            case _:
                pass  # of a later version

    def _for_originals(self, piece: Sequence[SignedEntry]) -> tuple[str, Mapping[str, Json] | None]:
        """What clients of the original show of one entry; in open rooms only, since nowhere else do they have keys."""
        if self._state.book.settings().admission != "open" or len(piece) != 1:
            return "", None
        entry = piece[0]
        text = entry.content.get("text")
        if entry.kind == "message" and isinstance(text, str):
            return text, None
        if entry.kind == "task":
            return "", {**entry.content, "timestamp": entry.ts_ms, "actorId": entry.actor}
        return "", None
