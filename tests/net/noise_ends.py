"""Both ends of a Noise handshake with keys that a test knows, and the same by another implementation."""

import warnings
from collections.abc import Callable, Iterable

from noise.connection import Keypair, NoiseConnection

from net.noise import Authenticated, NoiseHandshake, NoiseKey
from net.peer_id import PeerId
from runtime.identity import Identity

NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"
YAMUX = "/yamux/1.0.0"

DIALLER = Identity(b"\1" * 32)
LISTENER = Identity(b"\2" * 32)
STATIC = {DIALLER: b"\x11" * 32, LISTENER: b"\x22" * 32}
EPHEMERAL = {DIALLER: b"\x33" * 32, LISTENER: b"\x44" * 32}


def always(raw: bytes) -> Callable[[int], bytes]:
    """As randomness, the same bytes again and again."""
    return lambda size: raw[:size]


KEYS = {who: NoiseKey.fresh(who, always(STATIC[who])) for who in (DIALLER, LISTENER)}


def peer_of(identity: Identity) -> PeerId:
    return PeerId(identity.public)


def end(who: Identity, *, muxers: Iterable[str] = (YAMUX,), expected: PeerId | None = None) -> NoiseHandshake:
    """Our handshake, of the dialler or of the listener."""
    chance = always(EPHEMERAL[who])
    initiator = who is DIALLER
    return NoiseHandshake(initiator=initiator, key=KEYS[who], muxers=muxers, expected=expected, random_bytes=chance)


def other(who: Identity) -> NoiseConnection:
    """The same handshake by PyPI's `noiseprotocol`."""
    stranger = NoiseConnection.from_name(NAME)
    if who is DIALLER:
        stranger.set_as_initiator()
    else:
        stranger.set_as_responder()
    stranger.set_keypair_from_private_bytes(Keypair.STATIC, STATIC[who])
    stranger.set_keypair_from_private_bytes(Keypair.EPHEMERAL, EPHEMERAL[who])
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # that nobody should know the ephemeral key
        stranger.start_handshake()
    return stranger


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2) + message


def proof(who: Identity, muxers: bytes = b"") -> bytes:
    """The payload by which a key is proven, written out."""
    static = KEYS[who].public
    signature = who.sign(b"noise-libp2p-static-key:", static)
    return b"\x0a\x24\x08\x01\x12\x20" + who.public + b"\x12\x40" + signature + muxers


def shake(dialler: NoiseHandshake, listener: NoiseHandshake) -> tuple[Authenticated, Authenticated]:
    """Carries the three messages."""
    assert listener.receive(dialler.take()) is None
    here = dialler.receive(listener.take())
    there = listener.receive(dialler.take())
    assert here is not None
    assert there is not None
    return here, there
