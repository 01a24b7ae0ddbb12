"""Base58 as Bitcoin writes it: the 58 characters that nobody confuses, and a `1` for each leading zero byte."""

from typing import Final

__all__ = ["decode", "encode"]

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS: Final = {char: value for value, char in enumerate(_ALPHABET)}
_MOST: Final = 128
"""Characters that are read at most: the work grows with their square."""


def encode(raw: bytes) -> str:
    """The text of some bytes."""
    number = int.from_bytes(raw)
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def decode(text: str) -> bytes | None:
    """The bytes of a text; None for what is no base58, and beyond 128 characters."""
    if len(text) > _MOST or not _DIGITS.keys() >= set(text):
        return None
    number = 0
    for char in text:
        number = number * 58 + _DIGITS[char]
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
