"""The steps by which two nodes come to a job and through it, as somebody between them can tell them from outside."""

from collections.abc import Callable

from tests.namespaces.gate import Piece

__all__ = ["PROVEN", "STEPS", "holds_at"]

_HANDSHAKE = {
    "connected": None,
    "multistream of the dialler": (True, 2),
    "multistream of the listener": (False, 2),
    "noise 1": (True, 3),
    "noise 2": (False, 3),
    "noise 3": (True, 4),
    "yamux": (False, 4),
}
"""The last piece that passes: its direction, and its number there."""

_LAST = 4
"""Of the handshake's pieces, in each direction."""

_JOB = {
    "identify": (False, 150),
    "offer": (True, 700),
    "lease": (False, 300),
    "request": (True, 150),
    "module": (True, 2000),
    "result": (False, 1000),
}
"""The last piece that passes: the first behind the step before that has this direction and so many bytes."""

STEPS = (*_HANDSHAKE, *_JOB)
PROVEN = frozenset(STEPS[STEPS.index("noise 3") :])
"""The listener knows who dialled."""


def holds_at(step: str) -> Callable[[Piece | None], bool]:
    """Tells a gate where to stop; see `gate.Gate`."""
    if step in _HANDSHAKE:
        last = _HANDSHAKE[step]
        return lambda piece: (None if piece is None else (piece.inwards, piece.number)) == last
    coming = [_JOB[name] for name in [*_JOB][: [*_JOB].index(step) + 1]]

    def stops(piece: Piece | None) -> bool:
        if piece is not None and piece.number > _LAST and coming:
            inwards, size = coming[0]
            if piece.inwards is inwards and piece.size >= size:
                coming.pop(0)
        return not coming

    return stops
