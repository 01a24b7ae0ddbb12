"""What a finished Noise handshake leaves: frames out of bytes and bytes out of frames.

A frame is two bytes of length, big-endian, and what ChaCha20-Poly1305 sealed, without associated data. One frame as
long as may be costs least: the price is per frame, and 64 bytes cost a thirtieth of 65,519.
"""

from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from net.errors import ConnectionLostError, PeerFaultError

__all__ = ["NONCE", "PLAINTEXT_MAX", "NoiseTransport"]

PLAINTEXT_MAX: Final = 65_519
"""Bytes that one frame carries at most."""
NONCE: Final = Struct("<4xQ")
"""How Noise counts what was sealed with a key."""

_SIZE: Final = Struct(">H")
_TAG: Final = 16
_PREFIX: Final = 2
_MESSAGES_MAX: Final = 1 << 48
"""Frames under one key; then the connection ends, since there is no new key."""
_SCORE: Final = 20


class NoiseTransport:
    """What a finished handshake leaves: frames out of bytes and bytes out of frames, one key for each direction.

    Args:
        sending: the key of what we send, 32 bytes.
        receiving: the key of what the peer sends.
    """

    __slots__ = ("_opened", "_opener", "_partial", "_sealed", "_sealer")

    def __init__(self, sending: bytes, receiving: bytes) -> None:
        self._sealer = ChaCha20Poly1305(sending)
        self._opener = ChaCha20Poly1305(receiving)
        self._sealed = 0
        self._opened = 0
        self._partial = bytearray()

    def seal(self, *pieces: bytes | bytearray | memoryview) -> bytes:
        """The frames of some bytes: one up to `PLAINTEXT_MAX`, so many as are needed beyond. No bytes are no frame.

        Args:
            pieces: of bytes, sent one behind the other; they are copied.

        Raises:
            ConnectionLostError: the key is used up.
        """
        plain = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if 0 < len(plain) <= PLAINTEXT_MAX:
            return self._frame(plain)
        view = memoryview(plain)
        return b"".join(self._frame(view[at : at + PLAINTEXT_MAX]) for at in range(0, len(plain), PLAINTEXT_MAX))

    def receive(self, view: memoryview) -> list[bytes]:
        """Takes all of what came from the peer; an unfinished frame is kept here until its rest comes.

        Args:
            view: the bytes, which may change after the return.

        Returns:
            The plaintext of each frame that is whole now.

        Raises:
            PeerFaultError: a frame too short to be one, or not sealed by the peer: nothing more can be read.
            ConnectionLostError: the key is used up.
        """
        plain: list[bytes] = []
        at = self._complete(view, plain) if self._partial else 0
        size = len(view)
        while size - at >= _PREFIX:
            end = at + _PREFIX + _frame_size(view[at], view[at + 1])
            if end > size:
                break
            self._open(view[at + _PREFIX : end], plain)
            at = end
        if at < size:
            self._partial += view[at:]
        return plain

    def _frame(self, plain: bytes | bytearray | memoryview) -> bytes:
        # Sealing into a buffer made for it costs twice as much for a long frame: its pages are cleared first.
        nonce = NONCE.pack(_below_the_end(self._sealed))
        self._sealed += 1
        return _SIZE.pack(len(plain) + _TAG) + self._sealer.encrypt(nonce, plain, None)

    def _complete(self, view: memoryview, plain: list[bytes]) -> int:
        """Adds to the unfinished frame what it lacks; returns where the rest begins."""
        partial = self._partial
        at = max(0, _PREFIX - len(partial))
        partial += view[:at]
        if len(partial) < _PREFIX:
            return len(view)
        missing = _PREFIX + _frame_size(partial[0], partial[1]) - len(partial)
        end = at + missing
        partial += view[at:end]
        if end > len(view):
            return len(view)
        self._partial = bytearray()
        self._open(memoryview(partial)[_PREFIX:], plain)
        return end

    def _open(self, sealed: memoryview, plain: list[bytes]) -> None:
        nonce = NONCE.pack(_below_the_end(self._opened))
        try:
            opened = self._opener.decrypt(nonce, sealed, None)
        except InvalidTag:
            why = "sent a frame that was changed on its way"
            raise PeerFaultError(why, rule="bad-frame", score=_SCORE) from None
        self._opened += 1
        if opened:
            plain.append(opened)


def _frame_size(high: int, low: int) -> int:
    size = high << 8 | low
    if size < _TAG:
        why = f"sent a frame of {size} bytes, less than its seal has"
        raise PeerFaultError(why, rule="short-frame", score=_SCORE)
    return size


def _below_the_end(counter: int) -> int:
    if counter >= _MESSAGES_MAX:
        raise ConnectionLostError("the connection's key is used up", hint="connect again")
    return counter
