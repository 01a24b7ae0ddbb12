"""People for tests of rooms: the same keys at every run, made of their names."""

import base64
import hashlib
from dataclasses import dataclass, field

from runtime.identity import Identity
from runtime.rooms.cards import Card, make_card

__all__ = ["Person"]


@dataclass(frozen=True)
class Person:
    """An account that signs, and its node. What opens Olm sessions is not there: its key is a name only."""

    name: str
    node: Identity = field(init=False, repr=False, compare=False)
    _signer: Identity = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "node", Identity(_seed("node", self.name)))
        object.__setattr__(self, "_signer", Identity(_seed("account", self.name)))

    @property
    def identity_key(self) -> str:
        return _base64(_seed("identity", self.name))

    @property
    def ed25519_key(self) -> str:
        return _base64(self._signer.public)

    @property
    def card(self) -> Card:
        return make_card(self, self.node, self.name)

    def sign(self, domain: bytes, message: bytes) -> bytes:
        return self._signer.sign(domain, message)


def _seed(kind: str, name: str) -> bytes:
    return hashlib.sha256(f"{kind} of {name}".encode()).digest()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")
