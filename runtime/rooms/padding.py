"""Padding of what Megolm encrypts, so that a ciphertext tells the length of a message to within 256 bytes only.

The form is the original's: count bytes to a multiple of 256, then base64. A count of 256 is written as 0 and read so.
"""

import base64
import binascii
from typing import Final

from runtime.errors import RefusedError

__all__ = ["PaddingError", "pad", "unpad"]

_BLOCK: Final = 256


class PaddingError(RefusedError):
    """What was decrypted has no valid padding."""


def pad(plain: bytes) -> bytes:
    """Fills to the next multiple of 256 bytes, by at least one, and writes base64.

    Args:
        plain: UTF-8 of any length.
    """
    count = _BLOCK - len(plain) % _BLOCK
    return base64.b64encode(plain + bytes([count % _BLOCK]) * count)


def unpad(padded: bytes) -> bytes:
    """The bytes that `pad` was given.

    Only the count is looked at: a message that decrypts is its sender's, and senders fill as they like.

    Raises:
        PaddingError: not base64, not a multiple of 256 bytes, or nothing at all.
    """
    try:
        raw = base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        raise PaddingError("the message is not base64 inside") from None
    if not raw or len(raw) % _BLOCK:
        raise PaddingError(f"the message has {len(raw)} bytes inside, which is no multiple of {_BLOCK}")
    return raw[: len(raw) - (raw[-1] or _BLOCK)]
