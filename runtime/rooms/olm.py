"""Olm with one other member: the sessions that either side has opened, and which of them is spoken through.

Both may open sessions at the same time, and either may lose its own in a restart; so several are kept. Spoken is
through the one that the other side used last, or through the newest while nothing was heard.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final, Protocol

from vodozemac import AnyOlmMessage, PreKeyMessage, Session

from runtime.canonical import Json
from runtime.errors import RefusedError
from runtime.rooms.plaintext import from_olm, to_olm
from runtime.rooms.transport import OlmMessage

__all__ = ["OlmAccount", "OlmError", "OlmLink", "from_base64", "to_base64"]

_SESSIONS_MAX: Final = 4


class OlmError(RefusedError):
    """A message for this member alone cannot be opened; `why` says it in words."""


class OlmAccount(Protocol):
    """What is needed of `runtime.account.MemberAccount`."""

    def open_session(self, identity_key: str, one_time_key: str) -> Session:
        """Opens a session."""
        ...

    def create_inbound(self, identity_key: str, message: PreKeyMessage) -> tuple[Session, bytes]:
        """Takes a session that another member opened."""
        ...


class OlmLink:
    """The sessions with one member.

    Args:
        account: this node's.
        identity_key: the other member's.
    """

    __slots__ = ("_account", "_identity_key", "_sessions", "answered")

    def __init__(self, account: OlmAccount, identity_key: str) -> None:
        self._account = account
        self._identity_key = identity_key
        self._sessions: list[Session] = []
        self.answered = False
        """Whether the other side has spoken through the session that is spoken through."""

    @property
    def usable(self) -> bool:
        """Whether there is a session to speak through."""
        return bool(self._sessions)

    def open(self, one_time_key: str) -> None:
        """Opens another session, and speaks through it from now on.

        Args:
            one_time_key: one of the other member's, as the transport shows it.

        Raises:
            OlmError: it is no key.
        """
        try:
            session = self._account.open_session(self._identity_key, one_time_key)
        except ValueError as error:
            raise OlmError(f"its one-time key is none: {error}") from error
        self._use(session)
        self.answered = False

    def encrypt(self, content: Mapping[str, Json]) -> OlmMessage:
        """Encrypts for the other member; only when `usable`.

        Args:
            content: a JSON object.
        """
        kind, raw = self._sessions[0].encrypt(to_olm(content)).to_parts()
        return OlmMessage(kind, to_base64(raw))

    def decrypt(self, message: OlmMessage) -> Mapping[str, Json]:
        """Opens what the other member sent.

        Raises:
            OlmError: changed, repeated, for a session that was lost, or from somebody else.
        """
        try:
            read = AnyOlmMessage.from_parts(message.message_type, from_base64(message.ciphertext))
        except (ValueError, OverflowError) as error:
            raise OlmError("it is no Olm message") from error
        first = read.to_pre_key()
        for session in self._sessions:
            if first is not None and not session.session_matches(first):
                continue
            try:
                plain = session.decrypt(read)
            except ValueError:
                continue
            self._use(session)
            self.answered = True
            return from_olm(plain)
        if first is None or any(session.session_matches(first) for session in self._sessions):
            raise OlmError("it belongs to no session that is known, or was repeated")
        return self._opened(first)

    def _opened(self, first: PreKeyMessage) -> Mapping[str, Json]:
        try:
            session, plain = self._account.create_inbound(self._identity_key, first)
        except (ValueError, RefusedError) as error:
            raise OlmError(str(error)) from error
        self._use(session)
        self.answered = True
        return from_olm(plain)

    def _use(self, session: Session) -> None:
        self._sessions = [session, *(one for one in self._sessions if one is not session)][:_SESSIONS_MAX]


def to_base64(raw: bytes) -> str:
    """Base64 without padding, as vodozemac writes it."""
    return base64.b64encode(raw).decode().rstrip("=")


def from_base64(text: str) -> bytes:
    """Reads base64 with or without padding.

    Raises:
        ValueError: it is none.
    """
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
