"""Megolm: this member's sender session, and those of the others, bound to who shared them.

A session belongs to the identity that shared it by Olm, and nothing that somebody else sends under it is accepted. An
index is accepted once. The sender session lives in memory only: after a restart, also from a backup, it is another
one, so no index is ever used twice.
"""

from typing import Final

from vodozemac import GroupSession, InboundGroupSession, MegolmMessage, SessionKey

from runtime.errors import RefusedError
from runtime.rooms.plaintext import SharedKey

__all__ = ["InboundSessions", "MegolmError", "NoSessionError", "Outbound"]

_PER_SENDER: Final = 8


class MegolmError(RefusedError):
    """A message for all cannot be opened; `why` says it in words."""


class NoSessionError(MegolmError):
    """The key of its session has not come, or not from this sender."""


class Outbound:
    """This member's sender session."""

    __slots__ = ("_session", "_shared", "session_id")

    def __init__(self) -> None:
        self._session = GroupSession()
        self._shared: SharedKey | None = None
        self.session_id: str = self._session.session_id
        """43 characters; the public key of the session."""

    def shared(self) -> SharedKey:
        """The key from which everything can be read that is said from now on."""
        if self._shared is None:  # many get the same one when they come together
            self._shared = SharedKey(session_id=self.session_id, session_key=self._session.session_key.to_base64())
        return self._shared

    def encrypt(self, padded: bytes) -> str:
        """Encrypts for everybody who has the key; base64 without padding."""
        self._shared = None
        return self._session.encrypt(padded).to_base64().rstrip("=")


class _Inbound:
    """One session of another member, and which of its indices have been seen."""

    __slots__ = ("_floor", "_seen", "session")

    def __init__(self, session: InboundGroupSession) -> None:
        self.session = session
        self._floor = session.first_known_index
        self._seen: set[int] = set()

    def is_new(self, index: int) -> bool:
        return index >= self._floor and index not in self._seen

    def mark(self, index: int) -> None:
        self._seen.add(index)
        while self._floor in self._seen:  # most come in order: what is remembered stays small
            self._seen.remove(self._floor)
            self._floor += 1


class InboundSessions:
    """The others' sender sessions."""

    __slots__ = ("_sessions",)

    def __init__(self) -> None:
        self._sessions: dict[str, dict[str, _Inbound]] = {}

    def add(self, sender: str, shared: SharedKey) -> bool:
        """Takes a session that a member shared. One that is there already stays as it is, with what was seen of it.

        Args:
            sender: identity key of who shared it by Olm.
            shared: the session.

        Returns:
            Whether it is new.

        Raises:
            MegolmError: no session key, or that of another session.
        """
        try:
            session = InboundGroupSession(SessionKey(shared.session_key))
        except ValueError as error:
            raise MegolmError("the shared session has no valid key") from error
        if session.session_id != shared.session_id:
            raise MegolmError("the shared session's key is that of another session")
        own = self._sessions.setdefault(sender, {})
        if shared.session_id in own:
            return False
        own[shared.session_id] = _Inbound(session)
        if len(own) > _PER_SENDER:
            del own[next(iter(own))]
        return True

    def newest(self, sender: str) -> str:
        """Id of the session that a member shared last; empty when there is none."""
        return next(reversed(self._sessions.get(sender, {})), "")

    def drop(self, sender: str) -> None:
        """Forgets what a member shared."""
        self._sessions.pop(sender, None)

    def clear(self) -> None:
        """Forgets everything."""
        self._sessions.clear()

    def decrypt(self, sender: str, session_id: str, ciphertext: str) -> bytes:
        """Opens a message, once.

        Args:
            sender: who sends it, as the transport says.
            session_id: likewise.
            ciphertext: base64.

        Raises:
            NoSessionError: this sender has not shared this session.
            MegolmError: changed, repeated, or from before the key was shared.
        """
        inbound = self._sessions.get(sender, {}).get(session_id)
        if inbound is None:
            raise NoSessionError("the key of its session has not come")
        try:
            message = MegolmMessage.from_base64(ciphertext.rstrip("="))
        except ValueError as error:
            raise MegolmError("it was damaged on its way") from error
        index = message.message_index()
        if not inbound.is_new(index):
            known = index >= inbound.session.first_known_index
            raise MegolmError("it was repeated" if known else "it was said before the key was shared")
        try:
            opened = inbound.session.decrypt(message)
        except ValueError as error:
            raise MegolmError("it was damaged on its way") from error
        inbound.mark(opened.message_index)
        return opened.plaintext
