"""Noise XX as libp2p speaks it: both ends prove their keys, then everything is sealed. Bytes in, events and bytes out.

Format: https://github.com/libp2p/specs/blob/master/noise/README.md over https://noiseprotocol.org/noise.html. Every
message, in the handshake and behind it, is two bytes of length, big-endian, and at most 65,535 bytes.

What follows the handshake is `net.noise_transport`. The static key lives as long as the process; what ties it to a
PeerId is only the signature in the payload.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from net.errors import AddressError, MalformedError, PeerFaultError, WrongPeerError
from net.limits import NetLimits
from net.noise_transport import NONCE, NoiseTransport
from net.peer_id import PeerId
from net.protobuf import bytes_fields, encode_fields
from runtime.identity import Identity, verify

__all__ = ["Authenticated", "NoiseHandshake", "NoiseKey"]

_NAME: Final = b"Noise_XX_25519_ChaChaPoly_SHA256"
_DOMAIN: Final = b"noise-libp2p-static-key:"
_LIMITS: Final = NetLimits()
_KEY: Final = 32
_TAG: Final = 16
_SEALED_KEY: Final = _KEY + _TAG
_PREFIX: Final = 2
_PROOF_SCORE: Final = 50
_FORM_SCORE: Final = 20

_IDENTITY_KEY: Final = 1
_IDENTITY_SIGNATURE: Final = 2
_EXTENSIONS: Final = 4
_MUXERS: Final = 2

RandomBytes = Callable[[int], bytes]


class NoiseKey:
    """This node's static key and the proof whose it is. Made once in a process, by `fresh`.

    Args:
        static: the X25519 key.
        proof: the identity's public key and its signature, as the payload has them.
    """

    __slots__ = ("private", "proof", "public")

    def __init__(self, static: X25519PrivateKey, proof: tuple[tuple[int, bytes], ...]) -> None:
        self.private: Final = static
        self.public: Final = static.public_key().public_bytes_raw()
        self.proof: Final = proof

    @classmethod
    def fresh(cls, identity: Identity, random_bytes: RandomBytes = os.urandom) -> Self:
        """A new key.

        Args:
            identity: signs it.
            random_bytes: so many unpredictable ones.
        """
        static = X25519PrivateKey.from_private_bytes(random_bytes(_KEY))
        signature = identity.sign(_DOMAIN, static.public_key().public_bytes_raw())
        key = PeerId(identity.public).protobuf
        return cls(static, ((_IDENTITY_KEY, key), (_IDENTITY_SIGNATURE, signature)))


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Both ends know who the other is.

    Args:
        peer: whose key was proven.
        muxer: what both chose along with it; None when they have to agree on one now.
        transport: seals and opens from here on.
        leftover: bytes behind the handshake, which belong to the transport.
    """

    peer: PeerId
    muxer: str | None
    transport: NoiseTransport
    leftover: bytes


