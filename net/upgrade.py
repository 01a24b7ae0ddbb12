"""From a bare socket to a peer that is proven: multistream, Noise, and the choice of yamux. Bytes in, bytes out.

`/noise` by multistream; Noise XX; `/yamux/1.0.0`, named along with the handshake or by multistream inside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from net.errors import PeerFaultError
from net.limits import NetLimits
from net.multistream import Multistream, Refused
from net.noise import Authenticated, NoiseHandshake, NoiseKey
from net.noise_transport import NoiseTransport
from net.peer_id import PeerId

__all__ = ["Upgrade", "Upgraded"]

_NOISE: Final = "/noise"
_YAMUX: Final = "/yamux/1.0.0"
_SCORE: Final = 20


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The peer is proven and both ends speak yamux.

    Attributes:
        peer: who it is.
        noise: seals and opens all that follows.
        leftover: bytes of yamux that have come already.
        sealed: frames of Noise that have come behind those, not opened yet.
    """

    peer: PeerId
    noise: NoiseTransport
    leftover: bytes
    sealed: bytes


class Upgrade:
    """One end of one upgrade; done when it has given its event. What `take` gives is sent even then.

    Args:
        dialler: whether we have dialled.
        key: of this process.
        own: our PeerId, which nobody else may have.
        expected: who was dialled; None takes anyone.
        limits: the table.
    """

    def __init__(
        self, *, dialler: bool, key: NoiseKey, own: PeerId, expected: PeerId | None, limits: NetLimits
    ) -> None:
        self._dialler = dialler
        self._own = own
        self._limits = limits
        self._security = Multistream(dialler=dialler, names=[_NOISE], limits=limits)
        self._handshake = NoiseHandshake(initiator=dialler, key=key, muxers=[_YAMUX], expected=expected, limits=limits)
        self._out = bytearray(self._security.take())
        self._read: Callable[[bytes | memoryview], Upgraded | None] = self._agree_on_noise

    def take(self) -> bytes:
        """What is to be sent now."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def receive(self, data: bytes | memoryview) -> Upgraded | None:
        """Takes bytes of the peer.

        Returns:
            The end of the upgrade, once; None before.

        Raises:
            PeerFaultError: the peer speaks something else, did not prove its key, or proved ours.
            WrongPeerError: it proved another one than was dialled.
        """
        return self._read(data)

    def _agree_on_noise(self, data: bytes | memoryview) -> Upgraded | None:
        event = self._security.receive(data)
        self._out += self._security.take()
        if event is None:
            return None
        if isinstance(event, Refused):
            raise _speaks_no(_NOISE)
        self._read = self._shake_hands
        # The handshake's first message, when it is ours, follows what was agreed on.
        self._out += self._handshake.take()
        return self._shake_hands(event.leftover)

    def _shake_hands(self, data: bytes | memoryview) -> Upgraded | None:
        done = self._handshake.receive(data)
        self._out += self._handshake.take()
        if done is None:
            return None
        if done.peer == self._own:
            raise PeerFaultError("has this node's own key", rule="own-key", score=0)
        if done.muxer is not None:
            return Upgraded(done.peer, done.transport, leftover=b"", sealed=done.leftover)
        return self._begin_muxer(done)

    def _begin_muxer(self, known: Authenticated) -> Upgraded | None:
        muxer = Multistream(dialler=self._dialler, names=[_YAMUX], limits=self._limits)
        noise = known.transport
        self._out += noise.seal(muxer.take())

        def agree(data: bytes | memoryview) -> Upgraded | None:
            plain = noise.receive(memoryview(data))
            event = muxer.receive(b"".join(plain))
            answer = muxer.take()
            if answer:
                self._out += noise.seal(answer)
            if isinstance(event, Refused):
                raise _speaks_no(_YAMUX)
            return None if event is None else Upgraded(known.peer, noise, leftover=event.leftover, sealed=b"")

        self._read = agree
        return agree(known.leftover)


def _speaks_no(protocol: str) -> PeerFaultError:
    return PeerFaultError(f"does not speak {protocol}", rule="multistream", score=_SCORE)
