"""What yamux tells whoever drives it."""

from dataclasses import dataclass

from net.errors import PeerFaultError

__all__ = ["Blamed", "Data", "Eof", "Event", "Gone", "Pong", "Reset", "StreamOpened"]


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer has opened a stream."""

    id: int


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream, in order; they count as unread until they are consumed."""

    id: int
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Eof:
    """The peer sends no more on this stream."""

    id: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The stream is gone both ways: by the peer, or because it took nothing for too long."""

    id: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The peer has answered our ping after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Gone:
    """The peer opens no more streams and takes none; those that stand go on."""

    code: int


@dataclass(frozen=True, slots=True)
class Blamed:
    """The peer did what costs it some score, and nothing else."""

    fault: PeerFaultError


Event = StreamOpened | Data | Eof | Reset | Pong | Gone | Blamed
