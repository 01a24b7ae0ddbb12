"""Safety numbers: what two members compare by another way, to know that nobody stands between them.

Both sides compute the same 60 digits and the same 12 words from both cards' keys; another key anywhere gives others.
"""

import functools
import hashlib
from dataclasses import dataclass
from typing import Final

import assets
from runtime.rooms.cards import Card

__all__ = ["SafetyNumber", "safety"]

_DOMAIN: Final = b"orlop-safety:v1:"
_ROUNDS: Final = 5_200
_GROUPS: Final = 12
_GROUP_BYTES: Final = 5
_GROUP_DIGITS: Final = 5
_WORDS: Final = 12
_WORD_BITS: Final = 11


@dataclass(frozen=True, slots=True)
class SafetyNumber:
    """The same number in two spellings; either is enough to compare.

    Attributes:
        digits: 12 groups of 5 digits.
        words: 12 words of the list of BIP 39.
    """

    digits: tuple[str, ...]
    words: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.digits)


def safety(one: Card, other: Card) -> SafetyNumber:
    """The number of two members, the same whichever comes first; takes some milliseconds.

    Args:
        one: a card.
        other: another.
    """
    keys = "".join(sorted((one.keys, other.keys))).encode()
    digest = hashlib.sha512(_DOMAIN + keys).digest()
    for _ in range(_ROUNDS - 1):  # slow on purpose: somebody who looks for keys with a similar number pays it each time
        digest = hashlib.sha512(digest + keys).digest()
    return SafetyNumber(_digits(digest), _spelled(digest))


def _digits(digest: bytes) -> tuple[str, ...]:
    groups = (digest[at : at + _GROUP_BYTES] for at in range(0, _GROUPS * _GROUP_BYTES, _GROUP_BYTES))
    return tuple(f"{int.from_bytes(group) % 10**_GROUP_DIGITS:0{_GROUP_DIGITS}d}" for group in groups)


def _spelled(digest: bytes) -> tuple[str, ...]:
    number = int.from_bytes(digest) >> (8 * len(digest) - _WORDS * _WORD_BITS)
    mask = (1 << _WORD_BITS) - 1
    return tuple(_list()[number >> (_WORD_BITS * place) & mask] for place in reversed(range(_WORDS)))


@functools.cache
def _list() -> tuple[str, ...]:
    return tuple(assets.path("words/english.txt").read_text(encoding="ascii").split())
