"""Cookies: who asks must show that it hears us at its address before it gets more than it sent, and whose key it has.

Both sides are here: the cookies that we give, those that we were given, and the proofs that go with their first use.
"""

import hmac
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from net.dht.contact import Address

__all__ = ["HELLO_DOMAIN", "Cookies", "GivenCookie", "Jar", "Met", "answer_message", "hello_message"]

HELLO_DOMAIN: Final = b"orlop-dht-hello:v1:"
_SLOT_S: Final = 600.0
_SLOT: Final = struct.Struct(">Q")
_TAG: Final = 16
_REMEMBERED: Final = 4096


def hello_message(cookie: bytes, asker: bytes, answerer: bytes) -> bytes:
    """What who asks signs with the first use of a cookie, under `HELLO_DOMAIN`.

    Args:
        cookie: as it was given.
        asker: public key of who signs.
        answerer: public key of who gave it.
    """
    return cookie + asker + answerer


def answer_message(cookie: bytes, request: bytes, answerer: bytes, asker: bytes) -> bytes:
    """What who answers signs in return. The id is the asker's choice, so that no old answer fits.

    Args:
        cookie: of the request.
        request: its id.
        answerer: public key of who signs.
        asker: public key of who asked.
    """
    return cookie + request + answerer + asker


class Cookies:
    """The cookies that we give: nothing is kept for them but a secret for each ten minutes, of which two count.

    Args:
        random_bytes: makes the secrets.
    """

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._secrets: dict[int, bytes] = {}

    def give(self, address: Address, key: bytes, now: float) -> bytes:
        """The cookie of an address and a key, 24 bytes.

        Args:
            address: where the request came from.
            key: which it claims.
            now: seconds.
        """
        return self._made(address, key, int(now // _SLOT_S), now)

    def fits(self, cookie: bytes, address: Address, key: bytes, now: float) -> bool:
        """Whether this address was given this cookie for this key, not long ago."""
        if len(cookie) != _SLOT.size + _TAG:
            return False
        (slot,) = _SLOT.unpack_from(cookie)
        if slot not in {int(now // _SLOT_S), int(now // _SLOT_S) - 1}:
            return False
        return hmac.compare_digest(cookie, self._made(address, key, slot, now))

    def _made(self, address: Address, key: bytes, slot: int, now: float) -> bytes:
        text = f"{address[0]} {address[1]} ".encode() + key + _SLOT.pack(slot)
        return _SLOT.pack(slot) + hmac.digest(self._secret(slot, now), text, "sha256")[:_TAG]

    def _secret(self, slot: int, now: float) -> bytes:
        if slot not in self._secrets:
            oldest = int(now // _SLOT_S) - 1
            self._secrets = {old: secret for old, secret in self._secrets.items() if old >= oldest}
            self._secrets[slot] = self._random_bytes(32)
        return self._secrets[slot]


class Met:
    """The cookies whose users have proven their keys; the longest unused are forgotten and asked again."""

    def __init__(self) -> None:
        self._met: OrderedDict[tuple[bytes, bytes], None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._met)

    def knows(self, key: bytes, cookie: bytes) -> bool:
        """Whether this key was proven with this cookie."""
        known = (key, cookie) in self._met
        if known:
            self._met.move_to_end((key, cookie))
        return known

    def add(self, key: bytes, cookie: bytes) -> None:
        """It was."""
        self._met[key, cookie] = None
        if len(self._met) > _REMEMBERED:
            self._met.popitem(last=False)


class GivenCookie:
    """A cookie that another node gave us.

    Attributes:
        cookie: 24 bytes.
        greeted: whether it has answered our proof with its own.
    """

    __slots__ = ("cookie", "greeted")

    def __init__(self, cookie: bytes) -> None:
        self.cookie = cookie
        self.greeted = False


class Jar:
    """The cookies that we were given, by address and key; the longest unused are forgotten."""

    def __init__(self) -> None:
        self._given: OrderedDict[tuple[Address, bytes], GivenCookie] = OrderedDict()

    def __len__(self) -> int:
        return len(self._given)

    def get(self, address: Address, key: bytes) -> GivenCookie | None:
        """The cookie for a node, if there is one."""
        found = self._given.get((address, key))
        if found is not None:
            self._given.move_to_end((address, key))
        return found

    def put(self, address: Address, key: bytes, cookie: bytes) -> None:
        """A node gave us a cookie; the proofs are due anew."""
        self._given[address, key] = GivenCookie(cookie)
        self._given.move_to_end((address, key))
        if len(self._given) > _REMEMBERED:
            self._given.popitem(last=False)
