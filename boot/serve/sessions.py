"""Machines that asked for the manifest: each got a nonce, and is known by it. Pure; time is passed in."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

__all__ = ["Session", "Sessions"]

_NONCE_CHARS: Final = 32


@dataclass(slots=True)
class Session:
    """One machine, from its request for the manifest on.

    Attributes:
        nonce: 32 hexadecimal characters.
        address: from where it asked.
        sent: bytes of artifacts that were sent to it.
        reports: how many lines it reported.
    """

    nonce: str
    address: str
    sent: int = 0
    reports: int = 0


class Sessions:
    """So many, of which the oldest is forgotten.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._all)

    def begin(self, nonce: bytes, address: str) -> Session:
        """A machine asked for the manifest.

        Args:
            nonce: 16 random bytes.
            address: from where.
        """
        session = Session(nonce.hex(), address)
        self._all[session.nonce] = session
        if len(self._all) > self._most:
            self._all.popitem(last=False)
        return session

    def find(self, nonce: str) -> Session | None:
        """The machine of a nonce, if it is known still."""
        return self._all.get(nonce) if len(nonce) == _NONCE_CHARS else None