class NoiseHandshake:
    """One end of one handshake; done when it has given its event. What `take` gives is sent even then.

    Args:
        initiator: whether this end dialled.
        key: of this process.
        muxers: what may be chosen along with it, the dearest first; none leaves it to multistream.
        expected: who was dialled; the handshake ends before our name is told to anybody else. None takes anyone.
        random_bytes: so many unpredictable ones.
        limits: how long a message may be before the peer is known.
    """

    __slots__ = (
        "_buffer", "_ephemeral", "_expected", "_initiator", "_key", "_limit", "_muxers", "_out", "_read",
        "_remote_ephemeral", "_state",
    )  # fmt: skip

    def __init__(
        self,
        *,
        initiator: bool,
        key: NoiseKey,
        muxers: Iterable[str] = ("/yamux/1.0.0",),
        expected: PeerId | None = None,
        random_bytes: RandomBytes = os.urandom,
        limits: NetLimits = _LIMITS,
    ) -> None:
        self._initiator = initiator
        self._key = key
        self._muxers = tuple(muxers)
        self._expected = expected
        self._ephemeral = X25519PrivateKey.from_private_bytes(random_bytes(_KEY))
        self._limit = limits.noise_before
        self._state = _Symmetric()
        self._remote_ephemeral = b""
        self._buffer = bytearray()
        self._out = bytearray()
        self._read: Callable[[bytes], Authenticated | None] = self._read_first
        if initiator:
            self._read = self._read_second
            self._send(self._own_ephemeral() + self._state.seal(b""))

    def take(self) -> bytes:
        """What is to be sent now."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def receive(self, data: bytes | memoryview) -> Authenticated | None:
        """Takes bytes of the peer.

        Args:
            data: as they came; all that follows the handshake comes back as `Authenticated.leftover`.

        Returns:
            The end of the handshake, once; None before.

        Raises:
            PeerFaultError: the peer did not prove its key, or said what is no handshake. Nothing is answered.
            WrongPeerError: it proved another one than was dialled.
        """
        self._buffer += data
        while (message := self._message()) is not None:
            done = self._read(message)
            if done:
                return done
        return None

    # --- the three messages -------------------------------------------------------------------------------------------

    def _read_first(self, message: bytes) -> None:
        """The responder hears `e` and answers `e, ee, s, es`."""
        _exactly(message, _KEY)
        self._take_ephemeral(message)
        self._state.open(b"")
        ephemeral = self._own_ephemeral()
        self._state.mix_key(_shared(self._ephemeral, self._remote_ephemeral))
        static = self._state.seal(self._key.public)
        self._state.mix_key(_shared(self._key.private, self._remote_ephemeral))
        self._send(ephemeral + static + self._state.seal(self._payload()))
        self._read = self._read_third

    def _read_second(self, message: bytes) -> Authenticated:
        """The initiator hears `e, ee, s, es`, looks who that is, and only then says who it is: `s, se`."""
        if len(message) == _KEY:
            raise _fault("dialled us while we dialled it", "both-dialled", 0)
        _at_least(message, _KEY + _SEALED_KEY + _TAG)
        self._take_ephemeral(message[:_KEY])
        self._state.mix_key(_shared(self._ephemeral, self._remote_ephemeral))
        static = self._state.open(message[_KEY : _KEY + _SEALED_KEY])
        self._state.mix_key(_shared(self._ephemeral, static))
        peer, muxers = self._prove(static, self._state.open(message[_KEY + _SEALED_KEY :]))
        own = self._state.seal(self._key.public)
        self._state.mix_key(_shared(self._key.private, self._remote_ephemeral))
        self._send(own + self._state.seal(self._payload()))
        return self._authenticated(peer, _common(self._muxers, muxers))

    def _read_third(self, message: bytes) -> Authenticated:
        """The responder hears `s, se`."""
        _at_least(message, _SEALED_KEY + _TAG)
        static = self._state.open(message[:_SEALED_KEY])
        self._state.mix_key(_shared(self._ephemeral, static))
        peer, muxers = self._prove(static, self._state.open(message[_SEALED_KEY:]))
        return self._authenticated(peer, _common(muxers, self._muxers))

    # --- of which they are made ---------------------------------------------------------------------------------------

    def _message(self) -> bytes | None:
        """The next whole message; None when it is not there yet."""
        if len(self._buffer) < _PREFIX:
            return None
        size = int.from_bytes(self._buffer[:_PREFIX])
        if size > self._limit:
            raise _fault(f"sent {size} bytes before it proved its key", "oversized-frame", _FORM_SCORE)
        end = _PREFIX + size
        if len(self._buffer) < end:
            return None
        message = bytes(self._buffer[_PREFIX:end])
        del self._buffer[:end]
        return message

    def _send(self, message: bytes) -> None:
        self._out += len(message).to_bytes(_PREFIX) + message

    def _own_ephemeral(self) -> bytes:
        public = self._ephemeral.public_key().public_bytes_raw()
        self._state.mix_hash(public)
        return public

    def _take_ephemeral(self, public: bytes) -> None:
        self._remote_ephemeral = public
        self._state.mix_hash(public)

    def _payload(self) -> bytes:
        muxers = encode_fields((_MUXERS, name.encode()) for name in self._muxers)
        return encode_fields((*self._key.proof, *([(_EXTENSIONS, muxers)] if muxers else [])))

    def _prove(self, static: bytes, payload: bytes) -> tuple[PeerId, tuple[str, ...]]:
        """Who the peer is, and which muxers it names."""
        try:
            fields = dict(bytes_fields(payload))
            muxers = tuple(bytes_fields(fields.get(_EXTENSIONS, b"")))
        except MalformedError:
            raise _fault("sent a handshake that is no protobuf", "handshake", _FORM_SCORE) from None
        try:
            peer = PeerId.from_protobuf(fields.get(_IDENTITY_KEY, b""))
        except AddressError:
            raise _unproven() from None
        if not verify(peer.key, _DOMAIN, static, fields.get(_IDENTITY_SIGNATURE, b"")):
            raise _unproven()
        if self._expected not in {None, peer}:
            raise WrongPeerError(str(self._expected), str(peer))
        return peer, tuple(name.decode(errors="replace") for number, name in muxers if number == _MUXERS)

    def _authenticated(self, peer: PeerId, muxer: str | None) -> Authenticated:
        first, second = self._state.split()
        transport = NoiseTransport(first, second) if self._initiator else NoiseTransport(second, first)
        return Authenticated(peer, muxer, transport, bytes(self._buffer))


class _Symmetric:
    """What both ends have mixed so far: section 5.2 of Noise."""

    __slots__ = ("_chaining", "_cipher", "_hash", "_nonce")

    def __init__(self) -> None:
        # The name has 32 bytes, so it is its own hash; the prologue is empty.
        self._chaining = _NAME
        self._hash = sha256(_NAME).digest()
        self._cipher: ChaCha20Poly1305 | None = None
        self._nonce = 0

    def mix_hash(self, data: bytes) -> None:
        self._hash = sha256(self._hash + data).digest()

    def mix_key(self, shared: bytes) -> None:
        self._chaining, key = _derive(self._chaining, shared)
        self._cipher = ChaCha20Poly1305(key)
        self._nonce = 0

    def seal(self, plain: bytes) -> bytes:
        sealed = self._cipher.encrypt(self._next_nonce(), plain, self._hash) if self._cipher else plain
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        try:
            plain = self._cipher.decrypt(self._next_nonce(), sealed, self._hash) if self._cipher else sealed
        except InvalidTag:
            raise _fault("sent a handshake that was changed on its way", "handshake", _FORM_SCORE) from None
        self.mix_hash(sealed)
        return plain

    def split(self) -> tuple[bytes, bytes]:
        """The keys of what the initiator sends and of what the responder sends."""
        return _derive(self._chaining, b"")

    def _next_nonce(self) -> bytes:
        nonce, self._nonce = NONCE.pack(self._nonce), self._nonce + 1
        return nonce


def _derive(chaining: bytes, shared: bytes) -> tuple[bytes, bytes]:
    """HKDF of RFC 5869 with SHA-256, without info, two outputs."""
    secret = digest(chaining, shared, "sha256")
    first = digest(secret, b"\x01", "sha256")
    return first, digest(secret, first + b"\x02", "sha256")


def _shared(own: X25519PrivateKey, remote: bytes) -> bytes:
    try:
        return own.exchange(X25519PublicKey.from_public_bytes(remote))
    except ValueError:  # the shared secret would be zero, whatever our key is
        raise _unproven() from None


def _common(wished: Iterable[str], known: Iterable[str]) -> str | None:
    """The first that the initiator wishes and the responder knows."""
    known = set(known)
    return next((name for name in wished if name in known), None)


def _exactly(message: bytes, size: int) -> None:
    if len(message) != size:
        raise _fault(f"sent {len(message)} bytes where a handshake has {size}", "handshake", _FORM_SCORE)


def _at_least(message: bytes, size: int) -> None:
    if len(message) < size:
        raise _fault(f"sent {len(message)} bytes where a handshake has {size} or more", "handshake", _FORM_SCORE)


def _unproven() -> PeerFaultError:
    return _fault("could not prove its key", "unproven-key", _PROOF_SCORE)


def _fault(why: str, rule: str, score: int) -> PeerFaultError:
    return PeerFaultError(why, rule=rule, score=score)
