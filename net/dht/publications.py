"""What this node publishes, and when it must be told again. Pure; time is passed in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from net.dht.record import Record, Signer, sign_record
from runtime.canonical import Json

__all__ = ["LIFE_MS", "Publications"]

LIFE_MS: Final = 4 * 3_600_000
"""A node that vanishes is still named for so long at most."""

_AGAIN_S: Final = 3600.0
_SOON_S: Final = 60.0
_FAREWELL_MS: Final = 1000


@dataclass(slots=True)
class _Publication:
    kind: str
    body: Mapping[str, Json]
    record: Record
    due: float


class Publications:
    """Records of ours by their keys.

    Args:
        signer: signs them.
    """

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._ours: dict[str, _Publication] = {}
        self._sequences: dict[str, int] = {}

    def keys(self) -> list[str]:
        """The keys under which something is published."""
        return list(self._ours)

    def put(self, kind: str, key: str, body: Mapping[str, Json], now: float, wall_ms: int) -> Record:
        """Publishes from now on.

        Args:
            kind: of the record.
            key: its text.
            body: as the kind has it.
            now: seconds.
            wall_ms: Unix milliseconds.

        Raises:
            RecordError: others would refuse it.
        """
        record = self._signed(kind, key, body, wall_ms, LIFE_MS)
        self._ours[key] = _Publication(kind, body, record, now + _AGAIN_S)
        return record

    def take_back(self, key: str, wall_ms: int) -> Record | None:
        """Publishes no longer.

        Returns:
            A record that takes the place of the last one and is over after a moment; None if there was none.
        """
        ours = self._ours.pop(key, None)
        return None if ours is None else self._signed(ours.kind, key, ours.body, wall_ms, _FAREWELL_MS)

    def due(self, now: float, wall_ms: int) -> list[Record]:
        """What must be told again now; what is half through its life is signed anew.

        Args:
            now: seconds.
            wall_ms: Unix milliseconds.
        """
        due = [ours for ours in self._ours.values() if ours.due <= now]
        for ours in due:
            ours.due = now + _AGAIN_S
            record = ours.record
            if not record.issued_ms <= wall_ms < record.issued_ms + LIFE_MS // 2:
                ours.record = self._signed(ours.kind, record.key, ours.body, wall_ms, LIFE_MS)
        return [ours.record for ours in due]

    def failed(self, key: str, now: float) -> None:
        """Nobody took it: it is tried again in a minute."""
        ours = self._ours.get(key)
        if ours is not None:
            ours.due = now + _SOON_S

    def due_at(self) -> float | None:
        """When the next one is due, in seconds; None for never."""
        return min((ours.due for ours in self._ours.values()), default=None)

    def _signed(self, kind: str, key: str, body: Mapping[str, Json], wall_ms: int, life_ms: int) -> Record:
        sequence = max(self._sequences.get(key, 0) + 1, wall_ms)
        self._sequences[key] = sequence
        return sign_record(self._signer, kind, key, body, seq=sequence, issued_ms=wall_ms, life_ms=life_ms)
