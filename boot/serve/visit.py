"""One request while it is answered."""

from dataclasses import dataclass

from aiohttp import web

from boot.serve.paths import Asked
from boot.serve.sessions import Session

__all__ = ["Visit"]


@dataclass(slots=True)
class Visit:
    """Who asks what.

    Attributes:
        request: as it came.
        address: from where.
        began: monotonic seconds.
        asked: what its path means; None where it means nothing.
        session: the machine's, once it is known.
        told: monotonic seconds at which its progress was told last.
    """

    request: web.BaseRequest
    address: str
    began: float
    asked: Asked | None
    session: Session | None = None
    told: float = 0.0
