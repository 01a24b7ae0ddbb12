"""Member cards: a member's three public keys and name, signed by both keys that can sign.

A card binds the key that encrypts (`identityKey`), the key that signs the room's log (`ed25519Key`) and the node
(`peerId`) to one another, so that nobody can put another key into the place of one of them.
"""

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from runtime.canonical import Json, encode
from runtime.errors import RefusedError
from runtime.identity import public_of, verify
from runtime.rooms.members import NAME_CHARACTERS, cut_name
from runtime.sanitise import clean

__all__ = ["KEY_CHARACTERS", "Card", "CardError", "card_from_json", "key_bytes", "make_card"]

KEY_CHARACTERS: Final = 43
"""Characters of a Curve25519 or Ed25519 public key: base64 without padding."""

_DOMAIN: Final = b"orlop-member:v1:"
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}", re.ASCII)
_FIELDS: Final = frozenset({"identityKey", "ed25519Key", "peerId", "name", "sig_account", "sig_node"})


class CardError(RefusedError):
    """Not a member's card, or one whose signatures do not fit."""


class _Account(Protocol):
    @property
    def identity_key(self) -> str: ...

    @property
    def ed25519_key(self) -> str: ...

    def sign(self, domain: bytes, message: bytes) -> bytes: ...


class _Node(Protocol):
    @property
    def peer_id(self) -> str: ...

    def sign(self, domain: bytes, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A member's card. One that came from `make_card` or `card_from_json` has signatures that fit.

    Attributes:
        identity_key: Curve25519 public key, 43 characters; the member's name in the protocol.
        ed25519_key: Ed25519 public key of the account, 43 characters.
        peer_id: the node.
        name: 1 to 32 characters as their owner wrote them; `shown_name` is for people.
        sig_account: the account's signature, 128 hexadecimal characters.
        sig_node: the node's.
    """

    identity_key: str
    ed25519_key: str
    peer_id: str
    name: str
    sig_account: str = ""
    sig_node: str = ""

    def to_json(self) -> dict[str, Json]:
        """The card as it travels and as it stands in the log."""
        return self._signed() | {"sig_account": self.sig_account, "sig_node": self.sig_node}

    @property
    def shown_name(self) -> str:
        """The name, harmless: what may be shown changes with the version of Unicode, what was signed does not."""
        return _harmless(self.name)

    @property
    def keys(self) -> str:
        """The three public keys in a row; two cards of one member with different names have the same."""
        return self.identity_key + self.ed25519_key + self.peer_id

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the three keys, its first 32 hexadecimal characters."""
        return hashlib.sha256(self.keys.encode()).hexdigest()[:32]

    def _signed(self) -> dict[str, Json]:
        return {
            "identityKey": self.identity_key,
            "ed25519Key": self.ed25519_key,
            "peerId": self.peer_id,
            "name": self.name,
        }

    def message(self) -> bytes:
        """What both keys sign, behind the domain."""
        return encode(self._signed())


def make_card(account: _Account, node: _Node, name: str) -> Card:
    """This node's own card.

    Args:
        account: the member account.
        node: the node's identity.
        name: shown to the others; cut to 32 characters and cleaned.
    """
    bare = Card(
        identity_key=account.identity_key, ed25519_key=account.ed25519_key, peer_id=node.peer_id, name=_harmless(name)
    )
    message = bare.message()
    return Card(
        identity_key=bare.identity_key,
        ed25519_key=bare.ed25519_key,
        peer_id=bare.peer_id,
        name=bare.name,
        sig_account=account.sign(_DOMAIN, message).hex(),
        sig_node=node.sign(_DOMAIN, message).hex(),
    )


def card_from_json(value: Json) -> Card:
    """Reads a card and verifies both signatures.

    Raises:
        CardError: another shape, a key in another spelling, a name without 1 to 32 characters, or a signature that
            does not fit.
    """
    if not isinstance(value, Mapping) or set(value) != _FIELDS:
        raise CardError(f"must have exactly the fields {', '.join(sorted(_FIELDS))}", where="member card")
    texts = {name: text for name, text in value.items() if isinstance(text, str)}
    if len(texts) != len(_FIELDS):
        raise CardError("must have texts only", where="member card")
    card = Card(
        identity_key=texts["identityKey"],
        ed25519_key=texts["ed25519Key"],
        peer_id=texts["peerId"],
        name=texts["name"],
        sig_account=texts["sig_account"],
        sig_node=texts["sig_node"],
    )
    if why := _fault(card):
        raise CardError(why, where="member card")
    return card


@functools.lru_cache(maxsize=1024)
def _fault(card: Card) -> str:
    """What is wrong with a card; empty for nothing. The same card is seen often, and its answer never changes."""
    try:
        key_bytes(card.identity_key)
        signing = key_bytes(card.ed25519_key)
        node = public_of(card.peer_id)
    except RefusedError as error:
        return error.why
    if not 1 <= len(card.name) <= NAME_CHARACTERS:
        return f"its name must have 1 to {NAME_CHARACTERS} characters"
    message = card.message()
    for who, public, text in (("account", signing, card.sig_account), ("node", node, card.sig_node)):
        if not verify(public, _DOMAIN, message, _signature(text)):
            return f"the signature of its {who} does not fit"
    return ""


def key_bytes(text: str) -> bytes:
    """The 32 bytes of a public key in its one spelling.

    Args:
        text: 43 characters of base64 without padding.

    Raises:
        CardError: any other text.
    """
    if len(text) == KEY_CHARACTERS and text.isascii():
        try:
            raw = base64.b64decode(text + "=", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if base64.b64encode(raw).decode().rstrip("=") == text:
            return raw
    raise CardError(f"`{clean(text, 60)}` is not a public key of {KEY_CHARACTERS} characters", where="member card")


def _signature(text: str) -> bytes:
    return bytes.fromhex(text) if _SIGNATURE.fullmatch(text) else b""


def _harmless(name: str) -> str:
    return cut_name(clean(name)).strip() or "?"
