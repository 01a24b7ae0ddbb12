"""Invitations: one line of text that names a room, the relay to it and its creator, and holds the secret to enter.

`orlop-room:1:{room}:{relay}:{secret}:{creator}:{name}`, where relay and name are base64url without padding. Whoever
has it may join. Nobody is shown the secret: both sides prove to know it by an HMAC over who talks to whom.
"""

import base64
import binascii
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from runtime.errors import RefusedError

__all__ = [
    "CHARACTERS",
    "PREFIX",
    "Invite",
    "InviteError",
    "invite_proof",
    "new_secret",
    "parse_invite",
    "proof_fits",
]

PREFIX: Final = "orlop-room:1:"
"""How every invitation begins."""

CHARACTERS: Final = 2048
"""No invitation is longer."""

_HEX32: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PROOF_DOMAIN: Final = b"orlop-invite:v1:"
_RELAY_CHARACTERS: Final = 512
_NAME_CHARACTERS: Final = 64


class InviteError(RefusedError):
    """A text that is no invitation of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """An invitation.

    Attributes:
        room: the room's id, 32 hexadecimal characters.
        relay: `ws://` or `wss://` URL of the relay; empty for members of one program.
        secret: 32 hexadecimal characters.
        creator: fingerprint of the creator's card, 32 hexadecimal characters.
        name: the room's name, as the inviter calls it.
    """

    room: str
    relay: str
    secret: str
    creator: str
    name: str

    def __str__(self) -> str:
        """The text that `parse_invite` reads."""
        return f"{PREFIX}{self.room}:{_packed(self.relay)}:{self.secret}:{self.creator}:{_packed(self.name)}"

    def __repr__(self) -> str:
        return f"<Invite {self.room}>"


def parse_invite(text: str) -> Invite:
    """Reads an invitation; only the form that is written is accepted.

    Args:
        text: what somebody pasted; blanks around it are passed over.

    Raises:
        InviteError: anything else, with what is wrong in one line.
    """
    stripped = text.strip()
    if not stripped.startswith(PREFIX):
        raise InviteError(f"does not begin with `{PREFIX}`", where="invitation", hint="paste the whole line")
    if len(stripped) > CHARACTERS:
        raise InviteError(f"is longer than {CHARACTERS:,} characters", where="invitation", hint="paste one line only")
    parts = stripped.removeprefix(PREFIX).split(":")
    if len(parts) != len(Invite.__slots__):
        why = f"has {len(parts)} parts behind its beginning, not {len(Invite.__slots__)}"
        raise InviteError(why, where="invitation", hint="paste the whole line")
    room, relay, secret, creator, name = parts
    for what, value in (("room", room), ("secret", secret), ("creator", creator)):
        if not _HEX32.fullmatch(value):
            raise InviteError(f"its {what} has not 32 hexadecimal characters", where="invitation")
    return Invite(
        room=room,
        relay=_checked_relay(_unpacked(relay, "relay")),
        secret=secret,
        creator=creator,
        name=_unpacked(name, "name")[:_NAME_CHARACTERS],
    )


def new_secret() -> str:
    """A fresh secret for a room's invitations: 128 random bits."""
    return secrets.token_hex(16)


def invite_proof(secret: str, room: str, sender: str, target: str) -> str:
    """What the sender shows the target to prove that it knows the secret; good for these two only.

    Args:
        secret: of the invitation, 32 hexadecimal characters.
        room: the room's id.
        sender: identity key of who proves.
        target: identity key of who is to believe it.

    Returns:
        HMAC-SHA256, 64 hexadecimal characters.
    """
    # Room ids and keys have fixed lengths, so nothing can be moved from one part into the next.
    message = _PROOF_DOMAIN + f"{room}{sender}{target}".encode()
    return hmac.new(bytes.fromhex(secret), message, "sha256").hexdigest()


def proof_fits(proof: str, secret: str, room: str, sender: str, target: str) -> bool:
    """Whether a proof is the one that `invite_proof` gives."""
    return bool(secret) and hmac.compare_digest(proof.encode(), invite_proof(secret, room, sender, target).encode())


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(text: str, what: str) -> str:
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        found = ""
    if _packed(found) != text:
        raise InviteError(f"its {what} is not base64url", where="invitation", hint="paste the whole line")
    return found


def _checked_relay(url: str) -> str:
    """The URL of a relay; empty is one too."""
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _RELAY_CHARACTERS
    if url and not (plain and _is_socket(url)):
        raise InviteError("its relay is not a ws:// or wss:// address", where="invitation")
    return url


def _is_socket(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"ws", "wss"} and bool(parts.hostname) and parts.username is None and port != 0
