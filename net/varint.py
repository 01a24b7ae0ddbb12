"""Unsigned LEB128, as libp2p and protobuf count: seven bits a byte, the lowest first, at most nine bytes.

Each number has one form here: what ends in a byte of no bits is refused, so that nothing has a second name.
"""

from typing import Final

from net.errors import MalformedError

__all__ = ["VARINT_MAX", "decode_varint", "encode_varint"]

VARINT_MAX: Final = (1 << 63) - 1
_BYTES: Final = 9
_MORE: Final = 0x80


def encode_varint(number: int) -> bytes:
    """The bytes of a number from 0 to `VARINT_MAX`.

    Raises:
        ValueError: another number: a mistake in the program.
    """
    if not 0 <= number <= VARINT_MAX:
        raise ValueError(f"{number} is no unsigned varint")
    out = bytearray()
    while number >= _MORE:
        out.append(number & 0x7F | _MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def decode_varint(data: bytes | bytearray | memoryview, at: int = 0) -> tuple[int, int] | None:
    """Reads one number.

    Args:
        data: the bytes; what follows the number is left alone.
        at: where the number begins.

    Returns:
        The number and where it ends, or None when its end is not there yet.

    Raises:
        MalformedError: longer than nine bytes, or longer than it need be.
    """
    number = 0
    for index, byte in enumerate(data[at : at + _BYTES]):
        number |= (byte & 0x7F) << 7 * index
        if byte < _MORE:
            if index and not byte:
                raise MalformedError("a number is longer than it need be")
            return number, at + index + 1
    if len(data) - at >= _BYTES:
        raise MalformedError("a number is longer than nine bytes")
    return None
