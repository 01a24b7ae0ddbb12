"""multistream-select 1.0: how two ends of a stream agree on what to speak. Bytes in, events and bytes out.

A message is a length, a text and a newline; the length counts the newline. Both ends begin with the name of this
protocol; then the dialler proposes, and the listener says the same word or `na`.
Format: https://github.com/multiformats/multistream-select.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from net.errors import MalformedError, PeerFaultError
from net.limits import NetLimits
from net.varint import decode_varint, encode_varint
from runtime.sanitise import clean

__all__ = ["Multistream", "Refused", "Selected"]

_LIMITS: Final = NetLimits()
_HEADER: Final = "/multistream/1.0.0"
_NOT_HERE: Final = "na"
_SCORE: Final = 20


@dataclass(frozen=True, slots=True)
class Selected:
    """Both ends agreed.

    Args:
        name: on this.
        leftover: bytes behind it, which belong to what was agreed on.
    """

    name: str
    leftover: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """The listener speaks none of what the dialler proposed. The listener itself never says so: it waits for more."""


class Multistream:
    """One end of one negotiation; done when it has given an event.

    A dialler with one name may send the first bytes of the protocol right behind what `take` gives, before it is
    selected; when it is refused they were for nothing.

    Args:
        dialler: whether this end proposes.
        names: what it proposes, the dearest first, at least one; or what the listener serves.
        limits: how long a message is, and how many names are tried.
    """

    __slots__ = ("_buffer", "_dialler", "_done", "_greeted", "_limits", "_names", "_out", "_proposals")

    def __init__(self, *, dialler: bool, names: Iterable[str], limits: NetLimits = _LIMITS) -> None:
        self._dialler = dialler
        self._limits = limits
        self._names = tuple(names)
        self._proposals = 0
        self._greeted = False
        self._done = False
        self._buffer = bytearray()
        self._out = bytearray(_encode(_HEADER))
        if dialler:
            self._propose()

    def take(self) -> bytes:
        """What is to be sent now."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def receive(self, data: bytes | memoryview) -> Selected | Refused | None:
        """Takes bytes of the other end.

        Args:
            data: as they came; all that follows the agreement comes back as `Selected.leftover`.

        Returns:
            The end of the negotiation, once; None before.

        Raises:
            PeerFaultError: no multistream, or more than one negotiation may take.
        """
        if self._done:
            raise ValueError("the negotiation is over")
        self._buffer += data
        while (text := self._message()) is not None:
            event = self._answered(text) if self._dialler else self._proposed(text)
            if event:
                self._done = True
                return event
        return None

    def _message(self) -> str | None:
        """The next whole message; None when it is not there yet."""
        try:
            found = decode_varint(self._buffer)
        except MalformedError as error:
            raise _fault(error.why) from None
        if found is None:
            return None
        size, at = found
        if not 0 < size <= self._limits.multistream_message:
            raise _fault(f"sent a message of {size} bytes where {self._limits.multistream_message} are allowed")
        if len(self._buffer) < at + size:
            return None
        raw = bytes(self._buffer[at : at + size])
        del self._buffer[: at + size]
        if not raw.endswith(b"\n"):
            raise _fault("sent a message without its newline")
        return raw[:-1].decode("utf-8", "surrogateescape")

    def _answered(self, text: str) -> Selected | Refused | None:
        """What the dialler makes of a message."""
        if not self._greeted:
            self._greet(text)
            return None
        if text == self._names[self._proposals - 1]:
            return Selected(text, self._rest())
        if text != _NOT_HERE:
            raise _fault(f"answered with `{clean(text, 80)}`")
        if self._proposals == len(self._names):
            return Refused()
        self._propose()
        return None

    def _proposed(self, text: str) -> Selected | None:
        """What the listener makes of a message."""
        if not self._greeted:
            self._greet(text)
            return None
        self._proposals += 1
        if text in self._names:
            self._out += _encode(text)
            return Selected(text, self._rest())
        if self._proposals == self._limits.multistream_proposals:
            raise _fault(f"proposed {self._proposals} protocols in vain")
        # `ls`, which asks for a list, is answered in several shapes out there; here it is one more name not served.
        self._out += _encode(_NOT_HERE)
        return None

    def _greet(self, text: str) -> None:
        if text != _HEADER:
            raise _fault(f"greeted with `{clean(text, 80)}`")
        self._greeted = True

    def _propose(self) -> None:
        self._out += _encode(self._names[self._proposals])
        self._proposals += 1

    def _rest(self) -> bytes:
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


def _encode(text: str) -> bytes:
    raw = text.encode() + b"\n"
    return encode_varint(len(raw)) + raw


def _fault(why: str) -> PeerFaultError:
    return PeerFaultError(why, rule="multistream", score=_SCORE)
